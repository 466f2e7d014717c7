/** What happens to payments at Razorpay: paid, captured, given back, contested, settled. */
import { minorToJson } from '../../../../src/base/money.ts'
import { razorpayFee } from '../../razorpay-bodies.ts'
import { Impossible, newId, numberAt, secondsOf, wordAt, type Entity } from '../wire.ts'
import { change, disputeEntity, paymentEntity, refundEntity, type RazorpayBooks } from './books.ts'

const FAILURE = {
  error_code: 'BAD_REQUEST_ERROR',
  error_description: 'Payment was not completed on time.',
  error_source: 'customer',
  error_step: 'payment_authentication',
  error_reason: 'payment_timed_out',
}
const NO_ERROR = Object.fromEntries(Object.keys(FAILURE).map((name) => [name, null]))

/** A donor begins to pay, for an order or without one. Nobody is told. */
export function begin(
  books: RazorpayBooks,
  wanted: {
    order?: string | undefined
    amount?: number | undefined
    currency?: string | undefined
  },
): Entity {
  const order = wanted.order === undefined ? undefined : books.orders.get(wanted.order)
  const amount = wanted.amount ?? (order === undefined ? 0 : numberAt(order, 'amount'))
  if (amount <= 0) {
    throw new Impossible('A payment has an amount, or an order that has one.')
  }
  const currency = wanted.currency ?? (order === undefined ? 'INR' : wordAt(order, 'currency'))
  const id = newId('pay_')
  const payment = { id, amount, currency, orderId: order?.id ?? null, at: books.now() }
  if (order !== undefined) {
    const attempts = numberAt(order, 'attempts') + 1
    const status = order['status'] === 'paid' ? 'paid' : 'attempted'
    change(books.orders, order.id, { attempts, status })
  }
  return books.payments.put(id, paymentEntity(payment))
}

/** The bank says yes; after a failure too, which is a late authorisation. */
export function authorise(books: RazorpayBooks, id: string): Entity {
  expectStatus(books.payments.get(id), ['created', 'failed'])
  const payment = change(books.payments, id, { status: 'authorized', ...NO_ERROR })
  books.emit('payment.authorized', { payment })
  return payment
}

export function fail(books: RazorpayBooks, id: string): Entity {
  expectStatus(books.payments.get(id), ['created', 'failed'])
  const payment = change(books.payments, id, { status: 'failed', ...FAILURE })
  books.emit('payment.failed', { payment })
  return payment
}

/** All of it; two events tell of it where it was for an order. */
export function capture(
  books: RazorpayBooks,
  id: string,
  charge?: { fee: number; tax: number } | null,
): Entity {
  const before = books.payments.get(id)
  expectStatus(before, ['authorized'])
  const usual = razorpayFee(BigInt(numberAt(before, 'amount')))
  const told = charge === null ? { fee: null, tax: null } : charge
  const payment = change(books.payments, id, {
    status: 'captured',
    captured: true,
    ...(told ?? { fee: minorToJson(usual.fee), tax: minorToJson(usual.tax) }),
  })
  books.emit('payment.captured', { payment })
  const order = books.orders.find(wordAt(payment, 'order_id'))
  if (order !== undefined) {
    const amount = numberAt(order, 'amount')
    const paid = { status: 'paid', amount_paid: amount, amount_due: 0 }
    books.emit('order.paid', { payment, order: change(books.orders, order.id, paid) })
  }
  return payment
}

export interface RefundWanted {
  amount?: number | undefined
  speed?: string | undefined
  receipt?: string | null | undefined
  notes?: Entity[string] | undefined
}

/**
 * Begins to give money back; without an amount all that is left. Throws `Impossible` for more than
 * is left. Before the capture it is Razorpay itself that gives the authorised money back.
 */
