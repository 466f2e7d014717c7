/** Imports and their rows as they are looked at, found by the sweep, and forgotten. */
import type { Keyring } from '../base/crypto.ts'
import type { Database, Trx } from '../base/db.ts'
import { Problem } from '../base/problem.ts'
import type { Warning } from './examine.ts'
import type { Wish } from './ground.ts'
import {
  openContent,
  rowContext,
  type ChannelTotal,
  type Fault,
  type IMPORT_STATES,
  type ROW_STATES,
} from './imports.ts'

export interface ImportRecord {
  import_id: string
  state: (typeof IMPORT_STATES)[number]
  file_sha256: Buffer
  made_by: string
  made_at: Date
  committed_by: string | null
  committed_at: Date | null
  ended_at: Date | null
  ready: number
  duplicate: number
  refused: number
  recorded: number
  /** Of the rows that are ready or recorded. */
  channels: ChannelTotal[]
}

const COLUMNS = `import_id, state, file_sha256, made_by, made_at, committed_by, committed_at,
  ended_at`

/** Newest first. */
export async function listImports(
  trx: Trx,
  page: { limit: number; before: string | null },
): Promise<ImportRecord[]> {
  const rows = await trx.query<ImportRecord>(
    `select ${COLUMNS} from offline_imports
      where org_id = $1 and ($2::text is null or import_id < $2)
      order by import_id desc limit $3`,
    [trx.scope, page.before, page.limit],
  )
  return await counted(trx, rows)
}

/** Throws `not_found`. */
export async function findImport(trx: Trx, importId: string): Promise<ImportRecord> {
  const rows = await trx.query<ImportRecord>(
    `select ${COLUMNS} from offline_imports where org_id = $1 and import_id = $2`,
    [trx.scope, importId],
  )
  const [one] = await counted(trx, rows)
  if (one === undefined) {
    throw new Problem('not_found', { detail: 'There is no such import.' })
  }
  return one
}

async function counted(trx: Trx, imports: readonly ImportRecord[]): Promise<ImportRecord[]> {
  const sums = await trx.query<{
    import_id: string
    state: (typeof ROW_STATES)[number]
    channel: ChannelTotal['channel'] | null
    rows: number
    amount: bigint
  }>(
    `select r.import_id, r.state, r.channel, count(*)::integer as rows,
            coalesce(sum(r.amount), 0)::bigint as amount
       from unnest($2::text[]) as k (id)
       join offline_import_rows r on r.org_id = $1 and r.import_id = k.id
      group by r.import_id, r.state, r.channel`,
    [trx.scope, imports.map((one) => one.import_id)],
  )
  return imports.map((one) => {
    const own = sums.filter((sum) => sum.import_id === one.import_id)
    const count = (state: string) =>
      own.filter((sum) => sum.state === state).reduce((all, sum) => all + sum.rows, 0)
    const [ready, duplicate] = [count('ready'), count('duplicate')]
    const [refused, recorded] = [count('refused'), count('recorded')]
    return { ...one, ready, duplicate, refused, recorded, channels: channelsOf(own) }
  })
}

function channelsOf(
  sums: readonly {
    state: string
    channel: ChannelTotal['channel'] | null
    rows: number
    amount: bigint
  }[],
): ChannelTotal[] {
  const totals = new Map<string, ChannelTotal>()
  for (const { state, channel, rows, amount } of sums) {
    if (channel !== null && (state === 'ready' || state === 'recorded')) {
      const before = totals.get(channel) ?? { channel, rows: 0, amount: 0n }
      totals.set(channel, { channel, rows: before.rows + rows, amount: before.amount + amount })
    }
  }
  return [...totals.values()].sort((one, other) => (one.channel < other.channel ? -1 : 1))
}

export interface ImportRow {
  line: number
  state: (typeof ROW_STATES)[number]
  channel: ChannelTotal['channel'] | null
  amount: bigint | null
  offline_id: string | null
  faults: Fault[]
  warnings: Warning[]
  /** What the line says; null where that could not be read, or is not kept any more. */
  wish: Wish | null
}

/** The rows of an import in the order of the file. Throws `not_found`. */
export async function listImportRows(
  trx: Trx,
  keyring: Keyring,
  importId: string,
  page: { limit: number; after: number; state: ImportRow['state'] | null },
): Promise<ImportRow[]> {
  await findImport(trx, importId)
  const rows = await trx.query<Omit<ImportRow, 'wish'> & { content_sealed: Buffer | null }>(
    `select line, state, channel, amount, offline_id, faults, warnings, content_sealed
       from offline_import_rows
      where org_id = $1 and import_id = $2 and line > $3 and ($4::text is null or state = $4)
      order by line limit $5`,
    [trx.scope, importId, page.after, page.state, page.limit],
  )
  return rows.map(({ content_sealed: sealed, ...row }) => {
    const context = rowContext(trx.scope, importId, row.line)
    return { ...row, wish: sealed === null ? null : openContent(keyring, sealed, context) }
  })
}

/** A statement deletes so many at most: each has thousands of rows. */
const FORGOTTEN_TOGETHER = 20

/** Forgets files that nobody recorded for so many days; gives how many. */
export async function forgetPreviews(db: Database, days: number, most: number): Promise<number> {
  const rows = await db.statement(
    `delete from offline_imports i
      using (select org_id, import_id from offline_imports
              where made_at < now() - make_interval(days => $1) and state = 'previewed'
              order by made_at limit $2
              for update skip locked) old
      where i.org_id = old.org_id and i.import_id = old.import_id
     returning 1`,
    [days, Math.min(most, FORGOTTEN_TOGETHER)],
  )
  return rows.length
}
