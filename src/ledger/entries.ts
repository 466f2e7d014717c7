/** Journal entries as they were posted, for lists, exports and verification. */
import type { IsoDate } from '../base/clock.ts'
import type { Trx } from '../base/db.ts'
import type { AccountCode, Direction } from './core/chart.ts'
import type { Draft, EntryKind } from './core/entry.ts'

export interface PostedEntry {
  entry_no: bigint
  kind: EntryKind
  effective_on: IsoDate
  posted_at: Date
  idempotency_key: string
  reverses: bigint | null
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

/** Entries with their postings: newest first, or oldest first where `after` is given. */
export async function listEntries(trx: Trx, filter: EntryFilter): Promise<PostedEntry[]> {
  const order = filter.after === undefined ? 'desc' : 'asc'
  const entries = await trx.query<Omit<PostedEntry, 'postings'>>(
    `select entry_no, kind, effective_on, posted_at, idempotency_key, reverses, description, source,
            actor, metadata, fingerprint, hash
       from journal_entries
      where org_id = $1
        and ($2::bigint is null or entry_no > $2)
        and ($3::bigint is null or entry_no < $3)
        and ($4::date is null or effective_on >= $4)
        and ($5::date is null or effective_on <= $5)
        and ($6::text is null or kind = $6)
      order by entry_no ${order}
      limit $7`,
    [
      trx.scope,
      filter.after ?? null,
      filter.before ?? null,
      filter.from ?? null,
      filter.to ?? null,
      filter.kind ?? null,
      filter.limit,
    ],
  )
  const lines = await linesOf(
    trx,
    entries.map((entry) => entry.entry_no),
  )
  return entries.map((entry) => ({ ...entry, postings: lines.get(entry.entry_no) ?? [] }))
}

async function linesOf(trx: Trx, entryNos: readonly bigint[]): Promise<Map<bigint, PostedLine[]>> {
  const rows = await trx.query<PostedLine & { entry_no: bigint }>(
    `select p.entry_no, p.line_no, p.account_id, a.code as account, p.direction, p.amount,
            a.currency, p.balance_after, p.account_version
       from postings p
       join accounts a on a.org_id = p.org_id and a.account_id = p.account_id
      where p.org_id = $1 and p.entry_no = any($2::bigint[])
      order by p.entry_no, p.line_no`,
    [trx.scope, entryNos],
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
    metadata: entry.metadata,
    lines: entry.postings.map(({ account, direction, amount, currency }) => ({
      account,
      direction,
      amount,
      currency,
    })),
  }
}
