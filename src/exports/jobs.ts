/** Exports that are made in the background, as rows: asked for, made, kept for a week. */
import type { IsoDate } from '../base/clock.ts'
import { sqlStateOf } from '../base/database-error.ts'
import type { Database, Trx } from '../base/db.ts'
import { newId } from '../base/ids.ts'
import { Problem } from '../base/problem.ts'
import { headOf } from './books.ts'
import { promiseEmails } from './emails.ts'
import type { Manifest } from './make.ts'
import { assertOffered, type Asked } from './registry.ts'

export const EXPORT_STATES = ['waiting', 'running', 'done', 'failed', 'cancelled'] as const

export type ExportState = (typeof EXPORT_STATES)[number]

/** Days that a file is kept after it was made. */
export const EXPORT_DAYS = 7

/** Not made yet: so many of an organisation. */
const OPEN_MAX = 20
/** A worker that has not said for so long that it lives is dead. */
export const ALIVE_MS = 60_000
/** Workers that may die over one export before nobody tries it any more. */
const ATTEMPTS_MAX = 5

export interface ExportJob extends Asked {
  export_id: string
  through: bigint
  state: ExportState
  asked_by: string
  asked_at: Date
  schedule_id: string | null
  attempts: number
  started_at: Date | null
  ended_at: Date | null
  rows: bigint
  bytes: bigint
  pieces: number
  sha256: Buffer | null
  manifest: Manifest | null
  failure: string | null
}

const COLUMNS = `export_id, report, format, parameters, through, state, asked_by, asked_at,
  schedule_id, attempts, started_at, ended_at, rows, bytes, pieces, sha256, manifest, failure`

/** What one run of a schedule is. */
export interface ScheduledRun {
  scheduleId: string
  day: IsoDate
}

/**
 * Asks for an export of the books as they are now, or were known at an instant. Null where a run
 * of a schedule was asked for before. Throws what `assertOffered` throws, and `limit_reached` while
 * too many others wait.
 */
export async function askExport(
  trx: Trx,
  asked: Asked,
  who: { actor: string; knownAt: Date | null },
  run: ScheduledRun | null = null,
): Promise<string | null> {
  assertOffered(asked, who.knownAt)
  const open = await trx.query(
    `select 1 from export_jobs where org_id = $1 and state in ('waiting', 'running') limit $2`,
    [trx.scope, OPEN_MAX],
  )
  if (open.length >= OPEN_MAX && run === null) {
    const detail = `${OPEN_MAX} exports wait to be made: wait for them, or cancel some.`
    throw new Problem('limit_reached', { detail, moved: 'no' })
  }
  const exportId = newId('exp')
  const made = await trx.query(
    `insert into export_jobs (org_id, export_id, report, format, parameters, through, asked_by,
       schedule_id, scheduled_for)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
     on conflict do nothing returning 1`,
    [
      trx.scope,
      exportId,
      asked.report,
      asked.format,
      JSON.stringify(asked.parameters),
      await headOf(trx, who.knownAt),
      who.actor,
      run?.scheduleId ?? null,
      run?.day ?? null,
    ],
  )
  return made.length === 0 ? null : exportId
}

/** Throws `not_found`. */
export async function findExport(trx: Trx, exportId: string): Promise<ExportJob> {
  const [found] = await trx.query<ExportJob>(
    `select ${COLUMNS} from export_jobs where org_id = $1 and export_id = $2`,
    [trx.scope, exportId],
  )
  if (found === undefined) {
    const detail = 'There is no such export, or not any more.'
    throw new Problem('not_found', { detail, moved: 'no' })
  }
  return found
}

/** Newest first. */
export async function listExports(
  trx: Trx,
  page: { limit: number; before: string | null; state: ExportState | null },
): Promise<ExportJob[]> {
  return await trx.query<ExportJob>(
    `select ${COLUMNS} from export_jobs
      where org_id = $1 and ($2::text is null or export_id < $2)
        and ($3::text is null or state = $3)
      order by export_id desc limit $4`,
    [trx.scope, page.before, page.state, page.limit],
  )
}

/** Ends one that is not made yet; what has ended stays as it is. Throws `not_found`. */
export async function cancelExport(trx: Trx, exportId: string): Promise<ExportJob> {
  await trx.query(
    `update export_jobs set state = 'cancelled', ended_at = now(), alive_until = null
      where org_id = $1 and export_id = $2 and state in ('waiting', 'running')`,
    [trx.scope, exportId],
  )
  return await findExport(trx, exportId)
}

