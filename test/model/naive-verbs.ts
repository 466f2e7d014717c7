/** Runs a command on the naive books: what it would leave there, and what its caller would hear. */
import type { IsoDate } from '../../src/base/clock.ts'
import { MAX_MINOR } from '../../src/base/money.ts'
import type { AccountCode, Direction } from '../../src/ledger/core/chart.ts'
import type { Draft, DraftLine } from '../../src/ledger/core/entry.ts'
import { TODAY, type Command, type Outcome } from './commands.ts'
import {
  balanceOf,
  oppositeOf,
  linesUntil,
  type MonthState,
  type NaiveAccount,
  type NaiveBooks,
} from './naive-books.ts'
import {
  exactly,
  floorOnDemand,
  isNextTo,
  isKeptIn,
  moneyDigits,
  normalOf,
  rounded,
  typeOf,
} from './naive-chart.ts'
import { readNaively, trialBalanceLines } from './naive-reads.ts'

type Of<Verb extends Command['verb']> = Extract<Command, { verb: Verb }>

/** `postedAt` says when an entry was posted, for reads as of an instant. */
export function runNaively(
  books: NaiveBooks,
  command: Command,
  postedAt: readonly Date[] = [],
): Outcome {
  switch (command.verb) {
    case 'post':
      return books.post(command.drafts, command.way === 'atomic')
    case 'reverse':
      return [reverse(books, command)]
    case 'adjust':
      return [adjust(books, command)]
    case 'exchange':
      return [exchange(books, command)]
    case 'open account':
      return [openAccount(books, command)]
    case 'change account':
      return [changeAccount(books, command)]
    case 'close month':
      return [closeMonth(books, command)]
    case 'reopen month':
      return [reopenMonth(books, command)]
    case 'close year':
      return closeYear(books, command)
    case 'register currency':
      return [register(books, command)]
    case 'read balance':
    case 'read statement':
    case 'read trial balance':
      return [readNaively(books, command, postedAt)]
  }
}

/** Posts what is to be posted whole or not at all; a refusal leaves no trace. */
function postWhole(books: NaiveBooks, drafts: readonly Draft[]): Outcome {
  const trial = books.copy()
  const outcome = trial.post(drafts, true)
  const [refused] = outcome.filter((text) => /^(?!batch_refused)[a-z_]+$/.test(text))
  if (refused !== undefined) {
    return [refused]
  }
  books.become(trial)
  return outcome
}

/** The entry to correct and the day to do it, or why not. */
function correction(
  books: NaiveBooks,
  command: Of<'reverse' | 'adjust'>,
  key: string,
): { entry: Draft; day: IsoDate } | string {
  const entry = books.entries[Number(command.entryNo) - 1]
  if (entry === undefined) {
    return 'not_found'
  }
  if (entry.kind === 'reversal' || entry.kind === 'year_closed') {
    return 'not_reversible'
  }
  const latest = TODAY > entry.effectiveOn ? TODAY : entry.effectiveOn
  if ((command.effectiveOn ?? latest) < entry.effectiveOn) {
    return 'invalid_entry'
  }
  const before = books.entries.find((one) => one.idempotencyKey === key)
  return { entry, day: command.effectiveOn ?? before?.effectiveOn ?? latest }
}

function correcting(command: Of<'reverse' | 'adjust'>, day: IsoDate) {
  const { reason, lateReason } = command
  return {
    effectiveOn: day,
    source: `je_${command.entryNo}`,
    actor: command.id,
    metadata: { reason, ...(lateReason === null ? {} : { late_reason: lateReason }) },
  }
}

function reverse(books: NaiveBooks, command: Of<'reverse'>): string {
  const idempotencyKey = `reverse:je_${command.entryNo}`
  const found = correction(books, command, idempotencyKey)
  if (typeof found === 'string') {
    return found
  }
  const isThere = books.entries.some((one) => one.idempotencyKey === idempotencyKey)
  const isAdjusted = books.entries.some(
    (one, index) => one.adjusts === command.entryNo && !books.isReversed(BigInt(index + 1)),
  )
  if (!isThere && isAdjusted) {
    return 'not_reversible'
  }
  const isReversed = books.isReversed(command.entryNo)
  const [outcome = ''] = books.post([
    {
      ...correcting(command, found.day),
      kind: 'reversal',
      idempotencyKey,
      description: `Reversal of je_${command.entryNo}: ${command.reason}`,
      reverses: command.entryNo,
      adjusts: null,
      lines: oppositeOf(found.entry.lines),
    },
  ])
  return isReversed && !outcome.startsWith('existing') ? 'not_reversible' : outcome
}

function adjust(books: NaiveBooks, command: Of<'adjust'>): string {
  const found = correction(books, command, command.key)
  if (typeof found === 'string') {
    return found
  }
  const isThere = books.entries.some((one) => one.idempotencyKey === command.key)
  if (!isThere && books.isReversed(command.entryNo)) {
    return 'not_reversible'
  }
  const [outcome = ''] = books.post([
    {
      ...correcting(command, found.day),
      kind: 'adjustment',
      idempotencyKey: command.key,
      description: `Adjustment of je_${command.entryNo}: ${command.reason}`,
      reverses: null,
      adjusts: command.entryNo,
      lines: command.lines,
    },
  ])
  return outcome
}

