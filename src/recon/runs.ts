/** Runs as rows: asked for, how far they are, what went wrong. */
import { delayAfter } from '../base/backoff.ts'
import type { IsoDate } from '../base/clock.ts'
import type { Database, Trx } from '../base/db.ts'
import { idsFrom, newId } from '../base/ids.ts'
import { Problem } from '../base/problem.ts'
import { addDays } from './match/days.ts'
import type { Rules } from './match/rules.ts'
import type { BatchKey } from './passes/batches.ts'
import type { SideName } from './passes/records.ts'
import { rulesOf } from './rules.ts'

/** In the order in which a run goes through them. */
export const STEPS = [
  'lines',
  'records',
  'residual',
  'batches',
  'charges',
  'bank',
  'late',
  'books',
  'end',
] as const

export type Step = (typeof STEPS)[number]

/** Steps that post: each of their parts is a transaction among the writers of the journal. */
const POSTING: ReadonlySet<Step> = new Set(['charges', 'books'])

export function isPosting(step: Step): boolean {
  return POSTING.has(step)
}

/** How far a run is, and what it found. */
export interface Progress {
  /** Where its step goes on. */
  file?: number
  row?: number
  side?: SideName
  after?: string
  reversal?: boolean
  batch?: BatchKey
  part?: number
  parts?: number
  /** What it did so far. */
  lines: number
  matched: number
  records: number
  breaks: number
  gone: number
  /** Entries posted; bank lines whose entry the books refused, and why the last of them was. */
  posted?: number
  unposted?: number
  refusal?: string
}

export interface Run {
  no: number
  asOf: IsoDate
  step: Step
  progress: Progress
  rules: Rules
}

export const NOTHING: Progress = { lines: 0, matched: 0, records: 0, breaks: 0, gone: 0 }

/**
 * Asks for a run over files that no run has taken in. Throws `conflict` while another one of the
 * organisation is going on.
 */
export async function askRun(
  trx: Trx,
  asked: { files: readonly number[]; asOf: IsoDate; actor: string },
): Promise<string> {
  const { version } = await rulesOf(trx)
  const runId = newId('rrn')
  const [made] = await trx.query<{ run_no: number }>(
    `insert into recon_runs (org_id, run_no, run_id, rules_version, as_of, asked_by, progress)
     select $1, coalesce(max(run_no), 0) + 1, $2, $3, $4, $5, $6
       from recon_runs where org_id = $1
     on conflict do nothing
     returning run_no`,
    [trx.scope, runId, version, asked.asOf, asked.actor, JSON.stringify(NOTHING)],
  )
  if (made === undefined) {
    throw new Problem('run_going', { detail: 'A run is going on; wait for its end.', moved: 'no' })
  }
  await trx.query(
    `insert into recon_run_files (org_id, file_no, run_no)
     select $1, file_no, $2 from unnest($3::integer[]) as f (file_no)
     on conflict do nothing`,
    [trx.scope, made.run_no, asked.files],
  )
  return runId
}

/** The organisation's run that is going on. */
export async function loadRun(trx: Trx): Promise<Run | null> {
  const [row] = await trx.query<{
    run_no: number
    rules_version: number
    as_of: IsoDate
    step: Step
    progress: Progress
  }>(
    `select run_no, rules_version, as_of, step, progress from recon_runs
      where org_id = $1 and state in ('waiting', 'running') limit 1`,
    [trx.scope],
  )
  if (row === undefined) {
    return null
  }
  const { rules } = await rulesOf(trx, row.rules_version)
  const { run_no: no, as_of: asOf, step, progress } = row
  return { no, asOf, step, progress, rules }
}

/** Records older than this before the last run's day were carried by it, if they are open. */
export const LOOK_BACK_DAYS = 45

const PREFIXES = {
  payments: 'pmt',
  refunds: 'rfd',
  refunds_back: 'rfd',
  transfers: 'trf',
  disputes: 'dsp',
} as const satisfies Readonly<Record<SideName, Parameters<typeof idsFrom>[0]>>

/** From where a run looks through each side: what is older was carried before, if it was open. */
export async function firstIds(trx: Trx, runNo: number): Promise<Record<SideName, string>> {
  const [before] = await trx.query<{ as_of: IsoDate }>(
    `select as_of from recon_runs
      where org_id = $1 and run_no < $2 and state = 'done' order by run_no desc limit 1`,
    [trx.scope, runNo],
  )
  const from = before && Date.parse(addDays(before.as_of, -LOOK_BACK_DAYS))
  const first = (side: SideName) => (from === undefined ? '' : idsFrom(PREFIXES[side], from))
  return {
    payments: first('payments'),
    refunds: first('refunds'),
    refunds_back: first('refunds_back'),
    transfers: first('transfers'),
    disputes: first('disputes'),
  }
}

/** From half a second to ten minutes, for ever: nothing is given up that a repair may mend. */
const BACKOFF = { firstMs: 1000, mostMs: 600_000, attemptsMax: Number.MAX_SAFE_INTEGER }

/** Says why the next part of the organisation's run failed, and when it is tried again. */
export async function noteTrouble(db: Database, orgId: number, problem: string): Promise<void> {
  await db.transact(
    orgId,
    async (trx) => {
      const [run] = await trx.query<{ attempts: number }>(
        `update recon_runs set problem = left($2, 1000), attempts = attempts + 1
          where org_id = $1 and state <> 'done' returning attempts`,
        [orgId, problem],
      )
      await trx.query(
        `update recon_runs set next_try_at = now() + $2 * interval '1 millisecond'
          where org_id = $1 and state <> 'done'`,
        [orgId, delayAfter(BACKOFF, Math.min(run?.attempts ?? 1, 20))],
      )
    },
    { queue: 'recon', isolation: 'read committed' },
  )
}
