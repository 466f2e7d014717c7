/** Does a trial: the parts of a run, each after the other, on tables that end with it. */
import { isConnectionError } from '../../base/database-error.ts'
import type { Trx } from '../../base/db.ts'
import type { Parts } from '../../base/parts.ts'
import { messageOf, Problem } from '../../base/problem.ts'
import { filesToRun } from '../found.ts'
import { doPart } from '../run.ts'
import { isPosting, STEPS, type Run } from '../runs.ts'
import { removeBytes, storeBytes } from '../files/stored.ts'
import { csvOfTrial } from './changes.ts'
import { reportOf, type TrialReport } from './report.ts'
import { copyMatchesOfOrders } from './fill.ts'
import { openReleased } from './period.ts'
import { openTrial, Unsettled } from './tables.ts'
import {
  ALIVE_MS,
  claimTrial,
  endTrial,
  removeLeft,
  sayAlive,
  storedAsOf,
  type Trial,
  type TrialEnding,
} from './trials.ts'

export type TrialParts = Pick<Parts, 'db' | 'files' | 'log'> & { shouldStop(): boolean }

/** Lines of one trial: what is in hand lies on disk, and its file has an end. */
export const TRIAL_LINES_MAX = 1_500_000

/** The trial was cancelled, or another worker has it, or this one is asked to end. */
class Stopped extends Error {
  override name = 'Stopped'
}

/** Does an organisation's next trial; false where there is none to do, or not now. */
export async function doNextTrial(parts: TrialParts, orgId: number): Promise<boolean> {
  const trial = await claimTrial(parts.db, orgId)
  if (trial === null) {
    return false
  }
  await removeLeft(parts.files, orgId, trial)
  const ending = await endingOf(parts, orgId, trial)
  const isMine = await endTrial(parts.db, orgId, trial, ending)
  if (!isMine && ending.state === 'done') {
    await removeBytes(parts.files, ending.file)
  }
  return ending.state !== 'later'
}

async function endingOf(parts: TrialParts, orgId: number, trial: Trial): Promise<TrialEnding> {
  try {
    return await rehearse(parts, orgId, trial)
  } catch (error) {
    if (error instanceof Unsettled || error instanceof Stopped || isConnectionError(error)) {
      return { state: 'later' }
    }
    if (error instanceof Problem && error.status < 500) {
      return { state: 'failed', failure: messageOf(error) }
    }
    parts.log.error({ err: error, orgId, trialId: trial.trial_id }, 'a trial failed')
    return { state: 'failed', failure: 'Something failed on our side; see the log.' }
  }
}

/** One snapshot of what stands; the queue of runs is not held, so that nobody waits for a trial. */
async function rehearse(parts: TrialParts, orgId: number, trial: Trial): Promise<TrialEnding> {
  const { db, files } = parts
  const heart = openHeart(parts, orgId, trial)
  try {
    return await db.bulk(orgId, async (trx) => {
      await trx.query('set transaction isolation level repeatable read')
      const taken = trial.what === 'run' ? await filesToRun(trx) : []
      const run = await openTrial(trx, trial, taken)
      await doParts(trx, trial, run, heart)
      await heart.at({ step: 'report', progress: run.progress })
      const report: TrialReport = await reportOf(trx, trial, run.no)
      const rows = csvOfTrial(trx, trial, run.no, report)
      const file = await storeBytes(files, storedAsOf(orgId, trial), heart.along(rows))
      return { state: 'done', report, file }
    })
  } finally {
    heart.stop()
  }
}

async function doParts(trx: Trx, trial: Trial, run: Run, heart: Heart): Promise<void> {
  for (let weighed = ''; ;) {
    await passOver(trx, trial, run)
    if (weighed !== run.step) {
      weighed = run.step
      await trx.query('select recon_weigh_trial()')
    }
    if (run.step === 'end') {
      return
    }
    if (run.step === 'late' && run.progress.after === undefined) {
      await copyMatchesOfOrders(trx, trial)
    }
    await doPart(trx, run)
    if (run.progress.lines > TRIAL_LINES_MAX) {
      const detail = `A trial looks at ${TRIAL_LINES_MAX} lines at most; ask for a shorter period.`
      throw new Problem('limit_reached', { detail })
    }
    await heart.at(run)
  }
}

/** What a trial does otherwise than a run. */
async function passOver(trx: Trx, { what }: Trial, run: Run): Promise<void> {
  if (what === 'rules' && run.step === 'records') {
    // What came since the last run is for the next one; what was matched may be open now.
    await openReleased(trx, run)
    passTo(run)
  }
  if (what === 'rules' && run.step === 'batches') {
    // What the lines of a settlement come to is the same under all rules.
    passTo(run)
  }
  while (isPosting(run.step)) {
    passTo(run)
  }
}

function passTo(run: Run): void {
  run.step = STEPS[STEPS.indexOf(run.step) + 1] ?? 'end'
}

interface Heart {
  /** Says how far it is. Throws `Stopped`. */
  at(where: Pick<Trial, 'step' | 'progress'>): Promise<void>
  /** The same pieces, for as long as the trial is this worker's own. */
  along(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer>
  stop(): void
}

/** Says again and again that this worker lives, beside the transaction of the trial. */
function openHeart({ db, shouldStop }: TrialParts, orgId: number, trial: Trial): Heart {
  let where: Pick<Trial, 'step' | 'progress'> = trial
  let isLost = false
  const beat = async () => {
    isLost ||= !(await sayAlive(db, orgId, trial, where))
  }
  const timer = setInterval(() => {
    // Where the database is away the work finds out by itself.
    beat().catch(() => undefined)
  }, ALIVE_MS / 6)
  const assertMine = () => {
    if (isLost || shouldStop()) {
      throw new Stopped('the trial is given up')
    }
  }
  return {
    async at(there) {
      where = { step: there.step, progress: { ...there.progress } }
      await beat()
      assertMine()
    },
    async *along(pieces) {
      for await (const piece of pieces) {
        assertMine()
        yield piece
      }
    },
    stop: () => clearInterval(timer),
  }
}
