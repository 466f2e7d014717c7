/** What a PayU webhook says happened, as far as PayU itself confirms it. */
import type { Fact } from '../fact.ts'
import type {
  AccountTerms,
  Confirmation,
  ConfirmationRequest,
  GatewayEvent,
  StoredWebhook,
} from '../gateway.ts'
import { textOf } from '../text.ts'
import {
  fieldsOf,
  idsOf,
  kindOf,
  plainStatus,
  UNREADABLE,
  type Fields,
  type PaymentIds,
} from './callback.ts'
import { readDispute } from './disputes.ts'
import { aboutOrder, aboutRefund } from './questions.ts'
import { readRefund, refundIdOf } from './refunds.ts'
import { readSettlement, readSettlementLine } from './settlements.ts'
import { amountOf, bankReferenceOf, CURRENCY, instantOf, malformed, notYet } from './values.ts'

const STATUSES = new Set(['success', 'failure', 'pending'])
const PENDING = new Set(['initiated', 'inprogress', 'pending'])
const FAILED = new Set(['failed', 'failure', 'dropped', 'bounced', 'usercancelled', ''])
const AUTO_REFUND = 'autorefund'
const UNMAPPED = new Set([...FAILED, ...PENDING, 'captured', 'auth', AUTO_REFUND])

interface Callback extends PaymentIds {
  fields: Fields
  account: string
  amount: bigint
}

/**
 * What must be confirmed: a success, because the hash covers `status` but neither of what it hides,
 * and every refund, because nothing vouches for it. Of disputes PayU cannot be asked.
 */
export function confirmationOf(webhook: StoredWebhook): ConfirmationRequest | null {
  const fields = fieldsOf(webhook)
  if (fields === undefined) {
    return null
  }
  switch (kindOf(webhook, fields)) {
    case 'refund': {
      const refundId = refundIdOf(fields)
      return refundId === undefined ? null : { ref: aboutRefund(refundId) }
    }
    case 'payment': {
      const ids = plainStatus(fields.get('status')) === 'success' ? idsOf(fields) : undefined
      return ids === undefined ? null : { ref: aboutOrder(ids.orderRef) }
    }
    default:
      return null
  }
}

/**
 * The facts in a webhook. Throws `malformed_event` where it cannot be understood or PayU disagrees
 * with it, `gateway_unavailable` where PayU must be asked (again).
 */
export function readWebhook(
  webhook: StoredWebhook,
  account: string,
  confirmation: Confirmation | null,
  terms: AccountTerms,
): GatewayEvent {
  const fields = fieldsOf(webhook)
  if (fields === undefined) {
    throw malformed(UNREADABLE)
  }
  const kind = kindOf(webhook, fields)
  switch (kind) {
    case 'payment':
      return readPayment(fields, account, confirmation)
    case 'refund':
      return readRefund({ fields, account, confirmation, receivedAt: webhook.receivedAt })
    case 'dispute':
      return readDispute(fields, webhook, account, terms)
    case 'settlement':
      return readSettlement(account, confirmation)
    case 'settlement_line':
      return readSettlementLine(account, confirmation)
    default:
      return kind satisfies never
  }
}

/**
 * A payment's callback. `success` alone says neither that money was captured nor for which payment,
 * so PayU's own answer (`confirmation`) decides.
 */
function readPayment(
  fields: Fields,
  account: string,
  confirmation: Confirmation | null,
): GatewayEvent {
  if (fields.get('key') !== account) {
    throw malformed('The merchant key of the callback is not the one of this endpoint.')
  }
  const status = plainStatus(fields.get('status'))
  if (status === '') {
    throw malformed('The callback has no status.')
  }
  const type = typeOf(status, plainStatus(fields.get('unmappedstatus')))
  switch (status) {
    case 'success':
      return { type, facts: [successOf(callbackOf(fields, account), confirmation)] }
    case 'failure':
      return { type, facts: failureOf(fields, account) }
    default:
      return { type, facts: [] }
  }
}

function typeOf(status: string, unmapped: string): string {
  if (unmapped !== '' && UNMAPPED.has(unmapped)) {
    return `payment.${unmapped}`
  }
  return `payment.${STATUSES.has(status) ? status : 'unknown'}`
}

function callbackOf(fields: Fields, account: string): Callback {
  const ids = idsOf(fields)
  if (ids === undefined) {
    throw malformed('The txnid or the mihpayid of the callback is missing or unusable.')
  }
  return { ...ids, fields, account, amount: amountOf(fields.get('amount')) }
}

