/** The bodies of Razorpay's webhooks: synthetic values in the documented shape, as exact text. */
import { minorToJson } from '../../src/base/money.ts'
import type { Life } from './lives.ts'
import { digitsFrom, idFrom, randomFrom, type Random } from './random.ts'
import { disputeEntity, partOf, refundEntity } from './razorpay-after.ts'
import { razorpayText, type JsonObject } from './razorpay-text.ts'

export type RazorpayEventName =
  | 'payment.authorized'
  | 'payment.captured'
  | 'payment.failed'
  | 'order.paid'
  | 'refund.created'
  | 'refund.processed'
  | 'payment.dispute.created'
  | 'payment.dispute.won'
  | 'payment.dispute.lost'

/** One attempt to pay an order. */
export interface RazorpayPayment {
  id: string
  orderId: string
  amount: bigint
  donor: Life['request']['donor']
  fund: string
  /** Which attempt on the order this is, from 1. */
  attempt: number
  /** Unix seconds. */
  createdAt: number
  /** Names the stream of chance, so that all events of the payment carry the same details. */
  stream: string
}

export interface RazorpayEvent {
  name: RazorpayEventName
  account: string
  payment: RazorpayPayment
  /** Unix seconds. */
  createdAt: number
}

const NO_ERROR: JsonObject = {
  error_code: null,
  error_description: null,
  error_source: null,
  error_step: null,
  error_reason: null,
}

const FAILURES: readonly JsonObject[] = [
  failure('payment_timed_out', 'Payment was not completed on time.', 'customer'),
  failure('insufficient_funds', 'The account balance is too low.', 'bank'),
  failure('payment_declined', 'The bank declined the payment / try another one.', 'bank'),
]

/** The body of an event, byte for byte. */
export function razorpayBody(event: RazorpayEvent): string {
  const payment = { entity: razorpayPayment(event.payment, event.name) }
  const others = othersIn(event)
  return razorpayText(`${event.payment.stream}/${event.name}`, {
    entity: 'event',
    account_id: event.account,
    event: event.name,
    contains: ['payment', ...Object.keys(others)],
    payload: { payment, ...others },
    created_at: event.createdAt,
  })
}

/** What stands beside the payment. */
function othersIn({ name, payment, createdAt }: RazorpayEvent): JsonObject {
  switch (name) {
    case 'order.paid':
      return { order: { entity: orderEntity(payment) } }
    case 'refund.created':
    case 'refund.processed':
      return { refund: { entity: refundEntity(payment, name, createdAt) } }
    case 'payment.dispute.created':
    case 'payment.dispute.won':
    case 'payment.dispute.lost':
      return { dispute: { entity: disputeEntity(payment, name, createdAt) } }
    default:
      return {}
  }
}

/** 2 % commission plus 18 % GST on it, each rounded half up; `fee` contains `tax`. Paise. */
export function razorpayFee(amount: bigint): { fee: bigint; tax: bigint } {
  const commission = (amount * 2n + 50n) / 100n
  const tax = (commission * 18n + 50n) / 100n
  return { fee: commission + tax, tax }
}

function statusIn(name: RazorpayEventName): 'authorized' | 'captured' | 'failed' {
  switch (name) {
    case 'payment.authorized':
      return 'authorized'
    case 'payment.failed':
      return 'failed'
    default:
      return 'captured'
  }
}

/** The payment as it stands when that event is made. */
export function razorpayPayment(payment: RazorpayPayment, event: RazorpayEventName): JsonObject {
  const status = statusIn(event)
  const random = randomFrom(payment.stream)
  const charge = razorpayFee(payment.amount)
  const captured = status === 'captured'
  return {
    id: payment.id,
    entity: 'payment',
    amount: minorToJson(payment.amount),
    currency: 'INR',
    base_amount: minorToJson(payment.amount),
    status,
    order_id: payment.orderId,
    invoice_id: null,
    international: false,
    amount_refunded: event.startsWith('refund.') ? minorToJson(partOf(payment.amount)) : 0,
    amount_transferred: 0,
    refund_status: event.startsWith('refund.') ? 'partial' : null,
    captured,
    description: `Donation / ${payment.fund} fund`,
    ...instrument(random, payment),
    email: payment.donor.email,
    contact: payment.donor.phone,
    notes: random.chance(0.4) ? [] : { fund: payment.fund, donor: payment.donor.name },
    fee: captured ? minorToJson(charge.fee) : null,
    tax: captured ? minorToJson(charge.tax) : null,
    ...(status === 'failed' ? random.pick(FAILURES) : NO_ERROR),
    created_at: payment.createdAt,
  }
}

/** What the donor paid with: the fields that differ from method to method. */
function instrument(random: Random, payment: RazorpayPayment): JsonObject {
  const nothing = { card_id: null, bank: null, wallet: null, vpa: null }
  const rrn = digitsFrom(`${payment.stream}/rrn`, 12)
  const method = random.pick(['upi', 'upi', 'upi', 'card', 'netbanking', 'wallet'] as const)
  switch (method) {
    case 'upi': {
      const vpa = `donor${digitsFrom(`${payment.stream}/vpa`, 6)}@okexample`
      const reference = idFrom(`${payment.stream}/upi`).toUpperCase()
      const acquirer = { rrn, upi_transaction_id: reference }
      return { method, ...nothing, vpa, upi: { vpa }, acquirer_data: acquirer }
    }
    case 'card': {
      const card = cardEntity(random, payment)
      const acquirer = { auth_code: random.digits(6), rrn }
      return { method, ...nothing, card_id: card.id, card, acquirer_data: acquirer }
    }
    case 'netbanking': {
      const bank = random.pick(['HDFC', 'SBIN', 'ICIC', 'UTIB'])
      return { method, ...nothing, bank, acquirer_data: { bank_transaction_id: rrn } }
    }
    case 'wallet':
      return { method, ...nothing, wallet: 'mobikwik', acquirer_data: { transaction_id: null } }
  }
}

function cardEntity(random: Random, payment: RazorpayPayment): JsonObject & { id: string } {
  return {
    id: `card_${idFrom(`${payment.stream}/card`)}`,
    entity: 'card',
    name: payment.donor.name,
    last4: random.digits(4),
    network: random.pick(['Visa', 'MasterCard', 'RuPay']),
    type: random.pick(['debit', 'credit']),
    issuer: random.pick(['HDFC', 'SBIN', 'UTIB']),
    international: false,
    emi: false,
    sub_type: 'consumer',
  }
}

function orderEntity(payment: RazorpayPayment): JsonObject {
  return {
    id: payment.orderId,
    entity: 'order',
    amount: minorToJson(payment.amount),
    amount_paid: minorToJson(payment.amount),
    amount_due: 0,
    currency: 'INR',
    receipt: null,
    offer_id: null,
    status: 'paid',
    attempts: payment.attempt,
    notes: [],
    created_at: payment.createdAt - 1,
  }
}

function failure(reason: string, description: string, source: string): JsonObject {
  return {
    error_code: 'BAD_REQUEST_ERROR',
    error_description: description,
    error_source: source,
    error_step: 'payment_authorization',
    error_reason: reason,
  }
}
