/** Razorpay's refunds: begun, paid, failed, and those of payments that were never captured. */
import type { Fact } from '../fact.ts'
import { objectAt, type JsonObject } from '../json.ts'
import {
  amountAt,
  currencyAt,
  entityIn,
  entityOf,
  firstWord,
  idAt,
  instantOf,
  malformed,
  wordAt,
  type Envelope,
  type Reading,
} from './entity.ts'

const STATUSES = new Set<unknown>(['created', 'pending', 'processed', 'failed'])

export type RefundSaid = 'created' | 'processed' | 'failed'

/**
 * What an event tells of the refund in it: that it was begun, and how far it is, by the event's
 * name or by the refund's own status, whichever is further.
 */
export function readRefund(envelope: Envelope, said: RefundSaid): Reading {
  const { account, payload } = envelope
  const refund = entityOf(payload, 'refund')
  const status = refund['status'] ?? said
  if (!STATUSES.has(status)) {
    throw malformed('The status of the refund is not one that Razorpay has.')
  }
  if (said === 'failed' && status === 'processed') {
    throw malformed('The event says that the refund failed, the refund in it is processed.')
  }
  const id = idAt(refund, 'id', 'refund')
  const key = `rzp:${account}:rfnd:${id}`
  const began = instantOf(refund['created_at'], envelope.createdAt)
  const base = {
    gateway: 'razorpay',
    account,
    gatewayRefundId: id,
    gatewayPaymentId: idAt(refund, 'payment_id', 'refund'),
    amount: amountAt(refund),
    currency: currencyAt(refund),
    occurredAt: began,
  } as const
  if (isVoid(entityIn(payload, 'payment'))) {
    return { facts: [{ ...base, kind: 'refund_voided', key: `${key}:void` }] }
  }
  const reference = wordAt(refund, 'receipt')
  const facts: Fact[] = [{ ...base, kind: 'refund_created', key: `${key}:created`, reference }]
  const now = { ...base, occurredAt: instantOf(envelope.createdAt, refund['created_at']) }
  if (said === 'processed' || status === 'processed') {
    const bankReference = firstWord(objectAt(refund, 'acquirer_data'), ['arn', 'rrn', 'utr'])
    facts.push({ ...now, kind: 'refund_processed', key: `${key}:processed`, bankReference })
  }
  if (said === 'failed' || status === 'failed') {
    facts.push({ ...now, kind: 'refund_failed', key: `${key}:failed`, reason: reasonOf(refund) })
  }
  return { facts }
}

/** Razorpay gives back by itself what nobody captured (razorpay.com/docs/webhooks/refunds). */
function isVoid(payment: JsonObject | undefined): boolean {
  return payment?.['captured'] === false && payment['status'] !== 'captured'
}

function reasonOf(refund: JsonObject): string | null {
  return firstWord(refund, ['error_description', 'error_reason', 'error_code'])
}
