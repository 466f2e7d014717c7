/** What stands in cells: amounts as gateways and banks write them, and days. */
import { indianDate, isIsoDate, type IsoDate } from '../../base/clock.ts'
import { exponentOf, isCurrency } from '../../base/money.ts'
import { BadCell, quoted } from './reading.ts'

/** Whether an amount is written in rupees or in paise; a mapping says so, the number cannot. */
export type Unit = 'major' | 'minor'

const ID_MAX = 200
const CONTROL = /\p{Cc}+/gu

/** Text for a column: without control characters and spaces around; null where nothing is left. */
export function cellText(text: string): string | null {
  const clean = PLAIN.test(text) ? text.trim() : text.replaceAll(CONTROL, ' ').toWellFormed().trim()
  return clean === '' ? null : clean
}

const PLAIN = /^[\x20-\x7e]*$/

/** An id or a reference. Throws `BadCell` for one that is too long to be one. */
export function cellId(column: string, text: string): string | null {
  const id = cellText(text)
  if (id !== null && id.length > ID_MAX) {
    throw new BadCell(column, `is longer than ${ID_MAX} characters`)
  }
  return id
}

/** A currency that is known here, in upper case. */
export function cellCurrency(column: string, text: string): string {
  const currency = text.trim().toUpperCase()
  if (!isCurrency(currency)) {
    throw new BadCell(column, `${quoted(text)} is no currency that is known here`)
  }
  return currency
}

const ZERO = 48
const POINT = 46
const MINUS = 45
/** The largest amount, as a double holds it exactly. */
const LARGEST = Number.MAX_SAFE_INTEGER

/**
 * An amount in minor units from its digits, exactly: `decimals` digits behind the point at most,
 * zeros behind them aside. Null where the cell is empty.
 */
export function cellAmount(column: string, text: string, decimals: number): bigint | null {
  const end = text.length
  let place = 0
  let negative = false
  if (text.charCodeAt(0) === MINUS) {
    negative = true
    place = 1
  }
  let whole = 0
  let digits = 0
  let behind = -1
  let isTooFine = false
  for (; place < end; place += 1) {
    const code = text.charCodeAt(place)
    const digit = code - ZERO
    if (digit >= 0 && digit <= 9) {
      isTooFine ||= behind >= decimals && digit !== 0
      if (behind < decimals) {
        // Below 2^53 a double counts whole numbers exactly; what would go beyond is refused.
        whole = whole * 10 + digit
        if (whole > LARGEST) {
          throw new BadCell(column, `${quoted(text)} is larger than any amount`)
        }
        behind += behind >= 0 ? 1 : 0
      }
      digits += 1
    } else if (code === POINT && behind < 0 && digits > 0) {
      behind = 0
    } else {
      return oddAmount(column, text, decimals)
    }
  }
  if (digits === 0) {
    return oddAmount(column, text, decimals)
  }
  if (isTooFine) {
    throw new BadCell(column, `${quoted(text)} has more decimals than the currency`)
  }
  for (let missing = Math.max(behind, 0); missing < decimals; missing += 1) {
    whole *= 10
  }
  if (whole > LARGEST) {
    throw new BadCell(column, `${quoted(text)} is larger than any amount`)
  }
  return BigInt(negative ? -whole : whole)
}

/** What is no bare number: empty, with spaces around, grouped, or no amount. */
function oddAmount(column: string, text: string, decimals: number): bigint | null {
  const trimmed = text.trim()
  if (trimmed === '' || NOTHING.has(trimmed.toLowerCase())) {
    return null
  }
  if (trimmed !== text) {
    return cellAmount(column, trimmed, decimals)
  }
  const plain = ungrouped(trimmed)
  if (plain === null) {
    throw new BadCell(column, `${quoted(text)} is no amount`)
  }
  return cellAmount(column, plain, decimals)
}

const NOTHING: ReadonlySet<string> = new Set(['-', 'null', 'na', 'n/a', 'nil'])

/** In the order of the groups: India's (1,00,000), the world's (100,000). */
const GROUPED = /^([+-]?)(\d{1,2}(?:,\d{2}){1,6},\d{3}|\d{1,3}(?:,\d{3}){1,5})(\.\d{1,10})?$/

/** The bare number; null where the commas stand as nobody writes them. */
function ungrouped(text: string): string | null {
  const [, sign = '', whole, fraction = ''] = GROUPED.exec(text) ?? []
  if (whole !== undefined) {
    return `${sign === '-' ? '-' : ''}${whole.replaceAll(',', '')}${fraction}`
  }
  // A plus in front, or a point without a digit before it.
  const [, plus, rest = ''] = /^(\+?)(\d*(?:\.\d+)?|\d+\.)$/.exec(text) ?? []
  if (plus === undefined || rest === '' || !(plus === '+' || /^\.|\.$/.test(rest))) {
    return null
  }
  return rest.startsWith('.') ? `0${rest}` : rest.replace(/\.$/, '')
}

const SIGNED = /^(?:₹|rs\.?|inr)?\s*(.*?)\s*(cr|dr|c|d)?\.?$/i

