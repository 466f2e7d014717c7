/** What can become of a payment between our books and a gateway's settlement, with its truth. */
import type { Random } from '../simulate/random.ts'
import { amountOf, digits, externalIdOf, idOf, refundIdOf } from './ids.ts'

export const GATEWAYS = ['razorpay', 'payu', 'stripe'] as const

export type CorpusGateway = (typeof GATEWAYS)[number]

/** Each kind of life and how often it comes, in 10,000. */
export const LIVES = {
  agrees: 8700,
  refunded: 300,
  by_order: 80,
  unique: 60,
  split: 60,
  fee_variance: 60,
  tax_variance: 60,
  fee_missing: 60,
  amount_over: 60,
  amount_under: 60,
  currency_mismatch: 40,
  duplicate_external: 60,
  repeated_line: 40,
  duplicate_internal: 40,
  status_mismatch: 50,
  reference_mismatch: 50,
  direction_mismatch: 40,
  split_incomplete: 40,
  split_mismatch: 40,
  ambiguous: 40,
  missing_external: 60,
  missing_internal: 60,
  adjustment: 20,
  unknown_line: 20,
  timing: 80,
  parse_error: 20,
} as const

export type LifeKind = keyof typeof LIVES

/** A payment or refund in our books. Minor units. */
export interface BookRecord {
  recordId: string
  kind: 'payment' | 'refund'
  gateway: CorpusGateway
  externalId: string
  paymentRef: string
  orderRef: string
  state: 'captured' | 'failed'
  amount: bigint
  fee: bigint | null
  tax: bigint | null
  on: string
  /** Whether its donation is paid by another payment. */
  paidBy: string | null
  /** What a run has to find of it: the kinds of its breaks; empty where a line tells of it. */
  expected: string
}

/** A line of a settlement as the gateway will write it. Minor units. */
export interface BookLine {
  gateway: CorpusGateway
  kind: 'payment' | 'refund' | 'adjustment' | 'other'
  externalId: string | null
  paymentRef: string
  orderRef: string | null
  amount: bigint
  fee: bigint | null
  tax: bigint | null
  net: bigint
  currency: string
  on: string
  settledOn: string
  isUnreadable: boolean
  /** Tells lines of one payment apart; those of one number are one line, told twice. */
  lineNo: number
  /** `match <record>`, with the kind of a break that comes with it; or the kind of the break. */
  expected: string
}

export interface Lived {
  records: BookRecord[]
  lines: BookLine[]
}
/** Not every gateway's report can say everything: only PayU's may leave the payment out. */
const ONLY_AT: Partial<Readonly<Record<LifeKind, CorpusGateway>>> = {
  by_order: 'payu',
  unique: 'payu',
  ambiguous: 'payu',
  direction_mismatch: 'razorpay',
}

/** The day that the runs are for; payments lie in the month before. */
export const AS_OF = '2026-07-15'
const FIRST_DAY = Date.parse('2026-06-01T00:00:00Z')
const DAYS = 24
const DAY_MS = 86_400_000
const dayAt = (n: number) => new Date(FIRST_DAY + n * DAY_MS).toISOString().slice(0, 10)

/** One life; `n` makes its ids and, where it has to be the only one of its kind, its amount. */
export function live(kind: LifeKind, n: number, random: Random): Lived {
  const gateway = ONLY_AT[kind] ?? GATEWAYS[n % GATEWAYS.length] ?? 'razorpay'
  const day = random.below(DAYS)
  const [on, settledOn] = [dayAt(day), dayAt(day + 2)]
  const amount = amountOf(kind, n, random)
  const fee = (amount * 236n) / 10_000n
  const tax = (fee * 18n) / 118n
  const payment: BookRecord = {
    recordId: idOf('pmt', n),
    kind: 'payment',
    gateway,
    externalId: externalIdOf(gateway, n),
    paymentRef: externalIdOf(gateway, n),
    orderRef: `order_${digits(n)}`,
    state: 'captured',
    amount,
    fee,
    tax,
    on,
    paidBy: null,
    expected: '',
  }
  const line: BookLine = {
    gateway,
    kind: 'payment',
    externalId: payment.externalId,
    paymentRef: payment.externalId,
    orderRef: payment.orderRef,
    amount,
    fee,
    tax,
    net: amount - fee,
    currency: 'INR',
    on,
    settledOn,
    isUnreadable: false,
    lineNo: 0,
    expected: `match ${payment.recordId}`,
  }
  return lived(kind, n, { payment, line })
}

