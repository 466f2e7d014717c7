/** A run: files taken in, matched and explained, part by part; one that was cut off goes on. */
import type { Database, Trx } from '../base/db.ts'
import { postCredits } from './books.ts'
import { tellCharges } from './charges.ts'
import { decideGroup } from './match/decide.ts'
import { decideFallbacks } from './match/fallback.ts'
import { decideOpen, openBankLines, undoReversed, writeBankMatches } from './passes/bank.ts'
import { FROM_THE_FIRST_BATCH, loadBatches } from './passes/batches.ts'
import { endBreaks, endOldBreaks, writeBreaks } from './passes/breaks.ts'
import { FROM_THE_FIRST, loadLate, type After } from './passes/late.ts'
import { ROWS_TOGETHER, takeLines, writeMatches } from './passes/matches.ts'
import { loadNews, loadRetoldCharges } from './passes/news.ts'
import { carryRecords, refreshCharges, SIDES, type SideName } from './passes/records.ts'
import { countParts, loadGroups, loadWanting } from './passes/residual.ts'
import { firstIds, isPosting, loadRun, type Run, type Step } from './runs.ts'

/**
 * Does the next part of the organisation's run in a transaction of its own; false where there is
 * nothing more to do. Whatever was done before a crash stays, and the next call goes on from there.
 */
export async function goOn(db: Database, orgId: number): Promise<boolean> {
  const step = await db.read(orgId, async (trx) => (await loadRun(trx))?.step)
  if (step === undefined) {
    return false
  }
  const posts = isPosting(step)
  return await db.transact(
    orgId,
    async (trx) => {
      const run = await loadRun(trx)
      if (run === null) {
        return false
      }
      if (isPosting(run.step) !== posts) {
        // Another worker moved it on meanwhile, to what takes another kind of transaction.
        return true
      }
      await doPart(trx, run)
      await trx.query(
        `update recon_runs
            set step = $3, progress = $4, state = $5, began_at = coalesce(began_at, now()),
                ended_at = case when $5 = 'done' then now() end, problem = null, attempts = 0
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
    posts ? { queue: 'journal' } : { queue: 'recon', isolation: 'read committed' },
  )
}

/** Does a part and moves the run on. */
export async function doPart(trx: Trx, run: Run): Promise<void> {
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
    case 'charges':
      return await partOfCharges(trx, run)
    case 'late':
      return await partOfLate(trx, run)
    case 'books':
      return await partOfBooks(trx, run)
    case 'end':
      return
    default:
      return step satisfies never
  }
}

function next(run: Run, step: Step): void {
  const { lines, matched, records, breaks, gone, posted, unposted, refusal } = run.progress
  run.step = step
  run.progress = {
    lines,
    matched,
    records,
    breaks,
    gone,
    ...(posted === undefined ? {} : { posted }),
    ...(unposted === undefined ? {} : { unposted }),
    ...(refusal === undefined ? {} : { refusal }),
  }
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

async function partOfRecords(trx: Trx, run: Run): Promise<void> {
  const { progress } = run
  const side = progress.side ?? SIDE_NAMES[0] ?? 'payments'
  const after = progress.after ?? (await firstIds(trx, run.no))[side]
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

async function partOfResidual(trx: Trx, run: Run): Promise<void> {
  const { progress, rules } = run
  if (progress.parts === undefined) {
    await hearOfCharges(trx, run)
  }
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

/** Charges that were told since the last run, of what is carried and of what was matched. */
async function hearOfCharges(trx: Trx, run: Run): Promise<void> {
  await refreshCharges(trx, null)
  const { old, breaks } = await loadRetoldCharges(trx)
  run.progress.gone += await endBreaks(trx, run.no, old)
  await writeBreaks(trx, run, breaks)
  run.progress.breaks += breaks.length
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
    next(run, 'charges')
  } else {
    run.progress.batch = last
  }
}

async function bank(trx: Trx, run: Run): Promise<void> {
  await undoReversed(trx, run.no)
  await openBankLines(trx, run.no)
  const { matches, breaks } = await decideOpen(trx, run.rules)
  run.progress.matched += await writeBankMatches(trx, run.no, matches)
  await writeBreaks(trx, run, breaks)
  run.progress.breaks += breaks.length
  next(run, 'late')
}

async function partOfLate(trx: Trx, run: Run): Promise<void> {
  const { after: recordId, reversal } = run.progress
  if (recordId === undefined) {
    const news = await loadNews(trx)
    await writeBreaks(trx, run, news)
    run.progress.breaks += news.length
  }
  const after: After =
    recordId === undefined ? FROM_THE_FIRST : { recordId, reversal: reversal ?? false }
  const { breaks, last } = await loadLate(trx, { asOf: run.asOf, rules: run.rules, after })
  await writeBreaks(trx, run, breaks)
  run.progress.breaks += breaks.length
  if (last === null) {
    run.progress.gone += await endOldBreaks(trx, run.no)
    next(run, 'books')
  } else {
    run.progress.after = last.recordId
    run.progress.reversal = last.reversal
  }
}

async function partOfCharges(trx: Trx, run: Run): Promise<void> {
  const { progress } = run
  const told = await tellCharges(trx, run.asOf, progress.after ?? '')
  progress.posted = (progress.posted ?? 0) + told.posted
  if (told.last === null) {
    next(run, 'bank')
  } else {
    progress.after = told.last
  }
}

async function partOfBooks(trx: Trx, run: Run): Promise<void> {
  const { progress } = run
  const done = await postCredits(trx, { fileNo: progress.file ?? 0, rowNo: progress.row ?? 0 })
  progress.posted = (progress.posted ?? 0) + done.posted
  progress.unposted = (progress.unposted ?? 0) + done.unposted
  if (done.refusal !== null) {
    progress.refusal = done.refusal
  }
  if (done.last === null) {
    next(run, 'end')
  } else {
    progress.file = done.last.fileNo
    progress.row = done.last.rowNo
  }
}
