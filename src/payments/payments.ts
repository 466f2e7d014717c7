/** Payments as the gateways report them; their states only ever move forward. */
import type { Trx } from '../base/db.ts'
import { newId } from '../base/ids.ts'
import type { Fact, GatewayName, PaymentFact } from '../gateways/fact.ts'
import type { AccountCode } from '../ledger/core/chart.ts'
import type { Draft } from '../ledger/core/entry.ts'
import { gatewayFee } from '../ledger/core/gateway-rules.ts'
import { moneyAt } from './money.ts'
import { changing, jsonOf, keyAt, lookUp, rowsOf, type Rows } from './rows.ts'

export type PaymentState = 'failed' | 'authorized' | 'captured'

export interface Payment {
  payment_id: string
  gateway: GatewayName
  account: string
  gateway_payment_id: string
  order_ref: string | null
  subscription_ref: string | null
  donation_id: string | null
  state: PaymentState
  method: string | null
  amount: bigint
  currency: string
  fee: bigint | null
  tax: bigint | null
  bank_reference: string | null
  authorized_at: Date | null
  captured_at: Date | null
  failed_at: Date | null
  failure_reason: string | null
  entry_no: bigint | null
  /** The account that the capture credited; null until there is one. */
  booked_to: AccountCode | null
}

/** A payment that came past the gateways: it is written down when the money is there. */
export type OfflinePayment = Omit<Payment, 'gateway' | 'account' | 'gateway_payment_id'> & {
  gateway: null
  account: null
  gateway_payment_id: null
}

/** What a capture became. */
export interface Captured {
  entryNo: bigint
  donationId: string | null
  bookedTo: AccountCode
}

/**
 * `failed` is the lowest: a failed payment may still be captured (late authorisation, UPI retry;
 * Razorpay's webhook documentation says so), and nothing takes a capture back.
 */
const RANK: Readonly<Record<PaymentState, number>> = { failed: 1, authorized: 2, captured: 3 }

/** A payment's identity at its gateway. */
export function paymentKeyOf(payment: {
  gateway: string
  account: string
  gatewayPaymentId: string
}): string {
  return keyAt(payment, payment.gatewayPaymentId)
}

/** The payments that the facts are about, as far as they are known. */
export async function loadPayments(trx: Trx, facts: readonly Fact[]): Promise<Rows<Payment>> {
  const wanted = facts.flatMap((fact) =>
    'gatewayPaymentId' in fact ? [{ ...fact, id: fact.gatewayPaymentId }] : [],
  )
  const rows = await trx.query<Payment>(
    `select p.*
       from unnest($2::text[], $3::text[], $4::text[]) as w (gateway, account, id)
      cross join lateral (
        select payment_id, gateway, account, gateway_payment_id, order_ref, subscription_ref,
               donation_id, state, method, amount, currency, fee, tax, bank_reference,
               authorized_at, captured_at, failed_at, failure_reason, entry_no, booked_to
          from payments
         where org_id = $1 and gateway = w.gateway and account = w.account
           and gateway_payment_id = w.id
         limit 1
      ) p`,
    [trx.scope, ...lookUp(wanted)],
  )
  return rowsOf(rows, (row) => row.gateway_payment_id)
}

/** The entry of a fee; null where there is nothing to post. */
export function feeDraft(
  fact: Extract<Fact, { kind: 'payment_fee' | 'refund_fee' }>,
  ref: string,
): Draft | null {
  return fact.fee === 0n ? null : gatewayFee(moneyAt({ ...fact, amount: 0n }, ref), fact)
}

/**
 * Moves the payment of a fact forward, or notes what an overtaken fact still adds. `captured` is
 * what a capture became.
 */
export function applyToPayment(
  payments: Rows<Payment>,
  fact: PaymentFact,
  captured: Captured | null,
  now: Date,
): void {
  const payment = changing(payments, paymentKeyOf(fact), () => newPayment(fact, now))
  payment.method ??= fact.method
  payment.order_ref ??= fact.orderRef
  switch (fact.kind) {
    case 'payment_authorized':
      advance(payment, fact, 'authorized')
      payment.authorized_at ??= fact.occurredAt
      return
    case 'payment_failed':
      advance(payment, fact, 'failed')
      noteFailure(payment, fact.occurredAt, fact.reason)
      return
    case 'payment_captured':
      if (captured === null) {
        throw new Error(`capture ${fact.key} has no entry`)
      }
      advance(payment, fact, 'captured')
      payment.method = fact.method ?? payment.method
      payment.order_ref = fact.orderRef ?? payment.order_ref
      payment.captured_at ??= fact.occurredAt
      payment.entry_no ??= captured.entryNo
      payment.booked_to ??= captured.bookedTo
      payment.donation_id ??= captured.donationId
      fillInPayment(payments, fact)
      return
    default:
      fact satisfies never
  }
}