/**
 * Takes an organisation's next export in hand: one that a dead worker left, else the oldest that
 * waits. Null where there is none, or another worker makes one.
 */
export async function claimExport(db: Database, orgId: number): Promise<ExportJob | null> {
  try {
    return await db.transact(
      orgId,
      async (trx) => {
        await giveUp(trx)
        const [mine] = await trx.query<ExportJob>(
          `update export_jobs
              set state = 'running', attempts = attempts + 1, rows = 0, bytes = 0,
                  started_at = coalesce(started_at, now()),
                  alive_until = now() + $2 * interval '1 millisecond'
            where org_id = $1 and export_id = (
              select export_id from export_jobs
               where org_id = $1
                 and (state = 'waiting' or state = 'running' and alive_until <= now())
               order by state, export_id limit 1
               for update skip locked
            )
          returning ${COLUMNS}`,
          [orgId, ALIVE_MS],
        )
        return mine ?? null
      },
      { isolation: 'read committed' },
    )
  } catch (error) {
    // The unique index on what is running: another worker was there first.
    if (sqlStateOf(error) === '23505') {
      return null
    }
    throw error
  }
}

async function giveUp(trx: Trx): Promise<void> {
  const given = await trx.query<{ export_id: string }>(
    `update export_jobs
        set state = 'failed', ended_at = now(), alive_until = null,
            failure = 'Its worker died ' || attempts || ' times. Ask for less.'
      where org_id = $1 and state = 'running' and alive_until <= now() and attempts >= $2
     returning export_id`,
    [trx.scope, ATTEMPTS_MAX],
  )
  for (const { export_id: exportId } of given) {
    await promiseEmails(trx, exportId)
  }
}

/** How far it is. */
export interface Progress {
  rows: number
  bytes: number
  pieces: number
}

/** Says that the worker lives and how far it is; false where the export is not its own any more. */
export async function sayAlive(
  db: Database,
  orgId: number,
  job: ExportJob,
  { rows, bytes, pieces }: Progress,
): Promise<boolean> {
  const mine = await db.transact(
    orgId,
    async (trx) =>
      await trx.query(
        `update export_jobs
            set alive_until = now() + $4 * interval '1 millisecond', rows = $5, bytes = $6,
                pieces = $7
          where org_id = $1 and export_id = $2 and state = 'running' and attempts = $3
         returning 1`,
        [orgId, job.export_id, job.attempts, ALIVE_MS, rows, bytes, pieces],
      ),
    { isolation: 'read committed' },
  )
  return mine.length > 0
}

/** How an export ended; `later` is for another worker, from its beginning. */
export type Ending =
  | { state: 'done'; manifest: Manifest; pieces: number }
  | { state: 'failed'; failure: string; manifest: Manifest | null }
  | { state: 'later' }

/** Notes how it ended; false where it was not the worker's own any more. */
export async function endExport(
  db: Database,
  orgId: number,
  job: ExportJob,
  ending: Ending,
): Promise<boolean> {
  const manifest = ending.state === 'later' ? null : ending.manifest
  return await db.transact(
    orgId,
    async (trx) => {
      const ended = await trx.query(
        `update export_jobs
            set state = case $4 when 'later' then 'waiting' else $4 end, alive_until = null,
                ended_at = case $4 when 'later' then null else now() end,
                sha256 = $5, manifest = $6, failure = $7,
                rows = coalesce($8, rows), bytes = coalesce($9, bytes),
                pieces = coalesce($10, pieces),
                attempts = attempts - case $4 when 'later' then 1 else 0 end
          where org_id = $1 and export_id = $2 and state = 'running' and attempts = $3
         returning 1`,
        [
          orgId,
          job.export_id,
          job.attempts,
          ending.state,
          ending.state === 'done' ? Buffer.from(ending.manifest.sha256, 'hex') : null,
          manifest === null ? null : JSON.stringify(manifest),
          ending.state === 'failed' ? ending.failure.slice(0, 1000) : null,
          manifest?.rows ?? null,
          manifest?.bytes ?? null,
          ending.state === 'done' ? ending.pieces : null,
        ],
      )
      if (ended.length > 0 && ending.state !== 'later') {
        await promiseEmails(trx, job.export_id)
      }
      return ended.length > 0
    },
    { isolation: 'read committed' },
  )
}
