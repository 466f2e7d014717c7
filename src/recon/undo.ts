/** Matches taken apart: both sides are open again, and what was posted is taken back. */
import { overLimit, readLimits } from '../approvals/limits.ts'
import type { IsoDate } from '../base/clock.ts'
import type { Trx } from '../base/db.ts'
import { Problem } from '../base/problem.ts'
import { reverse } from '../ledger/posting/correct.ts'
import { draftOf, findEntry } from '../ledger/reading/entries.ts'
import { runOf } from './by-hand.ts'
import { subjectOfBank } from './match/bank-break.ts'
import { subjectOf } from './match/decide.ts'
import { bankMatchesOf, undoBankMatches } from './passes/bank.ts'
import { endBreaksAbout } from './passes/breaks.ts'
import { undoMatches, type Place } from './passes/matches.ts'
import { reopenRecords } from './passes/records.ts'

export interface UndoAsked {
  by: string
  because: string
  today: IsoDate
  /** Whether he may post, where an entry has to be taken back. */
  mayPost: boolean
}

/** What was taken apart, by our ids. */
export interface TakenApart {
  lines: Place[]
  from: string[]
  /** The entry that took the line's entry back; null where there was none. */
  reversalNo: bigint | null
}

/**
 * Takes apart all that a line, of a settlement or of a bank statement, is matched with. Throws
 * `not_found` where it is matched with nothing, `forbidden`, `approval_required` and what the
 * ledger refuses (moved: no). The transaction is as `post` wants it, and in the runs' queue too.
 */
export async function undo(trx: Trx, place: Place, asked: UndoAsked): Promise<TakenApart> {
  const runNo = await runOf(trx)
  const how = { by: asked.by, because: asked.because, runNo }
  const credits = await bankMatchesOf(trx, place)
  if (credits.length > 0) {
    const entryNo = credits.find(({ entry_no: posted }) => posted !== null)?.entry_no ?? null
    const reversalNo = entryNo === null ? null : await takeBack(trx, entryNo, asked)
    await undoBankMatches(trx, place, { ...how, reversalNo })
    await endBreaksAbout(trx, [subjectOfBank(place)], 'the match was undone')
    return { lines: [place], from: credits.map((one) => one.settlement_id), reversalNo }
  }
  const undone = await undoMatches(trx, place, how)
  if (undone.length === 0) {
    const detail = `Line ${place.fileNo}-${place.rowNo} is matched with nothing.`
    throw new Problem('not_found', { detail, moved: 'no' })
  }
  await reopenRecords(trx, runNo, undone)
  await endBreaksAbout(trx, undone.map(subjectOf), 'the match was undone')
  const lines = new Map(undone.map((one) => [subjectOf(one), one]))
  return {
    lines: [...lines.values()].map(({ fileNo, rowNo }) => ({ fileNo, rowNo })),
    from: [...new Set(undone.map(({ recordId }) => recordId))],
    reversalNo: null,
  }
}

/** The reversal of a line's entry: the one that somebody posted already, or a new one. */
async function takeBack(trx: Trx, entryNo: bigint, asked: UndoAsked): Promise<bigint> {
  const entry = await findEntry(trx, entryNo)
  if (entry === undefined) {
    throw new Error(`entry ${entryNo} of a match is not there`)
  }
  if (entry.reversed_by !== null) {
    return entry.reversed_by
  }
  if (!asked.mayPost) {
    const detail = `je_${entryNo} would be reversed, and you may not post (books.post).`
    throw new Problem('forbidden', { detail, moved: 'no' })
  }
  if (overLimit(draftOf(entry).lines, await readLimits(trx)) !== null) {
    const detail =
      `je_${entryNo} is above the limit: reverse it first ` +
      `(POST /v1/journal-entries/je_${entryNo}/reverse), which waits for another's consent.`
    throw new Problem('approval_required', { detail, moved: 'no' })
  }
  const result = await reverse(trx, entryNo, {
    reason: asked.because,
    effectiveOn: null,
    today: asked.today,
    actor: asked.by,
    lateReason: null,
  })
  if (result.status === 'refused') {
    throw result.problem
  }
  return result.entryNo
}