function exchange(books: NaiveBooks, command: Of<'exchange'>): string {
  const { from, to, amount, rate, lateReason } = command
  const digits = [books.digitsOf(from.currency), books.digitsOf(to.currency)]
  const [fromDigits, toDigits] = digits
  if (fromDigits === undefined || toDigits === undefined) {
    return 'unknown_currency'
  }
  const sides = [from, to].map(({ code }) =>
    code.startsWith('equity:trading:') ? undefined : typeOf(code),
  )
  const [side, otherSide] = sides.map((type) => type && normalOf(type))
  const exact = exactly(amount, rate, { from: fromDigits, to: toDigits })
  const got = command.toAmount ?? rounded(exact)
  const isWrong =
    from.currency === to.currency ||
    side === undefined ||
    side !== otherSide ||
    amount <= 0n ||
    got <= 0n ||
    got > MAX_MINOR ||
    !isNextTo(got, exact)
  if (isWrong) {
    return 'invalid_entry'
  }
  const other: Direction = side === 'debit' ? 'credit' : 'debit'
  const draft: Draft = {
    kind: 'exchange',
    effectiveOn: command.effectiveOn,
    idempotencyKey: command.key,
    description: `Exchange of ${from.currency} for ${to.currency}`,
    source: 'model',
    actor: command.id,
    reverses: null,
    adjusts: null,
    metadata: {
      from_currency: from.currency,
      to_currency: to.currency,
      rate,
      rate_source: 'the bank',
      ...(lateReason === null ? {} : { late_reason: lateReason }),
    },
    lines: [
      { account: from.code, direction: other, amount, currency: from.currency },
      { account: tradingIn(from.currency), direction: side, amount, currency: from.currency },
      { account: to.code, direction: side, amount: got, currency: to.currency },
      { account: tradingIn(to.currency), direction: other, amount: got, currency: to.currency },
    ],
  }
  return postWhole(books, [draft])[0] ?? ''
}

function tradingIn(currency: string): AccountCode {
  return `equity:trading:${currency.toLowerCase()}`
}

function openAccount(books: NaiveBooks, command: Of<'open account'>): string {
  const { account, name } = command
  const { code, currency } = account
  const type = typeOf(code)
  if (type === undefined || !isKeptIn(code, currency)) {
    return 'invalid_request'
  }
  if (books.digitsOf(currency) === undefined) {
    return 'unknown_currency'
  }
  const floor =
    command.floor === undefined ? (floorOnDemand(code, currency) ?? null) : command.floor
  if (floor !== null && floor > 0n) {
    return 'invalid_request'
  }
  const normal = command.normal ?? normalOf(type)
  const before = books.account(code, currency)
  if (before !== undefined) {
    const isSame = before.name === name && before.normal === normal && before.floor === floor
    return isSame ? 'existing' : 'account_exists'
  }
  books.openAccount({ code, currency, type, normal, name, floor })
  return 'opened'
}

function changeAccount(books: NaiveBooks, command: Of<'change account'>): string {
  const { account: name, change } = command
  const account = books.account(name.code, name.currency)
  if (account === undefined) {
    return 'not_found'
  }
  const after = { ...account, ...change }
  const isSame =
    after.open === account.open && after.frozen === account.frozen && after.floor === account.floor
  if (isSame) {
    return 'unchanged'
  }
  const balance = balanceOf(account, account.lines)
  if (account.open && !after.open && account.frozen) {
    return 'account_frozen'
  }
  if (account.open && !after.open && balance !== 0n) {
    return 'account_not_empty'
  }
  if (account.open && !after.open && isYearOpen(account)) {
    return 'account_not_empty'
  }
  if (after.floor !== null && after.floor !== account.floor) {
    if (after.floor > 0n) {
      return 'invalid_request'
    }
    if (balance < after.floor) {
      return 'balance_below_floor'
    }
  }
  Object.assign(account, change)
  return 'changed'
}

const STATES: readonly MonthState[] = ['open', 'soft_closed', 'closed']

function isLess(one: MonthState, other: MonthState): boolean {
  return STATES.indexOf(one) < STATES.indexOf(other)
}

function closeMonth(books: NaiveBooks, { month, state }: Of<'close month'>): string {
  if (TODAY.slice(0, 7) <= month) {
    return 'period_not_over'
  }
  const before = books.stateOf(month)
  if (before === state) {
    return 'unchanged'
  }
  if (before === 'closed') {
    return 'period_closed'
  }
  const used = [
    ...books.months.keys(),
    ...books.entries.map(({ effectiveOn }) => effectiveOn.slice(0, 7)),
  ]
  if (used.some((other) => other < month && isLess(books.stateOf(other), state))) {
    return 'period_order'
  }
  books.months.set(month, state)
  return 'changed'
}

