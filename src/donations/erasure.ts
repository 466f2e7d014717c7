/** Erases a donor as far as no law keeps him (DPDP Act 2023, section 8(7) and 12(3)). */
import { indianDate, type IsoDate } from '../base/clock.ts'
import type { Trx } from '../base/db.ts'
import { Problem } from '../base/problem.ts'
import { findDonor, type DonorRecord } from './donor-records.ts'

/** What is left of the name where no receipt needs it. */
export const ERASED_NAME = 'Erased donor'

/** For so many days after a donation was opened its payment may still come. */
export const PAYING_DAYS = 7

/** What is known of a donor, by the names of the API. */
export type DonorField = 'name' | 'email' | 'phone' | 'address' | 'tax_id' | 'receipt_emails'

export interface Erasure {
  donor: DonorRecord
  /** What was there and is not any more. */
  erased: DonorField[]
  /** What the law keeps, until the donor's `held_until`. */
  kept: (DonorField | 'receipts' | 'gateway_events')[]
}

/**
 * A charity keeps its receipts and the record of who gave, with name, address and tax id, for ten
 * years from the end of the assessment year (Rule 17AA): a gift of 2026-27 until 31 March 2038.
 */
export function heldUntil(newestGift: IsoDate): IsoDate {
  const year = Number(newestGift.slice(0, 4))
  const endOfYear = Number(newestGift.slice(5, 7)) >= 4 ? year + 1 : year
  return `${endOfYear + 11}-03-31`
}

/**
 * Erases a donor; who is erased already is looked at again, because the law may have let go of him
 * since. Throws `not_found`, and `donor_in_use` while a receipt is still on its way to him, or
 * money that one is due for may be. Donations that he never paid are closed: what is paid for one
 * after all is money unidentified, which somebody looks at.
 */
export async function eraseDonor(trx: Trx, donorId: string, now: Date): Promise<Erasure> {
  const before = await findDonor(trx, donorId)
  if (before === undefined) {
    throw new Problem('not_found', { detail: 'There is no such donor.' })
  }
  await assertNoneOnItsWay(trx, donorId)
  await assertNoneBegun(trx, donorId, now)
  await assertNoChequeInHand(trx, donorId)
  await closeUnpaid(trx, donorId)
  const newestGift = await newestGiftOf(trx, donorId)
  const until = newestGift === null ? null : heldUntil(newestGift)
  const held = until !== null && until >= indianDate(now) ? until : null
  const donor = await erase(trx, donorId, held, now)
  const emails = await eraseEmails(trx, donorId, held === null)
  const had = fieldsOf(before)
  const has = fieldsOf(donor)
  return {
    donor,
    erased: [
      ...had.filter((field) => !has.includes(field)),
      ...(emails > 0 ? (['receipt_emails'] as const) : []),
    ],
    kept: held === null ? [] : [...has, 'receipts', 'gateway_events'],
  }
}

function fieldsOf(donor: DonorRecord): DonorField[] {
  const there: [DonorField, boolean][] = [
    ['name', donor.name !== ERASED_NAME],
    ['email', donor.email !== null],
    ['phone', donor.phone !== null],
    ['address', donor.address !== null],
    ['tax_id', donor.tax_id_type !== null],
  ]
  return there.flatMap(([field, isThere]) => (isThere ? [field] : []))
}

async function assertNoneOnItsWay(trx: Trx, donorId: string): Promise<void> {
  const [row] = await trx.query<{ donation_id: string }>(
    `select d.donation_id
       from donations d
       left join receipts r on r.org_id = d.org_id and r.donation_id = d.donation_id
       left join receipt_emails e on e.org_id = r.org_id and e.receipt_id = r.receipt_id
       left join outbox o on o.org_id = d.org_id and o.topic = 'issue_receipt'
                         and o.subject = d.donation_id
      where d.org_id = $1 and d.donor_id = $2 and d.state = 'paid'
        and (o.state = 'waiting'
             or e.state in ('waiting', 'claimed', 'sending'))
      limit 1`,
    [trx.scope, donorId],
  )
  if (row !== undefined) {
    const detail = `The receipt for ${row.donation_id} is not sent yet; erase the donor after that.`
    throw new Problem('donor_in_use', { detail })
  }
}

