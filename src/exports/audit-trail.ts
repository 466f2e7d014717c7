/**
 * The audit trail: every posting with its entry's content and hash, as CSV, in constant memory.
 *
 * It holds all that the journal's chain covers, so that `scripts/verify-export.mjs` can check it
 * with nothing else at hand. One header row; then a row of record `start` (format, organisation,
 * the chain's first hash); of each entry a row `entry` with its first posting and one `line` for
 * each further posting, with those cells only that are short; at last a row `end` with the number
 * and the hash of the newest entry, so that a file that was cut off can be told.
 *
 * A text that a spreadsheet would run, that is one of `=`, `+`, `-`, `@`, tab or carriage return
 * after any number of apostrophes, has one apostrophe more in front; taking it off gives the text.
 */
import { csvLine, type Cell } from '../../reports/csv.ts'
import type { Database, Trx } from '../base/db.ts'
import { genesisOf } from '../ledger/core/link.ts'
import type { PostedEntry } from '../ledger/reading/entries.ts'
import type { Books } from './books.ts'
import { againstTrialBalance } from './checks.ts'
import { readEntries } from './leaves.ts'
import { openSums, type Pieces } from './report.ts'
import { addEntries } from './reports/journal.ts'

const FORMAT = 'bahi/audit-trail/1'

const COLUMNS = [
  'record',
  'entry_no',
  'posted_at',
  'effective_on',
  'kind',
  'line_no',
  'account',
  'direction',
  'amount_minor',
  'currency',
  'description',
  'idempotency_key',
  'source',
  'actor',
  'reverses',
  'adjusts',
  'metadata',
  'fingerprint',
  'hash',
  'organisation',
  'format',
] as const

type Row = Partial<Record<(typeof COLUMNS)[number], Cell>>

/**
 * Yields the CSV in pieces, oldest entry first, up to the newest entry at the start. Entries never
 * change, so that no transaction has to stay open while a slow client reads.
 */
export async function* auditTrailCsv(db: Database, orgId: number): AsyncGenerator<string> {
  const head = await db.read(orgId, readHead)
  if (head === undefined) {
    yield csvLine(COLUMNS)
    return
  }
  yield* trailOf(db, orgId, head, () => undefined)
}

/** The same as an export, up to its last entry; it holds against the trial balance. */
export async function* auditTrail(books: Books): Pieces {
  const { db, orgId, organisation, through, hash } = books
  const sums = openSums()
  yield* trailOf(db, orgId, { organisation, entry_no: through, hash }, (entries) =>
    addEntries(sums, entries),
  )
  const checks = await againstTrialBalance(books, sums.nets, {
    from: null,
    to: null,
    currency: null,
  })
  return { rows: sums.lines, totals: sums.totals(), checks }
}

async function* trailOf(
  db: Database,
  orgId: number,
  head: Head,
  onEntries: (entries: readonly PostedEntry[]) => void,
): AsyncGenerator<string> {
  yield csvLine(COLUMNS)
  const { organisation } = head
  const genesis = genesisOf(organisation).toString('hex')
  yield rowOf({ record: 'start', entry_no: 0, hash: genesis, organisation, format: FORMAT })
  for (let after = 0n; after < head.entry_no;) {
    const entries = await db.read(
      orgId,
      async (trx) => await readEntries(trx, after, head.entry_no),
    )
    const newest = entries.at(-1)
    if (newest === undefined) {
      throw new Error(`entries after ${after} are missing`)
    }
    yield entries.map(rowsOf).join('')
    onEntries(entries)
    after = newest.entry_no
  }
  yield rowOf({ record: 'end', entry_no: head.entry_no, hash: head.hash.toString('hex') })
}

interface Head {
  organisation: string
  entry_no: bigint
  hash: Buffer
}

async function readHead(trx: Trx): Promise<Head | undefined> {
  const [head] = await trx.query<Head>(
    `select o.slug as organisation, h.entry_no, h.hash
       from journal_heads h join organisations o using (org_id) where h.org_id = $1`,
    [trx.scope],
  )
  return head
}

function rowsOf(entry: PostedEntry): string {
  return entry.postings
    .map((posting, index) =>
      rowOf({
        record: index === 0 ? 'entry' : 'line',
        entry_no: entry.entry_no,
        posted_at: entry.posted_at.toISOString(),
        effective_on: entry.effective_on,
        kind: entry.kind,
        line_no: posting.line_no,
        account: posting.account,
        direction: posting.direction,
        amount_minor: posting.amount,
        currency: posting.currency,
        ...(index === 0 ? onceOf(entry) : {}),
      }),
    )
    .join('')
}

/** What can be long stands once, not at each of a thousand postings. */
function onceOf(entry: PostedEntry): Row {
  return {
    description: entry.description,
    idempotency_key: entry.idempotency_key,
    source: entry.source,
    actor: entry.actor,
    reverses: entry.reverses,
    adjusts: entry.adjusts,
    metadata: JSON.stringify(entry.metadata),
    fingerprint: entry.fingerprint.toString('hex'),
    hash: entry.hash.toString('hex'),
  }
}

function rowOf(row: Row): string {
  return csvLine(COLUMNS.map((column) => row[column] ?? null))
}
