/** What a person matches, where no rule may; both sides have to be open, and the same money. */
import type { IsoDate } from '../base/clock.ts'
import type { Trx } from '../base/db.ts'
import { Problem } from '../base/problem.ts'
import { subjectOfBank } from './match/bank-break.ts'
import { chargeBreaks, matchOf, subjectOf, type Line } from './match/decide.ts'
import { AGREES, LINE_RECORDS } from './match/kinds.ts'
import { loadOpenPair } from './passes/bank-pair.ts'
import { writeBankMatches } from './passes/bank.ts'
import { endBreaksAbout, writeBreaks } from './passes/breaks.ts'
import {
  loadOpenLines,
  loadOpenRecords,
  newestRun,
  noteMatchedBy,
  type OpenRecordOf,
} from './passes/by-hand.ts'
import { writeByHand, type MatchByHand, type Place } from './passes/matches.ts'

/** Who says so, and why. */
export interface ByHand {
  by: string
  because: string
  today: IsoDate
}

/** What breaks say that ended because somebody matched what they were about. */
const MATCHED = 'matched by a person'

function notOpen(detail: string): Problem {
  return new Problem('recon_not_open', { detail, moved: 'no' })
}

function notEqual(detail: string): Problem {
  return new Problem('recon_not_equal', { detail, moved: 'no' })
}

/** Throws `recon_not_open` where no run has looked at anything yet. */
export async function runOf(trx: Trx): Promise<number> {
  const runNo = await newestRun(trx)
  if (runNo === null) {
    throw notOpen('Nothing is open before the first run.')
  }
  return runNo
}

/**
 * Matches a line with records, or lines with a record. Throws `recon_not_open` for what is matched,
 * told twice or not looked at yet, and `recon_not_equal` where gateway, account, currency,
 * direction or sum differ. The transaction stands in the queue of the runs.
 */
export async function matchLines(
  trx: Trx,
  { lines: places, records: ids }: { lines: readonly Place[]; records: readonly string[] },
  how: ByHand,
): Promise<void> {
  const runNo = await runOf(trx)
  const lines = await loadOpenLines(trx, places)
  const found = await loadOpenRecords(trx, ids)
  if (lines.length < places.length || lines.some(({ repeated }) => repeated > 0)) {
    throw notOpen('A line is matched, told twice, or no run has looked at it.')
  }
  const records = ids.map((id) => sideOf(id, found, lines))
  assertSame(lines, records)
  const matches = matchesOf(lines, records)
  if ((await writeByHand(trx, runNo, matches)) < matches.length) {
    throw notOpen('Something of it was matched meanwhile.')
  }
  await noteMatchedBy(trx, lines, how)
  const backs = records.map(({ recordId, reversal }) => `${recordId}${reversal ? ' back' : ''}`)
  const subjects = [...lines.map(subjectOf), ...backs.map((back) => `record ${back}`)]
  await endBreaksAbout(trx, subjects, MATCHED)
  const [[line, ...parts], [record, ...others]] = [lines, records]
  if (line !== undefined && record !== undefined && others.length === 0) {
    await writeBreaks(trx, { no: runNo, asOf: how.today }, chargeBreaks([line, ...parts], record))
  }
}

/** The open side of a record that the lines can tell of: that it happened, or that it came back. */
function sideOf(id: string, found: readonly OpenRecordOf[], lines: readonly Line[]): OpenRecordOf {
  const sides = found.filter(({ recordId }) => recordId === id)
  const side = sides.find((one) => lines.every((line) => tellsOf(line, one)))
  if (side !== undefined) {
    return side
  }
  throw sides.length === 0
    ? notOpen(`${id} is matched, or no run has looked at it.`)
    : notEqual(`The line does not tell of what ${id} is: its kind or its direction is another.`)
}

function tellsOf(line: Line, { kind, reversal }: OpenRecordOf): boolean {
  const brings = kind === 'payment' || reversal
  if (brings ? line.net < 0n : line.net > 0n) {
    return false
  }
  if (line.kind === 'adjustment' || line.kind === 'fee' || line.kind === 'other') {
    return true
  }
  const due = LINE_RECORDS[line.kind]
  return due.record === kind && due.reversal === reversal
}

function assertSame(lines: readonly Line[], records: readonly OpenRecordOf[]): void {
  const all = [...lines, ...records]
  const [first] = all
  const isOne = (what: 'gateway' | 'account' | 'currency') =>
    all.every((one) => one[what] === first?.[what])
  if (!isOne('gateway') || !isOne('account') || !isOne('currency')) {
    throw notEqual('Both sides are of one gateway, one account there, and one currency.')
  }
  const told = lines.reduce((sum, { amount }) => sum + amount, 0n)
  const recorded = records.reduce((sum, { amount }) => sum + amount, 0n)
  if (told !== recorded) {
    const detail = `The lines come to ${told} and the records to ${recorded}: resolve what is off.`
    throw notEqual(detail)
  }
}

function matchesOf(lines: readonly Line[], records: readonly OpenRecordOf[]): MatchByHand[] {
  const [only] = lines
  if (only !== undefined && lines.length === 1) {
    return records.map((record) => ({
      fileNo: only.fileNo,
      rowNo: only.rowNo,
      record,
      whole: true,
      amount: record.amount,
      agrees: agreeing(only, record),
    }))
  }
  return records.flatMap((record) =>
    lines.map((line) => ({
      fileNo: line.fileNo,
      rowNo: line.rowNo,
      record,
      whole: false,
      amount: line.amount,
      agrees: agreeing(line, record),
    })),
  )
}

function agreeing(line: Line, record: OpenRecordOf): number {
  return matchOf(line, record, { rule: 'person', whole: true, candidates: 1 }).agrees
}

/**
 * Matches a line of a bank statement with the settlements that came in it; the next run posts it.
 * Throws as `matchLines` does, and as it has to stand.
 */
export async function matchCredit(
  trx: Trx,
  { line: place, settlements: ids }: { line: Place; settlements: readonly string[] },
  how: ByHand,
): Promise<void> {
  const runNo = await runOf(trx)
  const { line, settlements } = await loadOpenPair(trx, place, ids)
  if (line === null || settlements.length < ids.length) {
    throw notOpen('The line or a settlement is matched, or no run has looked at it.')
  }
  if (settlements.some(({ currency }) => currency !== line.currency)) {
    throw notEqual('Both sides are in one currency.')
  }
  const due = settlements.reduce((sum, { amount }) => sum + amount, 0n)
  if (due !== line.amount) {
    const sums = `The line is ${line.amount} and the settlements come to ${due}`
    throw notEqual(`${sums}: resolve what is off.`)
  }
  const matches = settlements.map((settlement) => ({
    line,
    settlement,
    rule: 'person' as const,
    agrees:
      (settlement.utr !== null && line.tokens.includes(settlement.utr) ? AGREES.reference : 0) +
      (settlements.length === 1 ? AGREES.amount : 0) +
      AGREES.currency +
      (settlement.settledOn === line.bookedOn ? AGREES.day : 0),
    candidates: 1,
  }))
  if ((await writeBankMatches(trx, runNo, matches)) < matches.length) {
    throw notOpen('A settlement was matched meanwhile.')
  }
  await noteMatchedBy(trx, [place], how)
  await endBreaksAbout(trx, [subjectOfBank(line), ...ids.map((id) => `credit of ${id}`)], MATCHED)
}
