/** What posting has to know of the journal: keys that are taken, entries to be corrected. */
import type { Trx } from '../../base/db.ts'
import type { Draft, DraftLine } from '../core/entry.ts'

/** An entry that has a key already. */
export interface Posted {
  entryNo: bigint
  fingerprint: Buffer
}

/** What was posted before under the keys of these drafts, by key. */
export async function readPosted(trx: Trx, drafts: readonly Draft[]): Promise<Map<string, Posted>> {
  const rows = await trx.query<{ idempotency_key: string; entry_no: bigint; fingerprint: Buffer }>(
    // Key by key: asked for all at once, a planner without statistics reads the whole journal.
    `select k.key as idempotency_key, e.entry_no, e.fingerprint
       from unnest($2::text[]) as k (key)
      cross join lateral (
        select entry_no, fingerprint from journal_entries
         where org_id = $1 and idempotency_key = k.key limit 1
      ) e`,
    [trx.scope, drafts.map((draft) => draft.idempotencyKey)],
  )
  return new Map(
    rows.map((row) => [
      row.idempotency_key,
      { entryNo: row.entry_no, fingerprint: row.fingerprint },
    ]),
  )
}

/** An entry that a draft reverses or adjusts. */
export interface Corrected {
  isReversed: boolean
  lines: DraftLine[]
}

/** The entries that these drafts reverse or adjust, by number, as far as they are there. */
export async function readCorrected(
  trx: Trx,
  drafts: readonly Draft[],
): Promise<Map<bigint, Corrected>> {
  const wanted = drafts.flatMap(({ reverses, adjusts }) =>
    [reverses, adjusts].filter((entryNo) => entryNo !== null),
  )
  if (wanted.length === 0) {
    return new Map()
  }
  const rows = await trx.query<DraftLine & { entry_no: bigint; is_reversed: boolean }>(
    `select p.entry_no, a.code as account, a.currency, p.direction, p.amount,
            exists (
              select from journal_entries r where r.org_id = $1 and r.reverses = p.entry_no
            ) as is_reversed
       from postings p
       join accounts a on a.org_id = p.org_id and a.account_id = p.account_id
      where p.org_id = $1 and p.entry_no = any($2::bigint[])
      order by p.entry_no, p.line_no`,
    [trx.scope, wanted],
  )
  const found = new Map<bigint, Corrected>()
  for (const { entry_no: entryNo, is_reversed: isReversed, ...line } of rows) {
    const one = found.get(entryNo) ?? { isReversed, lines: [] }
    one.lines.push(line)
    found.set(entryNo, one)
  }
  return found
}
