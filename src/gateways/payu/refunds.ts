/** PayU's refunds: its webhook is a hint, its own answer (check_action_status) is what counts. */
import type { Fact } from '../fact.ts'
import type { Confirmation, GatewayEvent } from '../gateway.ts'
import { idOf, textOf } from '../text.ts'
import { plainStatus, type Fields } from './callback.ts'
import { amountOf, bankReferenceOf, CURRENCY, malformed, notYet } from './values.ts'

const ENDS = new Set(['success', 'failure'])

/** PayU's id of the refund; undefined where it is unusable. */
export function refundIdOf(fields: Fields): string | undefined {
  return idOf(fields.get('request_id'))
}

/**
 * The refund as PayU confirms it. It comes twice, the second time with the bank's reference (ARN),
 * which is filled in and moves nothing. Neither the hint nor the answer says when it was, so that
 * the time of receipt counts.
 */
export function readRefund(hint: {
  fields: Fields
  account: string
  confirmation: Confirmation | null
  receivedAt: Date
}): GatewayEvent {
  const { fields, account, confirmation } = hint
  if (fields.get('key') !== account) {
    throw malformed('The merchant key of the refund is not the one of this endpoint.')
  }
  const refundId = refundIdOf(fields)
  const paymentId = idOf(fields.get('mihpayid'))
  if (refundId === undefined || paymentId === undefined) {
    throw malformed('The request_id or the mihpayid of the refund is missing or unusable.')
  }
  if (confirmation === null) {
    throw notYet('The refund is not yet confirmed with PayU (check_action_status).')
  }
  const said = plainStatus(fields.get('status'))
  const status = confirmedStatus(confirmation, { refundId, paymentId, said })
  const base = {
    gateway: 'payu',
    account,
    gatewayRefundId: refundId,
    gatewayPaymentId: paymentId,
    amount: sameAmount(fields.get('amt'), confirmation['amt'], refundId),
    currency: CURRENCY,
    occurredAt: hint.receivedAt,
  } as const
  const key = `payu:${account}:refund:${refundId}`
  const reference = textOf(confirmation['token'])
  const facts: Fact[] = [{ ...base, kind: 'refund_created', key: `${key}:created`, reference }]
  if (status === 'success') {
    const bankReference = bankReferenceOf(confirmation['bank_arn'], confirmation['bank_ref_num'])
    facts.push({ ...base, kind: 'refund_processed', key: `${key}:success`, bankReference })
  }
  if (status === 'failure') {
    const reason = textOf(fields.get('remark'))
    facts.push({ ...base, kind: 'refund_failed', key: `${key}:failure`, reason })
  }
  return { type: `refund.${ENDS.has(said) ? said : 'pending'}`, facts }
}

/** PayU's own word on the refund, once it is about this one and as far as the hint says it is. */
function confirmedStatus(
  confirmation: Confirmation,
  hint: { refundId: string; paymentId: string; said: string },
): string {
  const { refundId, paymentId, said } = hint
  const status = plainStatus(confirmation['status'])
  if (status === 'notfound') {
    throw malformed(`PayU does not know refund ${refundId}.`)
  }
  if (confirmation['request_id']?.trim() !== refundId) {
    throw malformed(`The hint is of refund ${refundId}, PayU answered about another.`)
  }
  if (confirmation['mihpayid']?.trim() !== paymentId) {
    const other = textOf(confirmation['mihpayid']) ?? 'none'
    throw malformed(`Refund ${refundId} is of payment ${other}, the hint says ${paymentId}.`)
  }
  if (plainStatus(confirmation['action']) !== 'refund') {
    throw malformed(`Request ${refundId} is a ${textOf(confirmation['action'])}, not a refund.`)
  }
  if (ENDS.has(said) && !ENDS.has(status)) {
    throw notYet(`PayU still calls refund ${refundId} ${textOf(status) ?? 'nothing'}.`)
  }
  return status
}

function sameAmount(hinted: string | undefined, told: string | undefined, of: string): bigint {
  const [amount, confirmed] = [amountOf(hinted), amountOf(told)]
  if (amount !== confirmed) {
    throw malformed(`The hint says ${amount} paise for refund ${of}, PayU says ${confirmed}.`)
  }
  return confirmed
}
