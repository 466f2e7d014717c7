/** Payments as the gateways report them; their states only ever move forward. */
import type { Trx } from '../base/db.ts'
import { newId } from '../base/ids.ts'
import type { Fact } from '../gateways/fact.ts'

export type PaymentState = 'failed' | 'authorized' | 'captured'

export interface Payment {
  payment_id: string
  gateway: string
  account: string
  gateway_payment_id: string
  order_ref: string | null
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
  return `${payment.gateway} ${payment.account} ${payment.gatewayPaymentId}`
}

/** The payments that the facts are about, by `paymentKeyOf`, as far as they are known. */
export async function loadPayments(
  trx: Trx,
  facts: readonly Fact[],
): Promise<Map<string, Payment>> {
  const rows = await trx.query<Payment>(
    `select payment_id, gateway, account, gateway_payment_id, order_ref, donation_id, state, method,
            amount, currency, fee, tax, bank_reference, authorized_at, captured_at, failed_at,
            failure_reason, entry_no
       from payments
      where org_id = $1
        and (gateway, account, gateway_payment_id) in
            (select * from unnest($2::text[], $3::text[], $4::text[]))`,
    [
      trx.scope,
      facts.map((fact) => fact.gateway),
      facts.map((fact) => fact.account),
      facts.map((fact) => fact.gatewayPaymentId),
    ],
  )
  return new Map(
    rows.map((row) => [paymentKeyOf({ ...row, gatewayPaymentId: row.gateway_payment_id }), row]),
  )
}

/** Moves the payment of a fact forward, or notes what an overtaken fact still adds. */
export function applyFact(
  payments: Map<string, Payment>,
  fact: Fact,
  posted: { entryNo: bigint; donationId: string | null } | null,
  now: Date,
): void {
  const key = paymentKeyOf(fact)
  const payment = payments.get(key) ?? newPayment(fact, now)
  payments.set(key, payment)
  payment.method ??= fact.method
  switch (fact.kind) {
    case 'payment_authorized':
      advance(payment, 'authorized')
      payment.authorized_at ??= fact.occurredAt
      return
    case 'payment_failed':
      advance(payment, 'failed')
      payment.failed_at ??= fact.occurredAt
      payment.failure_reason ??= fact.reason
      return
    case 'payment_captured':
      if (posted === null) {
        throw new Error(`capture ${fact.key} has no entry`)
      }
      advance(payment, 'captured')
      // What was captured counts, whatever was authorised before.
      payment.amount = fact.amount
      payment.currency = fact.currency
      payment.order_ref = fact.orderRef ?? payment.order_ref
      payment.captured_at ??= fact.occurredAt
      payment.entry_no ??= posted.entryNo
      payment.donation_id ??= posted.donationId
      fillIn(payments, fact)
      return
    default:
      fact satisfies never
  }
}

/** Takes from a repeated capture what its first telling did not know: fee, tax, bank reference. */
export function fillIn(payments: ReadonlyMap<string, Payment>, fact: Fact): void {
  const payment = payments.get(paymentKeyOf(fact))
  if (payment !== undefined && fact.kind === 'payment_captured') {
    payment.fee ??= fact.fee
    payment.tax ??= fact.tax
    payment.bank_reference ??= fact.bankReference
  }
}

function advance(payment: Payment, state: PaymentState): void {
  if (RANK[state] > RANK[payment.state]) {
    payment.state = state
  }
}

function newPayment(fact: Fact, now: Date): Payment {
  return {
    payment_id: newId('pmt', now.getTime()),
    gateway: fact.gateway,
    account: fact.account,
    gateway_payment_id: fact.gatewayPaymentId,
    order_ref: fact.orderRef,
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
  }
}

/** Writes the payments back in one statement. */
export async function savePayments(
  trx: Trx,
  payments: ReadonlyMap<string, Payment>,
): Promise<void> {
  const all = [...payments.values()]
  if (all.length === 0) {
    return
  }
  await trx.query(
    `insert into payments as p (org_id, payment_id, gateway, account, gateway_payment_id, order_ref,
       donation_id, state, method, amount, currency, fee, tax, bank_reference, authorized_at,
       captured_at, failed_at, failure_reason, entry_no)
     select $1, n.* from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[],
       $7::text[], $8::text[], $9::text[], $10::bigint[], $11::text[], $12::bigint[],
       $13::bigint[], $14::text[], $15::timestamptz[], $16::timestamptz[], $17::timestamptz[],
       $18::text[], $19::bigint[]) as n
     on conflict (org_id, payment_id) do update
       set amount = excluded.amount, currency = excluded.currency, order_ref = excluded.order_ref,
           donation_id = excluded.donation_id, state = excluded.state, method = excluded.method,
           fee = excluded.fee, tax = excluded.tax, bank_reference = excluded.bank_reference,
           authorized_at = excluded.authorized_at, captured_at = excluded.captured_at,
           failed_at = excluded.failed_at, failure_reason = excluded.failure_reason,
           entry_no = excluded.entry_no`,
    [
      trx.scope,
      all.map((one) => one.payment_id),
      all.map((one) => one.gateway),
      all.map((one) => one.account),
      all.map((one) => one.gateway_payment_id),
      all.map((one) => one.order_ref),
      all.map((one) => one.donation_id),
      all.map((one) => one.state),
      all.map((one) => one.method),
      all.map((one) => one.amount),
      all.map((one) => one.currency),
      all.map((one) => one.fee),
      all.map((one) => one.tax),
      all.map((one) => one.bank_reference),
      all.map((one) => one.authorized_at),
      all.map((one) => one.captured_at),
      all.map((one) => one.failed_at),
      all.map((one) => one.failure_reason),
      all.map((one) => one.entry_no),
    ],
  )
}