async function assertNoneBegun(trx: Trx, donorId: string, now: Date): Promise<void> {
  // One that got no order within minutes can never be paid.
  const [row] = await trx.query<{ donation_id: string; until: Date }>(
    `select donation_id, opened_at + make_interval(days => $3) as until from donations
      where org_id = $1 and donor_id = $2 and state = 'open'
        and opened_at > $4::timestamptz - case when order_ref is null then interval '10 minutes'
                                               else make_interval(days => $3) end
      order by opened_at desc limit 1`,
    [trx.scope, donorId, PAYING_DAYS, now],
  )
  if (row !== undefined) {
    const detail =
      `${row.donation_id} may still be paid, and the donor would get no receipt for it; ` +
      `erase the donor after ${row.until.toISOString()}.`
    throw new Problem('donor_in_use', { detail })
  }
}

async function assertNoChequeInHand(trx: Trx, donorId: string): Promise<void> {
  const [row] = await trx.query<{ offline_id: string }>(
    `select f.offline_id
       from donations d
       join offline_payments f on f.org_id = d.org_id and f.donation_id = d.donation_id
      where d.org_id = $1 and d.donor_id = $2 and f.state = 'received' limit 1`,
    [trx.scope, donorId],
  )
  if (row !== undefined) {
    const detail = `The cheque ${row.offline_id} is not realised yet; erase the donor after that.`
    throw new Problem('donor_in_use', { detail })
  }
}

async function closeUnpaid(trx: Trx, donorId: string): Promise<void> {
  await trx.query(
    `update donations set state = 'closed' where org_id = $1 and donor_id = $2 and state = 'open'`,
    [trx.scope, donorId],
  )
}

async function newestGiftOf(trx: Trx, donorId: string): Promise<IsoDate | null> {
  const [row] = await trx.query<{ day: IsoDate | null }>(
    `select max((paid_at at time zone 'Asia/Kolkata')::date) as day
       from donations where org_id = $1 and donor_id = $2 and state = 'paid'`,
    [trx.scope, donorId],
  )
  return row?.day ?? null
}

async function erase(
  trx: Trx,
  donorId: string,
  held: IsoDate | null,
  now: Date,
): Promise<DonorRecord> {
  await trx.query(
    `update donors
        set email = null, phone = null, erased_at = coalesce(erased_at, $3), held_until = $4,
            name = case when $4::date is null then $5 else name end,
            address = case when $4::date is null then null else address end,
            tax_id_type = case when $4::date is null then null else tax_id_type end,
            tax_id_sealed = case when $4::date is null then null else tax_id_sealed end,
            tax_id_masked = case when $4::date is null then null else tax_id_masked end,
            tax_id_index = case when $4::date is null then null else tax_id_index end,
            tax_id_index_key = case when $4::date is null then null else tax_id_index_key end
      where org_id = $1 and donor_id = $2`,
    [trx.scope, donorId, now, held, ERASED_NAME],
  )
  const donor = await findDonor(trx, donorId)
  if (donor === undefined) {
    throw new Error(`${donorId} was there a moment ago`)
  }
  return donor
}

/** Where his receipts were sent; gives how many addresses there were. */
async function eraseEmails(trx: Trx, donorId: string, withName: boolean): Promise<number> {
  const rows = await trx.query(
    `update receipt_emails e
        set to_address = 'erased', to_name = case when $3 then $4 else to_name end
       from receipts r join donations d on d.org_id = r.org_id and d.donation_id = r.donation_id
      where e.org_id = $1 and r.org_id = e.org_id and r.receipt_id = e.receipt_id
        and d.donor_id = $2 and (e.to_address <> 'erased' or $3 and e.to_name <> $4)
     returning 1`,
    [trx.scope, donorId, withName, ERASED_NAME],
  )
  return rows.length
}
