/** Asks PayU for payments and refunds, captures, and gives money back. */
import { formatDecimal } from '../../base/money.ts'
import { Problem } from '../../base/problem.ts'
import type { Capture, CaptureAnswer, NewRefund, PaymentRef, RefundAnswer, Told } from '../asked.ts'
import type { CallOptions, Confirmation, GatewayAccount } from '../gateway.ts'
import { objectAt, type JsonObject } from '../json.ts'
import { idOf, textOf } from '../text.ts'
import { ask, no, toldOf, unusable } from './ask.ts'
import { plainStatus } from './callback.ts'
import {
  actionsOf,
  askAboutOrders,
  askAboutRefund,
  paymentIn,
  toldOfPayment,
  toldOfRefund,
} from './confirm.ts'
import { CURRENCY } from './values.ts'

/** PayU's codes (docs.payu.in, error codes of pre-authorised payments and of refunds). */
const QUEUED = '102'
const CAPTURED_BEFORE = '301'
const TOKEN_KNOWN = '106'

/** A payment, by our order where it is known and else by PayU's id; null where PayU knows none. */
export async function fetchPayment(
  account: GatewayAccount,
  { orderRef, gatewayPaymentId }: PaymentRef,
  options: CallOptions,
): Promise<Told | null> {
  if (orderRef !== null) {
    const answers = await askAboutOrders(account, [orderRef], options)
    const answer = answers.get(orderRef)
    return answer === undefined ? null : toldOfPayment(account, answer)
  }
  const command = { command: 'check_payment', vars: [gatewayPaymentId] }
  const answer = await ask(account, command, options)
  const details = objectAt(answer, 'transaction_details')
  if (answer['status'] !== '1' || details === undefined) {
    return unknown(answer) ? null : fail(account, answer)
  }
  const payment = paymentIn(objectAt(details, gatewayPaymentId) ?? details)
  return toldOfPayment(account, payment)
}

/** The payment for a txnid: PayU tells of the last attempt only. */
export async function fetchOrder(
  account: GatewayAccount,
  orderRef: string,
  options: CallOptions,
): Promise<Told[]> {
  const told = await fetchPayment(account, { gatewayPaymentId: '', orderRef }, options)
  return told === null ? [] : [told]
}

/**
 * Captures an authorised payment (capture_transaction). PayU queues it and tells the end later; it
 * never captures twice, so that it is safe to repeat.
 */
export async function capture(
  account: GatewayAccount,
  wanted: Capture,
  options: CallOptions,
): Promise<CaptureAnswer> {
  const vars = [wanted.gatewayPaymentId, wanted.reference, decimalOf(wanted)]
  const command = { command: 'capture_transaction', vars, movesMoney: true }
  const answer = await ask(account, command, options)
  const code = textOf(answer['error_code'])
  if (code === CAPTURED_BEFORE) {
    return { state: 'captured', told: null }
  }
  if (answer['status'] !== '1' && code !== TOKEN_KNOWN) {
    throw no(account, answer)
  }
  return { state: 'pending', told: null }
}

/**
 * Gives money back (cancel_refund_transaction). Our reference is PayU's token, which it takes once:
 * where it knows it already, what became of it is asked for. A payment that is still only
 * authorised is cancelled, and such a refund has no id of its own.
 */
export async function refund(
  account: GatewayAccount,
  wanted: NewRefund,
  options: CallOptions,
): Promise<RefundAnswer> {
  const { gatewayPaymentId, reference } = wanted
  if (!/^[\w-]{10,23}$/.test(reference)) {
    const detail = 'A refund’s reference has 10 to 23 characters of [A-Za-z0-9_-].'
    throw new Problem('internal', { detail, moved: 'no' })
  }
  const amount = decimalOf(wanted)
  const vars = [gatewayPaymentId, reference, amount]
  const command = { command: 'cancel_refund_transaction', vars, movesMoney: true }
  const answer = await ask(account, command, options)
  if (answer['status'] !== '1') {
    if (!isTokenKnown(answer)) {
      throw no(account, answer)
    }
    const before = await findRefund(account, { gatewayPaymentId, reference }, options)
    if (before === null) {
      throw unusable('what became of a refund with a token that it knows', true)
    }
    return before
  }
  const refundId = idOf(answer['request_id'])
  if (refundId === undefined || textOf(answer['error_code']) !== QUEUED) {
    // Captured on the same day: PayU says "check tomorrow", and nobody knows more before.
    return { gatewayRefundId: refundId ?? null, state: 'pending', told: null }
  }
  const queued: Confirmation = {
    mihpayid: gatewayPaymentId,
    request_id: refundId,
    action: 'refund',
    status: 'queued',
    amt: amount,
    token: reference,
  }
  const fields = { ...queued, action: 'refund' }
  const told = toldOf(account, refundId, fields, queued)
  return { gatewayRefundId: refundId, state: 'pending', told }
}

/** The refund of a payment that carries our reference as its token. */
export async function findRefund(
  account: GatewayAccount,
  { gatewayPaymentId, reference }: { gatewayPaymentId: string; reference: string },
  options: CallOptions,
): Promise<RefundAnswer | null> {
  const actions = await actionsOf(account, gatewayPaymentId, options)
  const ours = actions.find(
    (one) => one['token'] === reference && plainStatus(one['action']) !== 'capture',
  )
  if (ours === undefined) {
    return null
  }
  const status = plainStatus(ours['status'])
  const told = plainStatus(ours['action']) === 'refund' ? toldOfRefund(account, ours) : null
  const state = status === 'success' ? 'processed' : status === 'failure' ? 'failed' : 'pending'
  return { gatewayRefundId: idOf(ours['request_id']) ?? null, state, told }
}

/** A refund by PayU's `request_id`; null where PayU knows none. */
export async function fetchRefund(
  account: GatewayAccount,
  gatewayRefundId: string,
  options: CallOptions,
): Promise<Told | null> {
  const answer = await askAboutRefund(account, gatewayRefundId, options)
  return answer === undefined ? null : toldOfRefund(account, answer)
}

function decimalOf({ amount, currency }: { amount: bigint; currency: string }): string {
  if (currency !== CURRENCY || amount <= 0n) {
    const detail = 'PayU takes only amounts above zero in INR.'
    throw new Problem('invalid_request', { detail, moved: 'no' })
  }
  return formatDecimal(amount, CURRENCY)
}

function isTokenKnown(answer: JsonObject): boolean {
  return /\btoken already\b/i.test(textOf(answer['msg']) ?? '')
}

function unknown(answer: JsonObject): boolean {
  return /\bnot found\b|\b0 out of\b/i.test(textOf(answer['msg']) ?? '')
}

function fail(account: GatewayAccount, answer: JsonObject): never {
  throw no(account, answer)
}
