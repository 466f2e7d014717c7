/** Money that comes past the gateways: what is asked to be recorded, and what tells it apart. */
import { financialYear, type IsoDate } from '../base/clock.ts'
import { sha256 } from '../base/crypto.ts'
import type { Nature } from '../donations/checkout.ts'
import type { NewDonor } from '../donations/donors.ts'
import type { AccountCode } from '../ledger/core/chart.ts'

export const CHANNELS = ['cash', 'cheque', 'bank_transfer', 'upi'] as const

export type Channel = (typeof CHANNELS)[number]

/**
 * received: a cheque in hand. realised: the money is there, which of all others is so at once.
 * bounced: a cheque came back before it was credited; returned: after it.
 */
export const OFFLINE_STATES = ['received', 'realised', 'bounced', 'returned'] as const

export type OfflineState = (typeof OFFLINE_STATES)[number]

export interface AskedPayment {
  channel: Channel
  /** Paise. */
  amount: bigint
  /** The day on which the money, or the cheque, came. */
  receivedOn: IsoDate
  fund: string
  nature: Nature
  corpusDirection: string | null
  purpose: string | null
  /** False for a foreign citizen, whose gift is a foreign contribution (FCRA). */
  indianCitizen: boolean
  /** Somebody known by his id, or somebody new. */
  donor: string | NewDonor
  /** A voucher's number, a cheque's, a UTR or an RRN; null for cash without a voucher. */
  reference: string | null
  /** The date that is written on a cheque. */
  chequeDate: IsoDate | null
  /** The bank that a cheque is drawn on, or that a transfer came from. */
  ifsc: string | null
  bank: string | null
  /** Where the money went; null for the usual account, and for a cheque, which has none yet. */
  account: AccountCode | null
}

export const CASH: AccountCode = 'assets:cash'
export const BANK: AccountCode = 'assets:bank:main'

/** Where the money is after the payment was recorded; null for a cheque. */
export function accountOf({ channel, account }: AskedPayment): AccountCode | null {
  switch (channel) {
    case 'cheque':
      return null
    case 'cash':
      return account ?? CASH
    case 'bank_transfer':
    case 'upi':
      return account ?? BANK
    default:
      return channel satisfies never
  }
}

/**
 * What tells a payment from all others, whoever enters it and how often. A transfer's reference is
 * the same whether it is taken for UPI or for IMPS. A cheque's number is unique only among those
 * of one account, so that bank and amount belong to it; voucher numbers begin anew each year. Cash
 * without a voucher is told apart by `otherwise`, null where there is nothing of the kind.
 */
export function naturalKeyOf(asked: AskedPayment, otherwise: string | null): string | null {
  const key = keyOf(asked, otherwise)
  return key === null ? null : fitting(asked.channel, key)
}

/** The key of a cheque that came back on that day and is presented again. */
export function keyPresentedAgain(naturalKey: string, cameBackOn: IsoDate): string {
  return fitting('cheque', `${naturalKey}:again:${cameBackOn}`)
}

function fitting(channel: Channel, key: string): string {
  return key.length <= KEY_LENGTH_MAX ? key : `${channel}:long:${sha256(key).toString('hex')}`
}

/** What the table takes; a name may be eighteen times as long in the form that is compared. */
const KEY_LENGTH_MAX = 150

function keyOf(asked: AskedPayment, otherwise: string | null): string | null {
  const { channel, reference, amount, ifsc, bank } = asked
  switch (channel) {
    case 'bank_transfer':
    case 'upi':
      return `transfer:${reference}`
    case 'cheque':
      return `cheque:${reference}:${ifsc ?? sameName(bank ?? '')}:${amount}`
    case 'cash':
      if (reference !== null) {
        return `cash:${financialYear(asked.receivedOn)}:${sameName(reference)}`
      }
      return otherwise === null ? null : `cash:key:${sha256(otherwise).toString('hex')}`
    default:
      return channel satisfies never
  }
}

/** As finance would name it. */
export function titleOf({ channel, reference }: Pick<AskedPayment, 'channel' | 'reference'>) {
  switch (channel) {
    case 'bank_transfer':
      return `bank transfer ${reference}`
    case 'upi':
      return `UPI ${reference}`
    case 'cheque':
      return `cheque ${reference}`
    case 'cash':
      return reference === null ? 'cash' : `cash, voucher ${reference}`
    default:
      return channel satisfies never
  }
}

/** A name as it is compared: capitals and spaces do not matter. */
export function sameName(name: string): string {
  return name.normalize('NFKC').toLowerCase().replaceAll(/\s+/g, ' ').trim()
}

/**
 * The last day on which a bank takes a cheque: three months from its date (RBI,
 * DBOD.AML BC.No.47/14.01.001/2011-12 of 4 November 2011, in force since 1 April 2012).
 */
export function lastDayOfCheque(written: IsoDate): IsoDate {
  const [year = 0, month = 1, day = 1] = written.split('-').map(Number)
  const lastOfMonth = new Date(Date.UTC(year, month + 3, 0)).getUTCDate()
  return new Date(Date.UTC(year, month + 2, Math.min(day, lastOfMonth))).toISOString().slice(0, 10)
}

/** The instant at which a day begins in India: a day is all that finance says of the time. */
export function startOf(day: IsoDate): Date {
  return new Date(`${day}T00:00:00+05:30`)
}
