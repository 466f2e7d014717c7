/** Cash and the law: what one person may give on a day, and what counts for a deduction. */
import { blindIndexes } from '../base/blind-index.ts'
import type { IsoDate } from '../base/clock.ts'
import { financialYear } from '../base/clock.ts'
import type { Keyring } from '../base/crypto.ts'
import type { Trx } from '../base/db.ts'
import { taxIdContext, type NewDonor } from '../donations/donors.ts'
import { sameName } from './payment.ts'

/**
 * ₹2,00,000: from that on nobody may take cash from one person on one day, in one transaction, or
 * for one occasion (Income-tax Act 1961, section 269ST, and what took its place in 2026). What
 * belongs to one occasion, no system can know.
 */
export const CASH_FORBIDDEN_FROM = 20_000_000n

/** Who gave, as far as it tells him from others. */
export interface Giver {
  /** Null for who is new. */
  donorId: string | null
  /** Blind indexes of the tax id, one a data key; none where it is not known. */
  taxIds: readonly string[]
  /** As `sameName` writes it; null for who was erased. */
  name: string | null
}

/** Cash of one day, with who gave it. */
export interface GivenCash {
  day: IsoDate
  amount: bigint
  giver: Giver
}

export function newGiver(trx: Trx, keyring: Keyring, { name, taxId }: NewDonor): Giver {
  const taxIds =
    taxId === null ? [] : blindIndexes(keyring, taxIdContext(trx.scope, taxId.type), taxId.value)
  return {
    donorId: null,
    taxIds: taxIds.map((hash) => hash.toString('hex')),
    name: sameName(name),
  }
}

/**
 * Whether two may be one person. Tax ids decide where both are known; else the name does, because
 * whoever parts a sum that is forbidden does not say twice who he is.
 */
export function mayBeOne(one: Giver, other: Giver): boolean {
  if (one.donorId !== null && one.donorId === other.donorId) {
    return true
  }
  return one.taxIds.length > 0 && other.taxIds.length > 0
    ? one.taxIds.some((hash) => other.taxIds.includes(hash))
    : one.name !== null && one.name === other.name
}

/** What one person gave in cash on that day, of what is given. */
export function cashOf(giver: Giver, day: IsoDate, given: readonly GivenCash[]): bigint {
  return given
    .filter((one) => one.day === day && mayBeOne(one.giver, giver))
    .reduce((sum, one) => sum + one.amount, 0n)
}

/** All cash that was recorded for these days. */
export async function cashOfDays(trx: Trx, days: readonly IsoDate[]): Promise<GivenCash[]> {
  const rows = await trx.query<{
    day: IsoDate
    amount: bigint
    donor_id: string
    name: string
    erased_at: Date | null
    tax_id_index: Buffer | null
  }>(
    `select f.received_on as day, f.amount, n.donor_id, n.name, n.erased_at, n.tax_id_index
       from unnest($2::date[]) as w (day)
      cross join lateral (
        select received_on, amount, donation_id from offline_payments
         where received_on = w.day and org_id = $1 and channel = 'cash'
      ) f
       join donations d on d.org_id = $1 and d.donation_id = f.donation_id
       join donors n on n.org_id = $1 and n.donor_id = d.donor_id`,
    [trx.scope, [...new Set(days)]],
  )
  return rows.map((row) => ({
    day: row.day,
    amount: row.amount,
    giver: {
      donorId: row.donor_id,
      taxIds: row.tax_id_index === null ? [] : [row.tax_id_index.toString('hex')],
      name: row.erased_at === null ? sameName(row.name) : null,
    },
  }))
}

/** What these donors gave in cash in the financial year of a day, by `yearKey`. */
export async function cashOfYears(
  trx: Trx,
  wanted: readonly { donorId: string; day: IsoDate }[],
): Promise<Map<string, bigint>> {
  const once = [...new Map(wanted.map((one) => [yearKey(one), one])).values()]
  const rows = await trx.query<{ donor_id: string; day: IsoDate; amount: bigint }>(
    `select w.donor_id, w.day, s.amount
       from unnest($2::text[], $3::date[], $4::date[]) as w (donor_id, day, year_begins)
      cross join lateral (
        select coalesce(sum(f.amount), 0)::bigint as amount
          from donations d
          join offline_payments f on f.org_id = $1 and f.donation_id = d.donation_id
         where d.org_id = $1 and d.donor_id = w.donor_id and f.channel = 'cash'
           and f.received_on >= w.year_begins
           and f.received_on < w.year_begins + interval '1 year'
      ) s`,
    [
      trx.scope,
      once.map((one) => one.donorId),
      once.map((one) => one.day),
      once.map((one) => `${financialYear(one.day).slice(0, 4)}-04-01`),
    ],
  )
  return new Map(rows.map((row) => [yearKey({ donorId: row.donor_id, day: row.day }), row.amount]))
}

export function yearKey({ donorId, day }: { donorId: string; day: IsoDate }): string {
  return `${donorId} ${financialYear(day)}`
}
