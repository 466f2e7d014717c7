/** Money is bigint minor units of a currency; decimals are for text that comes in or goes out. */
import { Decimal } from 'decimal.js'
import { Problem } from './problem.ts'

/**
 * The active codes of ISO 4217 (list one of the maintenance agency, SIX, as of January 2026) by
 * their digits behind the decimal point; funds codes too, metals and units of account not.
 */
const CODES_BY_EXPONENT: Readonly<Record<number, string>> = {
  0: 'BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF',
  2: `AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD
    CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP
    GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD
    MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP
    PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT
    TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG`,
  3: 'BHD IQD JOD KWD LYD OMR TND',
  4: 'CLF UYW',
}

const EXPONENTS: ReadonlyMap<string, number> = new Map(
  Object.entries(CODES_BY_EXPONENT).flatMap(([exponent, codes]) =>
    codes.split(/\s+/).map((code): [string, number] => [code, Number(exponent)]),
  ),
)

/** ISO 4217's codes that have no minor unit: metals, units of account, testing, no currency. */
const NO_MONEY: ReadonlySet<string> = new Set(
  'XAG XAU XBA XBB XBC XBD XDR XPD XPT XSU XTS XUA XXX'.split(' '),
)

/**
 * The largest amount, in minor units: 2^53 - 1, the largest whole number up to which a JSON number
 * is exact (RFC 8259, section 6). No account counts further on either side.
 */
export const MAX_MINOR = 9_007_199_254_740_991n

const Exact = Decimal.clone({ precision: 60, toExpNeg: -40, toExpPos: 40 })

/**
 * Digits behind the decimal point of an ISO 4217 currency. Throws `invalid_request` for another
 * code; how many digits an organisation's points have, its books say
 * (`src/ledger/accounts/currencies.ts`).
 */
export function exponentOf(currency: string): number {
  const exponent = EXPONENTS.get(currency)
  if (exponent === undefined) {
    throw new Problem('invalid_request', { detail: `Currency ${currency} is not known here.` })
  }
  return exponent
}

/** True for an active ISO 4217 currency. */
export function isCurrency(text: string): boolean {
  return EXPONENTS.has(text)
}

/** True for a code that ISO 4217 gives a meaning, so that no points may have it. */
export function isIsoCode(text: string): boolean {
  return EXPONENTS.has(text) || NO_MONEY.has(text)
}

/** The active ISO 4217 codes in the alphabet's order. */
export function isoCurrencies(): string[] {
  return [...EXPONENTS.keys()].sort()
}

/**
 * A gateway's decimal text ("40", "40.00", "239.6000") as minor units; `exponent` for points.
 * Throws `invalid_request` where the text is no plain decimal or finer than the currency.
 */
export function parseDecimal(
  text: string,
  currency: string,
  exponent: number = exponentOf(currency),
): bigint {
  const trimmed = text.trim()
  if (!/^-?\d{1,30}(\.\d{1,10})?$/.test(trimmed)) {
    throw new Problem('invalid_request', { detail: `"${trimmed.slice(0, 40)}" is not an amount.` })
  }
  const minor = new Exact(trimmed).times(new Exact(10).pow(exponent))
  if (!minor.isInteger()) {
    throw new Problem('invalid_request', {
      detail: `"${trimmed}" has more decimals than ${currency} has.`,
    })
  }
  return BigInt(minor.toFixed(0))
}

/**
 * Minor units as a plain decimal with the currency's digits: 123456n INR is "1234.56"; `exponent`
 * for points.
 */
export function formatDecimal(
  minor: bigint,
  currency: string,
  exponent: number = exponentOf(currency),
): string {
  const digits = (minor < 0n ? -minor : minor).toString().padStart(exponent + 1, '0')
  const whole = digits.slice(0, digits.length - exponent)
  const sign = minor < 0n ? '-' : ''
  return exponent === 0 ? sign + whole : `${sign}${whole}.${digits.slice(-exponent)}`
}

/** A rate between two currencies: major units of `to` for one major unit of `from`. */
export interface Rate {
  /** Decimal text above zero, at most 18 digits on either side of the point. */
  rate: string
  fromExponent: number
  toExponent: number
}

/**
 * The least exact result, in minor units of what is got, that may be rounded up. Below it rounding
 * goes down only: else a thousandth of a unit could be exchanged for a whole one, again and again.
 * From here on rounding up adds less than 1 %.
 */
export const ROUNDED_UP_FROM = 100n

/**
 * Minor units of `from` (0 or more) in minor units of `to`: exact, then rounded once, half to even
 * or, below `ROUNDED_UP_FROM`, down. Throws `invalid_request` for a text that is no rate.
 */
export function convert(minor: bigint, rate: Rate): bigint {
  const exact = exactly(minor, rate)
  const how = mayRoundUp(exact) ? Decimal.ROUND_HALF_EVEN : Decimal.ROUND_DOWN
  return BigInt(exact.toDecimalPlaces(0, how).toFixed(0))
}

/**
 * True where two amounts agree with their rate, whichever way the one who exchanges rounds: `to` is
 * the exact result or a whole number next to it, the one above only from `ROUNDED_UP_FROM` on.
 */
export function agreesWithRate(from: bigint, to: bigint, rate: Rate): boolean {
  const exact = exactly(from, rate)
  const over = new Exact(to.toString()).minus(exact)
  return over.gt(-1) && (over.lte(0) || (over.lt(1) && mayRoundUp(exact)))
}

function mayRoundUp(exact: Decimal): boolean {
  return exact.gte(ROUNDED_UP_FROM.toString())
}

/** At most 16 + 36 digits and 6 zeros: no precision is lost. */
function exactly(minor: bigint, { rate, fromExponent, toExponent }: Rate): Decimal {
  if (!/^\d{1,18}(\.\d{1,18})?$/.test(rate) || new Exact(rate).isZero()) {
    throw new Problem('invalid_request', {
      detail: `"${rate.slice(0, 40)}" is no rate: write a decimal above zero such as 83.125.`,
      moved: 'no',
    })
  }
  return new Exact(minor.toString()).times(rate).times(new Exact(10).pow(toExponent - fromExponent))
}

/** One amount as a JSON number, exact up to `MAX_MINOR`; throws `internal` for more. */
export function minorToJson(minor: bigint): number {
  const value = Number(minor)
  if (!Number.isSafeInteger(value)) {
    throw new Problem('internal', { detail: 'An amount is too large for JSON.' })
  }
  return value
}

/**
 * What the books say, in an answer: a JSON number, or the same digits as text from 2^53 on, where a
 * number would lie. Amounts and balances that were posted are numbers; a total over many accounts
 * can be text. What comes in is always a number.
 */
export function minorOrText(minor: bigint): number | string {
  return Number.isSafeInteger(Number(minor)) ? minorToJson(minor) : minor.toString()
}