function successOf(callback: Callback, confirmation: Confirmation | null): Fact {
  if (confirmation === null) {
    throw notYet('The payment is not yet confirmed with PayU (verify_payment).')
  }
  const state = confirmedState(callback, confirmation)
  const mode = confirmation['mode'] ?? callback.fields.get('mode')
  const occurredAt = dated(confirmation['addedon'], callback.fields.get('addedon'))
  const base = { ...baseOf(callback), occurredAt, method: textOf(mode) } as const
  const key = `payu:${callback.account}:${callback.gatewayPaymentId}`
  switch (state) {
    case 'captured':
      return {
        ...base,
        kind: 'payment_captured',
        key: `${key}:captured`,
        subscriptionRef: null,
        // Only PayU's own answer: anybody who has seen a valid callback can change this field in
        // it.
        bankReference: bankReferenceOf(confirmation['bank_ref_num']),
      }
    case 'auth':
      return { ...base, kind: 'payment_authorized', key: `${key}:auth` }
    default:
      return state satisfies never
  }
}

function confirmedState(callback: Callback, confirmation: Confirmation): 'captured' | 'auth' {
  const { gatewayPaymentId: payment, orderRef: order } = callback
  const status = plainStatus(confirmation['status'])
  const unmapped = plainStatus(confirmation['unmappedstatus'])
  if (status === 'notfound') {
    throw malformed(`PayU does not know order ${order}, which the callback calls paid.`)
  }
  const [confirmedOrder, confirmedPayment] = [confirmation['txnid'], confirmation['mihpayid']]
  if (confirmedPayment?.trim() !== payment) {
    const other = textOf(confirmedPayment) ?? 'none'
    throw malformed(`The callback is of payment ${payment}, PayU has ${other} for order ${order}.`)
  }
  if (confirmedOrder !== undefined && confirmedOrder.trim() !== order) {
    throw malformed(`The callback is of order ${order}, PayU has ${textOf(confirmedOrder)}.`)
  }
  if (status === 'pending' || PENDING.has(unmapped)) {
    throw notYet(`PayU still calls payment ${payment} ${unmapped === '' ? status : unmapped}.`)
  }
  if (status !== 'success' || (unmapped !== 'captured' && unmapped !== 'auth')) {
    const told = `${textOf(status) ?? 'nothing'}/${textOf(unmapped) ?? 'nothing'}`
    throw malformed(`The callback calls payment ${payment} a success, PayU calls it ${told}.`)
  }
  // Where PayU grants a discount, `amt` is what is left of `transaction_amount`, the order's
  // amount.
  const confirmed = amountOf(confirmation['transaction_amount'] ?? confirmation['amt'])
  if (confirmed !== callback.amount) {
    throw malformed(
      `The callback says ${callback.amount} paise for payment ${payment}, PayU says ${confirmed}.`,
    )
  }
  return unmapped
}

/**
 * A failed payment; one whose money PayU found at the bank later, and gave back by itself
 * (`autoRefund`), failed too, and nothing of it reached us.
 */
function failureOf(fields: Fields, account: string): Fact[] {
  const unmapped = plainStatus(fields.get('unmappedstatus'))
  if (unmapped === 'captured' || unmapped === 'auth') {
    throw malformed(`The callback has the status failure and the unmapped status ${unmapped}.`)
  }
  if (!FAILED.has(unmapped) && unmapped !== AUTO_REFUND) {
    return []
  }
  const callback = callbackOf(fields, account)
  const base = baseOf(callback)
  const { gatewayPaymentId, amount, currency } = base
  const key = `payu:${account}:${gatewayPaymentId}`
  const occurredAt = dated(fields.get('addedon'))
  const failed: Fact = {
    ...base,
    kind: 'payment_failed',
    key: `${key}:failed`,
    occurredAt,
    method: textOf(fields.get('mode')),
    reason: textOf(fields.get('error_Message')) ?? textOf(fields.get('field9')),
  }
  if (unmapped !== AUTO_REFUND) {
    return [failed]
  }
  const voided: Fact = {
    kind: 'refund_voided',
    key: `${key}:autorefund`,
    gateway: 'payu',
    account,
    occurredAt,
    // Such a refund has no id of its own.
    gatewayRefundId: gatewayPaymentId,
    gatewayPaymentId,
    amount,
    currency,
  }
  return [failed, voided]
}

function baseOf(callback: Callback) {
  const { fields, account, orderRef, gatewayPaymentId, amount } = callback
  const name = `${fields.get('firstname') ?? ''} ${fields.get('lastname') ?? ''}`
  return {
    gateway: 'payu',
    account,
    gatewayPaymentId,
    orderRef,
    amount,
    currency: CURRENCY,
    payer: {
      name: textOf(name),
      email: textOf(fields.get('email')),
      phone: textOf(fields.get('phone')),
    },
  } as const
}

function dated(...texts: (string | undefined)[]): Date {
  const instant = instantOf(texts)
  if (instant === undefined) {
    throw malformed('Neither the callback nor PayU says when it was (addedon).')
  }
  return instant
}
