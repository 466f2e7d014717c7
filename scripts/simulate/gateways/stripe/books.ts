/** Stripe's books in memory: objects as they are without expansion, and events about them. */
import { stripeSignature } from '../../sign.ts'
import { createShelf, type Shelf } from '../shelf.ts'
import { Impossible, newId, secondsOf, wordAt } from '../wire.ts'
import type { Entity, Json, Reply, Tell } from '../wire.ts'

/** Collections by the path that they have in the API. */
export const COLLECTIONS = [
  'charges',
  'payment_intents',
  'refunds',
  'disputes',
  'payouts',
  'balance_transactions',
  'checkout/sessions',
  'events',
] as const
export type Collection = (typeof COLLECTIONS)[number]

const OBJECTS: Readonly<Record<string, Collection>> = {
  charge: 'charges',
  payment_intent: 'payment_intents',
  refund: 'refunds',
  dispute: 'disputes',
  payout: 'payouts',
  balance_transaction: 'balance_transactions',
  'checkout.session': 'checkout/sessions',
  event: 'events',
}

export interface StripeBooks {
  shelves: Readonly<Record<Collection, Shelf<Entity>>>
  /** The intents that sessions will make when somebody pays. */
  intended: Shelf<Entity>
  /** The payout that took a balance transaction with it. */
  inPayout: Shelf<string>
  /** Answers by idempotency key, and what was asked. */
  answers: Shelf<{ asked: string; reply: Reply }>
  finishes: { refunds: boolean }
  now(): Date
  /** Puts an object where it belongs; throws `Impossible` for a kind that is not kept here. */
  keep(object: Entity): Entity
  change(object: Entity, changes: Readonly<Record<string, Json>>): Entity
  /** An object by its id, whatever it is. */
  find(id: string): Entity | undefined
  emit(type: string, object: Entity): void
}

export interface StripeBooksOptions {
  limit: number
  now(): Date
  tell: Tell
}

export function createStripeBooks(options: StripeBooksOptions): StripeBooks {
  const { limit, now, tell } = options
  const shelf = (collection: Collection): [Collection, Shelf<Entity>] => [
    collection,
    createShelf<Entity>(collection, limit),
  ]
  const shelves = Object.fromEntries(COLLECTIONS.map(shelf)) as StripeBooks['shelves']
  const books: StripeBooks = {
    shelves,
    intended: createShelf('session', limit),
    inPayout: createShelf('balance transaction', limit * 2),
    answers: createShelf('answer', limit),
    finishes: { refunds: true },
    now,
    keep: (object) => shelves[collectionOf(object)].put(object.id, object),
    change: (object, changes) => books.keep({ ...object, ...changes }),
    find(id) {
      const found = COLLECTIONS.map((collection) => shelves[collection].find(id))
      return found.find((object) => object !== undefined)
    },
    emit(type, object) {
      const event = books.keep(eventOf(type, object, now()))
      const body = JSON.stringify(event, null, 2)
      tell({ type, about: object.id, call: (secret, at) => signed(body, secret, at) })
    },
  }
  return books
}

function collectionOf(object: Entity): Collection {
  const collection = OBJECTS[wordAt(object, 'object')]
  if (collection === undefined) {
    throw new Impossible(`Objects such as ${object.id} are not kept here.`)
  }
  return collection
}

/** A snapshot, in the form of the endpoint's API version, which is another one than ours. */
function eventOf(type: string, object: Entity, now: Date): Entity {
  return {
    id: newId('evt_'),
    object: 'event',
    api_version: '2020-08-27',
    created: secondsOf(now),
    data: { object },
    livemode: false,
    pending_webhooks: 1,
    request: { id: null, idempotency_key: null },
    type,
  }
}

function signed(body: string, secret: string, at: Date) {
  return {
    headers: {
      'content-type': 'application/json; charset=utf-8',
      'user-agent': 'Stripe/1.0 (bahi simulate)',
      'stripe-signature': stripeSignature(body, secret, secondsOf(at)),
    },
    body,
  }
}
