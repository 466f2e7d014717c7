/** What the books and the donors' list say already of payments that are to be recorded. */
import type { IsoDate } from '../base/clock.ts'
import type { Keyring } from '../base/crypto.ts'
import type { Trx } from '../base/db.ts'
import { Problem } from '../base/problem.ts'
import { assertMayTake, fundNamed, type Nature } from '../donations/checkout.ts'
import type { PostalAddress } from '../donations/donors.ts'
import { templateOf } from '../ledger/core/chart.ts'
import { readRestricted, type RestrictedPeriod } from '../ledger/periods/periods.ts'
import { cashOfDays, cashOfYears, newGiver, type GivenCash } from './cash.ts'
import { accountOf, type AskedPayment } from './payment.ts'
import { presentedAs, type Presented } from './presented.ts'

/** A payment that is to be recorded, with what tells it from all others. */
export interface Wish {
  asked: AskedPayment
  naturalKey: string
}

/** A payment that was recorded under a natural key. */
export interface Known extends Presented {
  amount: bigint
  received_on: IsoDate
  cheque_date: IsoDate | null
  account: string | null
  fund: string
  nature: Nature
  donor_id: string
  donor_name: string
  donor_erased_at: Date | null
}

/** A cheque that another one may be. */
export interface LikeCheque extends Presented {
  ifsc: string | null
  donorName: string
}

export interface KnownDonor {
  donor_id: string
  name: string
  email: string | null
  phone: string | null
  address: PostalAddress | null
  tax_id_index: Buffer | null
  erased_at: Date | null
}

export interface Ground {
  known: Map<string, Known>
  /** Cheques by number, amount and date (`chequeKey`): perhaps the same, with a bank named else. */
  cheques: Map<string, LikeCheque[]>
  /** Payments that came through a gateway, by the bank's reference. */
  throughGateways: ReadonlyMap<string, string>
  donors: ReadonlyMap<string, KnownDonor>
  /** By each blind index of a tax id, in hex; the newest first. */
  byTaxId: ReadonlyMap<string, readonly KnownDonor[]>
  /** Why nothing may be given to a fund; null where it may. */
  funds: ReadonlyMap<string, Problem | null>
  /** Why no foreign contribution may be taken; null where one may, or where none is asked for. */
  foreign: Problem | null
  /** Codes that may be posted to. */
  accounts: ReadonlySet<string>
  restricted: readonly RestrictedPeriod[]
  cash: GivenCash[]
  /** Cash of known donors by year (`yearKey`). */
  cashOfYears: Map<string, bigint>
}

export async function readGround(
  trx: Trx,
  keyring: Keyring,
  wishes: readonly Wish[],
): Promise<Ground> {
  const asked = wishes.map((wish) => wish.asked)
  const donors = await donorsNamed(trx, asked)
  const byTaxId = await donorsByTaxIds(trx, keyring, asked)
  const cash = asked.filter(({ channel }) => channel === 'cash')
  const cashDonors = cash.flatMap(({ donor, receivedOn: day }) =>
    donorsMeant(trx, keyring, donor, byTaxId).map((donorId) => ({ donorId, day })),
  )
  return {
    known: await knownPayments(trx, wishes),
    cheques: await chequesAlike(trx, asked),
    throughGateways: await throughGateways(trx, asked),
    donors,
    byTaxId,
    funds: await fundFaults(trx, asked),
    foreign: asked.every(({ indianCitizen }) => indianCitizen)
      ? null
      : await faultOf(async () => await assertMayTake(trx, false)),
    accounts: await openAccounts(trx, asked),
    restricted: await readRestricted(trx),
    cash: await cashOfDays(
      trx,
      cash.map(({ receivedOn }) => receivedOn),
    ),
    cashOfYears: await cashOfYears(trx, cashDonors),
  }
}

/** The known donors that a payment's donor may be. */
function donorsMeant(
  trx: Trx,
  keyring: Keyring,
  donor: AskedPayment['donor'],
  byTaxId: Ground['byTaxId'],
): string[] {
  return typeof donor === 'string'
    ? [donor]
    : newGiver(trx, keyring, donor)
        .taxIds.flatMap((hash) => byTaxId.get(hash) ?? [])
        .map((known) => known.donor_id)
}

/** Under the keys of the wishes; of a cheque that came back, also as it was presented again. */
async function knownPayments(trx: Trx, wishes: readonly Wish[]): Promise<Map<string, Known>> {
  const known = new Map<string, Known>()
  const asked = new Set<string>()
  for (;;) {
    const keys = wishes.map((wish) => presentedAs(wish, known).naturalKey)
    const more = [...new Set(keys)].filter((key) => !asked.has(key))
    if (more.length === 0) {
      return known
    }
    for (const row of await knownUnder(trx, more)) {
      known.set(row.natural_key, row)
    }
    more.forEach((key) => asked.add(key))
  }
}

