/** Razorpay's books in memory: one merchant's orders, payments, refunds and what follows. */
import { razorpaySignature } from '../../sign.ts'
import { createShelf, type Shelf } from '../shelf.ts'
import { newId, secondsOf, type Entity, type Json, type Reply, type Tell } from '../wire.ts'

export interface RazorpayBooks {
  orders: Shelf<Entity>
  payments: Shelf<Entity>
  refunds: Shelf<Entity>
  disputes: Shelf<Entity>
  settlements: Shelf<Entity>
  payouts: Shelf<Entity>
  transfers: Shelf<Entity>
  /** Lines of settlements, by `type:entity_id`: what has one is settled. */
  lines: Shelf<Entity>
  /** Answers by idempotency key, and what was asked. */
  answers: Shelf<{ asked: string; reply: Reply }>
  /** Whether refunds and payouts that are asked for reach their end by themselves. */
  finishes: { refunds: boolean; payouts: boolean }
  account(): string
  now(): Date
  emit(event: string, entities: Readonly<Record<string, Entity>>): void
}

export interface RazorpayBooksOptions {
  limit: number
  now(): Date
  account(): string
  tell: Tell
}

export function createRazorpayBooks(options: RazorpayBooksOptions): RazorpayBooks {
  const { limit, now, account, tell } = options
  return {
    orders: createShelf('order', limit),
    payments: createShelf('payment', limit),
    refunds: createShelf('refund', limit),
    disputes: createShelf('dispute', limit),
    settlements: createShelf('settlement', limit),
    payouts: createShelf('payout', limit),
    transfers: createShelf('transfer', limit),
    lines: createShelf('line', limit * 2),
    answers: createShelf('answer', limit),
    finishes: { refunds: true, payouts: true },
    account,
    now,
    emit(event, entities) {
      const body = eventBody(event, account(), entities, now())
      const eventId = newId('')
      const [about] = Object.values(entities)
      tell({
        type: event,
        about: about?.id ?? '',
        call: (secret) => ({
          headers: {
            'content-type': 'application/json',
            'user-agent': 'Razorpay-Webhook/v1 (bahi simulate)',
            'x-razorpay-event-id': eventId,
            'x-razorpay-signature': razorpaySignature(body, secret),
          },
          body,
        }),
      })
    },
  }
}

function eventBody(
  event: string,
  account: string,
  entities: Readonly<Record<string, Entity>>,
  now: Date,
): string {
  const payload = Object.entries(entities).map(([name, entity]) => [name, { entity }] as const)
  return JSON.stringify({
    entity: 'event',
    account_id: account,
    event,
    contains: Object.keys(entities),
    payload: Object.fromEntries(payload),
    created_at: secondsOf(now),
  })
}

/** Changes an entity; what was told of it before stays as it was told. */
export function change(
  shelf: Shelf<Entity>,
  id: string,
  changes: Readonly<Record<string, Json>>,
): Entity {
  return shelf.put(id, { ...shelf.get(id), ...changes })
}

/** What a payment is besides its money; the control call that makes it may say more. */
export function paymentEntity(payment: {
  id: string
  amount: number
  currency: string
  orderId: string | null
  at: Date
}): Entity {
  return {
    id: payment.id,
    entity: 'payment',
    amount: payment.amount,
    currency: payment.currency,
    base_amount: payment.amount,
    status: 'created',
    order_id: payment.orderId,
    invoice_id: null,
    international: false,
    method: 'upi',
    amount_refunded: 0,
    amount_transferred: 0,
    refund_status: null,
    captured: false,
    description: null,
    card_id: null,
    bank: null,
    wallet: null,
    vpa: 'donor@okexample',
    email: 'donor@example.org',
    contact: '+919000000000',
    notes: [],
    fee: null,
    tax: null,
    error_code: null,
    error_description: null,
    error_source: null,
    error_step: null,
    error_reason: null,
    acquirer_data: { rrn: newId('') },
    created_at: secondsOf(payment.at),
  }
}

export function refundEntity(refund: {
  paymentId: string
  amount: number
  currency: string
  speed: string
  receipt: string | null
  notes: Json
  at: Date
}): Entity {
  return {
    id: newId('rfnd_'),
    entity: 'refund',
    amount: refund.amount,
    currency: refund.currency,
    payment_id: refund.paymentId,
    notes: refund.notes,
    receipt: refund.receipt,
    acquirer_data: { arn: null },
    created_at: secondsOf(refund.at),
    batch_id: null,
    status: 'pending',
    speed_processed: 'normal',
    speed_requested: refund.speed,
  }
}

export function disputeEntity(dispute: {
  payment: Entity
  amount: number
  phase: string
  at: Date
}): Entity {
  return {
    id: newId('disp_'),
    entity: 'dispute',
    payment_id: dispute.payment.id,
    amount: dispute.amount,
    currency: dispute.payment['currency'] ?? 'INR',
    amount_deducted: 0,
    reason_code: 'chargeback_unauthorised',
    respond_by: secondsOf(dispute.at) + 7 * 24 * 3600,
    status: 'open',
    phase: dispute.phase,
    evidence: { amount: dispute.amount, summary: null, submitted_at: null },
    created_at: secondsOf(dispute.at),
  }
}
