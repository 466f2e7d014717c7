/**
 * Patterns of the contract, without anchors. Readers in other languages have them too, so that none
 * looks ahead or behind, refers back, or names a class of Unicode.
 */

/** Narrower than the rules of account codes, which are too long for a pattern. */
export const TYPES_OF_CODES = '(assets|liabilities|equity|income|expenses)'
export const CODE_PATTERN = `${TYPES_OF_CODES}:[a-z0-9-]{1,50}(:[a-z0-9_-]{1,50}){0,2}`

/** 0001 to 9999. */
const YEAR = String.raw`(\d{3}[1-9]|\d{2}[1-9]\d|\d[1-9]\d{2}|[1-9]\d{3})`

export const MONTH_PATTERN = `${YEAR}-(0[1-9]|1[0-2])`

const DAY_OF_YEAR =
  '((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|' +
  '02-(0[1-9]|1[0-9]|2[0-8]))'
const BY_FOUR = '(0[48]|[2468][048]|[13579][26])'

/** A day of the calendar, leap days only where they are. */
export const DAY_PATTERN = `(${YEAR}-${DAY_OF_YEAR}|([0-9]{2}${BY_FOUR}|${BY_FOUR}00)-02-29)`

const FROM_1990 = '(199[0-9]|20[0-9]{2})'
const LEAP_FROM_1990 = `(199[26]|20(00|${BY_FOUR}))`

/** A day that money may be booked on; how far ahead of today is no pattern's to say. */
export const BOOKING_DAY_PATTERN = `(${FROM_1990}-${DAY_OF_YEAR}|${LEAP_FROM_1990}-02-29)`

/** A financial year of this century: 2027-28, 2099-00. */
export const FINANCIAL_YEAR_PATTERN = `20(${Array.from({ length: 100 }, (_none, year) =>
  [year, (year + 1) % 100].map((one) => String(one).padStart(2, '0')).join('-'),
).join('|')})`
