/** What a charge tells: authorised, captured with its fee, failed, and its refunds. */
import type { Fact, PaymentFact } from '../fact.ts'
import { isObject, objectAt, type JsonObject } from '../json.ts'
import { textOf } from '../text.ts'
import { malformed, notYet, priceOf } from './amounts.ts'
import { idAt, movementIn, referenceIn, type BalanceTransaction } from './answer.ts'
import { FETCHED, instantOf, type Telling } from './event.ts'
import { refundFacts } from './refund.ts'

/** Events on account of which the refunds of a charge are told with it. */
const WITH_REFUNDS = new Set(['charge.refunded', `charge.${FETCHED}`])

/** Who paid stays with Stripe: the donor told us, and books need no name. */
export const NOBODY: PaymentFact['payer'] = { name: null, email: null, phone: null }

/**
 * The facts of a charge, and of its refunds where it was asked for on account of them: an odd
 * refund must not hold up the capture. Throws `gateway_unavailable` for a captured one that has no
 * balance transaction yet: Stripe makes it a moment later where it captures asynchronously, and
 * only it says how much we get in which currency.
 */
export function chargeFacts(charge: JsonObject, told: Telling): Fact[] {
  const { account, toldAt, type } = told
  const id = idAt(charge, 'id')
  if (id === null) {
    throw malformed('The charge has no usable id.')
  }
  const movement = movementIn(charge, 'balance_transaction')
  const status = charge['status']
  if (status === 'failed') {
    return [failed(charge, baseOf(charge, id, account), movement)]
  }
  if (status !== 'succeeded') {
    return []
  }
  const facts: Fact[] = []
  const isCaptured = charge['captured'] === true
  if (!isCaptured || isManual(charge)) {
    facts.push(authorized(charge, baseOf(charge, id, account)))
  }
  if (isCaptured) {
    if (movement === null) {
      throw notYet(`Stripe has no balance transaction of ${id} yet.`)
    }
    facts.push(...captured(charge, baseOf(charge, id, account), movement))
  }
  const refunds = WITH_REFUNDS.has(type) ? objectAt(charge, 'refunds')?.['data'] : []
  for (const refund of Array.isArray(refunds) ? refunds : []) {
    if (!isObject(refund)) {
      throw malformed(`A refund of ${id} cannot be read.`)
    }
    facts.push(...refundFacts(refund, charge, account, toldAt))
  }
  return facts
}

/** It was authorised first and captured by a call of its own. */
function isManual(charge: JsonObject): boolean {
  return objectAt(charge, 'payment_intent')?.['capture_method'] === 'manual'
}

type Base = ReturnType<typeof baseOf>

function baseOf(charge: JsonObject, id: string, account: string) {
  return {
    gateway: 'stripe',
    account,
    gatewayPaymentId: id,
    orderRef: orderOf(charge),
    method: textOf(objectAt(charge, 'payment_method_details')?.['type']),
    payer: NOBODY,
    occurredAt: instantOf(charge['created']),
  } as const
}

/** Our own reference, which Stripe copies from the intent to its charge; else the intent. */
function orderOf(charge: JsonObject): string | null {
  const intent = objectAt(charge, 'payment_intent')
  return referenceIn(charge) ?? referenceIn(intent) ?? idAt(charge, 'payment_intent')
}

function authorized(charge: JsonObject, base: Base): Fact {
  const intent = idAt(charge, 'payment_intent')
  const object = intent === null ? `ch:${base.gatewayPaymentId}` : `pi:${intent}`
  return {
    ...base,
    ...priceOf(charge, 'amount'),
    kind: 'payment_authorized',
    key: `stripe:${base.account}:${object}:authorized`,
  }
}

function captured(charge: JsonObject, base: Base, movement: BalanceTransaction): Fact[] {
  const { amount, currency, fee, tax, created } = movement
  const key = `stripe:${base.account}:ch:${base.gatewayPaymentId}`
  if (amount <= 0n || fee < 0n) {
    throw malformed(`${movement.id} takes money for a captured charge.`)
  }
  const price = priceOf(charge, 'amount_captured')
  if (price.currency === currency && price.amount !== amount) {
    throw malformed(`${movement.id} moves ${amount}, but ${price.amount} were captured.`)
  }
  return [
    {
      ...base,
      kind: 'payment_captured',
      key: `${key}:captured`,
      amount,
      currency,
      occurredAt: created,
      bankReference: null,
      subscriptionRef: idAt(objectAt(charge, 'invoice') ?? {}, 'subscription'),
    },
    {
      kind: 'payment_fee',
      key: `${key}:fee`,
      gateway: 'stripe',
      account: base.account,
      gatewayPaymentId: base.gatewayPaymentId,
      occurredAt: created,
      currency,
      fee,
      tax,
    },
  ]
}

/**
 * A charge that had succeeded can fail days later where a bank debit is returned: its money then
 * goes back by a balance transaction that no rule of ours knows.
 */
function failed(charge: JsonObject, base: Base, movement: BalanceTransaction | null): Fact {
  if (movement !== null) {
    const { gatewayPaymentId: id } = base
    throw malformed(`${id} failed after its money came (${movement.id}): book it by hand.`)
  }
  const reasons = ['failure_message', 'failure_code'].map((name) => textOf(charge[name]))
  return {
    ...base,
    ...priceOf(charge, 'amount'),
    kind: 'payment_failed',
    key: `stripe:${base.account}:ch:${base.gatewayPaymentId}:failed`,
    reason: reasons.find((reason) => reason !== null) ?? null,
  }
}
