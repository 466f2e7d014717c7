/** What Stripe's events tell: each names an object, whose balance transactions decide. */
import { Problem } from '../../base/problem.ts'
import type { Fact } from '../fact.ts'
import type { Confirmation, ConfirmationRequest, GatewayEvent, StoredWebhook } from '../gateway.ts'
import { objectAt, type JsonObject } from '../json.ts'
import { textOf } from '../text.ts'
import { malformed, notYet, priceOf } from './amounts.ts'
import { idAt, objectIn, referenceIn } from './answer.ts'
import { chargeFacts, NOBODY } from './charge.ts'
import { disputeFacts } from './dispute.ts'
import { eventOf, subjectOf, type StripeEvent, type Telling } from './event.ts'
import { payoutFacts } from './payout.ts'
import { refundFacts } from './refund.ts'

/** What is to be asked for; null where the event is none of ours or cannot be read. */
export function questionOf(webhook: Pick<StoredWebhook, 'body'>): ConfirmationRequest | null {
  try {
    // Whose it is, is checked when it is read.
    const ref = subjectOf(eventOf(webhook.body, null))
    return ref === null ? null : { ref }
  } catch (error) {
    if (error instanceof Problem) {
      return null
    }
    throw error
  }
}

/**
 * The facts in an event, which are those of the object that it names, as Stripe itself told of it
 * when it was asked (`confirmation`): an event has only ids of balance transactions, in the form of
 * whatever API version its endpoint has. So two events of one thing tell the same, in any order.
 * Throws `malformed_event` where they cannot be understood or disagree, `gateway_unavailable` where
 * Stripe must be asked (again).
 */
export function readEvent(
  webhook: StoredWebhook,
  account: string,
  confirmation: Confirmation | null,
): GatewayEvent {
  const event = eventOf(webhook.body, account)
  const path = subjectOf(event)
  if (path === null) {
    return { type: event.type, facts: [] }
  }
  if (confirmation === null) {
    throw notYet(`Stripe was not asked about ${path}.`)
  }
  const object = objectIn(confirmation, path, event.livemode)
  const toldAt = event.created ?? webhook.receivedAt
  const facts = factsOf(path, object, { account, toldAt, type: event.type })
  const isAttempt = event.type === 'payment_intent.payment_failed' && path.startsWith('payment_')
  return { type: event.type, facts: isAttempt ? [...facts, attemptIn(event, account)] : facts }
}

function factsOf(path: string, object: JsonObject, told: Telling): Fact[] {
  const { account, toldAt } = told
  switch (path.slice(0, path.indexOf('/'))) {
    case 'charges':
      return chargeFacts(object, told)
    case 'payment_intents': {
      const charge = objectAt(object, 'latest_charge')
      return charge === undefined ? [] : chargeFacts(charge, told)
    }
    case 'refunds': {
      const charge = objectAt(object, 'charge')
      // Without a charge it gave back what never came through one (a cash balance).
      return charge === undefined
        ? []
        : [...chargeFacts(charge, told), ...refundFacts(object, charge, account, toldAt)]
    }
    case 'disputes':
      return disputeFacts(object, told)
    default:
      return payoutFacts(object, account)
  }
}

/** An attempt that failed before there was a charge: no money, but the donor could not pay. */
function attemptIn({ object, created }: StripeEvent, account: string): Fact {
  const intent = idAt(object, 'id')
  if (intent === null || created === null) {
    throw malformed('The failed attempt has no intent or no time.')
  }
  const error = objectAt(object, 'last_payment_error')
  return {
    kind: 'payment_failed',
    key: `stripe:${account}:pi:${intent}:failed:${created.getTime() / 1000}`,
    gateway: 'stripe',
    account,
    gatewayPaymentId: intent,
    orderRef: referenceIn(object) ?? intent,
    ...priceOf(object, 'amount'),
    occurredAt: created,
    method: textOf(objectAt(error, 'payment_method')?.['type']),
    payer: NOBODY,
    reason: textOf(error?.['message']) ?? textOf(error?.['code']),
  }
}
