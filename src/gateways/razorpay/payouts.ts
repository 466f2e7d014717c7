/** RazorpayX payouts: on their way, paid, and back days later. */
import type { Fact } from '../fact.ts'
import { objectAt, type JsonObject } from '../json.ts'
import {
  amountAt,
  chargeAt,
  chargeOf,
  currencyAt,
  entityOf,
  firstWord,
  idAt,
  instantOf,
  malformed,
  wordAt,
  type Envelope,
  type Reading,
} from './entity.ts'

export type PayoutState = 'queued' | 'pending' | 'processing' | 'processed' | 'reversed' | 'failed'

const STATES: ReadonlyMap<unknown, PayoutState> = new Map<unknown, PayoutState>([
  ['queued', 'queued'],
  ['pending', 'pending'],
  ['processing', 'processing'],
  ['processed', 'processed'],
  ['reversed', 'reversed'],
  ['failed', 'failed'],
  ['rejected', 'failed'],
  ['cancelled', 'failed'],
])

/** How far each is; the money left with `processed`. */
const RANK: Readonly<Record<PayoutState, number>> = {
  pending: 0,
  queued: 1,
  processing: 2,
  failed: 3,
  processed: 3,
  reversed: 4,
}

/**
 * What an event tells of the payout in it, by its name and, where that is further, by the payout's
 * own status; `said` is null for an event that names no state. A processed payout may still come
 * back (razorpay.com/docs/x/payouts/states-life-cycle), and one that came back was paid before.
 */
export function readPayout(envelope: Envelope, said: PayoutState | null): Reading {
  const payout = entityOf(envelope.payload, 'payout')
  const told = payout['status']
  const status = told === undefined || told === null ? said : STATES.get(told)
  if (status === undefined || status === null) {
    // `scheduled` among them: a payout that nobody has begun.
    return { facts: [], note: `The payout is ${wordAt(payout, 'status')}: nothing was paid yet.` }
  }
  if (said !== null && contradicts(said, status)) {
    throw malformed(`The event says ${said}, the payout in it is ${wordAt(payout, 'status')}.`)
  }
  const states = new Set<PayoutState>([said ?? status, status])
  if (states.has('reversed')) {
    states.add('processed')
  }
  const inOrder = [...states].sort((one, other) => RANK[one] - RANK[other])
  return { facts: inOrder.map((state) => factOf(envelope, payout, state)) }
}

/** What has not moved money yet contradicts nothing; what failed stays so. */
function contradicts(said: PayoutState, status: PayoutState): boolean {
  return (
    said !== status &&
    RANK[said] >= RANK.failed &&
    !(said === 'processed' && RANK[status] > RANK[said])
  )
}

function factOf(envelope: Envelope, payout: JsonObject, state: PayoutState): Fact {
  const { account } = envelope
  const id = idAt(payout, 'id', 'payout')
  const base = {
    key: `rzp:${account}:pout:${id}:${state}`,
    gateway: 'razorpay',
    account,
    gatewayPayoutId: id,
    amount: amountAt(payout),
    currency: currencyAt(payout),
    reference: wordAt(payout, 'reference_id'),
    occurredAt: instantOf(envelope.createdAt, payout['created_at']),
    ...(chargeAt(payout, 'fees') ?? { fee: 0n, tax: 0n }),
  } as const
  switch (state) {
    case 'queued':
    case 'pending':
    case 'processing':
      return { ...base, kind: 'payout_pending', state }
    case 'processed': {
      const charge = chargeOf(payout, 'fees')
      return { ...base, ...charge, kind: 'payout_processed', utr: wordAt(payout, 'utr') }
    }
    case 'reversed': {
      const charge = chargeOf(payout, 'fees')
      return { ...base, ...charge, kind: 'payout_reversed', reason: reasonOf(payout) }
    }
    case 'failed':
      return { ...base, kind: 'payout_failed', reason: reasonOf(payout) }
    default:
      return state satisfies never
  }
}

function reasonOf(payout: JsonObject): string | null {
  const details = objectAt(payout, 'status_details')
  return firstWord(details, ['description', 'reason']) ?? wordAt(payout, 'failure_reason')
}
