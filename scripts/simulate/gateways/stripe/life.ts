/** What happens to payments at Stripe: paid, captured, given back, contested, paid out. */
import { Impossible, numberAt, secondsOf, wordAt, type Entity, type Json } from '../wire.ts'
import type { StripeBooks } from './books.ts'
import { chargeObject, disputeObject, movementObject, payoutObject } from './objects.ts'
import { refundObject, usualCharge, type Movement } from './objects.ts'

type Moved = Omit<Movement, 'at' | 'currency'>

/** A movement on the balance in the currency of what it is about. */
function moved(books: StripeBooks, of: Entity, movement: Moved): Entity {
  const currency = wordAt(of, 'currency')
  return books.keep(movementObject({ ...movement, currency, at: secondsOf(books.now()) }))
}

/** A charge of an intent: authorised, and captured where that is not left to us. */
export function succeed(
  books: StripeBooks,
  intent: Entity,
  charged: { fee: number; tax: number } | undefined,
): Entity {
  if (wordAt(intent, 'status') === 'succeeded') {
    throw new Impossible(`PaymentIntent ${intent.id} has already succeeded.`)
  }
  const charge = books.keep(chargeObject(intent, secondsOf(books.now())))
  const isManual = intent['capture_method'] === 'manual'
  if (!isManual) {
    const made = settleCharge(books, charge, charged)
    const after = paidIntent(books, intent, made)
    books.emit('charge.succeeded', made)
    books.emit('payment_intent.succeeded', after)
    return made
  }
  const capturable = { latest_charge: charge.id, amount_capturable: numberAt(intent, 'amount') }
  const waiting = books.change(intent, { ...capturable, status: 'requires_capture' })
  books.emit('charge.succeeded', charge)
  books.emit('payment_intent.amount_capturable_updated', waiting)
  return charge
}

function settleCharge(
  books: StripeBooks,
  charge: Entity,
  charged: { fee: number; tax: number } | undefined,
): Entity {
  const amount = numberAt(charge, 'amount')
  const { fee, tax } = charged ?? usualCharge(amount)
  const movement = { type: 'charge', category: 'charge', source: charge.id } as const
  const txn = moved(books, charge, { ...movement, amount, fee, tax })
  const captured = { amount_captured: amount, balance_transaction: txn.id, captured: true }
  return books.change(charge, captured)
}

function paidIntent(books: StripeBooks, intent: Entity, charge: Entity): Entity {
  const amount_received = numberAt(charge, 'amount_captured')
  const changes = { amount_received, amount_capturable: 0, latest_charge: charge.id }
  return books.change(intent, { ...changes, status: 'succeeded', last_payment_error: null })
}

/** An attempt that the bank refused; the intent may be paid by another one. */
export function decline(books: StripeBooks, intent: Entity): Entity {
  const failure = { failure_code: 'card_declined', failure_message: 'Your card was declined.' }
  const made = chargeObject(intent, secondsOf(books.now()))
  const charge = books.keep({ ...made, ...failure, paid: false, status: 'failed' })
  const last_payment_error = { charge: charge.id, code: 'card_declined', type: 'card_error' }
  const after = books.change(intent, { latest_charge: charge.id, last_payment_error })
  books.emit('charge.failed', charge)
  books.emit('payment_intent.payment_failed', after)
  return charge
}

/** All that was authorised. */
export function capture(books: StripeBooks, charge: Entity, amount: number | null): Entity {
  if (charge['captured'] === true) {
    throw new Impossible(`Charge ${charge.id} has already been captured.`)
  }
  if (charge['status'] !== 'succeeded' || (amount ?? 0) > numberAt(charge, 'amount')) {
    throw new Impossible(`Charge ${charge.id} cannot be captured for that amount.`)
  }
  const made = settleCharge(books, charge, undefined)
  const intent = books.find(wordAt(charge, 'payment_intent'))
  books.emit('charge.captured', made)
  if (intent !== undefined) {
    books.emit('payment_intent.succeeded', paidIntent(books, intent, made))
  }
  return made
}

export interface RefundWanted {
  amount?: number | undefined
  metadata: Record<string, Json>
  reason?: string | undefined
}

/** The balance loses the money at once; only an authorisation is let go without. */
export function refund(books: StripeBooks, charge: Entity, wanted: RefundWanted): Entity {
  const left = numberAt(charge, 'amount') - numberAt(charge, 'amount_refunded')
  const amount = wanted.amount ?? left
  if (left <= 0) {
    throw new Impossible(`Charge ${charge.id} has already been refunded.`)
  }
  if (charge['status'] !== 'succeeded' || amount > left) {
    throw new Impossible(
      `Refund amount (${amount}) is greater than unrefunded amount on charge (${left})`,
    )
  }
  const at = secondsOf(books.now())
  const { metadata, reason = null } = wanted
  const made = books.keep(refundObject({ charge, amount, metadata, reason, at }))
  const movement = { type: 'refund', category: 'refund', source: made.id } as const
  const txn =
    charge['captured'] === true
      ? moved(books, charge, { ...movement, amount: -amount, fee: 0, tax: 0 }).id
      : null
  const status = books.finishes.refunds ? 'succeeded' : 'pending'
  const after = books.change(made, { balance_transaction: txn, status })
  const amount_refunded = numberAt(charge, 'amount_refunded') + amount
  const refunded = { amount_refunded, refunded: amount === left }
  books.emit('refund.created', after)
  books.emit('charge.refunded', books.change(charge, refunded))
  return after
}

