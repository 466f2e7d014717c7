/** The self-check's slice of entries: content, fingerprint, place in the chain, lines. */
import { sha256 } from '../../base/crypto.ts'
import type { IsoDate } from '../../base/clock.ts'
import type { Trx } from '../../base/db.ts'
import { messageOf } from '../../base/problem.ts'
import type { Difference } from './account-walk.ts'
import { assertPostable, encodeDraft, type Draft, type DraftLine } from '../core/entry.ts'
import { genesisOf, linkHash } from '../core/link.ts'

export interface JournalHead {
  slug: string
  entryNo: bigint
}

interface HeadRow {
  slug: string
  entry_no: bigint
  hash: Buffer
  posted_at: Date
  last_hash: Buffer | null
  last_posted_at: Date | null
  has_beyond: boolean
  has_right_guard: boolean
}

/**
 * Reads the head of the transaction's journal and compares it with the newest entry and the
 * periods; nothing may lie behind it. Null for an organisation without a journal.
 */
export async function readHead(
  trx: Trx,
): Promise<{ head: JournalHead; differences: Difference[] } | null> {
  const [row] = await trx.query<HeadRow>(
    `select o.slug, h.entry_no, h.hash, h.posted_at, e.hash as last_hash,
            e.posted_at as last_posted_at,
            exists (select from journal_entries b
                     where b.org_id = $1 and b.entry_no > h.entry_no)
              or exists (select from postings b
                          where b.org_id = $1 and b.entry_no > h.entry_no)
              or exists (select from postings b where b.org_id = $1 and b.entry_no < 1)
              as has_beyond,
            h.guarded_through = coalesce(
              (select (max(p.month) + interval '1 month - 1 day')::date
                 from periods p where p.org_id = $1 and p.state <> 'open'),
              '-infinity') as has_right_guard
       from journal_heads h
       join organisations o on o.org_id = h.org_id
       left join journal_entries e on e.org_id = h.org_id and e.entry_no = h.entry_no
      where h.org_id = $1`,
    [trx.scope],
  )
  if (row === undefined) {
    return null
  }
  const { slug, entry_no: entryNo } = row
  const differences: Difference[] = []
  const differs = (check: string, detail: string) =>
    differences.push({ check, detail, accountId: null, entryNo: null })
  const last = row.last_hash ?? (entryNo === 0n ? genesisOf(slug) : null)
  if (last?.equals(row.hash) !== true) {
    differs('chain', 'the head of the journal is not the hash of its newest entry')
  }
  if (row.last_posted_at !== null && row.last_posted_at.getTime() !== row.posted_at.getTime()) {
    differs('chain', 'the head of the journal is not of the time of its newest entry')
  }
  if (row.has_beyond) {
    differs('numbers', 'entries or postings lie outside the numbers of the journal')
  }
  if (!row.has_right_guard) {
    differs('periods', 'the head of the journal guards other days than the periods say')
  }
  return { head: { slug, entryNo }, differences }
}

export interface EntriesPosition {
  nextEntryNo: bigint
  throughEntryNo: bigint
}

/**
 * Checks up to `limits.entries` entries from `nextEntryNo` on, fewer where they have more postings
 * than `limits.postings`; gives the number to go on with.
 */
export async function checkEntries(
  trx: Trx,
  from: EntriesPosition,
  journal: JournalHead,
  limits: { entries: number; postings: number },
): Promise<{ nextEntryNo: bigint; differences: Difference[] }> {
  if (from.nextEntryNo > from.throughEntryNo) {
    return { nextEntryNo: from.nextEntryNo, differences: [] }
  }
  const rows = await readHeaders(trx, from, limits.entries + 1)
  const before = rows[0]?.entry_no === from.nextEntryNo - 1n ? rows.shift() : undefined
  const slice = fitting(rows.slice(0, limits.entries), limits.postings)
  const lines = await readLines(trx, slice)
  const differences: Difference[] = []
  let previous = from.nextEntryNo === 1n ? genesisOf(journal.slug) : (before?.hash ?? null)
  let expected = from.nextEntryNo
  for (const entry of slice) {
    if (entry.entry_no !== expected) {
      differences.push(missing(expected, entry.entry_no - 1n))
      // Its predecessor is unknown: that it is missing is said.
      previous = null
    }
    differences.push(...checkEntry(entry, lines.get(entry.entry_no) ?? [], previous))
    previous = entry.hash
    expected = entry.entry_no + 1n
  }
  const isAll = slice.length === rows.length && rows.length < limits.entries
  if (isAll && expected <= from.throughEntryNo) {
    differences.push(missing(expected, from.throughEntryNo))
    expected = from.throughEntryNo + 1n
  }
  return { nextEntryNo: expected, differences }
}

