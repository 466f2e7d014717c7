/** Values as PayU writes them: decimals, Indian times, words for nothing; and what is refused. */
import { fromIndianTime } from '../../base/clock.ts'
import { MAX_MINOR, parseDecimal } from '../../base/money.ts'
import { messageOf, Problem } from '../../base/problem.ts'
import { textOf } from '../text.ts'

/** PayU India's amounts carry no currency. */
export const CURRENCY = 'INR'

/** Paise above zero, of a decimal text of any scale; throws `malformed_event` for anything else. */
export function amountOf(text: string | undefined): bigint {
  const amount = decimalOf(text)
  if (amount <= 0n) {
    throw malformed('The amount is not above zero.')
  }
  return amount
}

/** As `amountOf`, with 0 and with nothing for 0. */
export function amountOrZero(text: string | undefined): bigint {
  const amount = (text ?? '').trim() === '' ? 0n : decimalOf(text)
  if (amount < 0n) {
    throw malformed('The amount is below zero.')
  }
  return amount
}

/** Paise of a decimal text, below zero too. */
export function decimalOf(text: string | undefined): bigint {
  let amount: bigint
  try {
    amount = parseDecimal(text ?? '', CURRENCY)
  } catch (thrown) {
    throw malformed(messageOf(thrown))
  }
  if (amount > MAX_MINOR || amount < -MAX_MINOR) {
    throw malformed('The amount is larger than any amount of money can be.')
  }
  return amount
}

/** PayU writes "0000-00-00 00:00:00" for a time that it does not have. */
export function instantOf(texts: readonly (string | undefined)[]): Date | undefined {
  for (const text of texts) {
    const instant = fromIndianTime(text ?? '')
    if (instant !== undefined && instant.getTime() > 0) {
      return instant
    }
  }
  return undefined
}

/** A reference of a bank; PayU writes "null" and "0" for none. */
export function bankReferenceOf(...texts: (string | undefined)[]): string | null {
  const references = texts.map(textOf)
  return references.find((one) => one !== null && one !== 'null' && one !== '0') ?? null
}

/** PayU has to be asked (again). */
export function notYet(detail: string): Problem {
  return new Problem('gateway_unavailable', { detail, moved: 'unknown', retryAfter: 30 })
}

export function malformed(detail: string): Problem {
  return new Problem('malformed_event', { detail })
}