function lived(kind: LifeKind, n: number, { payment, line }: Pair): Lived {
  const one = (record: Partial<BookRecord>, told: Partial<BookLine>): Lived => ({
    records: [{ ...payment, ...record }],
    lines: [{ ...line, ...told }],
  })
  switch (kind) {
    case 'agrees':
      return one({}, {})
    case 'refunded':
      return refunded(n, { payment, line })
    case 'by_order':
      return one({}, { externalId: null })
    case 'unique':
      return one({}, { externalId: null, orderRef: null })
    case 'fee_variance':
      return charged({ payment, line }, kind, { fee: (line.fee ?? 0n) + 100n })
    case 'tax_variance':
      return charged({ payment, line }, kind, { tax: (line.tax ?? 0n) + 7n })
    case 'fee_missing':
      return one({ fee: null, tax: null }, { expected: `${line.expected} ${kind}` })
    case 'amount_over':
    case 'amount_under': {
      const amount = line.amount + (kind === 'amount_over' ? 137n : -137n)
      return one({}, { amount, net: amount - (line.fee ?? 0n), expected: kind })
    }
    case 'currency_mismatch':
      return one({}, { currency: 'USD', expected: kind })
    case 'direction_mismatch':
      return one({}, { net: -line.net, expected: kind })
    case 'status_mismatch':
      return one({ state: 'failed' }, { expected: kind })
    case 'reference_mismatch':
      return one(
        { expected: 'missing_external' },
        { externalId: externalIdOf(line.gateway, n, '9'), expected: kind },
      )
    case 'duplicate_external':
    case 'repeated_line':
      return twice(kind, { payment, line })
    case 'duplicate_internal':
      return paidTwice(n, { payment, line })
    case 'split':
    case 'split_incomplete':
    case 'split_mismatch':
      return inParts(kind, { payment, line })
    case 'ambiguous':
      return ambiguous(n, { payment, line })
    case 'missing_external':
      return { records: [{ ...payment, expected: kind }], lines: [] }
    case 'timing':
      return { records: [{ ...payment, on: AS_OF, expected: kind }], lines: [] }
    case 'missing_internal':
      return { records: [], lines: [{ ...line, orderRef: null, expected: kind }] }
    case 'adjustment':
      return { records: [], lines: [{ ...line, kind, expected: 'missing_internal' }] }
    case 'unknown_line':
      return { records: [], lines: [{ ...line, kind: 'other', expected: kind }] }
    case 'parse_error':
      return one({ expected: 'missing_external' }, { isUnreadable: true, expected: kind })
    default:
      return kind satisfies never
  }
}

interface Pair {
  payment: BookRecord
  line: BookLine
}

function charged({ payment, line }: Pair, kind: LifeKind, told: Partial<BookLine>): Lived {
  const fee = told.fee ?? line.fee ?? 0n
  const expected = `${line.expected} ${kind}`
  const whole = { ...line, ...told, net: line.amount - fee, expected }
  return { records: [payment], lines: [whole] }
}

function refunded(n: number, { payment, line }: Pair): Lived {
  const amount = payment.amount / 2n
  const refund: BookRecord = {
    ...payment,
    recordId: idOf('rfd', n),
    kind: 'refund',
    externalId: refundIdOf(payment.gateway, n),
    amount,
    fee: null,
    tax: null,
  }
  const told: BookLine = {
    ...line,
    kind: 'refund',
    externalId: refund.externalId,
    amount,
    fee: 0n,
    tax: 0n,
    net: -amount,
    lineNo: 1,
    expected: `match ${refund.recordId}`,
  }
  return { records: [payment, refund], lines: [line, told] }
}

function twice(kind: LifeKind, { payment, line }: Pair): Lived {
  const again = { ...line, expected: 'duplicate_external' }
  if (kind === 'duplicate_external') {
    again.lineNo = 1
    again.settledOn = new Date(Date.parse(line.settledOn) + DAY_MS).toISOString().slice(0, 10)
  }
  return { records: [payment], lines: [line, again] }
}

function paidTwice(n: number, { payment, line }: Pair): Lived {
  const second: BookRecord = {
    ...payment,
    recordId: idOf('pmt', n, 'z'),
    externalId: externalIdOf(payment.gateway, n, '8'),
    paidBy: payment.recordId,
    expected: 'duplicate_internal',
  }
  return { records: [payment, second], lines: [line] }
}

function inParts(kind: LifeKind, { payment, line }: Pair): Lived {
  const first = payment.amount / 3n
  const off = kind === 'split' ? 0n : kind === 'split_incomplete' ? -211n : 211n
  const second = payment.amount - first + off
  const expected = kind === 'split' ? line.expected : 'held'
  // The gateway takes its charge of the first part.
  const part = (amount: bigint, later: number): BookLine => ({
    ...line,
    amount,
    fee: later === 0 ? line.fee : 0n,
    tax: later === 0 ? line.tax : 0n,
    net: amount - (later === 0 ? (line.fee ?? 0n) : 0n),
    lineNo: later,
    settledOn: new Date(Date.parse(line.settledOn) + later * DAY_MS).toISOString().slice(0, 10),
    expected,
  })
  return {
    records: [{ ...payment, expected: kind === 'split' ? '' : kind }],
    lines: [part(first, 0), part(second, 1)],
  }
}

function ambiguous(n: number, { payment, line }: Pair): Lived {
  const expected = 'missing_external'
  const twin: BookRecord = {
    ...payment,
    recordId: idOf('pmt', n, 'z'),
    externalId: externalIdOf(payment.gateway, n, '8'),
    orderRef: `order_${digits(n)}b`,
    expected,
  }
  return {
    records: [{ ...payment, expected }, twin],
    lines: [{ ...line, externalId: null, orderRef: null, expected: 'ambiguous' }],
  }
}
