/** What a dispute tells: opened, money withdrawn and reinstated, and how it was decided. */
import type { DisputeFact } from '../fact.ts'
import { objectAt, type JsonObject } from '../json.ts'
import { textOf } from '../text.ts'
import { malformed, notYet, priceOf } from './amounts.ts'
import { idAt, movementOf, type BalanceTransaction } from './answer.ts'
import { FETCHED, instantOf, type Telling } from './event.ts'

/** Events that say that it was decided; before them the state is but a snapshot. */
const DECIDING = new Set(['charge.dispute.closed', `dispute.${FETCHED}`])

/**
 * The facts of a dispute. Money moves by its balance transactions alone, one fact each. Throws
 * `gateway_unavailable` for a lost one of which no money was withdrawn yet.
 */
export function disputeFacts(dispute: JsonObject, told: Telling): DisputeFact[] {
  const { account } = told
  const [id, gatewayPaymentId] = [idAt(dispute, 'id'), idAt(dispute, 'charge')]
  if (id === null || gatewayPaymentId === null) {
    throw malformed('The dispute or its charge has no usable id.')
  }
  const base = { gateway: 'stripe', account, gatewayDisputeId: id, gatewayPaymentId } as const
  const key = `stripe:${account}:dp:${id}`
  const contested = priceOf(dispute, 'amount')
  const due = objectAt(dispute, 'evidence_details')?.['due_by'] ?? null
  const movements = movementsIn(dispute)
  const facts: DisputeFact[] = [
    {
      ...base,
      ...contested,
      kind: 'dispute_opened',
      key: `${key}:opened`,
      occurredAt: instantOf(dispute['created']),
      phase: phaseOf(dispute),
      reason: textOf(dispute['reason']),
      respondBy: due === null ? null : instantOf(due),
    },
    ...movements.map((movement) => movedBy(movement, base)),
  ]
  if (!DECIDING.has(told.type)) {
    return facts
  }
  const decided = { ...base, occurredAt: told.toldAt }
  const status = dispute['status']
  switch (status) {
    case 'won':
    // An inquiry that ended without becoming a dispute.
    case 'warning_closed':
      facts.push({ ...decided, ...contested, kind: 'dispute_won', key: `${key}:${status}` })
      break
    case 'lost': {
      const lost = lostOf(movements, id)
      facts.push({ ...decided, ...lost, kind: 'dispute_lost', key: `${key}:lost`, from: 'debited' })
      break
    }
  }
  return facts
}

function movementsIn(dispute: JsonObject): BalanceTransaction[] {
  const list = dispute['balance_transactions'] ?? []
  if (!Array.isArray(list)) {
    throw malformed('The balance transactions of the dispute are no list.')
  }
  return list
    .map(movementOf)
    .sort((one, other) => one.created.getTime() - other.created.getTime() || order(one, other))
}

function order(one: BalanceTransaction, other: BalanceTransaction): number {
  return one.id < other.id ? -1 : 1
}

/** A withdrawal takes amount and fee; a reinstatement gives back the amount, perhaps the fee. */
function movedBy(
  { id, amount, fee, tax, currency, created }: BalanceTransaction,
  base: {
    gateway: 'stripe'
    account: string
    gatewayDisputeId: string
    gatewayPaymentId: string
  },
): DisputeFact {
  const takes = amount < 0n
  if (amount === 0n || (takes ? fee < 0n : fee > 0n)) {
    throw malformed(`${id} of ${base.gatewayDisputeId} neither takes nor gives: book it by hand.`)
  }
  return {
    ...base,
    kind: takes ? 'dispute_debited' : 'dispute_credited',
    key: `stripe:${base.account}:txn:${id}`,
    amount: takes ? -amount : amount,
    fee: takes ? fee : -fee,
    tax: takes ? tax : -tax,
    currency,
    occurredAt: created,
  }
}

/** What was withdrawn and not given back, in the currency that we lose. */
function lostOf(
  movements: readonly BalanceTransaction[],
  id: string,
): { amount: bigint; currency: string } {
  const [first] = movements
  const amount = -movements.reduce((sum, movement) => sum + movement.amount, 0n)
  if (first === undefined || amount <= 0n) {
    throw notYet(`${id} is lost, but no money of it is withdrawn.`)
  }
  if (movements.some(({ currency }) => currency !== first.currency)) {
    throw malformed(`The balance transactions of ${id} are in several currencies.`)
  }
  return { amount, currency: first.currency }
}

function phaseOf(dispute: JsonObject): string | null {
  const card = objectAt(objectAt(dispute, 'payment_method_details'), 'card')
  const isInquiry = textOf(dispute['status'])?.startsWith('warning_') === true
  return textOf(card?.['case_type']) ?? (isInquiry ? 'inquiry' : null)
}
