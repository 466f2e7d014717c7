/** A run: files taken in, matched and explained, part by part; one that was cut off goes on. */
import type { IsoDate } from '../base/clock.ts'
import type { Database, Trx } from '../base/db.ts'
import { idsFrom, newId } from '../base/ids.ts'
import { Problem } from '../base/problem.ts'
import { decideGroup } from './match/decide.ts'
import { decideFallbacks } from './match/fallback.ts'
import { addDays } from './match/days.ts'
import type { Rules } from './match/rules.ts'
import { decideOpen, openBankLines, writeBankMatches } from './passes/bank.ts'
import { FROM_THE_FIRST_BATCH, loadBatches, type BatchKey } from './passes/batches.ts'
import { endOldBreaks, writeBreaks, writeMatches } from './passes/decided.ts'
import { FROM_THE_FIRST, loadLate, type After } from './passes/late.ts'
import { ROWS_TOGETHER, takeLines } from './passes/lines.ts'
import { carryRecords, SIDES, type SideName } from './passes/records.ts'
import { countParts, loadGroups, loadWanting } from './passes/residual.ts'
import { rulesOf } from './rules.ts'

/** In the order in which a run goes through them. */
export const STEPS = ['lines', 'records', 'residual', 'batches', 'bank', 'late', 'end'] as const

export type Step = (typeof STEPS)[number]

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
}

interface Run {
  no: number
  asOf: IsoDate
  step: Step
  progress: Progress
  rules: Rules
}

/** Records older than this before the last run's day were carried by it, if they are open. */
const LOOK_BACK_DAYS = 45

const NOTHING: Progress = { lines: 0, matched: 0, records: 0, breaks: 0, gone: 0 }

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

/**
 * Does the next part of the organisation's run in a transaction of its own; false where there is
 * nothing more to do. Whatever was done before a crash stays, and the next call goes on from there.
 */
export async function goOn(db: Database, orgId: number): Promise<boolean> {
  return await db.transact(
    orgId,
    async (trx) => {
      const run = await loadRun(trx)
      if (run === null) {
        return false
      }
      await doPart(trx, run)
      await trx.query(
        `update recon_runs
            set step = $3, progress = $4, state = $5, began_at = coalesce(began_at, now()),
                ended_at = case when $5 = 'done' then now() end
          where org_id = $1 and run_no = $2`,
        [
          orgId,
          run.no,
          run.step,
          JSON.stringify(run.progress),
          run.step === 'end' ? 'done' : 'running',
        ],
      )
      return run.step !== 'end'
    },
    { queue: 'recon', isolation: 'read committed' },
  )
}

