/** What the naive books know by heart: types, accounts opened on demand, currencies, rounding. */
import type { AccountType, Direction } from '../../src/ledger/core/chart.ts'

const TYPES: Readonly<Record<string, AccountType>> = {
  assets: 'asset',
  liabilities: 'liability',
  equity: 'equity',
  income: 'income',
  expenses: 'expense',
}

/** Digits behind the decimal point of the real currencies that the model test uses. */
const MONEY: Readonly<Record<string, number>> = { INR: 2, USD: 2, JPY: 0, KWD: 3 }

/** Accounts that the first posting opens, with their floor. */
const ON_DEMAND: readonly (readonly [RegExp, bigint | null])[] = [
  [/^assets:bank:(?:main|in-transit)$/, null],
  [/^assets:clearing:[a-z]+$/, null],
  [/^expenses:bank-charges$/, null],
  [/^equity:general-fund$/, null],
  [/^equity:funds:[a-z]+$/, null],
  [/^equity:trading:[a-z]+$/, null],
  [/^income:donations:[a-z]+$/, null],
  [/^liabilities:wallets:[a-z]+$/, 0n],
  [/^liabilities:points:[a-z]+$/, 0n],
]

export function typeOf(code: string): AccountType | undefined {
  return TYPES[code.split(':')[0] ?? '']
}

export function normalOf(type: AccountType): Direction {
  return type === 'asset' || type === 'expense' ? 'debit' : 'credit'
}

/** Digits of a real currency; undefined for what may be somebody's points. */
export function moneyDigits(currency: string): number | undefined {
  return MONEY[currency]
}

/** Trading accounts hold one currency, points hold no money. */
export function isKeptIn(code: string, currency: string): boolean {
  if (code.startsWith('equity:trading:')) {
    return code === `equity:trading:${currency.toLowerCase()}`
  }
  return !code.startsWith('liabilities:points:') || moneyDigits(currency) === undefined
}

/** The floor of an account that opens by itself; undefined for one that does not. */
export function floorOnDemand(code: string, currency: string): bigint | null | undefined {
  return isKeptIn(code, currency)
    ? ON_DEMAND.find(([pattern]) => pattern.test(code))?.[1]
    : undefined
}

/** A number as a fraction. */
export interface Fraction {
  top: bigint
  bottom: bigint
}

/** `amount` at a decimal rate, in minor units. */
export function exactly(
  amount: bigint,
  rate: string,
  digits: { from: number; to: number },
): Fraction {
  const [whole = '', decimals = ''] = rate.split('.')
  return {
    top: amount * BigInt(whole + decimals) * 10n ** BigInt(digits.to),
    bottom: 10n ** BigInt(decimals.length + digits.from),
  }
}

/** Below this many minor units nothing is rounded up. */
const ROUNDED_UP_FROM = 100n

/** The nearest whole number, the even one of two; the one below for small ones. */
export function rounded({ top, bottom }: Fraction): bigint {
  const floor = top / bottom
  const twice = 2n * (top % bottom)
  const isUp = twice > bottom || (twice === bottom && floor % 2n === 1n)
  return isUp && floor >= ROUNDED_UP_FROM ? floor + 1n : floor
}

/** True for the exact number and for the whole ones next to it, of small ones for that below. */
export function isNextTo(whole: bigint, { top, bottom }: Fraction): boolean {
  const floor = top / bottom
  return whole === floor || (whole === floor + 1n && top % bottom > 0n && floor >= ROUNDED_UP_FROM)
}
