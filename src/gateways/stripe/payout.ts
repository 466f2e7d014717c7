/** What a payout tells: Stripe sent money to the bank, or it came back. */
import type { SettlementFact } from '../fact.ts'
import { objectAt, type JsonObject } from '../json.ts'
import { textOf } from '../text.ts'
import { malformed, notYet, priceOf } from './amounts.ts'
import { idAt, movementIn } from './answer.ts'

/**
 * The facts of a payout. One that failed was sent and came back, whether or not it was called paid
 * between. Throws `gateway_unavailable` where its balance transaction is not there yet.
 */
export function payoutFacts(payout: JsonObject, account: string): SettlementFact[] {
  const id = idAt(payout, 'id')
  if (id === null) {
    throw malformed('The payout has no usable id.')
  }
  const { status } = payout
  if (status !== 'paid' && status !== 'failed') {
    // A cancelled one never left, and one on its way is told when it is there.
    return []
  }
  const price = priceOf(payout, 'amount')
  const sent = movementIn(payout, 'balance_transaction')
  const back = movementIn(payout, 'failure_balance_transaction')
  if (sent === null || (status === 'failed' && back === null)) {
    throw notYet(`Stripe has no balance transaction of ${id} yet.`)
  }
  const key = `stripe:${account}:po:${id}`
  const base = {
    gateway: 'stripe',
    account,
    gatewaySettlementId: id,
    amount: price.amount,
    currency: price.currency,
  } as const
  for (const [movement, amount] of [
    [sent, -price.amount],
    [back, price.amount],
  ] as const) {
    if (movement === null) {
      continue
    }
    const { fee, currency } = movement
    if (fee !== 0n || currency !== price.currency || movement.amount !== amount) {
      throw malformed(`${movement.id} moves another sum than payout ${id}: book it by hand.`)
    }
  }
  const facts: SettlementFact[] = [
    {
      ...base,
      kind: 'settled',
      key: `${key}:paid`,
      occurredAt: sent.created,
      utr: textOf(objectAt(payout, 'trace_id')?.['value']),
    },
  ]
  if (status === 'failed' && back !== null) {
    facts.push({
      ...base,
      kind: 'settlement_returned',
      key: `${key}:failed`,
      occurredAt: back.created,
      reason: textOf(payout['failure_message']) ?? textOf(payout['failure_code']),
    })
  }
  return facts
}
