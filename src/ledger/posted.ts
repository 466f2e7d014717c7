/** What posting has to know of the journal: its head, known keys, what may be reversed. */
import type { Trx } from '../base/db.ts'
import type { Draft } from './core/entry.ts'

/** Where the journal goes on. */
export interface Head {
  organisation: string
  entry_no: bigint
  hash: Buffer
  posted_at: Date
}

/** The newest entry of the transaction's organisation. */
export async function readHead(trx: Trx): Promise<Head> {
  const [head] = await trx.query<Head>(
    `select o.slug as organisation, h.entry_no, h.hash,
            greatest(h.posted_at, '2000-01-01'::timestamptz) as posted_at
       from journal_heads h join organisations o using (org_id)
      where h.org_id = $1`,
    [trx.scope],
  )
  if (head === undefined) {
    throw new Error(`organisation ${trx.scope} has no journal`)
  }
  return head
}

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

/** The entries that these drafts reverse, as far as they are there and not reversed yet. */
export async function readReversible(trx: Trx, drafts: readonly Draft[]): Promise<Set<bigint>> {
  const wanted = drafts.flatMap((draft) => (draft.reverses === null ? [] : [draft.reverses]))
  if (wanted.length === 0) {
    return new Set()
  }
  const rows = await trx.query<{ entry_no: bigint }>(
    `select e.entry_no from journal_entries e
      where e.org_id = $1 and e.entry_no = any($2::bigint[])
        and not exists (
          select 1 from journal_entries r where r.org_id = $1 and r.reverses = e.entry_no)`,
    [trx.scope, wanted],
  )
  return new Set(rows.map((row) => row.entry_no))
}
