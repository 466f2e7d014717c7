/** What the naive books show: balances, statements and trial balances on both time axes. */
import type { IsoDate } from '../../src/base/clock.ts'
import type { AccountCode } from '../../src/ledger/core/chart.ts'
import type { Reading } from './commands.ts'
import {
  balanceOf,
  linesUntil,
  sumsOf,
  type NaiveAccount,
  type NaiveBooks,
  type NaiveLine,
} from './naive-books.ts'

/** As `readingText` words what the engine shows. */
export function readNaively(
  books: NaiveBooks,
  reading: Reading,
  postedAt: readonly Date[],
): string {
  const { knownAt } = reading
  const through =
    knownAt === null ? null : BigInt(postedAt.filter((instant) => instant <= knownAt).length)
  if (reading.verb === 'read trial balance') {
    const { asOf } = reading
    const lines = trialBalanceLines(books, (account) => linesUntil(account, asOf, through))
    return trialBalanceText(lines)
  }
  const account = books.account(reading.account.code, reading.account.currency)
  if (account === undefined) {
    return 'no such account'
  }
  if (reading.verb === 'read balance') {
    return `balance ${balanceOf(account, linesUntil(account, reading.asOf, through))}`
  }
  return statementText(statementOf(account, linesUntil(account, null, through), reading))
}

export interface StatementShown {
  opening: bigint
  closing: bigint
  lines: { entryNo: bigint; lineNo: number; day: IsoDate; amount: bigint; balance: bigint }[]
}

/** Lines by day, and then in the order of posting. */
function statementOf(
  account: NaiveAccount,
  known: readonly NaiveLine[],
  { from, to }: { from: IsoDate; to: IsoDate },
): StatementShown {
  const opening = balanceOf(
    account,
    known.filter(({ day }) => day < from),
  )
  let balance = opening
  const lines = known
    .filter(({ day }) => day >= from && day <= to)
    .sort((one, other) => (one.day < other.day ? -1 : Number(one.day > other.day)))
    .map((line) => {
      balance += balanceOf(account, [line])
      const { entryNo, lineNo, day, amount } = line
      return { entryNo, lineNo, day, amount, balance }
    })
  return { opening, closing: balance, lines }
}

export function statementText({ opening, closing, lines }: StatementShown): string {
  const texts = lines.map(({ entryNo, lineNo, day, amount, balance }) =>
    [entryNo, lineNo, day, amount, balance].join(' '),
  )
  return [`from ${opening} to ${closing}`, ...texts].join('; ')
}

interface TrialBalanceShown {
  code: AccountCode
  currency: string
  /** Debits less credits. */
  net: bigint
}

/** Accounts that do not stand at zero, by code and currency. */
export function trialBalanceLines(
  books: NaiveBooks,
  linesOf: (account: NaiveAccount) => readonly NaiveLine[],
): TrialBalanceShown[] {
  return [...books.accounts.values()]
    .map((account) => {
      const { debit, credit } = sumsOf(linesOf(account))
      return { code: account.code, currency: account.currency, net: debit - credit }
    })
    .filter(({ net }) => net !== 0n)
    .sort((one, other) => compare(one.code, other.code) || compare(one.currency, other.currency))
}

export function trialBalanceText(lines: readonly TrialBalanceShown[]): string {
  return lines.map(({ code, currency, net }) => `${code} ${currency} ${net}`).join('; ')
}

function compare(one: string, other: string): number {
  return one < other ? -1 : Number(one > other)
}
