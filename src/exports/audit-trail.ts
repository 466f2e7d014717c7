/** The audit trail: every posting with its entry’s hash, as CSV, in constant memory. */
import { csvLine } from '../../reports/csv.ts'
import type { Database } from '../base/db.ts'
import { listEntries, type PostedEntry } from '../ledger/entries.ts'

const HEADER = [
  'entry_no',
  'hash',
  'kind',
  'effective_on',
  'posted_at',
  'description',
  'idempotency_key',
  'source',
  'actor',
  'reverses',
  'metadata',
  'line_no',
  'account',
  'direction',
  'amount_minor',
  'currency',
]

const PAGE = 1000

/**
 * Yields the CSV in pieces, oldest entry first, up to the newest entry at the start. Entries never
 * change, so that no transaction has to stay open while a slow client reads.
 */
export async function* auditTrailCsv(db: Database, orgId: number): AsyncGenerator<string> {
  yield csvLine(HEADER)
  const last = await db.read(orgId, async (trx) => {
    const [head] = await trx.query<{ entry_no: bigint }>(
      'select entry_no from journal_heads where org_id = $1',
      [orgId],
    )
    return head?.entry_no ?? 0n
  })
  for (let after = 0n; after < last;) {
    const entries = await db.read(
      orgId,
      async (trx) => await listEntries(trx, { after, before: last + 1n, limit: PAGE }),
    )
    const newest = entries.at(-1)
    if (newest === undefined) {
      return
    }
    yield entries.map(linesOf).join('')
    after = newest.entry_no
  }
}

function linesOf(entry: PostedEntry): string {
  return entry.postings
    .map((posting) =>
      csvLine([
        entry.entry_no,
        entry.hash.toString('hex'),
        entry.kind,
        entry.effective_on,
        entry.posted_at.toISOString(),
        entry.description,
        entry.idempotency_key,
        entry.source,
        entry.actor,
        entry.reverses,
        JSON.stringify(entry.metadata),
        posting.line_no,
        posting.account,
        posting.direction,
        posting.amount,
        posting.currency,
      ]),
    )
    .join('')
}
