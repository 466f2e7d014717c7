/** Stripe's API: form-encoded, one version a call, each Idempotency-Key once, objects by path. */
import { createHash } from 'node:crypto'
import { Impossible, newId, reply, type Api, type Asked, type Entity, type Reply } from '../wire.ts'
import { COLLECTIONS, type Collection, type StripeBooks } from './books.ts'
import { cancelIntent, captureCharge, captureIntent, createIntent } from './doing.ts'
import { createRefund, createSession } from './doing.ts'
import { listOf } from './lists.ts'
import { refusalReply, StripeRefusal } from './refusal.ts'
import { expandOf, viewOf } from './views.ts'

/** What is done gives an object, which is answered as it was asked for. */
type Doing = (books: StripeBooks, form: URLSearchParams, id: string, asked: Asked) => Entity

const ID = '([\\w-]{1,100})'
const DOINGS: readonly (readonly [name: string, path: RegExp, doing: Doing])[] = [
  ['checkout_sessions.create', /^checkout\/sessions$/, createSession],
  ['payment_intents.create', /^payment_intents$/, createIntent],
  ['payment_intents.capture', new RegExp(`^payment_intents/${ID}/capture$`), captureIntent],
  ['payment_intents.cancel', new RegExp(`^payment_intents/${ID}/cancel$`), cancelIntent],
  ['charges.capture', new RegExp(`^charges/${ID}/capture$`), captureCharge],
  ['refunds.create', /^refunds$/, createRefund],
]

/** The collections that can be read, and what their operations are called. */
const READABLE = COLLECTIONS.map((collection) => ({
  collection,
  name: collection.replace('/', '_'),
  one: new RegExp(`^${collection}/${ID}$`),
}))

export function createStripeApi(books: StripeBooks): Api {
  return {
    operationOf(asked) {
      const path = /^\/v1\/(.+)$/.exec(asked.path)?.[1] ?? ''
      const found = asked.method === 'GET' ? reading(books, asked, path) : doingOf(asked, path)
      // Stripe asks for the key first, whatever the address is.
      const { name, run } = found ?? { name: 'unknown', run: () => nothingAt(asked) }
      return { name: `stripe.${name}`, run: () => guarded(asked, () => run(books)) }
    },
  }
}

interface Found {
  name: string
  run(books: StripeBooks): Reply
}

function reading(books: StripeBooks, asked: Asked, path: string): Found | undefined {
  for (const { collection, name, one } of READABLE) {
    const id = one.exec(path)?.[1]
    if (path === collection) {
      return { name: `${name}.list`, run: () => listOf(books, collection, asked) }
    }
    if (id !== undefined) {
      return { name: `${name}.fetch`, run: () => fetched(books, collection, id, asked) }
    }
  }
  return undefined
}

function fetched(books: StripeBooks, collection: Collection, id: string, asked: Asked): Reply {
  const object = books.shelves[collection].find(id)
  if (object === undefined) {
    throw new StripeRefusal(404, `No such ${collection}: '${id}'`, 'id')
  }
  return reply(200, viewOf(books, object, expandOf(asked)))
}

function doingOf(asked: Asked, path: string): Found | undefined {
  if (asked.method !== 'POST') {
    return undefined
  }
  for (const [name, pattern, doing] of DOINGS) {
    const match = pattern.exec(path)
    if (match !== null) {
      const id = match[1] ?? ''
      return { name, run: (books) => once(books, asked, () => done(books, asked, id, doing)) }
    }
  }
  return undefined
}

function done(books: StripeBooks, asked: Asked, id: string, doing: Doing): Reply {
  const form = new URLSearchParams(asked.body)
  const paths = expandOf(asked, form)
  return reply(200, viewOf(books, doing(books, form, id, asked), paths))
}

/** The first answer under a key is its answer for ever; other parameters are refused. */
function once(books: StripeBooks, asked: Asked, run: () => Reply): Reply {
  const key = asked.headers['idempotency-key']
  if (key === undefined) {
    return run()
  }
  if (key === '' || key.length > 255) {
    throw new StripeRefusal(400, 'Idempotency keys have at most 255 characters.')
  }
  const parameters = createHash('sha256').update(`${asked.path}\n${asked.body}`).digest('hex')
  const known = books.answers.find(key)
  if (known !== undefined && known.asked !== parameters) {
    const words =
      'Keys for idempotent requests can only be used with the same parameters they were first ' +
      'used with.'
    throw new StripeRefusal(400, words, null, 'idempotency_error')
  }
  if (known !== undefined) {
    const headers = { ...known.reply.headers, 'idempotent-replayed': 'true' }
    return { ...known.reply, headers }
  }
  // What is refused is not kept: the same key may come again with what was wrong put right.
  const answer = run()
  books.answers.put(key, { asked: parameters, reply: answer })
  return answer
}

function nothingAt({ method, path }: Asked): Reply {
  throw new StripeRefusal(404, `Unrecognized request URL (${method}: ${path}).`)
}

function guarded(asked: Asked, run: () => Reply): Reply {
  try {
    expectKey(asked)
    const version = asked.headers['stripe-version']
    if (version !== undefined && !/^\d{4}-\d\d-\d\d(\.\w{1,20})?$/.test(version)) {
      throw new StripeRefusal(400, `Invalid Stripe API version: ${version.slice(0, 40)}`)
    }
    const answer = run()
    const told = { 'request-id': newId('req_'), 'stripe-version': version ?? '2020-08-27' }
    return { ...answer, headers: { ...told, ...answer.headers } }
  } catch (error) {
    if (error instanceof StripeRefusal) {
      return refusalReply(error)
    }
    if (error instanceof Impossible) {
      const isUnknown = error.message.startsWith('There is no ')
      return refusalReply(new StripeRefusal(isUnknown ? 404 : 400, error.message))
    }
    throw error
  }
}

/** As a bearer token, or as the user of basic authentication. */
function expectKey({ headers }: Asked): void {
  const key = stripeKeyIn(headers['authorization'] ?? '')
  if (key === undefined) {
    throw new StripeRefusal(401, 'Invalid API Key provided')
  }
}

/** A secret or restricted key in an Authorization header; undefined where there is none. */
export function stripeKeyIn(authorization: string): string | undefined {
  const [, scheme = '', value = ''] = /^(Bearer|Basic) ([\w+/=-]+)$/i.exec(authorization) ?? []
  const isBasic = scheme.toLowerCase() === 'basic'
  const key = isBasic ? Buffer.from(value, 'base64').toString('utf8').split(':')[0] : value
  return /^(sk|rk)_\w{3,250}$/.test(key ?? '') ? key : undefined
}
