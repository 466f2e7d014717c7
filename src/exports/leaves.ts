/** Reads what a seal covers into its trees, page by page: memory does not grow with the day. */
import type { Database, Trx } from '../base/db.ts'
import type { IsoDate } from '../base/clock.ts'
import type { Tree } from '../audit/merkle.ts'
import { listEntries, type PostedEntry } from '../ledger/reading/entries.ts'
import { encodeReceipt, type SealedReceipt } from './seal.ts'

const PAGE = 5000

/**
 * Adds the leaves of the entries from `firstNo` that were posted before the instant; gives the last
 * one's number and hash, null where there is none. Entries never change, so that a transaction a
 * page is enough.
 */
export async function addEntries(
  db: Database,
  orgId: number,
  tree: Tree,
  range: { firstNo: bigint; before: Date },
): Promise<{ entry_no: bigint; hash: Buffer } | null> {
  let last: { entry_no: bigint; hash: Buffer } | null = null
  for (let from = range.firstNo; ; from += BigInt(PAGE)) {
    const page = await db.read(
      orgId,
      async (trx) =>
        await trx.query<{ entry_no: bigint; hash: Buffer }>(
          `select entry_no, hash from journal_entries
            where org_id = $1 and entry_no >= $2 and entry_no < $3 and posted_at < $4
            order by entry_no`,
          [orgId, from, from + BigInt(PAGE), range.before],
        ),
    )
    for (const entry of page) {
      tree.add(entry.hash)
      last = entry
    }
    if (page.length < PAGE) {
      return last
    }
  }
}

const ENTRIES_MAX = 1000
const BYTES_MAX = 4_000_000
/** What a posting takes, about. */
const LINE_BYTES = 400

/**
 * The next entries after a number, in order, with their postings: as many as are no more than some
 * megabytes, for one entry may have a thousand postings or a long text. One at least.
 */
export async function readEntries(trx: Trx, after: bigint, last: bigint): Promise<PostedEntry[]> {
  const [{ fits } = { fits: 0 }] = await trx.query<{ fits: number }>(
    `select count(*)::integer as fits
       from (
         select sum(lines * $4::integer + octet_length(description) + octet_length(source)
                    + octet_length(metadata::text)) over (order by entry_no) as bytes
           from journal_entries
          where org_id = $1 and entry_no > $2 and entry_no <= $2::bigint + $3::integer
       ) running
      where bytes <= $5`,
    [trx.scope, after, ENTRIES_MAX, LINE_BYTES, BYTES_MAX],
  )
  return await listEntries(trx, { after, before: last + 1n, limit: Math.max(fits, 1) })
}

/** The receipts of a day, and those among them that its seal has without the hash of a PDF. */
export interface DayOfReceipts {
  day: IsoDate
  /** Null before the day is sealed: then each receipt counts as it stands. */
  withoutPdf: readonly string[] | null
}

/**
 * Adds the leaves of the receipts that were issued on that day; gives the numbers of those that
 * have no hash of a PDF. `onReceipt` hears of each with its place.
 */
export async function addReceipts(
  trx: Trx,
  tree: Tree,
  { day, withoutPdf }: DayOfReceipts,
  onReceipt: (receipt: SealedReceipt, place: number) => void = () => undefined,
): Promise<string[]> {
  const missing: string[] = []
  const bare = withoutPdf === null ? null : new Set(withoutPdf)
  await trx.query(
    `declare receipts_of_day no scroll cursor for
     select number, entry_no, amount, currency, donated_on, issued_at, pdf_sha256
       from receipts
      where org_id = $1
        and issued_at >= $2::date::timestamp at time zone 'Asia/Kolkata'
        and issued_at < ($2::date + 1)::timestamp at time zone 'Asia/Kolkata'
      order by number collate "C"`,
    [trx.scope, day],
  )
  for (;;) {
    const page = await trx.query<SealedReceipt>(`fetch ${PAGE} from receipts_of_day`)
    for (const stored of page) {
      const isBare = bare?.has(stored.number) ?? stored.pdf_sha256 === null
      const receipt = isBare ? { ...stored, pdf_sha256: null } : stored
      if (isBare) {
        missing.push(receipt.number)
      }
      onReceipt(receipt, tree.size())
      tree.add(encodeReceipt(receipt))
    }
    if (page.length < PAGE) {
      await trx.query('close receipts_of_day')
      return missing
    }
  }
}