export function finishRefund(
  books: StripeBooks,
  id: string,
  status: 'succeeded' | 'failed',
): Entity {
  const before = books.shelves.refunds.get(id)
  const isOpen = before['status'] === 'pending'
  if (!isOpen && !(before['status'] === 'succeeded' && status === 'failed')) {
    throw new Impossible(`Refund ${id} is ${wordAt(before, 'status')}.`)
  }
  if (status === 'succeeded') {
    const card = { reference: '74000000000000000000001', reference_status: 'available' }
    const destination_details = { type: 'card', card: { ...card, type: 'refund' } }
    const after = books.change(before, { status, destination_details })
    books.emit('refund.updated', after)
    return after
  }
  const amount = numberAt(before, 'amount')
  const movement = { type: 'refund_failure', category: 'refund_failure', source: id } as const
  const back = moved(books, before, { ...movement, amount, fee: 0, tax: 0 })
  const failed = {
    failure_balance_transaction: back.id,
    failure_reason: 'expired_or_canceled_card',
  }
  const after = books.change(before, { ...failed, status })
  const charge = books.shelves.charges.get(wordAt(before, 'charge'))
  const amount_refunded = numberAt(charge, 'amount_refunded') - amount
  books.change(charge, { amount_refunded, refunded: false })
  books.emit('refund.failed', after)
  books.emit('charge.refund.updated', after)
  return after
}

const DISPUTE_FEE = 1500

/** Stripe takes the money and a fee when a dispute begins. */
export function dispute(books: StripeBooks, charge: Entity, wanted: number | undefined): Entity {
  const amount = wanted ?? numberAt(charge, 'amount')
  if (charge['captured'] !== true || amount > numberAt(charge, 'amount')) {
    throw new Impossible('Only captured money can be contested, and not more of it than there is.')
  }
  const made = disputeObject(charge, amount, secondsOf(books.now()))
  const movement = { type: 'adjustment', category: 'dispute', source: made.id } as const
  const taken = moved(books, charge, { ...movement, amount: -amount, fee: DISPUTE_FEE, tax: 0 })
  const dispute = books.keep({ ...made, balance_transactions: [taken.id] })
  books.change(charge, { disputed: true })
  books.emit('charge.dispute.created', dispute)
  books.emit('charge.dispute.funds_withdrawn', dispute)
  return dispute
}

export function decide(books: StripeBooks, id: string, status: 'won' | 'lost'): Entity {
  const before = books.shelves.disputes.get(id)
  if (before['status'] !== 'needs_response' && before['status'] !== 'under_review') {
    throw new Impossible(`Dispute ${id} is ${wordAt(before, 'status')}.`)
  }
  const taken = Array.isArray(before['balance_transactions']) ? before['balance_transactions'] : []
  let after = books.change(before, { status })
  if (status === 'won') {
    const amount = numberAt(before, 'amount')
    const movement = { type: 'adjustment', category: 'dispute_reversal', source: id } as const
    const back = moved(books, before, { ...movement, amount, fee: -DISPUTE_FEE, tax: 0 })
    after = books.change(after, { balance_transactions: [...taken, back.id] })
    books.emit('charge.dispute.funds_reinstated', after)
  }
  books.emit('charge.dispute.closed', after)
  return after
}

/** Everything on the balance that no payout took yet. */
export function payOut(books: StripeBooks, currency: string): Entity {
  const rows = books.shelves.balance_transactions
    .all()
    .filter((row) => row['currency'] === currency && books.inPayout.find(row.id) === undefined)
    .filter((row) => row['type'] !== 'payout' && row['type'] !== 'payout_failure')
  const amount = rows.reduce((sum, row) => sum + numberAt(row, 'net'), 0)
  if (amount <= 0) {
    throw new Impossible(`There is nothing to pay out: the balance is ${amount}.`)
  }
  const made = payoutObject(amount, currency, secondsOf(books.now()))
  const movement = { type: 'payout', category: 'payout', source: made.id } as const
  const txn = moved(books, made, { ...movement, amount: -amount, fee: 0, tax: 0 })
  for (const row of [...rows, txn]) {
    books.inPayout.put(row.id, made.id)
  }
  const payout = books.keep({ ...made, balance_transaction: txn.id })
  books.emit('payout.paid', payout)
  books.emit('payout.reconciliation_completed', payout)
  return payout
}

/** The bank did not take it. */
export function failPayout(books: StripeBooks, id: string): Entity {
  const before = books.shelves.payouts.get(id)
  if (before['status'] === 'failed') {
    throw new Impossible(`Payout ${id} has failed already.`)
  }
  const amount = numberAt(before, 'amount')
  const movement = { type: 'payout_failure', category: 'payout_reversal', source: id } as const
  const back = moved(books, before, { ...movement, amount, fee: 0, tax: 0 })
  const failure = { failure_code: 'account_closed', failure_message: 'The account is closed.' }
  const changes = { ...failure, failure_balance_transaction: back.id, status: 'failed' }
  const payout = books.change(before, changes)
  books.emit('payout.failed', payout)
  return payout
}

/** The page that a donor was sent to is done with. */
export function complete(books: StripeBooks, session: Entity, intent: Entity): Entity {
  const done = { payment_intent: intent.id, payment_status: 'paid', status: 'complete' }
  const after = books.change(session, done)
  books.emit('checkout.session.completed', after)
  return after
}