/**
 * An amount as banks write it: `5,40,560.00`, `1,234.00 Cr`, `(1,234.00)`, `Rs. 12`. Dr and
 * brackets are below zero. Null where the cell is empty.
 */
export function bankAmount(column: string, text: string, decimals: number): bigint | null {
  const trimmed = text.trim()
  const [, inside] = /^\((.*)\)$/.exec(trimmed) ?? []
  const [, digits = '', mark = ''] = SIGNED.exec(inside ?? trimmed) ?? []
  const amount = cellAmount(column, digits, decimals)
  const isBelow = inside !== undefined || /^d/i.test(mark)
  return amount !== null && isBelow ? -amount : amount
}

/** Digits behind the point of what a mapping says is written in `unit`. */
export function decimalsOf(unit: Unit, currency: string): number {
  return unit === 'minor' ? 0 : exponentOf(currency)
}

/** In which order the numbers of a day stand; the year first is understood everywhere. */
export type DayOrder = 'dmy' | 'mdy'

const MONTHS = 'jan feb mar apr may jun jul aug sep oct nov dec'.split(' ')

/** Days repeat: those that were read are kept, up to so many of each order. */
const KNOWN_MAX = 5000
const known: Readonly<Record<DayOrder, Map<string, IsoDate>>> = { dmy: new Map(), mdy: new Map() }
/** A part of a longer text would keep all of that text in memory; up to here it is a copy. */
const COPIED_MAX = 12
const DAY_LENGTH = 10
const AT_TIME = /^[ T]\d{2}:\d{2}:\d{2}$/

/**
 * A day: `2026-05-04`, `04/05/26`, `4 May 2026`, `04-May-26`, a time behind it or not, or seconds
 * since 1970, which fall on a day in India. Null where the cell is empty.
 */
export function cellDay(column: string, text: string, order: DayOrder = 'dmy'): IsoDate | null {
  const trimmed = text.trim()
  const isTimed = trimmed.length === 19 && AT_TIME.test(trimmed.slice(DAY_LENGTH))
  const key = isTimed ? trimmed.slice(0, DAY_LENGTH) : trimmed
  const before = key.length > COPIED_MAX ? undefined : known[order].get(key)
  if (before !== undefined) {
    return before
  }
  if (trimmed === '' || trimmed.startsWith('0000-00-00') || NOTHING.has(trimmed.toLowerCase())) {
    return null
  }
  const day = dayIn(trimmed, order)
  if (day === null || !isIsoDate(day)) {
    throw new BadCell(column, `${quoted(trimmed)} is no day`)
  }
  if (key.length <= COPIED_MAX && known[order].size < KNOWN_MAX) {
    known[order].set(key, day)
  }
  return day
}

const TIME = String.raw`(?:[ T,]+\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:\s*[ap]m)?)?`
const YEAR_FIRST = new RegExp(`^(\\d{4})[-/.](\\d{1,2})[-/.](\\d{1,2})${TIME}$`, 'i')
const YEAR_LAST = new RegExp(`^(\\d{1,2})[-/. ](\\d{1,2})[-/. ](\\d{4}|\\d{2})${TIME}$`, 'i')
const NAMED = new RegExp(`^(\\d{1,2})[-/. ]([a-z]{3,9})[-/., ]+(\\d{4}|\\d{2})${TIME}$`, 'i')

function dayIn(text: string, order: DayOrder): IsoDate | null {
  if (/^\d{9,10}$/.test(text)) {
    return indianDate(new Date(Number(text) * 1000))
  }
  const [, year, month, day] = YEAR_FIRST.exec(text) ?? []
  if (year !== undefined) {
    return iso(year, month, day)
  }
  const [, first, second, yearLast] = YEAR_LAST.exec(text) ?? []
  if (yearLast !== undefined) {
    const [dayOf, monthOf] = order === 'mdy' ? [second, first] : [first, second]
    return iso(yearLast, monthOf, dayOf)
  }
  const [, dayNamed, name = '', yearNamed] = NAMED.exec(text) ?? []
  const number = MONTHS.indexOf(name.slice(0, 3).toLowerCase()) + 1
  return yearNamed === undefined || number === 0 ? null : iso(yearNamed, String(number), dayNamed)
}

/** Two digits of a year are of this century up to 79. */
function iso(year: string, month = '', day = ''): IsoDate {
  const whole = year.length === 4 ? year : `${Number(year) < 80 ? '20' : '19'}${year}`
  return `${whole}-${month.padStart(2, '0')}-${day.padStart(2, '0')}`
}

/** The day in India of a time that is written in UTC (`2026-05-04 19:10:00`). */
export function dayOfUtc(column: string, text: string): IsoDate | null {
  const trimmed = text.trim()
  const [, day, time] = /^(\d{4}-\d{2}-\d{2})[ T](\d{2}:\d{2}(?::\d{2})?)Z?$/.exec(trimmed) ?? []
  if (day === undefined) {
    return cellDay(column, trimmed)
  }
  const instant = new Date(`${day}T${time}Z`)
  if (Number.isNaN(instant.getTime()) || !isIsoDate(day)) {
    throw new BadCell(column, `${quoted(trimmed)} is no time`)
  }
  return indianDate(instant)
}
