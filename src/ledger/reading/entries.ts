/** Journal entries as they were posted, for lists, exports and verification. */
import type { IsoDate } from '../../base/clock.ts'
import type { Trx } from '../../base/db.ts'
import type { AccountCode, Direction } from '../core/chart.ts'
import { LINES_MAX, type Draft, type EntryKind } from '../core/entry.ts'

export interface PostedEntry {
  entry_no: bigint
  kind: EntryKind
  effective_on: IsoDate
  posted_at: Date
  idempotency_key: string
  reverses: bigint | null
  adjusts: bigint | null
  /** The entry that took this one back. */
  reversed_by: bigint | null
  /** The entries that corrected this one, `ADJUSTMENTS_MAX` of them at most. */
  adjusted_by: bigint[]
  description: string
  source: string
  actor: string
  metadata: Record<string, string>
  fingerprint: Buffer
  hash: Buffer
  postings: PostedLine[]
}

export interface PostedLine {
  line_no: number
  account_id: number
  account: AccountCode
  direction: Direction
  amount: bigint
  currency: string
  balance_after: bigint
  account_version: bigint
}

export interface EntryFilter {
  /** Entries with a higher number, oldest first. */
  after?: bigint | undefined
  /** Entries with a lower number, newest first. */
  before?: bigint | undefined
  from?: IsoDate | undefined
  to?: IsoDate | undefined
  kind?: string | undefined
  limit: number
}

/** No entry has so many corrections; a list is bounded all the same. */
export const ADJUSTMENTS_MAX = 100

const COLUMNS = `entry_no, kind, effective_on, posted_at, idempotency_key, reverses, adjusts,
  description, source, actor, metadata, fingerprint, hash`

type EntryRow = Omit<PostedEntry, 'postings' | 'reversed_by' | 'adjusted_by'>

/** Entries with their postings: newest first, or oldest first where `after` is given. */
export async function listEntries(trx: Trx, filter: EntryFilter): Promise<PostedEntry[]> {
  const whole = await rangeOf(trx, filter)
  const page = pageOf(whole, filter)
  const found = await select(trx, filter, page)
  const isCut = page.first > whole.first || page.last < whole.last
  // Fewer than there are numbers: entries were left out, or somebody has removed some.
  const entries = isCut && found.length < filter.limit ? await select(trx, filter, whole) : found
  return await withLines(trx, entries)
}

/** Entry numbers from `first` to `last`. */
interface Range {
  first: bigint
  last: bigint
}

async function select(trx: Trx, filter: EntryFilter, { first, last }: Range): Promise<EntryRow[]> {
  const order = filter.after === undefined ? 'desc' : 'asc'
  return await trx.query<EntryRow>(
    `select ${COLUMNS}
       from journal_entries
      where org_id = $1 and entry_no between $2 and $3
        and ($4::date is null or effective_on >= $4)
        and ($5::date is null or effective_on <= $5)
        and ($6::text is null or kind = $6)
      order by entry_no ${order}
      limit $7`,
    [
      trx.scope,
      first,
      last,
      filter.from ?? null,
      filter.to ?? null,
      filter.kind ?? null,
      filter.limit,
    ],
  )
}

async function rangeOf(trx: Trx, { after, before }: EntryFilter): Promise<Range> {
  const first = (after ?? 0n) + 1n
  if (before !== undefined) {
    return { first, last: before - 1n }
  }
  const [head] = await trx.query<{ entry_no: bigint }>(
    'select entry_no from journal_heads where org_id = $1',
    [trx.scope],
  )
  return { first, last: head?.entry_no ?? 0n }
}

/**
 * Where the page lies if no entry is left out, for numbers have no gap: a planner without
 * statistics would read and sort all of the journal for it.
 */
function pageOf({ first, last }: Range, { after, limit }: EntryFilter): Range {
  const size = BigInt(limit) - 1n
  if (after === undefined) {
    return { first: last - size > first ? last - size : first, last }
  }
  return { first, last: first + size < last ? first + size : last }
}