export function refund(books: RazorpayBooks, paymentId: string, wanted: RefundWanted): Entity {
  const payment = books.payments.get(paymentId)
  expectStatus(payment, ['authorized', 'captured'])
  const refunded = numberAt(payment, 'amount_refunded')
  const left = numberAt(payment, 'amount') - refunded
  const amount = wanted.amount ?? left
  if (left <= 0) {
    throw new Impossible('The payment has been fully refunded already')
  }
  if (amount > left) {
    throw new Impossible('The total refund amount is greater than the refund payment amount')
  }
  const isAll = amount === left
  const after = change(books.payments, paymentId, {
    amount_refunded: refunded + amount,
    refund_status: isAll ? 'full' : 'partial',
    status: isAll ? 'refunded' : wordAt(payment, 'status'),
  })
  const made = refundEntity({
    paymentId,
    amount,
    currency: wordAt(payment, 'currency'),
    speed: wanted.speed ?? 'normal',
    receipt: wanted.receipt ?? null,
    notes: wanted.notes ?? [],
    at: books.now(),
  })
  books.refunds.put(made.id, made)
  // The status of a refunded payment is "captured" in the webhooks of its refunds.
  books.emit('refund.created', { refund: made, payment: shown(after) })
  return made
}

export function finishRefund(
  books: RazorpayBooks,
  id: string,
  status: 'processed' | 'failed',
): Entity {
  const before = books.refunds.get(id)
  const isOpen = before['status'] === 'pending' || status === 'failed'
  if (!isOpen || before['status'] === 'failed') {
    throw new Impossible(`Refund ${id} is ${wordAt(before, 'status')}.`)
  }
  const arn = status === 'processed' ? newId('').toUpperCase() : null
  const refund = change(books.refunds, id, { status, acquirer_data: { arn } })
  let payment = books.payments.get(wordAt(refund, 'payment_id'))
  if (status === 'failed') {
    const amount_refunded = numberAt(payment, 'amount_refunded') - numberAt(refund, 'amount')
    const refund_status = amount_refunded === 0 ? null : 'partial'
    const captured = payment['captured'] === true ? 'captured' : 'authorized'
    const changes = { amount_refunded, refund_status, status: captured }
    payment = change(books.payments, payment.id, changes)
  }
  books.emit(`refund.${status}`, { refund, payment: shown(payment) })
  return refund
}

export function dispute(
  books: RazorpayBooks,
  paymentId: string,
  wanted: { amount?: number | undefined; phase?: string | undefined },
): Entity {
  const payment = books.payments.get(paymentId)
  const amount = wanted.amount ?? numberAt(payment, 'amount')
  if (payment['captured'] !== true || amount > numberAt(payment, 'amount')) {
    throw new Impossible('Only captured money can be contested, and not more of it than there is.')
  }
  const phase = wanted.phase ?? 'chargeback'
  const made = disputeEntity({ payment, amount, phase, at: books.now() })
  books.disputes.put(made.id, made)
  books.emit('payment.dispute.created', { payment: shown(payment), dispute: made })
  return made
}

/** Razorpay takes the money when a dispute is lost, and not before. */
export function decide(
  books: RazorpayBooks,
  id: string,
  status: 'under_review' | 'won' | 'lost' | 'closed',
): Entity {
  const before = books.disputes.get(id)
  if (!['open', 'under_review'].includes(wordAt(before, 'status'))) {
    throw new Impossible(`Dispute ${id} is ${wordAt(before, 'status')}.`)
  }
  const amount_deducted = status === 'lost' ? numberAt(before, 'amount') : 0
  const dispute = change(books.disputes, id, { status, amount_deducted })
  const payment = shown(books.payments.get(wordAt(dispute, 'payment_id')))
  books.emit(`payment.dispute.${status}`, { payment, dispute })
  return dispute
}

/** A fresh `created_at` of the instant is the books' own. */
export function stamp(books: RazorpayBooks): number {
  return secondsOf(books.now())
}

function shown(payment: Entity): Entity {
  const captured = payment['captured'] === true
  return payment['status'] === 'refunded' && captured ? { ...payment, status: 'captured' } : payment
}

function expectStatus(payment: Entity, statuses: readonly string[]): void {
  const status = wordAt(payment, 'status')
  if (!statuses.includes(status)) {
    throw new Impossible(
      status === 'captured'
        ? 'This payment has already been captured'
        : `The payment is ${status}, and not ${statuses.join(' or ')}.`,
    )
  }
}
