/** Money is bigint minor units of a currency; decimals are for text that comes in or goes out. */
import { Decimal } from 'decimal.js'
import { Problem } from './problem.ts'

/** Digits behind the decimal point, ISO 4217. */
const EXPONENTS: Readonly<Record<string, number>> = {
  AED: 2,
  AUD: 2,
  BHD: 3,
  CAD: 2,
  EUR: 2,
  GBP: 2,
  INR: 2,
  JPY: 0,
  KWD: 3,
  SGD: 2,
  USD: 2,
}

/** The largest amount a Postgres bigint holds, in minor units. */
export const MAX_MINOR = 9_223_372_036_854_775_807n

const Exact = Decimal.clone({ precision: 60, toExpNeg: -40, toExpPos: 40 })

/** Digits behind the decimal point of a currency. Throws `invalid_request` for an unknown one. */
export function exponentOf(currency: string): number {
  const exponent = isCurrency(currency) ? EXPONENTS[currency] : undefined
  if (exponent === undefined) {
    throw new Problem('invalid_request', { detail: `Currency ${currency} is not known here.` })
  }
  return exponent
}

export function isCurrency(text: string): boolean {
  return Object.hasOwn(EXPONENTS, text)
}

/**
 * A gateway's decimal text ("40", "40.00", "239.6000") as minor units.
 * Throws `invalid_request` where the text is no plain decimal or finer than the currency.
 */
export function parseDecimal(text: string, currency: string): bigint {
  const trimmed = text.trim()
  if (!/^-?\d{1,30}(\.\d{1,10})?$/.test(trimmed)) {
    throw new Problem('invalid_request', { detail: `"${trimmed.slice(0, 40)}" is not an amount.` })
  }
  const minor = new Exact(trimmed).times(new Exact(10).pow(exponentOf(currency)))
  if (!minor.isInteger()) {
    throw new Problem('invalid_request', {
      detail: `"${trimmed}" has more decimals than ${currency} has.`,
    })
  }
  return BigInt(minor.toFixed(0))
}

/** Minor units as a plain decimal with the currency's digits: 123456n INR is "1234.56". */
export function formatDecimal(minor: bigint, currency: string): string {
  const exponent = exponentOf(currency)
  const digits = (minor < 0n ? -minor : minor).toString().padStart(exponent + 1, '0')
  const whole = digits.slice(0, digits.length - exponent)
  const sign = minor < 0n ? '-' : ''
  return exponent === 0 ? sign + whole : `${sign}${whole}.${digits.slice(-exponent)}`
}

/** A JSON number of minor units; bigint has no JSON form, and beyond 2^53 a number would lie. */
export function minorToJson(minor: bigint): number {
  const value = Number(minor)
  if (!Number.isSafeInteger(value)) {
    throw new Problem('internal', { detail: 'An amount is too large for JSON.' })
  }
  return value
}