/** One entry by its number; undefined where there is none. */
export async function findEntry(trx: Trx, entryNo: bigint): Promise<PostedEntry | undefined> {
  const entries = await trx.query<EntryRow>(
    `select ${COLUMNS} from journal_entries where org_id = $1 and entry_no = $2`,
    [trx.scope, entryNo],
  )
  const [entry] = await withLines(trx, entries)
  return entry
}

/** These entries, each looked up by its number; numbers of none are left out. */
export async function findEntries(trx: Trx, entryNos: readonly bigint[]): Promise<PostedEntry[]> {
  const entries = await trx.query<EntryRow>(
    `select e.* from unnest($2::bigint[]) as k (no)
      cross join lateral (
        select ${COLUMNS} from journal_entries where org_id = $1 and entry_no = k.no limit 1
      ) e`,
    [trx.scope, entryNos],
  )
  return await withLines(trx, entries)
}

async function withLines(trx: Trx, entries: readonly EntryRow[]): Promise<PostedEntry[]> {
  const entryNos = entries.map((entry) => entry.entry_no)
  const [lines, links] = await Promise.all([linesOf(trx, entryNos), correctionsOf(trx, entryNos)])
  return entries.map((entry) => {
    const corrections = links.get(entry.entry_no) ?? []
    return {
      ...entry,
      reversed_by: corrections.find((one) => one.is_reversal)?.entry_no ?? null,
      adjusted_by: corrections.flatMap((one) => (one.is_reversal ? [] : [one.entry_no])).sort(byNo),
      postings: lines.get(entry.entry_no) ?? [],
    }
  })
}

interface CorrectionRow {
  corrects: bigint
  entry_no: bigint
  is_reversal: boolean
}

/** What reverses or adjusts these entries, looked up entry by entry in the two small indexes. */
async function correctionsOf(
  trx: Trx,
  entryNos: readonly bigint[],
): Promise<Map<bigint, CorrectionRow[]>> {
  const rows = await trx.query<CorrectionRow>(
    `select k.entry_no as corrects, c.entry_no, c.is_reversal
       from unnest($2::bigint[]) as k (entry_no)
      cross join lateral (
        (select r.entry_no, true as is_reversal from journal_entries r
          where r.org_id = $1 and r.reverses = k.entry_no limit 1)
        union all
        (select a.entry_no, false from journal_entries a
          where a.org_id = $1 and a.adjusts = k.entry_no limit $3)
      ) c`,
    [trx.scope, entryNos, ADJUSTMENTS_MAX],
  )
  return Map.groupBy(rows, (row) => row.corrects)
}

function byNo(one: bigint, other: bigint): number {
  return Number(one - other)
}

async function linesOf(trx: Trx, entryNos: readonly bigint[]): Promise<Map<bigint, PostedLine[]>> {
  const rows = await trx.query<PostedLine & { entry_no: bigint }>(
    // Entry by entry, for a planner without statistics.
    `select w.entry_no, p.line_no, p.account_id, a.code as account, p.direction, p.amount,
            a.currency, p.balance_after, p.account_version
       from unnest($2::bigint[]) as w (entry_no)
      cross join lateral (
        select line_no, account_id, direction, amount, balance_after, account_version
          from postings where org_id = $1 and entry_no = w.entry_no
         order by line_no limit $3
      ) p
      cross join lateral (
        select code, currency from accounts
         where org_id = $1 and account_id = p.account_id limit 1
      ) a
      order by w.entry_no, p.line_no`,
    [trx.scope, entryNos, LINES_MAX],
  )
  return Map.groupBy(rows, (row) => row.entry_no)
}

/** The draft that an entry was posted from: what its hash covers beside the header. */
export function draftOf(entry: PostedEntry): Draft {
  return {
    kind: entry.kind,
    effectiveOn: entry.effective_on,
    idempotencyKey: entry.idempotency_key,
    description: entry.description,
    source: entry.source,
    actor: entry.actor,
    reverses: entry.reverses,
    adjusts: entry.adjusts,
    metadata: entry.metadata,
    lines: entry.postings.map(({ account, direction, amount, currency }) => ({
      account,
      direction,
      amount,
      currency,
    })),
  }
}