async function loadRun(trx: Trx): Promise<Run | null> {
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

/** Does a part and moves the run on. */
async function doPart(trx: Trx, run: Run): Promise<void> {
  const { step } = run
  switch (step) {
    case 'lines':
      return await partOfLines(trx, run)
    case 'records':
      return await partOfRecords(trx, run)
    case 'residual':
      return await partOfResidual(trx, run)
    case 'batches':
      return await partOfBatches(trx, run)
    case 'bank':
      return await bank(trx, run)
    case 'late':
      return await partOfLate(trx, run)
    case 'end':
      return
    default:
      return step satisfies never
  }
}

function next(run: Run, step: Step): void {
  const { lines, matched, records, breaks, gone } = run.progress
  run.step = step
  run.progress = { lines, matched, records, breaks, gone }
}

async function partOfLines(trx: Trx, run: Run): Promise<void> {
  const { progress } = run
  const [file] = await trx.query<{ file_no: number; rows: number }>(
    `select f.file_no, coalesce((
              select row_no from settlement_lines l
               where l.org_id = $1 and l.file_no = f.file_no
               order by row_no desc limit 1), 0) as rows
       from recon_run_files f
      where f.org_id = $1 and f.run_no = $2 and f.file_no >= $3
      order by f.file_no limit 1`,
    [trx.scope, run.no, progress.file ?? 0],
  )
  if (file === undefined) {
    next(run, 'records')
    return
  }
  const row = progress.file === file.file_no ? (progress.row ?? 0) : 0
  const taken = await takeLines(trx, run.no, file.file_no, row)
  progress.lines += taken.seen
  progress.matched += taken.matched
  const isLast = row + ROWS_TOGETHER >= file.rows
  progress.file = isLast ? file.file_no + 1 : file.file_no
  progress.row = isLast ? 0 : row + ROWS_TOGETHER
}

const SIDE_NAMES = Object.keys(SIDES).filter((name): name is SideName => name in SIDES)
const PREFIXES = {
  payments: 'pmt',
  refunds: 'rfd',
  refunds_back: 'rfd',
  transfers: 'trf',
  disputes: 'dsp',
} as const satisfies Readonly<Record<SideName, Parameters<typeof idsFrom>[0]>>

async function partOfRecords(trx: Trx, run: Run): Promise<void> {
  const { progress } = run
  const side = progress.side ?? SIDE_NAMES[0] ?? 'payments'
  const after = progress.after ?? (await firstId(trx, run, side))
  const looked = await carryRecords(trx, run.no, side, { after, asOf: run.asOf })
  progress.records += looked.open
  if (looked.last !== null) {
    progress.side = side
    progress.after = looked.last
    return
  }
  const following = SIDE_NAMES[SIDE_NAMES.indexOf(side) + 1]
  if (following === undefined) {
    next(run, 'residual')
    return
  }
  progress.side = following
  delete progress.after
}

/** What is older was carried by the run before, as far as it was open. */
async function firstId(trx: Trx, run: Run, side: SideName): Promise<string> {
  const [before] = await trx.query<{ as_of: IsoDate }>(
    `select as_of from recon_runs
      where org_id = $1 and run_no < $2 and state = 'done' order by run_no desc limit 1`,
    [trx.scope, run.no],
  )
  return before === undefined
    ? ''
    : idsFrom(PREFIXES[side], Date.parse(addDays(before.as_of, -LOOK_BACK_DAYS)))
}

async function partOfResidual(trx: Trx, run: Run): Promise<void> {
  const { progress, rules } = run
  const parts = progress.parts ?? (await countParts(trx))
  const part = progress.part ?? 0
  const decided = (await loadGroups(trx, part, parts)).map((group) => decideGroup(group, rules))
  const unnamed = decided.flatMap((one) => one.unnamed)
  const fallbacks = decideFallbacks(await loadWanting(trx, unnamed, rules))
  const all = [...decided, fallbacks]
  const breaks = all.flatMap((one) => one.breaks)
  progress.matched += await writeMatches(
    trx,
    run.no,
    all.flatMap((one) => one.matches),
  )
  await writeBreaks(trx, run, breaks)
  progress.breaks += breaks.length
  if (part + 1 >= parts) {
    next(run, 'batches')
    return
  }
  progress.parts = parts
  progress.part = part + 1
}

async function partOfBatches(trx: Trx, run: Run): Promise<void> {
  const { breaks, last } = await loadBatches(
    trx,
    run.no,
    run.progress.batch ?? FROM_THE_FIRST_BATCH,
  )
  await writeBreaks(trx, run, breaks)
  run.progress.breaks += breaks.length
  if (last === null) {
    next(run, 'bank')
  } else {
    run.progress.batch = last
  }
}

async function bank(trx: Trx, run: Run): Promise<void> {
  await openBankLines(trx, run.no)
  const { matches, breaks } = await decideOpen(trx, run.rules)
  run.progress.matched += await writeBankMatches(trx, run.no, matches)
  await writeBreaks(trx, run, breaks)
  run.progress.breaks += breaks.length
  next(run, 'late')
}

async function partOfLate(trx: Trx, run: Run): Promise<void> {
  const { after: recordId, reversal } = run.progress
  const after: After =
    recordId === undefined ? FROM_THE_FIRST : { recordId, reversal: reversal ?? false }
  const { breaks, last } = await loadLate(trx, { asOf: run.asOf, rules: run.rules, after })
  await writeBreaks(trx, run, breaks)
  run.progress.breaks += breaks.length
  if (last === null) {
    run.progress.gone += await endOldBreaks(trx, run.no)
    next(run, 'end')
  } else {
    run.progress.after = last.recordId
    run.progress.reversal = last.reversal
  }
}
