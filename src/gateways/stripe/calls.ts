/** What Stripe is asked for and told: confirmations, captures, refunds and what became of them. */
import { Problem } from '../../base/problem.ts'
import type { Capture, CaptureAnswer, NewRefund, PaymentRef, RefundAnswer, Told } from '../asked.ts'
import { refused, unavailable } from '../call.ts'
import type { CallOptions, Confirmation, GatewayAccount } from '../gateway.ts'
import { isObject, objectAt, type JsonObject } from '../json.ts'
import { idOf, textOf } from '../text.ts'
import { toStripe } from './amounts.ts'
import { confirmationOf, idAt, REFERENCE, referenceIn } from './answer.ts'
import { ask, expandedIn, tell } from './api.ts'
import { FETCHED } from './event.ts'

/** Questions in one go, and how many of them are on their way at a time. */
const QUESTIONS_MAX = 20
const AT_A_TIME = 5
/** The most that Stripe lists on one page. */
const PAGE = '100'

/** Asks for objects by their paths; what could not be asked is left out, unless nothing could. */
export async function confirm(
  account: GatewayAccount,
  refs: readonly string[],
  options: CallOptions,
): Promise<ReadonlyMap<string, Confirmation>> {
  if (refs.length > QUESTIONS_MAX) {
    throw new Problem('internal', { detail: 'These cannot be asked about in one go.' })
  }
  const answers = new Map<string, Confirmation>()
  const failures: unknown[] = []
  const waiting = [...refs]
  const askInTurn = async (): Promise<void> => {
    for (let ref = waiting.shift(); ref !== undefined; ref = waiting.shift()) {
      try {
        answers.set(ref, confirmationOf(ref, await objectAtPath(account, ref, options)))
      } catch (error) {
        failures.push(error)
      }
    }
  }
  await Promise.all(Array.from({ length: AT_A_TIME }, askInTurn))
  if (answers.size === 0 && failures.length > 0) {
    throw failures[0]
  }
  return answers
}

async function objectAtPath(
  account: GatewayAccount,
  path: string,
  options: CallOptions,
): Promise<JsonObject | undefined> {
  const collection = path.slice(0, path.indexOf('/'))
  const object = await ask(account, path, expandedIn(collection), options)
  const refunds = objectAt(object, 'refunds')
  // A charge shows its ten newest refunds only.
  return object === undefined || collection !== 'charges' || refunds?.['has_more'] !== true
    ? object
    : { ...object, refunds: await refundsOf(account, path.slice('charges/'.length), options) }
}

async function refundsOf(
  account: GatewayAccount,
  charge: string,
  options: CallOptions,
): Promise<JsonObject | undefined> {
  const query = [['charge', charge], ['limit', PAGE], ...expandedIn('refunds', 'data.')] as const
  return await ask(account, 'refunds', query, options)
}

/** What Stripe told of an object, as an event that names it, and the object as evidence. */
export function toldOf(kind: keyof typeof COLLECTIONS, object: JsonObject): Told | undefined {
  const id = idOf(object['id'])
  if (id === undefined) {
    return undefined
  }
  const event = {
    object: 'event',
    type: `${kind}.${FETCHED}`,
    livemode: object['livemode'],
    data: { object: { id, object: kind } },
  }
  return {
    id,
    event: {
      body: Buffer.from(JSON.stringify(event)),
      contentType: 'application/json',
      receivedAt: new Date(),
      signedBy: null,
    },
    confirmation: confirmationOf(`${COLLECTIONS[kind]}/${id}`, object),
  }
}

export const COLLECTIONS = {
  charge: 'charges',
  payment_intent: 'payment_intents',
  refund: 'refunds',
  dispute: 'disputes',
  payout: 'payouts',
} as const

/** What Stripe says of a payment now: a charge, or an intent whose attempt made none. */
export async function fetchPayment(
  account: GatewayAccount,
  { gatewayPaymentId: id }: PaymentRef,
  options: CallOptions,
): Promise<Told | null> {
  return await fetched(account, id.startsWith('pi_') ? 'payment_intent' : 'charge', id, options)
}

/** What Stripe says of a refund now. */
export async function fetchRefund(
  account: GatewayAccount,
  gatewayRefundId: string,
  options: CallOptions,
): Promise<Told | null> {
  return await fetched(account, 'refund', gatewayRefundId, options)
}

async function fetched(
  account: GatewayAccount,
  kind: keyof typeof COLLECTIONS,
  given: string,
  options: CallOptions,
): Promise<Told | null> {
  const path = `${COLLECTIONS[kind]}/${usable(given)}`
  const object = await objectAtPath(account, path, options)
  return (object === undefined ? undefined : toldOf(kind, object)) ?? null
}

