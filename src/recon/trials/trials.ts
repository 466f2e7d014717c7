/** Trials as rows: what would be found by the next run, or in a period under other rules. */
import type { IsoDate } from '../../base/clock.ts'
import { sqlStateOf } from '../../base/database-error.ts'
import type { Database, Trx } from '../../base/db.ts'
import type { Files } from '../../base/files.ts'
import { newId } from '../../base/ids.ts'
import { Problem } from '../../base/problem.ts'
import type { Rules } from '../match/rules.ts'
import { keptOf, rulesOfKept, type Kept } from '../rules.ts'
import type { Progress, Step } from '../runs.ts'
import { FILE_BYTES_MAX, removeBytes, type Received } from '../files/stored.ts'
import type { TrialReport } from './report.ts'

export const TRIAL_STATES = ['waiting', 'running', 'done', 'failed', 'cancelled'] as const

export type TrialState = (typeof TRIAL_STATES)[number]

/** Days that a trial and its file are kept. */
export const TRIAL_DAYS = 7
/** Not done yet: so many of an organisation. */
const OPEN_MAX = 5
/** A worker that has not said for so long that it lives is dead. */
export const ALIVE_MS = 60_000
/** Workers that may die over one trial before nobody tries it any more. */
const ATTEMPTS_MAX = 5
/** How long a trial waits for the end of a run. */
const LATER_MS = 5000

export interface Trial {
  trial_id: string
  /** The next run as it would be; or a period as it would be under rules. */
  what: 'run' | 'rules'
  rules: Rules
  first_day: IsoDate | null
  last_day: IsoDate | null
  as_of: IsoDate
  state: TrialState
  asked_by: string
  asked_at: Date
  began_at: Date | null
  ended_at: Date | null
  attempts: number
  step: Step | 'report'
  progress: Pick<Progress, 'lines' | 'matched'>
  report: TrialReport | null
  stored_as: string | null
  pieces: number
  bytes: bigint
  sha256: Buffer | null
  failure: string | null
}

const COLUMNS = `trial_id, what, rules, first_day, last_day, as_of, state, asked_by, asked_at,
  began_at, ended_at, attempts, step, progress, report, stored_as, pieces, bytes, sha256, failure`

type Row = Omit<Trial, 'rules'> & { rules: Kept }

const trialOf = (row: Row): Trial => ({ ...row, rules: rulesOfKept(row.rules) })

/** What is asked for; `period` for a trial of rules. */
export interface AskedTrial {
  rules: Rules
  asOf: IsoDate
  period: { from: IsoDate; to: IsoDate } | null
  actor: string
}

/** Gives the trial's id. Throws `limit_reached` while too many others wait. */
export async function askTrial(trx: Trx, asked: AskedTrial): Promise<string> {
  const open = await trx.query(
    `select 1 from recon_trials where org_id = $1 and state in ('waiting', 'running') limit $2`,
    [trx.scope, OPEN_MAX],
  )
  if (open.length >= OPEN_MAX) {
    const detail = `${OPEN_MAX} trials wait to be done: wait for them, or cancel some.`
    throw new Problem('limit_reached', { detail, moved: 'no' })
  }
  const trialId = newId('rtl')
  await trx.query(
    `insert into recon_trials (org_id, trial_id, what, rules, first_day, last_day, as_of, asked_by,
       progress)
     values ($1, $2, $3, $4, $5, $6, $7, $8, '{"lines": 0, "matched": 0}')`,
    [
      trx.scope,
      trialId,
      asked.period === null ? 'run' : 'rules',
      JSON.stringify(keptOf(asked.rules)),
      asked.period?.from ?? null,
      asked.period?.to ?? null,
      asked.asOf,
      asked.actor,
    ],
  )
  return trialId
}

/** Throws `not_found`. */
export async function findTrial(trx: Trx, trialId: string): Promise<Trial> {
  const [row] = await trx.query<Row>(
    `select ${COLUMNS} from recon_trials where org_id = $1 and trial_id = $2`,
    [trx.scope, trialId],
  )
  if (row === undefined) {
    throw new Problem('not_found', { detail: 'There is no such trial, or not any more.' })
  }
  return trialOf(row)
}

/** The newest first. */
export async function listTrials(
  trx: Trx,
  { limit, after }: { limit: number; after: string | null },
): Promise<Trial[]> {
  const rows = await trx.query<Row>(
    `select ${COLUMNS} from recon_trials
      where org_id = $1 and ($2::text is null or trial_id < $2)
      order by trial_id desc limit $3`,
    [trx.scope, after, limit],
  )
  return rows.map(trialOf)
}

/** Ends one that is not done yet; what has ended stays as it is. Throws `not_found`. */
export async function cancelTrial(trx: Trx, trialId: string): Promise<Trial> {
  await trx.query(
    `update recon_trials set state = 'cancelled', ended_at = now(), alive_until = null
      where org_id = $1 and trial_id = $2 and state in ('waiting', 'running')`,
    [trx.scope, trialId],
  )
  return await findTrial(trx, trialId)
}

const ALONE = { isolation: 'read committed' } as const
const UNIQUE_VIOLATION = '23505'

/**
 * Takes the organisation's next trial in hand: one that a dead worker left, else the oldest that
 * waits. Null where there is none, or another worker does one.
 */