async function knownUnder(
  trx: Trx,
  keys: readonly string[],
): Promise<(Known & { natural_key: string })[]> {
  return await trx.query<Known & { natural_key: string }>(
    `select f.*, d.fund, d.nature, d.donor_id, n.name as donor_name, n.erased_at as donor_erased_at
       from unnest($2::text[]) as k (natural_key)
      cross join lateral (
        select natural_key, offline_id, channel, amount, received_on, cheque_date, account,
               donation_id, bounced_on
          from offline_payments
         where natural_key = k.natural_key and org_id = $1 limit 1
      ) f
       join donations d on d.org_id = $1 and d.donation_id = f.donation_id
       join donors n on n.org_id = $1 and n.donor_id = d.donor_id`,
    [trx.scope, keys],
  )
}

/** What two tellings of one cheque have in common, however its bank is named. */
export function chequeKey(cheque: {
  reference: string | null
  amount: bigint
  chequeDate: IsoDate | null
}): string {
  return `${cheque.reference} ${cheque.amount} ${cheque.chequeDate}`
}

async function chequesAlike(
  trx: Trx,
  asked: readonly AskedPayment[],
): Promise<Map<string, LikeCheque[]>> {
  const cheques = asked.filter(({ channel }) => channel === 'cheque')
  const rows = await trx.query<
    LikeCheque & { reference: string; amount: bigint; chequeDate: IsoDate }
  >(
    `select f.offline_id, f.channel, f.bounced_on, f.reference, f.amount,
            f.cheque_date as "chequeDate", f.ifsc, n.name as "donorName"
       from unnest($2::text[]) as k (reference)
      cross join lateral (
        select * from offline_payments
         where reference = k.reference and org_id = $1 and channel = 'cheque'
      ) f
       join donations d on d.org_id = $1 and d.donation_id = f.donation_id
       join donors n on n.org_id = $1 and n.donor_id = d.donor_id`,
    [trx.scope, [...new Set(cheques.map(({ reference }) => reference))]],
  )
  return Map.groupBy(rows, chequeKey)
}

async function throughGateways(
  trx: Trx,
  asked: readonly AskedPayment[],
): Promise<Map<string, string>> {
  const references = asked.flatMap(({ channel, reference }) =>
    reference !== null && (channel === 'upi' || channel === 'bank_transfer') ? [reference] : [],
  )
  const rows = await trx.query<{ bank_reference: string; payment_id: string }>(
    `select p.*
       from unnest($2::text[]) as k (reference)
      cross join lateral (
        select bank_reference, payment_id from payments
         where bank_reference = k.reference and org_id = $1 and gateway is not null
           and state = 'captured'
         limit 1
      ) p`,
    [trx.scope, [...new Set(references)]],
  )
  return new Map(rows.map((row) => [row.bank_reference, row.payment_id]))
}

const DONOR = 'donor_id, name, email, phone, address, tax_id_index, erased_at'
/** Donors of one tax id that are looked at, the newest ones. */
const SAME_ID_MAX = 20

async function donorsNamed(
  trx: Trx,
  asked: readonly AskedPayment[],
): Promise<Map<string, KnownDonor>> {
  const ids = asked.flatMap(({ donor }) => (typeof donor === 'string' ? [donor] : []))
  const rows = await trx.query<KnownDonor>(
    `select n.* from unnest($2::text[]) as k (id)
      cross join lateral (
        select ${DONOR} from donors where org_id = $1 and donor_id = k.id limit 1
      ) n`,
    [trx.scope, [...new Set(ids)]],
  )
  return new Map(rows.map((row) => [row.donor_id, row]))
}

async function donorsByTaxIds(
  trx: Trx,
  keyring: Keyring,
  asked: readonly AskedPayment[],
): Promise<Map<string, KnownDonor[]>> {
  const hashes = asked.flatMap(({ donor }) =>
    typeof donor === 'string' ? [] : newGiver(trx, keyring, donor).taxIds,
  )
  const rows = await trx.query<KnownDonor & { tax_id_index: Buffer }>(
    `select n.* from unnest($2::text[]) as k (hash)
      cross join lateral (
        select ${DONOR} from donors
         where org_id = $1 and tax_id_index = decode(k.hash, 'hex')
         order by donor_id desc limit $3
      ) n`,
    [trx.scope, [...new Set(hashes)], SAME_ID_MAX],
  )
  return Map.groupBy(rows, (row) => row.tax_id_index.toString('hex'))
}

async function fundFaults(
  trx: Trx,
  asked: readonly AskedPayment[],
): Promise<Map<string, Problem | null>> {
  const faults = new Map<string, Problem | null>()
  for (const { fund } of asked) {
    if (!faults.has(fund)) {
      faults.set(fund, await faultOf(async () => await fundNamed(trx, fund)))
    }
  }
  return faults
}

async function faultOf(work: () => Promise<unknown>): Promise<Problem | null> {
  try {
    await work()
    return null
  } catch (error) {
    if (error instanceof Problem) {
      return error
    }
    throw error
  }
}

/** Accounts of the chart are opened on demand; others have to be there. */
async function openAccounts(trx: Trx, asked: readonly AskedPayment[]): Promise<Set<string>> {
  const codes = [...new Set(asked.flatMap((one) => accountOf(one) ?? []))]
  const rows = await trx.query<{ code: string }>(
    `select code from accounts where org_id = $1 and code = any($2) and currency = 'INR' and open`,
    [trx.scope, codes],
  )
  return new Set([
    ...codes.filter((code) => templateOf(code, 'INR') !== undefined),
    ...rows.map(({ code }) => code),
  ])
}
