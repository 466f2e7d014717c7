/** Stripe's amounts: whole numbers, but not for every currency of ISO 4217's minor units. */
import { exponentOf, isCurrency, minorToJson } from '../../base/money.ts'
import { Problem } from '../../base/problem.ts'
import { textOf } from '../text.ts'

/**
 * Digits behind the point of an amount in Stripe's API, where ISO 4217 has another number of them
 * (docs.stripe.com/currencies, zero-decimal currencies and special cases).
 */
const DIGITS_AT_STRIPE: ReadonlyMap<string, number> = new Map([
  ['ISK', 2],
  ['UGX', 2],
  ['MGA', 0],
])

/** Three digits, of which Stripe takes but two: the last must be 0. */
const LAST_DIGIT_ZERO = new Set(['BHD', 'JOD', 'KWD', 'OMR', 'TND'])

/** The currency of an object, in capitals. Throws `malformed_event` for another word. */
export function currencyOf(value: unknown): string {
  const currency = typeof value === 'string' ? value.toUpperCase() : ''
  if (!isCurrency(currency)) {
    throw malformed(`The currency ${textOf(value) ?? 'nothing'} is not known here.`)
  }
  return currency
}

/**
 * An amount of Stripe's, which may be negative, in minor units of the currency. Throws
 * `malformed_event` for what is no whole number, or finer than the currency is.
 */
export function fromStripe(value: unknown, currency: string): bigint {
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) {
    throw malformed('An amount is not a whole number.')
  }
  const shift = (DIGITS_AT_STRIPE.get(currency) ?? exponentOf(currency)) - exponentOf(currency)
  if (shift <= 0) {
    return BigInt(value) * 10n ** BigInt(-shift)
  }
  const part = 10n ** BigInt(shift)
  if (BigInt(value) % part !== 0n) {
    throw malformed(`${value} is a fraction of the ${currency}, which has none.`)
  }
  return BigInt(value) / part
}

/** Minor units as Stripe takes them. Throws `invalid_request` for an amount that it cannot take. */
export function toStripe(minor: bigint, currency: string): number {
  if (minor <= 0n || !isCurrency(currency)) {
    throw new Problem('invalid_request', { detail: 'The amount or its currency is not usable.' })
  }
  const shift = (DIGITS_AT_STRIPE.get(currency) ?? exponentOf(currency)) - exponentOf(currency)
  const coarse = shift < 0 ? 10n ** BigInt(-shift) : LAST_DIGIT_ZERO.has(currency) ? 10n : 1n
  if (minor % coarse !== 0n) {
    throw new Problem('invalid_request', {
      detail: `Stripe takes no such fraction of ${currency}.`,
    })
  }
  return minorToJson(shift < 0 ? minor / coarse : minor * 10n ** BigInt(shift))
}

/** A price of an object in its own currency, which is above zero. */
export function priceOf(
  object: Readonly<Record<string, unknown>>,
  name: string,
): { amount: bigint; currency: string } {
  const currency = currencyOf(object['currency'])
  const amount = fromStripe(object[name], currency)
  if (amount <= 0n) {
    throw malformed(`The ${name} is not above zero.`)
  }
  return { amount, currency }
}

/** Stripe has to be asked again. */
export function notYet(detail: string): Problem {
  return new Problem('gateway_unavailable', { detail, moved: 'no' })
}

/** What Stripe says cannot be understood. */
export function malformed(detail: string): Problem {
  return new Problem('malformed_event', { detail })
}
