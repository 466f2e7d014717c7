/** What a refund tells: begun, paid out of our balance, failed, or only an authorisation let go. */
import type { Fact } from '../fact.ts'
import { objectAt, type JsonObject } from '../json.ts'
import { textOf } from '../text.ts'
import { malformed, notYet, priceOf } from './amounts.ts'
import { idAt, movementIn, referenceIn, type BalanceTransaction } from './answer.ts'
import { instantOf } from './event.ts'

const ENDED = new Set<unknown>(['failed', 'canceled'])

/**
 * The facts of a refund; its charge says whether any of the money was ours. A refund that failed
 * after it had left our balance was paid and came back, whether or not anybody told of it between:
 * so the same is told whichever event comes first. Throws `gateway_unavailable` where it failed and
 * the money is not back yet.
 */
export function refundFacts(
  refund: JsonObject,
  charge: JsonObject,
  account: string,
  toldAt: Date,
): Fact[] {
  const [id, gatewayPaymentId] = [idAt(refund, 'id'), idAt(charge, 'id')]
  if (id === null || gatewayPaymentId === null) {
    throw malformed('The refund or its charge has no usable id.')
  }
  const key = `stripe:${account}:re:${id}`
  const occurredAt = instantOf(refund['created'])
  const ids = { gateway: 'stripe', account, gatewayRefundId: id, gatewayPaymentId } as const
  const price = priceOf(refund, 'amount')
  if (charge['captured'] !== true) {
    return [{ ...ids, ...price, kind: 'refund_voided', key: `${key}:void`, occurredAt }]
  }
  const movement = movementIn(refund, 'balance_transaction')
  const back = movementIn(refund, 'failure_balance_transaction')
  const money = moneyOf(price, movement, charge)
  if (money === null) {
    return []
  }
  const base = { ...ids, ...money, occurredAt }
  const reference = referenceIn(refund)
  const facts: Fact[] = [{ ...base, kind: 'refund_created', key: `${key}:created`, reference }]
  const hasEnded = ENDED.has(refund['status'])
  if (movement !== null) {
    assertReturned(id, movement, back)
    if (refund['status'] === 'succeeded' || hasEnded) {
      facts.push({
        ...base,
        kind: 'refund_processed',
        key: `${key}:processed`,
        occurredAt: movement.created,
        bankReference: bankReferenceOf(refund),
      })
    }
    facts.push(...feeOf(movement, { key, id, account }))
  }
  if (hasEnded) {
    if (movement !== null && back === null) {
      throw notYet(`${id} failed, and Stripe has not given its money back yet.`)
    }
    facts.push({
      ...base,
      kind: 'refund_failed',
      key: `${key}:failed`,
      occurredAt: back?.created ?? toldAt,
      reason: textOf(refund['failure_reason']) ?? textOf(refund['status']),
    })
  }
  return facts
}

/**
 * What our balance loses; null where nobody can know yet, because the charge was paid in another
 * currency than we get and the refund has not been converted.
 */
function moneyOf(
  price: { amount: bigint; currency: string },
  movement: BalanceTransaction | null,
  charge: JsonObject,
): { amount: bigint; currency: string } | null {
  if (movement === null) {
    const paid = movementIn(charge, 'balance_transaction')
    return paid !== null && paid.currency === price.currency ? price : null
  }
  if (movement.amount >= 0n) {
    throw malformed(`${movement.id} gives money for a refund.`)
  }
  return { amount: -movement.amount, currency: movement.currency }
}

function assertReturned(
  id: string,
  movement: BalanceTransaction,
  back: BalanceTransaction | null,
): void {
  if (back === null) {
    return
  }
  const isSame = back.amount === -movement.amount && back.currency === movement.currency
  if (!isSame || back.fee !== 0n) {
    throw malformed(`What came back of ${id} (${back.id}) is not what went out: book it by hand.`)
  }
}

function feeOf(
  { id, fee, tax, currency, created }: BalanceTransaction,
  refund: { key: string; id: string; account: string },
): Fact[] {
  if (fee < 0n) {
    throw malformed(`${id} gives a fee back with refund ${refund.id}: book it by hand.`)
  }
  return fee === 0n
    ? []
    : [
        {
          kind: 'refund_fee',
          key: `${refund.key}:fee`,
          gateway: 'stripe',
          account: refund.account,
          gatewayRefundId: refund.id,
          occurredAt: created,
          currency,
          fee,
          tax,
        },
      ]
}

/** The ARN, once the card network has it. */
function bankReferenceOf(refund: JsonObject): string | null {
  return textOf(objectAt(objectAt(refund, 'destination_details'), 'card')?.['reference'])
}