/**
 * Captures what was authorised. A charge of an intent is captured through the intent. Where it is
 * captured already, that is the answer: a repetition changes nothing.
 */
export async function capture(
  account: GatewayAccount,
  { gatewayPaymentId, amount, currency, reference }: Capture,
  options: CallOptions,
): Promise<CaptureAnswer> {
  const path = `charges/${usable(gatewayPaymentId)}`
  const charge = await objectAtPath(account, path, options)
  if (charge === undefined) {
    throw refused('Stripe', `It knows no charge ${gatewayPaymentId}.`, [])
  }
  if (charge['captured'] === true) {
    return { state: 'captured', told: toldOf('charge', charge) ?? null }
  }
  const units = String(toStripe(amount, currency))
  if (textOf(charge['currency'])?.toUpperCase() !== currency) {
    throw refused('Stripe', 'The charge is in another currency.', [])
  }
  const intent = idAt(charge, 'payment_intent')
  const kind = intent === null ? 'charge' : 'payment_intent'
  const made = await tell(
    account,
    {
      path: intent === null ? `${path}/capture` : `payment_intents/${intent}/capture`,
      fields: [
        [intent === null ? 'amount' : 'amount_to_capture', units],
        ...expandedIn(COLLECTIONS[kind]),
      ],
      idempotencyKey: `capture-${reference}`,
      movesMoney: true,
    },
    options,
  )
  const isCaptured = made['captured'] === true || made['status'] === 'succeeded'
  return { state: isCaptured ? 'captured' : 'pending', told: toldOf(kind, made) ?? null }
}

/**
 * Gives money back under an idempotency key. Stripe forgets the key after a day: a later repetition
 * asks `findRefund` first. The speed cannot be chosen. What was paid in another currency than we
 * got is refused: Stripe takes the amount in the currency of the charge.
 */
export async function refund(
  account: GatewayAccount,
  { gatewayPaymentId, amount, currency, reference }: NewRefund,
  options: CallOptions,
): Promise<RefundAnswer> {
  const units = String(toStripe(amount, currency))
  const charge = await ask(account, `charges/${usable(gatewayPaymentId)}`, [], options)
  if (textOf(charge?.['currency'])?.toUpperCase() !== currency) {
    throw refused('Stripe', 'It has no such charge in that currency.', [])
  }
  const doing = {
    path: 'refunds',
    fields: [
      ['charge', gatewayPaymentId],
      ['amount', units],
      [`metadata[${REFERENCE}]`, reference],
      ...expandedIn('refunds'),
    ],
    idempotencyKey: `refund-${reference}`,
    movesMoney: true,
  } as const
  const made = await tell(account, doing, options)
  const isOurs = idAt(made, 'charge') === gatewayPaymentId && textOf(made['amount']) === units
  if (made['object'] !== 'refund' || !isOurs) {
    const detail = 'Stripe answered with something that is not the refund that was asked for.'
    throw unavailable(detail, { moved: 'unknown' })
  }
  return answerOf(made)
}

/** The refund of a charge that carries our reference; Stripe knows no other way to find it. */
export async function findRefund(
  account: GatewayAccount,
  { gatewayPaymentId, reference }: { gatewayPaymentId: string; reference: string },
  options: CallOptions,
): Promise<RefundAnswer | null> {
  const list = await refundsOf(account, usable(gatewayPaymentId), options)
  const rows: unknown = list === undefined ? [] : list['data']
  if (!Array.isArray(rows)) {
    throw unavailable('Stripe answered with something that is not a list of refunds.')
  }
  const found = rows.filter(isObject).find((row) => referenceIn(row) === reference)
  if (found === undefined && list?.['has_more'] === true) {
    throw unavailable(`${gatewayPaymentId} has more refunds than are looked through.`)
  }
  return found === undefined ? null : answerOf(found)
}

function answerOf(made: JsonObject): RefundAnswer {
  return {
    gatewayRefundId: idOf(made['id']) ?? null,
    state: stateOf(made['status']),
    told: toldOf('refund', made) ?? null,
  }
}

function stateOf(status: unknown): RefundAnswer['state'] {
  switch (status) {
    case 'succeeded':
      return 'processed'
    case 'failed':
    case 'canceled':
      return 'failed'
    default:
      return 'pending'
  }
}

/** An id as part of a path. Throws `invalid_request` for one that no object of Stripe's has. */
function usable(id: string): string {
  const clean = idOf(id)
  if (clean === undefined) {
    throw new Problem('invalid_request', { detail: 'The id is none of Stripe’s.', moved: 'no' })
  }
  return clean
}
