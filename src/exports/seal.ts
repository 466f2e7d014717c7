/**
 * A day's seal: one hash over all that was posted and issued until the end of that day in India.
 *
 * Two Merkle trees stand under it (RFC 6962; `src/audit/merkle.ts`), so that the entries of an
 * exported audit trail can be checked without the receipts:
 * - entries: of each entry that was posted on that day (posted_at in India's calendar), in order of
 *   number, the leaf is the entry's 32-byte hash in the journal's chain (`linkHash`), which covers
 *   its content, number, time and predecessor;
 * - receipts: of each receipt that was issued on that day, in the byte order of their numbers, the
 *   leaf is `encodeReceipt`. A receipt whose PDF was not made yet is sealed with an empty
 *   `pdf_sha256`, but not before PDF_WAIT_DAYS have passed, and the seal lists its number.
 *
 * The seal's root is SHA-256 over `encodeFields('bahi/day-seal/2', …)` of: organisation (slug),
 * day, previous (the root of the day before in hex, empty for the first), first_entry, entries (how
 * many), head (the journal's hash after the day), entries_root, receipts (how many), receipts_root,
 * people (the number of the newest link of the audit of people when the day was sealed, which is
 * after all that was done on it) and people_head (that link's hash; `src/audit/people.ts`).
 * Every day has a seal, also one without entries. So a published root commits to everything before
 * it, to how much that is, and to who did it. `day_seal_root()` in the database computes the same.
 *
 * Seals of version 1 (`bahi/day-seal/1`) end with receipts_root and say nothing of people: both
 * fields are empty in them. They stay as they are; after one of version 2 none of them follows.
 */
import { encodeFields, type Field } from '../audit/chain.ts'
import { indianDate, type IsoDate } from '../base/clock.ts'
import { sha256 } from '../base/crypto.ts'

/** What a seal's root covers. */
export interface SealContent {
  /** Slug. */
  organisation: string
  day: IsoDate
  /** The root of the day before; null for the first seal. */
  previous: Buffer | null
  first_no: bigint
  /** One less than `first_no` where nothing was posted. */
  last_no: bigint
  head: Buffer
  entries_root: Buffer
  receipts: number
  receipts_root: Buffer
  /** The newest link of the audit of people; null in a seal of version 1. */
  people_no: bigint | null
  people_hash: Buffer | null
}

export interface DaySeal extends SealContent {
  root: Buffer
  /** Numbers of the receipts that were sealed with an empty hash. */
  without_pdf: string[]
  sealed_at: Date
}

/** A receipt as its leaf says it. */
export interface SealedReceipt {
  number: string
  entry_no: bigint
  /** Minor units. */
  amount: bigint
  currency: string
  donated_on: IsoDate
  issued_at: Date
  /** Null where it was sealed before its PDF was made. */
  pdf_sha256: Buffer | null
}

/** A day without receipts to wait for is sealed this long after its end: late writers are done. */
export const SETTLE_MINUTES = 10
/** How long a day waits for the PDFs of its receipts. */
export const PDF_WAIT_DAYS = 3

/** The root of a seal. */
export function rootOf(seal: SealContent): Buffer {
  const people: Field[] =
    seal.people_no === null
      ? []
      : [
          ['people', seal.people_no.toString()],
          ['people_head', seal.people_hash?.toString('hex') ?? ''],
        ]
  return sha256(
    encodeFields(people.length === 0 ? 'bahi/day-seal/1' : 'bahi/day-seal/2', [
      ['organisation', seal.organisation],
      ['day', seal.day],
      ['previous', seal.previous?.toString('hex') ?? ''],
      ['first_entry', seal.first_no.toString()],
      ['entries', entriesOf(seal).toString()],
      ['head', seal.head.toString('hex')],
      ['entries_root', seal.entries_root.toString('hex')],
      ['receipts', seal.receipts.toString()],
      ['receipts_root', seal.receipts_root.toString('hex')],
      ...people,
    ]),
  )
}

/** How many entries a seal covers. */
export function entriesOf({ first_no: first, last_no: last }: SealContent): bigint {
  return last - first + 1n
}

/** A receipt's leaf. */
export function encodeReceipt(receipt: SealedReceipt): Buffer {
  return encodeFields('bahi/receipt-leaf/1', [
    ['number', receipt.number],
    ['entry_no', receipt.entry_no.toString()],
    ['amount', receipt.amount.toString()],
    ['currency', receipt.currency],
    ['donated_on', receipt.donated_on],
    ['issued_at', receipt.issued_at.toISOString()],
    ['pdf_sha256', receipt.pdf_sha256?.toString('hex') ?? ''],
  ])
}

/** The day after. */
export function nextDay(day: IsoDate): IsoDate {
  const instant = new Date(`${day}T00:00:00Z`)
  instant.setUTCDate(instant.getUTCDate() + 1)
  return instant.toISOString().slice(0, 10)
}

/** The instant at which a day ends in India. */
export function endOf(day: IsoDate): Date {
  return new Date(`${nextDay(day)}T00:00:00+05:30`)
}

/** The day whose seal covers what was posted or issued then. */
export const sealDayOf: (instant: Date) => IsoDate = indianDate

/** What a seal's root covers and the root itself, for a proof; numbers as text, hashes in hex. */
export function sealView(seal: DaySeal): SealView {
  return {
    organisation: seal.organisation,
    day: seal.day,
    previous: seal.previous?.toString('hex') ?? '',
    first_entry: seal.first_no.toString(),
    entries: entriesOf(seal).toString(),
    head: seal.head.toString('hex'),
    entries_root: seal.entries_root.toString('hex'),
    receipts: seal.receipts.toString(),
    receipts_root: seal.receipts_root.toString('hex'),
    people: seal.people_no?.toString() ?? '',
    people_head: seal.people_hash?.toString('hex') ?? '',
    root: seal.root.toString('hex'),
  }
}

export type SealView = Record<
  | 'organisation'
  | 'day'
  | 'previous'
  | 'first_entry'
  | 'entries'
  | 'head'
  | 'entries_root'
  | 'receipts'
  | 'receipts_root'
  | 'people'
  | 'people_head'
  | 'root',
  string
>

/** A seal as it is listed: with when it was made and what was missing, which no root covers. */
export function sealRow(seal: DaySeal): object {
  return {
    ...sealView(seal),
    receipts_without_pdf: seal.without_pdf,
    sealed_at: seal.sealed_at,
  }
}
