/** Stripe's objects as they are made: amounts in minor units, times in seconds, others by id. */
import { newId, type Entity, type Json } from '../wire.ts'

/** What Stripe takes: 2 % and 18 % of tax on it, each rounded half up. */
export function usualCharge(amount: number): { fee: number; tax: number } {
  const commission = Math.floor((amount * 2 + 50) / 100)
  const tax = Math.floor((commission * 18 + 50) / 100)
  return { fee: commission + tax, tax }
}

export interface Movement {
  type: 'charge' | 'refund' | 'refund_failure' | 'adjustment' | 'payout' | 'payout_failure'
  category: string
  source: string
  /** Below zero what is taken. */
  amount: number
  fee: number
  tax: number
  currency: string
  at: number
}

export function movementObject(movement: Movement): Entity {
  const { amount, fee, tax, currency, at } = movement
  const part = (type: string, of: number): Json => {
    return { amount: of, application: null, currency, description: type, type }
  }
  const parts = [part('stripe_fee', fee - tax), ...(tax === 0 ? [] : [part('tax', tax)])]
  return {
    id: newId('txn_'),
    object: 'balance_transaction',
    amount,
    available_on: at + 2 * 24 * 3600,
    balance_type: 'payments',
    created: at,
    currency,
    description: null,
    exchange_rate: null,
    fee,
    fee_details: fee === 0 ? [] : parts,
    net: amount - fee,
    reporting_category: movement.category,
    source: movement.source,
    status: 'pending',
    type: movement.type,
  }
}

export interface IntentWanted {
  amount: number
  currency: string
  metadata: Record<string, Json>
  description: string | null
  isManual: boolean
  at: number
}

export function intentObject(wanted: IntentWanted): Entity {
  const id = newId('pi_')
  return {
    id,
    object: 'payment_intent',
    amount: wanted.amount,
    amount_capturable: 0,
    amount_received: 0,
    canceled_at: null,
    capture_method: wanted.isManual ? 'manual' : 'automatic',
    client_secret: `${id}_secret_${newId('')}`,
    created: wanted.at,
    currency: wanted.currency,
    customer: null,
    description: wanted.description,
    invoice: null,
    last_payment_error: null,
    latest_charge: null,
    livemode: false,
    metadata: wanted.metadata,
    payment_method: null,
    payment_method_types: ['card'],
    status: 'requires_payment_method',
  }
}

export function chargeObject(intent: Entity, at: number): Entity {
  return {
    id: newId('ch_'),
    object: 'charge',
    amount: intent['amount'] ?? 0,
    amount_captured: 0,
    amount_refunded: 0,
    balance_transaction: null,
    billing_details: { address: null, email: null, name: null, phone: null },
    captured: false,
    created: at,
    currency: intent['currency'] ?? 'inr',
    customer: null,
    description: intent['description'] ?? null,
    disputed: false,
    failure_balance_transaction: null,
    failure_code: null,
    failure_message: null,
    invoice: null,
    livemode: false,
    metadata: intent['metadata'] ?? {},
    paid: true,
    payment_intent: intent.id,
    payment_method_details: {
      type: 'card',
      card: { brand: 'visa', country: 'IN', funding: 'credit', last4: '4242' },
    },
    receipt_url: null,
    refunded: false,
    status: 'succeeded',
  }
}

export interface RefundMade {
  charge: Entity
  amount: number
  metadata: Record<string, Json>
  reason: string | null
  at: number
}

export function refundObject({ charge, amount, metadata, reason, at }: RefundMade): Entity {
  return {
    id: newId('re_'),
    object: 'refund',
    amount,
    balance_transaction: null,
    charge: charge.id,
    created: at,
    currency: charge['currency'] ?? 'inr',
    destination_details: { type: 'card', card: { reference_status: 'pending', type: 'refund' } },
    failure_balance_transaction: null,
    metadata,
    payment_intent: charge['payment_intent'] ?? null,
    reason,
    receipt_number: null,
    status: 'pending',
  }
}

export function disputeObject(charge: Entity, amount: number, at: number): Entity {
  return {
    id: newId('du_'),
    object: 'dispute',
    amount,
    // Ids here, the objects in every answer.
    balance_transactions: [],
    charge: charge.id,
    created: at,
    currency: charge['currency'] ?? 'inr',
    evidence: {},
    evidence_details: { due_by: at + 7 * 24 * 3600, has_evidence: false, submission_count: 0 },
    is_charge_refundable: false,
    livemode: false,
    metadata: {},
    payment_intent: charge['payment_intent'] ?? null,
    payment_method_details: { type: 'card', card: { brand: 'visa', case_type: 'chargeback' } },
    reason: 'fraudulent',
    status: 'needs_response',
  }
}

export function payoutObject(amount: number, currency: string, at: number): Entity {
  return {
    id: newId('po_'),
    object: 'payout',
    amount,
    arrival_date: at,
    automatic: true,
    balance_transaction: null,
    created: at,
    currency,
    description: 'STRIPE PAYOUT',
    destination: newId('ba_'),
    failure_balance_transaction: null,
    failure_code: null,
    failure_message: null,
    livemode: false,
    metadata: {},
    method: 'standard',
    reconciliation_status: 'completed',
    source_type: 'card',
    status: 'paid',
    trace_id: { status: 'supported', value: `BAHIS${newId('').toUpperCase()}` },
    type: 'bank_account',
  }
}

export interface SessionWanted {
  amount: number
  currency: string
  reference: string | null
  email: string | null
  metadata: Record<string, Json>
  page: string
  at: number
}

export function sessionObject(wanted: SessionWanted): Entity {
  const id = newId('cs_test_')
  return {
    id,
    object: 'checkout.session',
    amount_subtotal: wanted.amount,
    amount_total: wanted.amount,
    client_reference_id: wanted.reference,
    created: wanted.at,
    currency: wanted.currency,
    customer_email: wanted.email,
    expires_at: wanted.at + 24 * 3600,
    livemode: false,
    metadata: wanted.metadata,
    mode: 'payment',
    payment_intent: null,
    payment_status: 'unpaid',
    status: 'open',
    url: `${wanted.page}/c/pay/${id}`,
  }
}
