/** What a PayU callback says happened, as far as PayU itself confirms it. */
import { fromIndianTime } from '../../base/clock.ts'
import { MAX_MINOR, parseDecimal } from '../../base/money.ts'
import { messageOf, Problem } from '../../base/problem.ts'
import type { Fact } from '../fact.ts'
import type { Confirmation, ConfirmationRequest, GatewayEvent, RawWebhook } from '../gateway.ts'
import { textOf } from '../text.ts'
import { fieldsOf, idsOf, plainStatus, unhashedKind, UNREADABLE, type Fields } from './callback.ts'

/** PayU India's amounts carry no currency. */
const CURRENCY = 'INR'

const STATUSES = new Set(['success', 'failure', 'pending'])
const PENDING = new Set(['initiated', 'inprogress', 'pending'])
const FAILED = new Set(['failed', 'failure', 'dropped', 'bounced', 'usercancelled', ''])
const UNMAPPED = new Set([...FAILED, ...PENDING, 'captured', 'auth', 'autorefund'])

interface Callback extends ConfirmationRequest {
  fields: Fields
  account: string
  amount: bigint
}

/** Which payment must be confirmed: the hash covers `status`, but neither of what it hides. */
export function confirmationOf(webhook: RawWebhook): ConfirmationRequest | null {
  const fields = fieldsOf(webhook)
  if (fields === undefined || plainStatus(fields.get('status')) !== 'success') {
    return null
  }
  return idsOf(fields) ?? null
}

/**
 * The facts in a callback. `success` alone says neither that money was captured nor for which
 * payment, so PayU's own answer (`confirmation`) decides. Throws `malformed_event` where the
 * callback cannot be understood or PayU disagrees with it, `gateway_unavailable` where it must be
 * asked (again).
 */
export function readCallback(
  webhook: RawWebhook,
  account: string,
  confirmation: Confirmation | null,
): GatewayEvent {
  const fields = fieldsOf(webhook)
  if (fields === undefined) {
    throw malformed(UNREADABLE)
  }
  const kind = unhashedKind(fields)
  if (kind !== undefined) {
    return { type: kind, facts: [] }
  }
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
  const occurredAt = instantOf([confirmation['addedon'], callback.fields.get('addedon')])
  const base = { ...baseOf(callback), occurredAt, method: textOf(mode) } as const
  const key = `payu:${callback.account}:${callback.gatewayPaymentId}`
  switch (state) {
    case 'captured':
      return {
        ...base,
        kind: 'payment_captured',
        key: `${key}:captured`,
        fee: null,
        tax: null,
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

/** A refund that PayU made by itself (`autoRefund`) gives no fact: nothing of it reached us. */
function failureOf(fields: Fields, account: string): Fact[] {
  const unmapped = plainStatus(fields.get('unmappedstatus'))
  if (unmapped === 'captured' || unmapped === 'auth') {
    throw malformed(`The callback has the status failure and the unmapped status ${unmapped}.`)
  }
  if (!FAILED.has(unmapped)) {
    return []
  }
  const callback = callbackOf(fields, account)
  const { gatewayPaymentId } = callback
  return [
    {
      ...baseOf(callback),
      kind: 'payment_failed',
      key: `payu:${account}:${gatewayPaymentId}:failed`,
      occurredAt: instantOf([fields.get('addedon')]),
      method: textOf(fields.get('mode')),
      reason: textOf(fields.get('error_Message')) ?? textOf(fields.get('field9')),
    },
  ]
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

function amountOf(text: string | undefined): bigint {
  let amount: bigint
  try {
    amount = parseDecimal(text ?? '', CURRENCY)
  } catch (thrown) {
    throw malformed(messageOf(thrown))
  }
  if (amount <= 0n || amount > MAX_MINOR) {
    throw malformed('The amount is not above zero, or larger than any amount of money can be.')
  }
  return amount
}

/** PayU writes "0000-00-00 00:00:00" for a time that it does not have. */
function instantOf(texts: readonly (string | undefined)[]): Date {
  for (const text of texts) {
    const instant = fromIndianTime(text ?? '')
    if (instant !== undefined && instant.getTime() > 0) {
      return instant
    }
  }
  throw malformed('Neither the callback nor PayU says when it was (addedon).')
}

function bankReferenceOf(text: string | undefined): string | null {
  const reference = textOf(text)
  return reference === 'null' || reference === '0' ? null : reference
}

function notYet(detail: string): Problem {
  return new Problem('gateway_unavailable', { detail, moved: 'unknown', retryAfter: 30 })
}

function malformed(detail: string): Problem {
  return new Problem('malformed_event', { detail })
}
