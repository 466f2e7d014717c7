/** What a line of a settlement or of a bank statement is, and what makes two of them the same. */
import { hash } from 'node:crypto'
import type { IsoDate } from '../../base/clock.ts'
import { copyText } from './copy.ts'

export const LINE_KINDS = [
  'payment',
  'refund',
  'refund_reversal',
  'transfer',
  'transfer_reversal',
  'dispute',
  'dispute_reversal',
  'adjustment',
  'fee',
  'other',
] as const

export type LineKind = (typeof LINE_KINDS)[number]

/** A line of a settlement as it was read (table settlement_lines); amounts in minor units. */
export interface SettlementLine {
  /** Where it begins in its file, counted from 1. */
  row: number
  /** The gateway's own name of the line; part of what it says, and kept nowhere else. */
  lineId: string
  kind: LineKind
  /** The gateway's word for it where `kind` is `other`. */
  toldKind: string | null
  externalId: string | null
  paymentRef: string | null
  orderRef: string | null
  settlementRef: string | null
  utr: string | null
  amount: bigint
  /** With its tax in it. */
  fee: bigint | null
  tax: bigint | null
  /** What it adds to the settlement; below zero what it takes away. */
  net: bigint
  currency: string
  occurredOn: IsoDate | null
  settledOn: IsoDate | null
}

/** A line of a bank statement as it was read (table bank_lines); what comes in is positive. */
export interface BankLine {
  row: number
  bookedOn: IsoDate
  valueOn: IsoDate | null
  amount: bigint
  currency: string
  balanceAfter: bigint | null
  reference: string | null
  narration: string
}

/** Whose settlement lines they are. */
export interface SettlementOwner {
  gateway: string
  account: string
}

export const REFERENCE_MAX = 100
export const NARRATION_MAX = 2000
const TOKEN_MIN = 6

const NORMAL = /^[A-Z0-9]+$/
const DIGITS = /^\d+$/

/**
 * A bank's reference in the one form in which two are compared: upper case, letters and digits
 * only, and no zeros in front where it is digits only. Null where nothing is left.
 */
export function normalReference(text: string): string | null {
  const plain = NORMAL.test(text) ? text : text.toUpperCase().replaceAll(/[^A-Z0-9]+/g, '')
  const bare = plain.startsWith('0') && DIGITS.test(plain) ? plain.replace(/^0+/, '') : plain
  return bare === '' ? null : bare
}

/** What in the texts of a bank line may be a UTR or an id: normalised, each once. */
export function tokensOf(line: Pick<BankLine, 'reference' | 'narration'>): string[] {
  const tokens = new Set<string>()
  for (const [word] of `${line.reference ?? ''} ${line.narration}`.matchAll(/[A-Za-z0-9]+/g)) {
    const token = word.length < TOKEN_MIN || !/\d/.test(word) ? null : normalReference(word)
    if (token !== null && token.length >= TOKEN_MIN) {
      tokens.add(token)
    }
  }
  return [...tokens]
}

/**
 * All that a settlement line says as the columns of settlement_lines from `gateway` on, in the form
 * that COPY reads; `owner` is the first of them (`ownerText`).
 */
export function settlementText(owner: string, line: SettlementLine): string {
  return (
    `${owner}\t${line.kind}\t${textOr(line.toldKind)}\t${textOr(line.externalId)}\t` +
    `${textOr(line.paymentRef)}\t${textOr(line.orderRef)}\t${textOr(line.settlementRef)}\t` +
    `${line.utr ?? NULL}\t${line.amount}\t${line.fee ?? NULL}\t${line.tax ?? NULL}\t${line.net}\t` +
    `${line.currency}\t${line.occurredOn ?? NULL}\t${line.settledOn ?? NULL}`
  )
}

export function ownerText({ gateway, account }: SettlementOwner): string {
  return `${gateway}\t${copyText(account)}`
}

/** The same of a bank line, from `ledger_account` on and without the tokens, which say nothing. */
export function bankText(ledgerAccount: string, line: BankLine): string {
  const { bookedOn, valueOn, amount, currency, balanceAfter, reference, narration } = line
  return (
    `${copyText(ledgerAccount)}\t${bookedOn}\t${valueOn ?? NULL}\t${amount}\t${currency}\t` +
    `${balanceAfter ?? NULL}\t${textOr(reference)}\t${copyText(narration)}`
  )
}

/** 16 bytes of a SHA-256, in hex, over the texts above: the key by which a line is known again. */
export function keyOf(said: string, lineId = ''): string {
  return hash('sha256', lineId === '' ? said : `${said}\t${lineId}`, 'hex').slice(0, 32)
}

const NULL = '\\N'

function textOr(text: string | null): string {
  return text === null ? NULL : copyText(text)
}
