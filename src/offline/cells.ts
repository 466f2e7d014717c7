/** What people write into cells: amounts as India groups them, days, ways of paying. */
import { fromIndianTime, type IsoDate } from '../base/clock.ts'
import { parseDecimal } from '../base/money.ts'
import type { Channel } from './payment.ts'

/** In the order of the groups: none, India's (1,00,000), the world's (100,000). */
const AMOUNT =
  /^(?:₹|rs\.?|inr)?\s*(\d{1,15}|\d{1,2}(?:,\d{2}){1,6},\d{3}|\d{1,3}(?:,\d{3}){1,4})(\.\d{1,2})?$/i

/** `1,00,000.50` in paise; null for what is no amount, a comma for a point among it. */
export function amountIn(text: string): bigint | null {
  const [, whole = '', fraction = ''] = AMOUNT.exec(text) ?? []
  return whole === '' ? null : parseDecimal(whole.replaceAll(',', '') + fraction, 'INR')
}

/** `04/05/2026`, which is 4 May in India, or `2026-05-04`; null for what is no day. */
export function dayIn(text: string): IsoDate | null {
  const [, day = '', month = '', year = ''] =
    /^(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})$/.exec(text) ?? []
  const iso = year === '' ? text : `${year}-${month.padStart(2, '0')}-${day.padStart(2, '0')}`
  return fromIndianTime(`${iso} 00:00:00`) === undefined ? null : iso
}

const CHANNEL_WORDS: Readonly<Record<string, Channel>> = {
  cash: 'cash',
  cheque: 'cheque',
  chq: 'cheque',
  bank_transfer: 'bank_transfer',
  neft: 'bank_transfer',
  rtgs: 'bank_transfer',
  imps: 'bank_transfer',
  upi: 'upi',
}

/** How the money came, in the words that people use; null for other words. */
export function channelIn(text: string): Channel | null {
  return CHANNEL_WORDS[text.toLowerCase().replaceAll(/[\s-]+/g, '_')] ?? null
}

/** A cheque's number with the zeros at its front that spreadsheets take away. */
export function chequeNumberIn(text: string): string {
  return /^\d{1,6}$/.test(text) ? text.padStart(6, '0') : text
}
