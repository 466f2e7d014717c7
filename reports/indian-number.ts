/** Amounts in figures as India writes them: lakh and crore groups, the ₹, two decimals. */
import { formatDecimal } from '../src/base/money.ts'

/** Groups plain digits the Indian way, three and then twos: "12345678" is "1,23,45,678". */
export function groupIndian(digits: string): string {
  const thousands = digits.slice(0, -3).replace(/\B(?=(\d{2})+$)/g, ',')
  return thousands === '' ? digits : `${thousands},${digits.slice(-3)}`
}

/** Paise as "₹1,23,456.78", exact at any size; a negative amount has its sign in front of the ₹. */
export function formatRupees(paise: bigint): string {
  const [whole = '', fraction = ''] = formatDecimal(paise < 0n ? -paise : paise, 'INR').split('.')
  return `${paise < 0n ? '-' : ''}₹${groupIndian(whole)}.${fraction}`
}
