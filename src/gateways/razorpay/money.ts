/** Asks Razorpay for payments and refunds, captures, and gives money back. */
import { isCurrency, minorToJson } from '../../base/money.ts'
import { Problem } from '../../base/problem.ts'
import type { Capture, CaptureAnswer, NewRefund, PaymentRef, RefundAnswer, Told } from '../asked.ts'
import { refused } from '../call.ts'
import type { CallOptions, GatewayAccount } from '../gateway.ts'
import { isObject, type JsonObject } from '../json.ts'
import { idOf, textOf } from '../text.ts'
import { GATEWAY, getJson, postJson, toldOf, unusable } from './calls.ts'

/** The events by which what a payment is now is told. */
const PAYMENT_EVENTS: ReadonlyMap<unknown, string> = new Map<unknown, string>([
  ['authorized', 'payment.authorized'],
  ['captured', 'payment.captured'],
  ['failed', 'payment.failed'],
])

/** How many refunds of one payment are looked through for one of ours. */
const REFUNDS_MAX = 100

/** A payment; null where Razorpay knows none of that id. */
export async function fetchPayment(
  account: GatewayAccount,
  { gatewayPaymentId }: PaymentRef,
  options: CallOptions,
): Promise<Told | null> {
  const payment = await getJson(account, `/v1/payments/${inPath(gatewayPaymentId)}`, options)
  return payment === null ? null : toldOfPayment(account, payment)
}

/** Attempts to pay one order: Razorpay lists them all at once. */
export async function fetchOrder(
  account: GatewayAccount,
  orderRef: string,
  options: CallOptions,
): Promise<Told[]> {
  const list = await getJson(account, `/v1/orders/${inPath(orderRef)}/payments`, options)
  const items: unknown = list?.['items'] ?? []
  if (!Array.isArray(items)) {
    throw unusable('the payments of an order', false)
  }
  return items.map((item) => toldOfPayment(account, isObject(item) ? item : {}))
}

/**
 * What a payment is now, as an event; a payment that is only begun tells nothing. Given back in
 * full, it was captured before, unless Razorpay says that it never was.
 */
export function toldOfPayment(account: GatewayAccount, payment: JsonObject): Told {
  const id = idOf(payment['id'])
  if (payment['entity'] !== 'payment' || id === undefined) {
    throw unusable('a payment', false)
  }
  const { status, captured } = payment
  const refunded = captured === false ? 'payment.authorized' : 'payment.captured'
  const event = status === 'refunded' ? refunded : (PAYMENT_EVENTS.get(status) ?? 'payment.created')
  return toldOf(account, event, { payment }, id)
}

/**
 * Captures all of an authorised payment. Razorpay refuses to capture twice, so that it is safe to
 * repeat: what is captured already answers as captured.
 */
export async function capture(
  account: GatewayAccount,
  wanted: Capture,
  options: CallOptions,
): Promise<CaptureAnswer> {
  assertMoney(wanted)
  const { gatewayPaymentId, currency } = wanted
  const path = `/v1/payments/${inPath(gatewayPaymentId)}/capture`
  const body = { amount: minorToJson(wanted.amount), currency }
  let payment: JsonObject | null
  try {
    payment = await postJson(account, { path, body, movesMoney: true }, options)
  } catch (error) {
    payment = isRefusal(error) ? await capturedBefore(account, wanted, options) : null
    if (payment === null) {
      throw error
    }
  }
  if (payment['id'] !== gatewayPaymentId || payment['amount'] !== body.amount) {
    throw unusable('the payment that was to be captured', true)
  }
  const told = toldOfPayment(account, payment)
  return { state: payment['status'] === 'captured' ? 'captured' : 'pending', told }
}

async function capturedBefore(
  account: GatewayAccount,
  wanted: Capture,
  options: CallOptions,
): Promise<JsonObject | null> {
  const path = `/v1/payments/${inPath(wanted.gatewayPaymentId)}`
  const payment = await getJson(account, path, options)
  return payment?.['status'] === 'captured' ? payment : null
}

function isRefusal(error: unknown): boolean {
  return error instanceof Problem && error.code === 'gateway_refused'
}

/**
 * Gives money back (POST /v1/payments/:id/refund). `X-Refund-Idempotency` makes the same reference
 * pay once; Razorpay answers 409 while the first is on its way, and for another content
 * (razorpay.com/docs/api/refunds/normal-refunds-idempotent).
 */