/** Notes what the gateway takes for a payment that is captured. */
export function applyFee(
  payments: Rows<Payment>,
  fact: Extract<Fact, { kind: 'payment_fee' }>,
): void {
  const payment = changing(payments, paymentKeyOf(fact), () => {
    throw new Error(`fee ${fact.key} has no payment`)
  })
  payment.fee = fact.fee
  payment.tax = fact.tax
}

/** Takes from a repeated capture what its first telling did not know. */
export function fillInPayment(payments: Rows<Payment>, fact: Fact): void {
  const payment =
    fact.kind === 'payment_captured' ? payments.byKey.get(paymentKeyOf(fact)) : undefined
  if (payment === undefined || fact.kind !== 'payment_captured') {
    return
  }
  const isNews =
    (payment.bank_reference === null && fact.bankReference !== null) ||
    (payment.subscription_ref === null && fact.subscriptionRef !== null)
  if (isNews) {
    payment.bank_reference ??= fact.bankReference
    payment.subscription_ref ??= fact.subscriptionRef
    payments.changed.add(payment)
  }
}

/** The furthest fact says how much it is: what was captured counts, whatever was authorised. */
function advance(payment: Payment, fact: PaymentFact, state: PaymentState): void {
  if (RANK[state] >= RANK[payment.state]) {
    payment.state = state
    payment.amount = fact.amount
    payment.currency = fact.currency
  }
}

/** A payment may fail more than once; the last time is what is shown. */
function noteFailure(payment: Payment, at: Date, reason: string | null): void {
  const order = (when: Date, why: string | null) => `${when.toISOString()} ${why ?? ''}`
  const before = payment.failed_at
  if (before === null || order(before, payment.failure_reason) < order(at, reason)) {
    payment.failed_at = at
    payment.failure_reason = reason
  }
}

function newPayment(fact: PaymentFact, now: Date): Payment {
  return {
    payment_id: newId('pmt', now.getTime()),
    gateway: fact.gateway,
    account: fact.account,
    gateway_payment_id: fact.gatewayPaymentId,
    order_ref: fact.orderRef,
    subscription_ref: null,
    donation_id: null,
    state: 'failed',
    method: fact.method,
    amount: fact.amount,
    currency: fact.currency,
    fee: null,
    tax: null,
    bank_reference: null,
    authorized_at: null,
    captured_at: null,
    failed_at: null,
    failure_reason: null,
    entry_no: null,
    booked_to: null,
  }
}

/** Writes the payments that changed back. */
export async function savePayments(trx: Trx, payments: Rows<Payment>): Promise<void> {
  if (payments.changed.size > 0) {
    await writePayments(trx, [...payments.changed])
  }
}

/** Writes payments, new or changed, in one statement. */
export async function writePayments(
  trx: Trx,
  payments: readonly (Payment | OfflinePayment)[],
): Promise<void> {
  await trx.query(
    `insert into payments (org_id, payment_id, gateway, account, gateway_payment_id, order_ref,
       subscription_ref, donation_id, state, method, amount, currency, fee, tax, bank_reference,
       authorized_at, captured_at, failed_at, failure_reason, entry_no, booked_to)
     select $1, n.*
       from jsonb_to_recordset($2) as n (payment_id text, gateway text, account text,
         gateway_payment_id text, order_ref text, subscription_ref text, donation_id text,
         state text, method text, amount bigint, currency text, fee bigint, tax bigint,
         bank_reference text, authorized_at timestamptz, captured_at timestamptz,
         failed_at timestamptz, failure_reason text, entry_no bigint, booked_to text)
     on conflict (org_id, payment_id) do update
       set amount = excluded.amount, currency = excluded.currency, order_ref = excluded.order_ref,
           subscription_ref = excluded.subscription_ref, donation_id = excluded.donation_id,
           state = excluded.state, method = excluded.method, fee = excluded.fee,
           tax = excluded.tax, bank_reference = excluded.bank_reference,
           authorized_at = excluded.authorized_at, captured_at = excluded.captured_at,
           failed_at = excluded.failed_at, failure_reason = excluded.failure_reason,
           entry_no = excluded.entry_no, booked_to = excluded.booked_to`,
    [trx.scope, jsonOf(payments)],
  )
}
