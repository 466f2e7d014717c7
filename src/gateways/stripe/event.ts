/** Stripe's events: triggers that name an object, which is then asked for. */
import { isObject, objectAt, parseJson, type JsonObject } from '../json.ts'
import { idOf, textOf } from '../text.ts'
import { malformed } from './amounts.ts'

export interface StripeEvent {
  type: string
  /** `data.object`: a snapshot in the form of the endpoint's API version. */
  object: JsonObject
  /** When it happened; null in what Stripe answered when it was asked. */
  created: Date | null
  livemode: boolean | null
}

/** Whose event tells of an object, when, and by which type. */
export interface Telling {
  account: string
  toldAt: Date
  type: string
}

/** What to ask for, by its path in the API (`charges/ch_…`), as far as the event names it. */
type Subject = (object: JsonObject) => string | null

/** The first second that has a five-digit year; a time in milliseconds lies far behind it. */
const YEAR_10000 = 253_402_300_800

/** The last part of the type that an object has which was asked for, and not told by an event. */
export const FETCHED = 'fetched'

const charge: Subject = ({ id }) => pathOf('charges', id)
const refund: Subject = ({ id }) => pathOf('refunds', id)
const dispute: Subject = ({ id }) => pathOf('disputes', id)
const payout: Subject = ({ id }) => pathOf('payouts', id)

/** The charge that an intent made; before API version 2022-11-15 it is not named. */
const intent: Subject = ({ id, latest_charge: made }) =>
  typeof made === 'string' ? pathOf('charges', made) : pathOf('payment_intents', id)

/** An attempt may fail before there is a charge (authentication). */
const failedIntent: Subject = ({ id, last_payment_error: error }) => {
  const failed = isObject(error) ? error['charge'] : null
  return typeof failed === 'string' ? pathOf('charges', failed) : pathOf('payment_intents', id)
}

/** A completed session may be unpaid yet; one in setup or subscription mode has no intent. */
const session: Subject = ({ payment_status: status, payment_intent: made }) =>
  status === 'paid' && typeof made === 'string' ? pathOf('payment_intents', made) : null

/** Since API version 2025-03-31 an invoice names no payment: then its charge's events tell it. */
const invoice: Subject = ({ charge: charged, payment_intent: made }) => {
  if (typeof charged === 'string') {
    return pathOf('charges', charged)
  }
  return typeof made === 'string' ? pathOf('payment_intents', made) : null
}

const SUBJECTS: ReadonlyMap<string, Subject> = new Map<string, Subject>([
  ['charge.succeeded', charge],
  ['charge.captured', charge],
  // The balance transaction of an asynchronous capture comes with it.
  ['charge.updated', charge],
  ['charge.failed', charge],
  ['charge.expired', charge],
  ['charge.refunded', charge],
  [`charge.${FETCHED}`, charge],
  ['payment_intent.succeeded', intent],
  ['payment_intent.amount_capturable_updated', intent],
  ['payment_intent.payment_failed', failedIntent],
  [`payment_intent.${FETCHED}`, ({ id }) => pathOf('payment_intents', id)],
  ['checkout.session.completed', session],
  ['checkout.session.async_payment_succeeded', session],
  ['invoice.paid', invoice],
  ['invoice.payment_succeeded', invoice],
  ['refund.created', refund],
  ['refund.updated', refund],
  ['refund.failed', refund],
  ['charge.refund.updated', refund],
  [`refund.${FETCHED}`, refund],
  ['charge.dispute.created', dispute],
  ['charge.dispute.updated', dispute],
  ['charge.dispute.closed', dispute],
  ['charge.dispute.funds_withdrawn', dispute],
  ['charge.dispute.funds_reinstated', dispute],
  [`dispute.${FETCHED}`, dispute],
  ['payout.paid', payout],
  ['payout.failed', payout],
  ['payout.updated', payout],
  ['payout.reconciliation_completed', payout],
  [`payout.${FETCHED}`, payout],
])

/**
 * The envelope. Throws `malformed_event` where it cannot be understood, or where it is of another
 * account (Connect) than that one: ids are unique only inside one account. Null is for any account.
 */
export function eventOf(body: Buffer, account: string | null): StripeEvent {
  const envelope = parseJson(body.toString('utf8'))
  if (!isObject(envelope)) {
    throw malformed('The body is not a JSON object.')
  }
  const { type, account: of, livemode, created } = envelope
  if (typeof type !== 'string' || !/^[\x21-\x7e]{1,100}$/.test(type)) {
    throw malformed('The body has no event type.')
  }
  if (account !== null && of !== undefined && of !== null && of !== account) {
    throw malformed(`The event is of account ${textOf(of)}, the endpoint of ${account}.`)
  }
  // Another envelope (`v2.core.event`) tells of other things.
  const data = envelope['object'] === 'event' ? objectAt(envelope, 'data') : undefined
  return {
    type,
    object: objectAt(data, 'object') ?? {},
    created: created === undefined || created === null ? null : instantOf(created),
    livemode: typeof livemode === 'boolean' ? livemode : null,
  }
}

/**
 * The path of the object to be asked for; null where the event is none of ours. Throws
 * `malformed_event` where it should name one and does not.
 */
export function subjectOf(event: StripeEvent): string | null {
  const subject = SUBJECTS.get(event.type)?.(event.object) ?? null
  if (subject === '') {
    throw malformed(`The id of the object in ${event.type} is not usable.`)
  }
  return subject
}

/** A time in seconds since 1970. */
export function instantOf(seconds: unknown): Date {
  const usable = typeof seconds === 'number' && Number.isSafeInteger(seconds)
  if (!usable || seconds <= 0 || seconds >= YEAR_10000) {
    throw malformed('A time is not in seconds since 1970.')
  }
  return new Date(seconds * 1000)
}

/** Empty where the id is not usable. */
function pathOf(collection: string, id: unknown): string {
  const usable = idOf(id)
  return usable === undefined ? '' : `${collection}/${usable}`
}