export async function refund(
  account: GatewayAccount,
  wanted: NewRefund,
  options: CallOptions,
): Promise<RefundAnswer> {
  assertMoney(wanted)
  const { gatewayPaymentId, reference, speed } = wanted
  if (!/^[\w-]{10,40}$/.test(reference)) {
    const detail = 'A refund’s reference has 10 to 40 characters of [A-Za-z0-9_-].'
    throw new Problem('internal', { detail, moved: 'no' })
  }
  const amount = minorToJson(wanted.amount)
  const answer = await postJson(
    account,
    {
      path: `/v1/payments/${inPath(gatewayPaymentId)}/refund`,
      body: { amount, speed: speed === 'instant' ? 'optimum' : 'normal', receipt: reference },
      headers: { 'x-refund-idempotency': reference },
      movesMoney: true,
    },
    options,
  )
  if (answer['payment_id'] !== gatewayPaymentId || answer['amount'] !== amount) {
    throw unusable('the refund that was asked for', true)
  }
  return answerOf(account, answer, true)
}

/** The refund of a payment that carries our reference as its receipt. */
export async function findRefund(
  account: GatewayAccount,
  { gatewayPaymentId, reference }: { gatewayPaymentId: string; reference: string },
  options: CallOptions,
): Promise<RefundAnswer | null> {
  const path = `/v1/payments/${inPath(gatewayPaymentId)}/refunds?count=${REFUNDS_MAX}`
  const list = await getJson(account, path, options)
  const items: unknown = list?.['items']
  if (list !== null && !Array.isArray(items)) {
    throw unusable('a list of refunds', false)
  }
  const refunds = Array.isArray(items) ? items.filter(isObject) : []
  const ours = refunds.find((one) => one['receipt'] === reference)
  if (ours === undefined && refunds.length >= REFUNDS_MAX) {
    throw unusable(`all refunds of payment ${gatewayPaymentId}`, false)
  }
  return ours === undefined ? null : answerOf(account, ours, false)
}

/**
 * A refund; null where Razorpay knows none of that id. Only its payment says that it was never
 * captured, so that this is asked for as well.
 */
export async function fetchRefund(
  account: GatewayAccount,
  gatewayRefundId: string,
  options: CallOptions,
): Promise<Told | null> {
  const found = await getJson(account, `/v1/refunds/${inPath(gatewayRefundId)}`, options)
  const paymentId = idOf(found?.['payment_id'])
  if (found === null || paymentId === undefined) {
    return found === null ? null : toldOfRefund(account, found, false)
  }
  const payment = await getJson(account, `/v1/payments/${paymentId}`, options)
  return toldOfRefund(account, found, false, payment)
}

/** What a refund is now, as an event; its payment is part of it where that was never captured. */
export function toldOfRefund(
  account: GatewayAccount,
  refund: JsonObject,
  moves: boolean,
  payment: JsonObject | null = null,
): Told {
  const id = idOf(refund['id'])
  if (refund['entity'] !== 'refund' || id === undefined) {
    throw unusable('a refund', moves)
  }
  const { status } = refund
  const isEnd = status === 'processed' || status === 'failed'
  const entities = payment?.['captured'] === false ? { refund, payment } : { refund }
  return toldOf(account, `refund.${isEnd ? status : 'created'}`, entities, id)
}

function answerOf(account: GatewayAccount, refund: JsonObject, moves: boolean): RefundAnswer {
  const told = toldOfRefund(account, refund, moves)
  const { status } = refund
  const state = status === 'processed' || status === 'failed' ? status : 'pending'
  return { gatewayRefundId: told.id, state, told }
}

/** Throws `gateway_refused` for an id that would be another address. */
export function inPath(id: string): string {
  const usable = idOf(id)
  if (usable === undefined) {
    throw refused(GATEWAY, `${textOf(id)} is no id.`, [])
  }
  return usable
}

export function assertMoney({ amount, currency }: { amount: bigint; currency: string }): void {
  if (amount <= 0n || !isCurrency(currency)) {
    const detail = 'The amount or its currency is not usable.'
    throw new Problem('invalid_request', { detail, moved: 'no' })
  }
}
