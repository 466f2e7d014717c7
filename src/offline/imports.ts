/** Files of payments: looked at first with nothing moved, then recorded part by part. */
import { seal, unseal, type Keyring } from '../base/crypto.ts'
import type { Trx } from '../base/db.ts'
import { newId } from '../base/ids.ts'
import { Problem } from '../base/problem.ts'
import { examine, type Verdict, type Warning } from './examine.ts'
import type { Wish } from './ground.ts'
import type { AskedPayment, Channel } from './payment.ts'
import { recordPayments, type Recorded } from './record.ts'

/** Looked at and not recorded yet: so many of an organisation, and for so long. */
const PREVIEWS_MAX = 50
export const PREVIEW_DAYS = 30

/** Rows of one transaction: what waits behind them in the journal does not wait long. */
export const ROWS_TOGETHER = 100

export const IMPORT_STATES = ['previewed', 'committing', 'committed'] as const
export const ROW_STATES = ['ready', 'duplicate', 'refused', 'recorded'] as const

/** What is wrong with a row, and in which column where one can be named. */
export interface Fault {
  column: string | null
  code: string
  detail: string
}

/** A row as it was read: something to record, or what is wrong with it. */
export interface ReadRow {
  line: number
  wish: Wish | null
  faults: Fault[]
}

interface NewRow {
  line: number
  state: (typeof ROW_STATES)[number]
  wish: Wish | null
  offlineId: string | null
  faults: Fault[]
  warnings: Warning[]
}

/** What the content of a row is sealed to; its id is the table's `row_id`. */
export function rowContext(orgId: Trx['scope'], importId: string, line: number): string {
  const rowId = `${importId}:${String(line).padStart(6, '0')}`
  return JSON.stringify(['offline import', orgId, rowId])
}

/**
 * Keeps what a file asks for and says of each row what would become of it. Nothing moves. Throws
 * `limit_reached` while too many files wait to be recorded.
 */
export async function previewFile(
  trx: Trx,
  keyring: Keyring,
  file: { sha256: Buffer; rows: readonly ReadRow[] },
  actor: string,
): Promise<string> {
  const waiting = await trx.query(
    `select 1 from offline_imports where org_id = $1 and state = 'previewed' limit $2`,
    [trx.scope, PREVIEWS_MAX],
  )
  if (waiting.length >= PREVIEWS_MAX) {
    const detail =
      `${PREVIEWS_MAX} files wait to be recorded; record one, or wait: they are forgotten ` +
      `${PREVIEW_DAYS} days after they came.`
    throw new Problem('limit_reached', { detail, moved: 'no' })
  }
  const importId = newId('imp')
  await trx.query(
    `insert into offline_imports (org_id, import_id, file_sha256, made_by)
     values ($1, $2, $3, $4)`,
    [trx.scope, importId, file.sha256, actor],
  )
  await insertRows(trx, keyring, importId, await judged(trx, keyring, file.rows, actor))
  return importId
}

async function judged(
  trx: Trx,
  keyring: Keyring,
  rows: readonly ReadRow[],
  actor: string,
): Promise<NewRow[]> {
  const sound = rows.flatMap(({ line, wish }) => (wish === null ? [] : [{ line, wish }]))
  const verdicts = await examine(
    trx,
    keyring,
    sound.map(({ wish }) => wish),
    actor,
  )
  const verdictOf = new Map(sound.map(({ line }, place) => [line, verdicts[place]]))
  return rows.map(({ line, wish, faults }) => {
    const verdict = verdictOf.get(line)
    const row: NewRow = { line, state: 'refused', wish, offlineId: null, faults, warnings: [] }
    return verdict === undefined ? row : { ...row, ...judgement(verdict, sound) }
  })
}

function judgement(
  verdict: Verdict,
  sound: readonly { line: number }[],
): Pick<NewRow, 'state'> & Partial<NewRow> {
  switch (verdict.status) {
    case 'new':
      return { state: 'ready', warnings: verdict.warnings }
    case 'existing': {
      const { sameAs, offlineId } = verdict
      if (sameAs === null) {
        return { state: 'duplicate', offlineId }
      }
      const detail = `It is the same as line ${sound[sameAs]?.line}.`
      return { state: 'duplicate', faults: [{ column: null, code: 'reference_used', detail }] }
    }
    case 'refused':
      return { state: 'refused', faults: [faultOf(verdict.problem)] }
    default:
      return verdict satisfies never
  }
}

/** What is kept in clear repeats no cell that may hold anything: in a shifted row, a tax id. */
function faultOf({ code, message }: Problem): Fault {
  return code === 'unknown_fund'
    ? { column: 'fund', code, detail: 'The organisation has no such fund.' }
    : { column: null, code, detail: message }
}

async function insertRows(
  trx: Trx,
  keyring: Keyring,
  importId: string,
  rows: readonly NewRow[],
): Promise<void> {
  await trx.query(
    `insert into offline_import_rows (org_id, import_id, line, state, channel, amount,
       content_sealed, offline_id, faults, warnings)
     select $1, $2, n.*
       from unnest($3::integer[], $4::text[], $5::text[], $6::bigint[], $7::bytea[], $8::text[],
         $9::jsonb[], $10::jsonb[]) as n`,
    [
      trx.scope,
      importId,
      rows.map((row) => row.line),
      rows.map((row) => row.state),
      rows.map((row) => row.wish?.asked.channel ?? null),
      rows.map((row) => row.wish?.asked.amount ?? null),
      rows.map(({ wish, line }) =>
        wish === null ? null : seal(keyring, encode(wish), rowContext(trx.scope, importId, line)),
      ),
      rows.map((row) => row.offlineId),
      rows.map((row) => JSON.stringify(row.faults)),
      rows.map((row) => JSON.stringify(row.warnings)),
    ],
  )
}