type EntryRow = Omit<Draft, 'lines' | 'effectiveOn' | 'idempotencyKey'> & {
  entry_no: bigint
  effective_on: IsoDate
  idempotency_key: string
  lines: number
  posted_at: Date
  fingerprint: Buffer
  hash: Buffer
}

async function readHeaders(trx: Trx, from: EntriesPosition, limit: number): Promise<EntryRow[]> {
  return await trx.query<EntryRow>(
    `select entry_no, kind, effective_on, posted_at, idempotency_key, reverses, adjusts, lines,
            description, source, actor, metadata, fingerprint, hash
       from journal_entries
      where org_id = $1 and entry_no between $2 and $3
      order by entry_no limit $4`,
    [trx.scope, from.nextEntryNo - 1n, from.throughEntryNo, limit],
  )
}

/** As many entries as have no more lines than that; one at least. */
function fitting(rows: readonly EntryRow[], linesMax: number): EntryRow[] {
  let lines = 0
  const count = rows.findIndex((row) => {
    lines += row.lines
    return lines > linesMax
  })
  return count === -1 ? [...rows] : rows.slice(0, Math.max(1, count))
}

type LineRow = DraftLine & { entry_no: bigint; line_no: number; effective_on: IsoDate }

async function readLines(trx: Trx, slice: readonly EntryRow[]): Promise<Map<bigint, LineRow[]>> {
  const rows = await trx.query<LineRow>(
    `select p.entry_no, p.line_no, p.effective_on, p.direction, p.amount,
            coalesce(a.code, '') as account, coalesce(a.currency, '') as currency
       from postings p
       left join accounts a on a.org_id = p.org_id and a.account_id = p.account_id
      where p.org_id = $1 and p.entry_no between $2 and $3
      order by p.entry_no, p.line_no`,
    [trx.scope, slice[0]?.entry_no ?? 0n, slice.at(-1)?.entry_no ?? -1n],
  )
  return Map.groupBy(rows, (row) => row.entry_no)
}

/** `previous` is the hash before it; null where that is not known. */
function checkEntry(
  entry: EntryRow,
  lines: readonly LineRow[],
  previous: Buffer | null,
): Difference[] {
  const differences: Difference[] = []
  const differs = (check: string, words: string) =>
    differences.push({
      check,
      detail: `entry ${entry.entry_no}: ${words}`.slice(0, 500),
      accountId: null,
      entryNo: entry.entry_no,
    })
  const isWhole = lines.every((line, index) => line.line_no === index + 1)
  if (lines.length !== entry.lines || !isWhole) {
    differs('entry and postings', `it has not the ${entry.lines} lines that it says`)
  }
  if (lines.some((line) => line.effective_on !== entry.effective_on)) {
    differs('entry and postings', 'a line is of another day')
  }
  const { effective_on: effectiveOn, idempotency_key: idempotencyKey } = entry
  const draft: Draft = { ...entry, effectiveOn, idempotencyKey, lines }
  try {
    assertPostable(draft)
  } catch (error) {
    differs('balance', messageOf(error))
  }
  if (!fingerprintOf(draft)?.equals(entry.fingerprint)) {
    differs('fingerprint', 'it is not of its content')
  }
  const { fingerprint, entry_no: entryNo, posted_at: postedAt } = entry
  if (
    previous !== null &&
    !linkHash(previous, { fingerprint, entryNo, postedAt }).equals(entry.hash)
  ) {
    differs('chain', 'it or its predecessor is not what was hashed')
  }
  return differences
}

/** Null for what cannot be written down, such as metadata that is no text. */
function fingerprintOf(draft: Draft): Buffer | null {
  const isText = Object.values(draft.metadata).every((value) => typeof value === 'string')
  return isText ? sha256(encodeDraft(draft)) : null
}

function missing(first: bigint, last: bigint): Difference {
  const what = first === last ? `entry ${first} is` : `entries ${first} to ${last} are`
  return { check: 'numbers', detail: `${what} missing`, accountId: null, entryNo: first }
}
