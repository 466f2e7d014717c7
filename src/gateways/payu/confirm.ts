/** PayU's own word on orders and refunds, which counts more than any webhook. */
import { Problem } from '../../base/problem.ts'
import type { Told } from '../asked.ts'
import type { CallOptions, Confirmation, GatewayAccount } from '../gateway.ts'
import { objectAt, type JsonObject } from '../json.ts'
import { idOf } from '../text.ts'
import { ask, kept, no, toldOf } from './ask.ts'
import { aboutOrder, aboutRefund, questionIn } from './questions.ts'

/** Questions in one go, and how many calls run at a time. */
const MAX_QUESTIONS = 20
const MAX_CALLS = 5

/** What is kept of an answer: what decides and what proves. Names and cards stay with PayU. */
const KEPT_OF_PAYMENT = [
  'mihpayid',
  'txnid',
  'status',
  'unmappedstatus',
  'amt',
  'transaction_amount',
  'additional_charges',
  'disc',
  'net_amount_debit',
  'mode',
  'bankcode',
  'PG_TYPE',
  'bank_ref_num',
  'request_id',
  'addedon',
  'error_code',
  'error_Message',
  'field9',
  'Merchant_UTR',
  'Settled_At',
] as const

const KEPT_OF_ACTION = [
  'mihpayid',
  'request_id',
  'action',
  'status',
  'amt',
  'token',
  'mode',
  'bank_ref_num',
  'bank_arn',
  'refund_mode',
  'settlement_id',
  'amount_settled',
  'UTR_no',
  'value_date',
] as const

/**
 * Asks PayU: about orders in one call (verify_payment), about each refund in its own
 * (check_action_status). What PayU does not know has the status "Not Found"; what its answer leaves
 * out, or a call that failed, is left out. Throws where there is no answer at all.
 */
export async function confirm(
  account: GatewayAccount,
  refs: readonly string[],
  options: CallOptions,
): Promise<ReadonlyMap<string, Confirmation>> {
  const questions = refs.map(questionIn)
  if (refs.length > MAX_QUESTIONS || questions.includes(undefined)) {
    throw new Problem('internal', { detail: 'These questions cannot be asked in one go.' })
  }
  const orders = questions.flatMap((one) => (one?.about === 'order' ? [one.orderRef] : []))
  const refunds = questions.flatMap((one) => (one?.about === 'refund' ? [one.refundId] : []))
  const calls = refunds.map((refundId) => async () => {
    const told = await askAboutRefund(account, refundId, options)
    return told === undefined ? [] : [[aboutRefund(refundId), told] as const]
  })
  if (orders.length > 0) {
    calls.unshift(async () => {
      const answers = await askAboutOrders(account, orders, options)
      return [...answers].map(([orderRef, told]) => [aboutOrder(orderRef), told] as const)
    })
  }
  const results: PromiseSettledResult<(readonly [string, Confirmation])[]>[] = []
  for (let start = 0; start < calls.length; start += MAX_CALLS) {
    const some = calls.slice(start, start + MAX_CALLS).map(async (call) => await call())
    results.push(...(await Promise.allSettled(some)))
  }
  const failed = results.find((result) => result.status === 'rejected')
  if (failed !== undefined && results.every((result) => result.status === 'rejected')) {
    throw failed.reason
  }
  return new Map(results.flatMap((result) => (result.status === 'fulfilled' ? result.value : [])))
}

/** PayU's answers about up to 20 orders, by order; throws `gateway_refused` in its own words. */
export async function askAboutOrders(
  account: GatewayAccount,
  orderRefs: readonly string[],
  options: CallOptions,
): Promise<Map<string, Confirmation>> {
  const command = { command: 'verify_payment', vars: [orderRefs.join('|')] }
  const answer = await ask(account, command, options)
  const details = objectAt(answer, 'transaction_details') ?? {}
  const answers = new Map<string, Confirmation>()
  for (const orderRef of orderRefs) {
    const entry = Object.hasOwn(details, orderRef) ? objectAt(details, orderRef) : undefined
    if (entry !== undefined) {
      answers.set(orderRef, paymentIn(entry))
    }
  }
  if (answers.size === 0 && answer['status'] !== '1') {
    throw no(account, answer)
  }
  return answers
}

/**
 * PayU's answer about one refund: it nests the request in itself, and says in so many words where
 * it knows none. Undefined where it says neither.
 */
export async function askAboutRefund(
  account: GatewayAccount,
  refundId: string,
  options: CallOptions,
): Promise<Confirmation | undefined> {
  const command = { command: 'check_action_status', vars: [refundId] }
  const answer = await ask(account, command, options)
  const details = objectAt(answer, 'transaction_details')
  const own = details !== undefined && Object.hasOwn(details, refundId)
  const entry = own ? objectAt(objectAt(details, refundId), refundId) : undefined
  if (entry !== undefined) {
    return kept(entry, KEPT_OF_ACTION)
  }
  if (own && typeof details[refundId] === 'string') {
    return { request_id: refundId, status: 'Not Found' }
  }
  if (answer['status'] !== '1') {
    throw no(account, answer)
  }
  return undefined
}

/** All that was done with a payment (check_action_status by PayU's id): captures and refunds. */
export async function actionsOf(
  account: GatewayAccount,
  gatewayPaymentId: string,
  options: CallOptions,
): Promise<Confirmation[]> {
  const command = { command: 'check_action_status', vars: [gatewayPaymentId, 'payuid'] }
  const answer = await ask(account, command, options)
  const details = objectAt(answer, 'transaction_details')
  const told = details?.[gatewayPaymentId]
  if (answer['status'] !== '1' && typeof told !== 'string') {
    throw no(account, answer)
  }
  const requests: JsonObject = objectAt(details, gatewayPaymentId) ?? {}
  return Object.keys(requests).flatMap((id) => {
    const entry = objectAt(requests, id)
    return entry === undefined ? [] : [kept(entry, KEPT_OF_ACTION)]
  })
}

/** What is kept of PayU's answer about one payment. */
export function paymentIn(entry: JsonObject): Confirmation {
  return kept(entry, KEPT_OF_PAYMENT)
}

/** A payment as PayU answered it; null where it knows none. */
export function toldOfPayment(account: GatewayAccount, payment: Confirmation): Told | null {
  const id = idOf(payment['mihpayid'])
  if (id === undefined) {
    return null
  }
  const amount = payment['transaction_amount'] ?? payment['amt'] ?? ''
  return toldOf(account, id, { ...payment, amount }, payment)
}

/** A refund as PayU answered it; null where it knows none. */
export function toldOfRefund(account: GatewayAccount, refund: Confirmation): Told | null {
  const id = idOf(refund['request_id'])
  const isKnown = id !== undefined && refund['mihpayid'] !== undefined
  return isKnown ? toldOf(account, id, { ...refund, action: 'refund' }, refund) : null
}