function encode(wish: Wish): string {
  const { asked, naturalKey } = wish
  return JSON.stringify({ asked: { ...asked, amount: asked.amount.toString() }, naturalKey })
}

/** What a row's sealed content says. */
export function openContent(keyring: Keyring, sealed: Buffer, context: string): Wish {
  const { asked, naturalKey } = JSON.parse(unseal(keyring, sealed, context).toString()) as {
    asked: Omit<AskedPayment, 'amount'> & { amount: string }
    naturalKey: string
  }
  return { asked: { ...asked, amount: BigInt(asked.amount) }, naturalKey }
}

/**
 * Lets the good rows of a file be recorded, and records the first of them; the job goes on with the
 * rest. What is being recorded, or is, stays as it is. Throws `not_found`.
 */
export async function commitImport(
  trx: Trx,
  keyring: Keyring,
  importId: string,
  who: { actor: string; now: Date },
): Promise<void> {
  const [found] = await trx.query<{ state: (typeof IMPORT_STATES)[number] }>(
    'select state from offline_imports where org_id = $1 and import_id = $2',
    [trx.scope, importId],
  )
  if (found === undefined) {
    throw new Problem('not_found', { detail: 'There is no such import.', moved: 'no' })
  }
  if (found.state === 'previewed') {
    await trx.query(
      `update offline_imports
          set state = 'committing', committed_by = $3, committed_at = $4
        where org_id = $1 and import_id = $2`,
      [trx.scope, importId, who.actor, who.now],
    )
    await recordPart(trx, keyring, importId, who)
  }
}

/** Goes on with the oldest import that is being recorded; null where there is none. */
export async function continueImport(trx: Trx, keyring: Keyring, now: Date): Promise<true | null> {
  const [one] = await trx.query<{ import_id: string; committed_by: string }>(
    `select import_id, committed_by from offline_imports
      where org_id = $1 and state = 'committing' order by import_id limit 1`,
    [trx.scope],
  )
  if (one === undefined) {
    return null
  }
  await recordPart(trx, keyring, one.import_id, { actor: one.committed_by, now })
  return true
}

async function recordPart(
  trx: Trx,
  keyring: Keyring,
  importId: string,
  who: { actor: string; now: Date },
): Promise<void> {
  const rows = await trx.query<{ line: number; content_sealed: Buffer }>(
    `select line, content_sealed from offline_import_rows
      where org_id = $1 and import_id = $2 and state = 'ready' order by line limit $3`,
    [trx.scope, importId, ROWS_TOGETHER],
  )
  const wishes = rows.map(({ line, content_sealed: sealed }) =>
    openContent(keyring, sealed, rowContext(trx.scope, importId, line)),
  )
  const recorded = await recordPayments(trx, keyring, wishes, who)
  const results = recorded.map(resultOf)
  await trx.query(
    `update offline_import_rows r
        set state = n.state, offline_id = n.offline_id, faults = n.faults,
            warnings = coalesce(n.warnings, r.warnings),
            content_sealed = case when n.state = 'recorded' then null else r.content_sealed end
       from unnest($3::integer[], $4::text[], $5::text[], $6::jsonb[], $7::jsonb[])
         as n (line, state, offline_id, faults, warnings)
      where r.org_id = $1 and r.import_id = $2 and r.line = n.line`,
    [
      trx.scope,
      importId,
      rows.map((row) => row.line),
      results.map((one) => one.state),
      results.map((one) => one.offlineId),
      results.map((one) => JSON.stringify(one.faults)),
      results.map((one) => (one.warnings === null ? null : JSON.stringify(one.warnings))),
    ],
  )
  if (rows.length < ROWS_TOGETHER) {
    await endImport(trx, importId, who.now)
  }
}

function resultOf(one: Recorded) {
  switch (one.status) {
    case 'recorded':
      return { state: 'recorded', offlineId: one.offlineId, faults: [], warnings: one.warnings }
    case 'existing':
      return { state: 'duplicate', offlineId: one.offlineId, faults: [], warnings: null }
    case 'refused':
      return { state: 'refused', offlineId: null, faults: [faultOf(one.problem)], warnings: null }
    default:
      return one satisfies never
  }
}

/** Whom the other rows name is of no use any more. */
async function endImport(trx: Trx, importId: string, now: Date): Promise<void> {
  await trx.query(
    `update offline_imports set state = 'committed', ended_at = $3
      where org_id = $1 and import_id = $2`,
    [trx.scope, importId, now],
  )
  await trx.query(
    `update offline_import_rows set content_sealed = null
      where org_id = $1 and import_id = $2 and content_sealed is not null`,
    [trx.scope, importId],
  )
}

/** One import's rows by channel: what is to be recorded, or was. */
export interface ChannelTotal {
  channel: Channel
  rows: number
  amount: bigint
}