export async function claimTrial(db: Database, orgId: number): Promise<Trial | null> {
  const claim = async (trx: Trx) => {
    await trx.query(
      `update recon_trials
          set state = 'failed', ended_at = now(), alive_until = null,
              failure = 'Its worker died ' || attempts || ' times. Ask for a shorter period.'
        where org_id = $1 and state = 'running' and alive_until <= now() and attempts >= $2`,
      [orgId, ATTEMPTS_MAX],
    )
    return await trx.query<Row>(
      `update recon_trials
          set state = 'running', attempts = attempts + 1, began_at = coalesce(began_at, now()),
              alive_until = now() + $2 * interval '1 millisecond'
        where org_id = $1 and trial_id = (
          select trial_id from recon_trials
           where org_id = $1
             and (state = 'waiting' and next_try_at <= now()
                  or state = 'running' and alive_until <= now())
           order by state, trial_id limit 1
           for update skip locked
        )
      returning ${COLUMNS}`,
      [orgId, ALIVE_MS],
    )
  }
  try {
    const [mine] = await db.transact(orgId, claim, ALONE)
    return mine === undefined ? null : trialOf(mine)
  } catch (error) {
    // The unique index on what is running: another worker was there first.
    if (sqlStateOf(error) === UNIQUE_VIOLATION) {
      return null
    }
    throw error
  }
}

/** Says that the worker lives and how far it is; false where the trial is not its own any more. */
export async function sayAlive(
  db: Database,
  orgId: number,
  trial: Trial,
  { step, progress }: Pick<Trial, 'step' | 'progress'>,
): Promise<boolean> {
  const { lines, matched } = progress
  const mine = await db.transact(
    orgId,
    async (trx) =>
      await trx.query(
        `update recon_trials
            set alive_until = now() + $4 * interval '1 millisecond', step = $5, progress = $6
          where org_id = $1 and trial_id = $2 and state = 'running' and attempts = $3
         returning 1`,
        [orgId, trial.trial_id, trial.attempts, ALIVE_MS, step, JSON.stringify({ lines, matched })],
      ),
    ALONE,
  )
  return mine.length > 0
}

/** How a trial ended; `later` is for another worker, or another time, from its beginning. */
export type TrialEnding =
  | { state: 'done'; report: TrialReport; file: Received }
  | { state: 'failed'; failure: string }
  | { state: 'later' }

/** Notes how it ended; false where it was not the worker's own any more. */
export async function endTrial(
  db: Database,
  orgId: number,
  trial: Trial,
  ending: TrialEnding,
): Promise<boolean> {
  const done = ending.state === 'done' ? ending : null
  const ended = await db.transact(
    orgId,
    async (trx) =>
      await trx.query(
        `update recon_trials
            set state = case $4 when 'later' then 'waiting' else $4 end, alive_until = null,
                ended_at = case $4 when 'later' then null else now() end,
                next_try_at = now() + $5 * interval '1 millisecond',
                attempts = attempts - case $4 when 'later' then 1 else 0 end,
                step = case $4 when 'later' then 'lines' when 'done' then 'end' else step end,
                report = $6, stored_as = $7, pieces = $8, bytes = $9, sha256 = $10, failure = $11
          where org_id = $1 and trial_id = $2 and state = 'running' and attempts = $3
         returning 1`,
        [
          orgId,
          trial.trial_id,
          trial.attempts,
          ending.state,
          LATER_MS,
          done === null ? null : JSON.stringify(done.report),
          done?.file.storedAs ?? null,
          done?.file.pieces ?? 0,
          done?.file.bytes ?? 0,
          done?.file.sha256 ?? null,
          ending.state === 'failed' ? ending.failure.slice(0, 1000) : null,
        ],
      ),
    ALONE,
  )
  return ended.length > 0
}

/** Where an attempt keeps its file. */
export function storedAsOf(orgId: number, { trial_id: id, attempts }: Trial, before = 0): string {
  return `recon-trials/${orgId}/${id}-${attempts - before}`
}

/** A file has no more pieces than that, whatever its attempt had time to say. */
const PIECES_MAX = FILE_BYTES_MAX / 1024 / 1024 + 1

/** Takes away what an attempt left that ended with its worker. */
export async function removeLeft(files: Files, orgId: number, trial: Trial): Promise<void> {
  if (trial.attempts > 1) {
    await removeBytes(files, { storedAs: storedAsOf(orgId, trial, 1), pieces: PIECES_MAX })
  }
}

/** Forgets files and rows of trials that ended so many days ago; gives how many. */
export async function forgetTrials(
  db: Database,
  days: number,
  most: number,
  files: Files,
): Promise<number> {
  const over = await db.statement<
    { org_id: number } & Pick<Trial, 'trial_id' | 'stored_as' | 'pieces'>
  >(
    `select org_id, trial_id, stored_as, pieces from recon_trials
      where ended_at < now() - make_interval(days => $1) order by ended_at limit $2`,
    [days, most],
  )
  for (const one of over) {
    // Files first: a row without its file is tried again, a file without its row by nobody.
    if (one.stored_as !== null) {
      await removeBytes(files, { storedAs: one.stored_as, pieces: one.pieces })
    }
    await db.statement('delete from recon_trials where org_id = $1 and trial_id = $2', [
      one.org_id,
      one.trial_id,
    ])
  }
  return over.length
}
