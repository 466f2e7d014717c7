/** Razorpay's disputes: money is taken only when one is lost. */
import type { Fact } from '../fact.ts'
import {
  amountAt,
  currencyAt,
  entityOf,
  idAt,
  instantOf,
  instantOrNull,
  malformed,
  minorAt,
  wordAt,
  type Envelope,
  type Reading,
} from './entity.ts'

export type DisputeSaid = 'open' | 'lost' | 'won'

const STATES: ReadonlyMap<unknown, DisputeSaid> = new Map<unknown, DisputeSaid>([
  ['open', 'open'],
  ['under_review', 'open'],
  ['action_required', 'open'],
  ['lost', 'lost'],
  ['won', 'won'],
  // The fraud phase ends so, without a loss (razorpay.com/docs/payments/disputes).
  ['closed', 'won'],
])

/**
 * That a dispute was opened, and how it ended. Razorpay deducts `amount_deducted` when it is lost,
 * and nothing before (razorpay.com/docs/api/disputes/entity).
 */
export function readDispute(envelope: Envelope, said: DisputeSaid): Reading {
  const { account, payload } = envelope
  const dispute = entityOf(payload, 'dispute')
  const status = STATES.get(dispute['status'])
  if (status === undefined) {
    throw malformed('The status of the dispute is not one that Razorpay has.')
  }
  if (said !== 'open' && status !== said) {
    throw malformed(`The event says ${said}, the dispute in it is ${wordAt(dispute, 'status')}.`)
  }
  const id = idAt(dispute, 'id', 'dispute')
  const key = `rzp:${account}:disp:${id}`
  const base = {
    gateway: 'razorpay',
    account,
    gatewayDisputeId: id,
    gatewayPaymentId: idAt(dispute, 'payment_id', 'dispute'),
    amount: amountAt(dispute),
    currency: currencyAt(dispute),
  } as const
  const facts: Fact[] = [
    {
      ...base,
      kind: 'dispute_opened',
      key: `${key}:opened`,
      occurredAt: instantOf(dispute['created_at'], envelope.createdAt),
      phase: wordAt(dispute, 'phase'),
      reason: wordAt(dispute, 'reason_code'),
      respondBy: instantOrNull(dispute['respond_by']),
    },
  ]
  const occurredAt = instantOf(envelope.createdAt, dispute['created_at'])
  switch (status) {
    case 'open':
      return { facts }
    case 'won':
      return { facts: [...facts, { ...base, kind: 'dispute_won', key: `${key}:won`, occurredAt }] }
    case 'lost': {
      const amount = minorAt(dispute, 'amount_deducted') ?? 0n
      if (amount === 0n) {
        const note = `Dispute ${id} is lost and nothing is deducted: look at the settlement.`
        return { facts, note }
      }
      const lost = { ...base, kind: 'dispute_lost', key: `${key}:lost`, occurredAt } as const
      return { facts: [...facts, { ...lost, amount, from: 'clearing' }] }
    }
    default:
      return status satisfies never
  }
}
