/** How the statements of large Indian banks name their columns: data, matched by name alone. */
import type { DayOrder } from './cells.ts'
import { plainName } from './named.ts'

export const BANK_COLUMNS = [
  'booked_on',
  'value_on',
  'narration',
  'reference',
  'debit',
  'credit',
  'amount',
  'mark',
  'balance',
] as const

export type BankColumn = (typeof BANK_COLUMNS)[number]

/** Which header stands for which column; of several names the first that is there. */
export type BankHeaders = Partial<Readonly<Record<BankColumn, readonly string[]>>>

export interface BankLayout {
  name: string
  headers: BankHeaders
  days: DayOrder
}

/** Each is recognised by its whole set of names, in this order. */
export const BANK_LAYOUTS: readonly BankLayout[] = [
  {
    name: 'hdfc',
    headers: {
      booked_on: ['Date'],
      narration: ['Narration'],
      reference: ['Chq./Ref.No.', 'Chq/Ref Number'],
      value_on: ['Value Dt', 'Value Date'],
      debit: ['Withdrawal Amt.', 'Debit Amount'],
      credit: ['Deposit Amt.', 'Credit Amount'],
      balance: ['Closing Balance'],
    },
    days: 'dmy',
  },
  {
    name: 'icici',
    headers: {
      booked_on: ['Transaction Date', 'Txn Posted Date'],
      value_on: ['Value Date'],
      reference: ['Cheque Number', 'Cheque. No./Ref. No.'],
      narration: ['Transaction Remarks', 'Description'],
      debit: ['Withdrawal Amount (INR )', 'Withdrawal Amt (INR)'],
      credit: ['Deposit Amount (INR )', 'Deposit Amt (INR)'],
      balance: ['Balance (INR )', 'Available Balance (INR)'],
    },
    days: 'dmy',
  },
  {
    name: 'sbi',
    headers: {
      booked_on: ['Txn Date'],
      value_on: ['Value Date'],
      narration: ['Description'],
      reference: ['Ref No./Cheque No.'],
      debit: ['Debit'],
      credit: ['Credit'],
      balance: ['Balance'],
    },
    days: 'dmy',
  },
  {
    name: 'axis',
    headers: {
      booked_on: ['Tran Date'],
      reference: ['CHQNO'],
      narration: ['PARTICULARS'],
      debit: ['DR'],
      credit: ['CR'],
      balance: ['BAL'],
    },
    days: 'dmy',
  },
]

/** Where the columns are in a row of names; null where it is not this layout's. */
export function placesIn(
  names: readonly string[],
  headers: BankHeaders,
): Map<BankColumn, number> | null {
  const there = names.map(plainName)
  const places = new Map<BankColumn, number>()
  for (const column of BANK_COLUMNS) {
    const wanted = headers[column] ?? []
    const place = there.findIndex((name) => wanted.some((one) => plainName(one) === name))
    if (place !== -1) {
      places.set(column, place)
    }
  }
  const has = (column: BankColumn) => places.has(column)
  const hasAmount = has('amount') || (has('debit') && has('credit'))
  const isComplete = has('booked_on') && has('narration') && hasAmount
  return isComplete ? places : null
}
