/** Aadhaar numbers (UIDAI): told by their check digit, found in texts, and masked there. */

const VERHOEFF_PRODUCT = [
  '0123456789',
  '1234067895',
  '2340178956',
  '3401289567',
  '4012395678',
  '5987604321',
  '6598710432',
  '7659821043',
  '8765932104',
  '9876543210',
]
const VERHOEFF_ORDER = [
  '0123456789',
  '1576283094',
  '5803796142',
  '8916043527',
  '9453126870',
  '4286573901',
  '2793806415',
  '7046913258',
]

/** True for an Aadhaar number: 12 digits, the first 2 to 9, with Verhoeff's check digit (UIDAI). */
export function isAadhaar(value: string): boolean {
  if (!/^[2-9]\d{11}$/.test(value)) {
    return false
  }
  const check = value
    .split('')
    .reverse()
    .reduce((sum, digit, place) => {
      const turned = VERHOEFF_ORDER[place % 8]?.charAt(Number(digit)) ?? ''
      return VERHOEFF_PRODUCT[Number(sum)]?.charAt(Number(turned)) ?? ''
    }, '0')
  return check === '0'
}

/** Digits of the scripts of India, zero at 6 or at 22 of a row of 16, and those of full width. */
const DIGITS_OF_INDIA = /[\u0966-\u096f\u09e6-\u09ef\u0a66-\u0a6f\u0ae6-\u0aef\u0b66-\u0b6f]/g
const DIGITS_OF_THE_SOUTH = /[\u0be6-\u0bef\u0c66-\u0c6f\u0ce6-\u0cef\u0d66-\u0d6f]/g
const WIDE_DIGITS = /[\uff10-\uff19]/g

/** The text with digits as 0 to 9, each where it stood. */
function withPlainDigits(text: string): string {
  const indian = (digit: string) => String((digit.charCodeAt(0) & 0xf) - 6)
  return text
    .replaceAll(DIGITS_OF_INDIA, indian)
    .replaceAll(DIGITS_OF_THE_SOUTH, indian)
    .replaceAll(WIDE_DIGITS, (digit) => String(digit.charCodeAt(0) & 0xf))
}

/** No part of a longer word or number, unless the word says what it is; `+` begins a phone's. */
const BEFORE = '(?:(?<![\\p{L}\\p{N}_+])|(?<=aadhaa?r|uid|uidai|आधार))'
const BETWEEN = '([\\s\\u200b]{1,3}|[.·_\\u2010-\\u2015-]|)'
/** Twelve digits in one, or in three groups with the same between them. */
const TWELVE = new RegExp(
  `${BEFORE}([2-9]\\d{3})${BETWEEN}(\\d{4})\\2(\\d{4})(?![\\p{L}\\p{N}_])`,
  'giu',
)

/** Words which say of twelve digits in one that they are a bank's reference (RRN). */
const TRANSFER = /(?:^|[^\p{L}])(?:rrn|utr|upi|imps|neft|rtgs)(?!\p{L})/iu
const REFERENCE = new RegExp(
  '(?:^|[^\\p{L}])(?:arn|ref|reference|txn|transaction)[^\\p{L}\\p{N}]*' +
    '(?:(?:no|number|id)[^\\p{L}\\p{N}]*)?$',
  'iu',
)
const AADHAAR = /aadhaa?r|uid|आधार/iu
/** How far before the digits they may stand. */
const WORDS_BEFORE = 200

interface Found {
  start: number
  end: number
  last4: string
}

/**
 * The Aadhaar numbers in a text. One number of twelve digits in eleven or so looks like one; a
 * bank's retrieval reference has twelve as well, so that it counts as one only where neither RRN
 * nor another word of that kind is before it.
 */
function found(text: string): Found[] {
  const plain = withPlainDigits(text)
  TWELVE.lastIndex = 0
  const all: Found[] = []
  for (let match = TWELVE.exec(plain); match !== null; match = TWELVE.exec(plain)) {
    const [whole, first = '', between, second = '', last4 = ''] = match
    const number = first + second + last4
    if (isAadhaar(number) && (between !== '' || !isReference(plain, match.index))) {
      all.push({ start: match.index, end: match.index + whole.length, last4 })
    } else {
      // The next number may begin with the second group of this one.
      TWELVE.lastIndex = match.index + first.length
    }
  }
  return all
}

function isReference(text: string, at: number): boolean {
  const before = text.slice(Math.max(0, at - WORDS_BEFORE), at)
  return (TRANSFER.test(before) || REFERENCE.test(before)) && !AADHAAR.test(before)
}

/** Most texts have not got twelve digits at all. */
const MANY_DIGITS = /(?:\p{Nd}[^\p{L}\p{Nd}]{0,3}){12}/u

/** True where an Aadhaar number stands in the text, whatever script its digits are of. */
export function holdsAadhaar(text: string): boolean {
  return MANY_DIGITS.test(text) && found(text).length > 0
}

/** The text with all but the last four digits of each Aadhaar number hidden. */
export function withoutAadhaar(text: string): string {
  if (!MANY_DIGITS.test(text)) {
    return text
  }
  let clean = ''
  let done = 0
  for (const { start, end, last4 } of found(text)) {
    clean += `${text.slice(done, start)}XXXX XXXX ${last4}`
    done = end
  }
  return clean + text.slice(done)
}
