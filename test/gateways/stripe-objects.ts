/** Synthetic objects of Stripe's API and the events that name them, in Stripe's shape. */
import type { Confirmation, StoredWebhook } from '../../src/gateways/gateway.ts'
import { confirmationOf } from '../../src/gateways/stripe/answer.ts'

export const ACCOUNT = 'acct_TESTBahi000001'
export const CREATED = 1_767_225_600

export type Json = Record<string, unknown>

/** A balance transaction: `amount` and `fee` signed, the tax in the fee as a part of its own. */
export function txn(id: string, amount: number, fee = 0, changes: Json = {}, tax = 0): Json {
  const currency = changes['currency'] ?? 'inr'
  const part = (type: string, of: number) => ({ amount: of, currency, type, description: type })
  return {
    id,
    object: 'balance_transaction',
    amount,
    fee,
    fee_details: fee === 0 ? [] : [part('stripe_fee', fee - tax), part('tax', tax)],
    net: amount - fee,
    currency,
    created: CREATED + 5,
    available_on: CREATED + 172_800,
    exchange_rate: null,
    reporting_category: 'charge',
    status: 'pending',
    type: 'charge',
    ...changes,
  }
}

/** A captured charge of ₹2,500, answered with everything expanded: ₹75 fee, ₹13.50 GST. */
export function charge(changes: Json = {}): Json {
  return {
    id: 'ch_TESTBahi1',
    object: 'charge',
    amount: 250_000,
    amount_captured: 250_000,
    amount_refunded: 0,
    balance_transaction: txn('txn_TESTin', 250_000, 8850, {}, 1350),
    billing_details: { name: 'Asha Rao', email: 'asha@example.com', phone: null, address: {} },
    captured: true,
    created: CREATED,
    currency: 'inr',
    disputed: false,
    failure_code: null,
    failure_message: null,
    invoice: null,
    livemode: false,
    metadata: { bahi_reference: 'r0000000000000000000001', other: 'stays there' },
    payment_intent: { id: 'pi_TESTBahi1', object: 'payment_intent', capture_method: 'automatic' },
    payment_method_details: { type: 'card', card: { last4: '4242', brand: 'visa' } },
    refunded: false,
    refunds: { object: 'list', data: [], has_more: false },
    status: 'succeeded',
    ...changes,
  }
}

/** A refund of ₹1,000 that succeeded, its charge expanded. */
export function refund(changes: Json = {}): Json {
  return {
    id: 're_TESTBahi1',
    object: 'refund',
    amount: 100_000,
    balance_transaction: txn('txn_TESTout', -100_000, 0, { type: 'refund' }),
    charge: charge(),
    created: CREATED + 3600,
    currency: 'inr',
    destination_details: { type: 'card', card: { reference: '74000000000000000000001' } },
    failure_balance_transaction: null,
    metadata: { bahi_reference: 'rfd_0000000000001' },
    reason: 'requested_by_customer',
    status: 'succeeded',
    ...changes,
  }
}

/** A dispute of ₹2,500 in its first state, nothing withdrawn. */
export function dispute(changes: Json = {}): Json {
  return {
    id: 'du_TESTBahi1',
    object: 'dispute',
    amount: 250_000,
    balance_transactions: [],
    charge: 'ch_TESTBahi1',
    created: CREATED + 7200,
    currency: 'inr',
    evidence: { customer_name: 'Asha Rao' },
    evidence_details: { due_by: CREATED + 700_000, has_evidence: false },
    livemode: false,
    metadata: {},
    payment_method_details: { type: 'card', card: { brand: 'visa', case_type: 'chargeback' } },
    reason: 'fraudulent',
    status: 'needs_response',
    ...changes,
  }
}

/** A payout of ₹9,500 that was paid. */
export function payout(changes: Json = {}): Json {
  return {
    id: 'po_TESTBahi1',
    object: 'payout',
    amount: 950_000,
    arrival_date: CREATED + 259_200,
    automatic: true,
    balance_transaction: txn('txn_TESTpo', -950_000, 0, { type: 'payout' }),
    created: CREATED + 100_000,
    currency: 'inr',
    failure_balance_transaction: null,
    livemode: false,
    reconciliation_status: 'completed',
    status: 'paid',
    trace_id: { status: 'supported', value: 'UTR0000000001' },
    type: 'bank_account',
    ...changes,
  }
}

/** An event about an object, which it shows in the form that it has by itself, not expanded. */
export function event(type: string, object: Json, changes: Json = {}): Json {
  return {
    id: `evt_${type.replaceAll('.', '')}`,
    object: 'event',
    api_version: '2020-08-27',
    created: CREATED + 10,
    data: { object },
    livemode: false,
    pending_webhooks: 1,
    request: { id: null, idempotency_key: null },
    type,
    ...changes,
  }
}

export function stored(content: unknown, receivedAt = new Date('2026-01-02T00:00:00Z')) {
  const text = typeof content === 'string' ? content : JSON.stringify(content)
  const webhook: StoredWebhook = {
    body: Buffer.from(text),
    contentType: 'application/json',
    receivedAt,
    signedBy: 'one',
  }
  return webhook
}

/** What is stored of Stripe's answer about an object. */
export function answer(path: string, object: Json | undefined): Confirmation {
  return confirmationOf(path, object)
}