function reopenMonth(books: NaiveBooks, { month, state }: Of<'reopen month'>): string {
  const before = books.stateOf(month)
  if (before === state) {
    return 'unchanged'
  }
  if (before === 'open') {
    return 'invalid_request'
  }
  const isBlocked = [...books.months].some(
    ([other, otherState]) => other > month && isLess(state, otherState),
  )
  if (isBlocked) {
    return 'period_order'
  }
  books.months.set(month, state)
  return 'changed'
}

function register(books: NaiveBooks, command: Of<'register currency'>): string {
  const { code, name, exponent } = command
  const before = books.currencies.get(code)
  if (moneyDigits(code) !== undefined) {
    return 'currency_exists'
  }
  if (before !== undefined) {
    const isSame = before.name === name && before.exponent === exponent
    return isSame ? 'known' : 'currency_exists'
  }
  books.currencies.set(code, { name, exponent })
  return 'registered'
}

function closeYear(books: NaiveBooks, { id, year }: Of<'close year'>): Outcome {
  const start = Number(year.slice(0, 4))
  if (!/^\d{4}-\d{2}$/.test(year) || Number(year.slice(5)) !== (start + 1) % 100) {
    return ['not_found']
  }
  const lastDay = `${start + 1}-03-31`
  if (TODAY <= lastDay) {
    return ['period_not_over']
  }
  const before = [...new Set(books.entries.map(({ effectiveOn }) => yearEndOf(effectiveOn)))]
  if (before.some((end) => end < lastDay && standing(books, end).length > 0)) {
    return ['period_order']
  }
  const isLate = books.stateOf(lastDay.slice(0, 7)) !== 'open'
  const groups = Map.groupBy(standing(books, lastDay), ({ currency }) => currency)
  const source = `year_closed:${year}:je_${books.entries.length}`
  const drafts = [...groups.keys()].sort().map((currency, index): Draft => ({
    kind: 'year_closed',
    effectiveOn: lastDay,
    idempotencyKey: `${source}:${index + 1}`,
    description: `Closing of the year ${year}, part ${index + 1} of ${groups.size}`,
    source,
    actor: id,
    reverses: null,
    adjusts: null,
    metadata: {
      financial_year: year,
      reason: 'model',
      ...(isLate ? { late_reason: `Closing of the year ${year}` } : {}),
    },
    lines: closingLines(groups.get(currency) ?? []),
  }))
  const closings = books.entries.flatMap(({ idempotencyKey }, index) =>
    idempotencyKey.startsWith(`year_closed:${year}:`) ? [`existing ${index + 1}`] : [],
  )
  const posted = postWhole(books, drafts)
  const [refused] = posted.filter((text) => !text.startsWith('posted '))
  const all = [...closings, ...posted]
  return refused === undefined ? (all.length === 0 ? ['nothing'] : all) : [refused]
}

/** True for income and expenses that did not stand at zero when one of the years ended. */
function isYearOpen(account: NaiveAccount): boolean {
  const ends = account.lines.map(({ day }) => yearEndOf(day))
  return (
    /^(?:income|expenses):/.test(account.code) &&
    ends.some((end) => balanceOf(account, linesUntil(account, end, null)) !== 0n)
  )
}

/** The 31 March that ends the financial year of a day. */
function yearEndOf(day: IsoDate): IsoDate {
  const year = Number(day.slice(0, 4))
  return `${day.slice(5) <= '03-31' ? year : year + 1}-03-31`
}

interface Standing {
  code: AccountCode
  currency: string
  /** Debits less credits. */
  net: bigint
}

/** Income and expenses that are not zero at the end of a day. */
function standing(books: NaiveBooks, lastDay: IsoDate): Standing[] {
  return trialBalanceLines(books, (account) => linesUntil(account, lastDay, null)).filter(
    ({ code }) => /^(?:income|expenses):/.test(code),
  )
}

/** Each account to zero, fund by fund, each fund with the difference. */
function closingLines(standings: readonly Standing[]): DraftLine[] {
  const funds = Map.groupBy(standings, ({ code }): AccountCode => {
    const [, fund] = /^income:donations:([a-z]+)$/.exec(code) ?? []
    return fund === undefined || fund === 'general' ? 'equity:general-fund' : `equity:funds:${fund}`
  })
  const line = (account: AccountCode, net: bigint, currency: string): DraftLine[] =>
    net === 0n
      ? []
      : [
          {
            account,
            direction: net > 0n ? 'credit' : 'debit',
            amount: net > 0n ? net : -net,
            currency,
          },
        ]
  return [...funds.keys()].sort().flatMap((fund) => {
    const own = funds.get(fund) ?? []
    const [currency = ''] = own.map((one) => one.currency)
    const total = own.reduce((sum, { net }) => sum + net, 0n)
    return [
      ...own.flatMap(({ code, net }) => line(code, net, currency)),
      ...line(fund, -total, currency),
    ]
  })
}
