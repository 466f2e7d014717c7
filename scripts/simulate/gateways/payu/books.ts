/** PayU's books in memory: payments by txnid and mihpayid, requests about them, settlements. */
import { z } from 'zod'
import { createShelf, type Shelf } from '../shelf.ts'
import { Impossible, type Tell } from '../wire.ts'

const decimal = z.string().regex(/^\d+(\.\d+)?$/)

/** What may be told of a payment; further fields are kept and given back. */
export const PaymentShape = z
  .object({
    key: z.string().min(1).max(100),
    salt: z.string().min(1).max(500).optional(),
    mihpayid: z.string().min(1).max(64),
    amount: decimal,
    status: z.enum(['success', 'failure', 'pending']),
    unmappedstatus: z.string().min(1).max(50),
    mode: z.string().max(50).optional(),
    net_amount_debit: decimal.optional(),
  })
  .catchall(z.string())

export interface KnownPayment {
  txnid: string
  key: string
  mihpayid: string
  amount: string
  status: 'success' | 'failure' | 'pending'
  unmappedstatus: string
  [further: string]: string | undefined
}

/** A capture, refund or cancellation of a payment. */
export interface Request {
  requestId: string
  mihpayid: string
  action: 'capture' | 'refund' | 'cancel' | 'chargeback' | 'chargeback reversal'
  /** Paise. */
  amount: bigint
  token: string
  status: 'queued' | 'success' | 'failure'
  bankRef: string | null
  arn: string | null
  at: Date
  settlementId: string | null
}

export interface Settlement {
  id: string
  at: Date
  /** Paise; below zero for nothing: only what is above it is settled. */
  amount: bigint
  utr: string
  requests: Request[]
}

export interface PayuBooks {
  /** The newest attempt of each order. */
  orders: Shelf<KnownPayment>
  payments: Shelf<KnownPayment>
  requests: Shelf<Request>
  settlements: Shelf<Settlement>
  /** Request ids by the token that asked for them: a token is taken once. */
  tokens: Shelf<string>
  /** Of each merchant key; before the first is known only the shape of a hash counts. */
  salts: Map<string, string>
  finishes: { refunds: boolean; captures: boolean }
  /** The merchant key and the salt of the configured webhook endpoint. */
  merchant(): { key: string; salt: string }
  now(): Date
  tell: Tell
  /** Keeps what it is told of an order; throws ZodError for what is no payment. */
  record(txnid: string, payment: unknown): KnownPayment
}

export interface PayuBooksOptions {
  limit: number
  merchant(): { key: string; salt: string }
  now(): Date
  tell: Tell
}

const SALTS_MAX = 1000

export function createPayuBooks(options: PayuBooksOptions): PayuBooks {
  const { limit, now, merchant, tell } = options
  const books: PayuBooks = {
    orders: createShelf('order', limit),
    payments: createShelf('payment', limit),
    requests: createShelf('request', limit * 2),
    settlements: createShelf('settlement', limit),
    tokens: createShelf('token', limit * 2),
    salts: new Map(),
    finishes: { refunds: true, captures: true },
    merchant,
    now,
    tell,
    record(txnid, told) {
      const payment: KnownPayment = { ...PaymentShape.parse(told), txnid }
      books.payments.put(payment.mihpayid, payment)
      const { key, salt } = payment
      if (salt !== undefined && (books.salts.size < SALTS_MAX || books.salts.has(key))) {
        books.salts.set(key, salt)
      }
      if (payment.unmappedstatus === 'captured') {
        captured(payment)
      }
      return books.orders.put(txnid, payment)
    },
  }

  /** The capture is a request of its own, from which the settlement is made. */
  function captured({ mihpayid, amount }: KnownPayment): void {
    const requestId = `9${mihpayid.slice(-11)}`
    if (books.requests.find(requestId) === undefined) {
      books.requests.put(requestId, {
        requestId,
        mihpayid,
        action: 'capture',
        amount: paiseOf(amount),
        token: '',
        status: 'success',
        bankRef: null,
        arn: null,
        at: now(),
        settlementId: null,
      })
    }
  }
  return books
}

/** Paise of a decimal text. */
export function paiseOf(text: string): bigint {
  const match = /^(\d{1,13})(?:\.(\d{1,2})0*)?$/.exec(text)
  if (match === null) {
    throw new Impossible(`${text} is no amount.`)
  }
  return BigInt(match[1] ?? '') * 100n + BigInt((match[2] ?? '').padEnd(2, '0'))
}
