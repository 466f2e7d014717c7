/** Finds the order that explains all that many callers heard, or says what it does not explain. */
import { expect } from 'chai'
import { encodeTrialBalance } from '../../src/ledger/closing/period-changes.ts'
import { lastDayOf } from '../../src/ledger/periods/periods.ts'
import type { Call } from './callers.ts'
import { contentOf, describeCommand, hasWritten, type Command, type Outcome } from './commands.ts'
import { placesOf, type Event } from './history.ts'
import { linesUntil, NaiveBooks } from './naive-books.ts'
import { floorOnDemand, normalOf, typeOf } from './naive-chart.ts'
import { trialBalanceLines } from './naive-reads.ts'
import { runNaively } from './naive-verbs.ts'

/**
 * Replays the history in its own order on naive books and gives these. Throws unless each entry and
 * each change is what somebody asked for who was told so (or does not know), comes after all that
 * had ended before he asked, and is what the naive books make of it there; and unless each refusal
 * and each reading is right at some moment between its beginning and its end.
 */
export function explain(history: readonly Event[], calls: readonly Call[]): NaiveBooks {
  const places = placesOf(history, calls)
  const bounds = boundsOf(calls, places)
  const byPlace = new Map([...places].map(([call, place]) => [place, call]))
  for (const [call, place] of places) {
    const { after } = bounds(call)
    expect(place, `${describeCall(call)} comes before what had ended`).to.be.greaterThan(after)
  }
  let pending = calls.filter((call) => typeof call.heard !== 'string' && !places.has(call))
  const books = new NaiveBooks()
  for (let place = 0; ;) {
    const isBoundary = history[place - 1]?.transaction !== history[place]?.transaction
    pending = pending.filter((call) => {
      const { after, before } = bounds(call)
      if (place > before) {
        throw new Error(`nothing explains ${describeCall(call)}`)
      }
      const isBatched = call.command.verb === 'post' && call.command.way === 'batcher'
      return place <= after || !(isBoundary || isBatched) || !isRight(books, call)
    })
    if (place >= history.length) {
      break
    }
    const written = byPlace.get(place)
    const doubtful = calls.filter(
      (call) =>
        call.heard === 'unknown' &&
        call.command.id === history[place]?.actor &&
        bounds(call).after < place,
    )
    place += apply(books, history, place, written === undefined ? doubtful : [written])
  }
  if (pending[0] !== undefined) {
    throw new Error(`nothing explains ${describeCall(pending[0])}`)
  }
  return books
}

/** Between which places of the history a call stands: after one event and before another. */
function boundsOf(
  calls: readonly Call[],
  places: ReadonlyMap<Call, number>,
): (call: Call) => { after: number; before: number } {
  const found = new Map<Call, { after: number; before: number }>()
  const settled = [...places]
  for (const call of calls) {
    let after = -1
    let before = Infinity
    for (const [other, place] of settled) {
      if (other.end < call.start) {
        after = Math.max(after, place)
      } else if (other.start > call.end) {
        before = Math.min(before, place)
      }
    }
    found.set(call, { after, before })
  }
  return (call) => found.get(call) ?? { after: -1, before: Infinity }
}

/** Runs on the books what wrote the event at that place; gives how many events that explains. */
function apply(
  books: NaiveBooks,
  history: readonly Event[],
  place: number,
  candidates: readonly Call[],
): number {
  const event = history[place]
  const reasons: string[] = []
  for (const { command, heard } of candidates) {
    for (const trial of variantsOf(books, command)) {
      const outcome = runNaively(trial, command)
      const events = history.slice(place, place + Math.max(1, newEntries(books, trial).length))
      const reason =
        reasonAgainst(outcome, heard) ?? differenceOf(newEntries(books, trial), events, command)
      if (reason === null) {
        expectTrialBalance(trial, command, event)
        books.become(trial)
        return events.length
      }
      reasons.push(`${describeCommand(command)}: ${reason}`)
    }
  }
  const what = event?.entry === null ? 'a change' : `entry ${event?.entry.entryNo}`
  throw new Error(`${what} of ${event?.actor} has no explanation: ${reasons.join('\n')}`)
}

function reasonAgainst(outcome: Outcome, heard: Call['heard']): string | null {
  if (typeof heard === 'string') {
    return hasWritten(outcome) ? null : `would have heard ${outcome.join()}`
  }
  return outcome.join() === heard.join()
    ? null
    : `heard ${heard.join()} instead of ${outcome.join()}`
}

function newEntries(books: NaiveBooks, trial: NaiveBooks) {
  return trial.entries.slice(books.entries.length)
}

/** How the events of one transaction differ from these entries; null where they do not. */
function differenceOf(
  entries: NaiveBooks['entries'],
  events: readonly Event[],
  command: Command,
): string | null {
  const isTogether = events.every(({ transaction }) => transaction === events[0]?.transaction)
  const stored = events.flatMap(({ entry }) => (entry === null ? [] : [contentOf(entry.draft)]))
  const expected = entries.map(contentOf)
  if (!isTogether) {
    return `${command.verb} stands in several transactions`
  }
  return stored.join() === expected.join() ? null : `${stored.join()} instead of ${expected.join()}`
}

function isRight(books: NaiveBooks, { command, heard }: Call): boolean {
  return variantsOf(books, command).some((trial) => {
    const outcome = runNaively(trial, command)
    return typeof heard !== 'string' && outcome.join() === heard.join()
  })
}

/** An entry that was refused may have opened the account: the history does not tell. */
function variantsOf(books: NaiveBooks, command: Command): NaiveBooks[] {
  const plain = books.copy()
  if (!('account' in command)) {
    return [plain]
  }
  const { code, currency } = command.account
  const floor = floorOnDemand(code, currency)
  const type = typeOf(code)
  const isOpenable = floor !== undefined && type && books.digitsOf(currency) !== undefined
  if (!isOpenable || books.account(code, currency) !== undefined) {
    return [plain]
  }
  const opened = books.copy()
  opened.openAccount({ code, currency, type, normal: normalOf(type), name: null, floor })
  return [plain, opened]
}

/** A month keeps the trial balance of the moment in which it was closed or opened. */
function expectTrialBalance(books: NaiveBooks, command: Command, event: Event | undefined): void {
  if (command.verb !== 'close month' && command.verb !== 'reopen month') {
    return
  }
  const lastDay = lastDayOf(command.month) ?? ''
  const lines = trialBalanceLines(books, (account) => linesUntil(account, lastDay, null))
  const text = encodeTrialBalance(
    lastDay,
    lines.map(({ code, currency, net }) => ({
      account_id: 0,
      code,
      name: '',
      type: typeOf(code) ?? 'asset',
      currency,
      debit: net > 0n ? net : 0n,
      credit: net < 0n ? -net : 0n,
    })),
  )
  expect(event?.trialBalance, `trial balance of ${command.month}`).to.equal(text.toString())
}

function describeCall({ command, heard }: Call): string {
  const text = typeof heard === 'string' ? heard : heard.join()
  return `${describeCommand(command)}, which heard ${text}`
}
