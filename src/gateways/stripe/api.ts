/** Calls to Stripe's API: one version of it, what is to be expanded, and how a refusal looks. */
import { addressOf, get, post, refused, unavailable } from '../call.ts'
import type { CallOptions, GatewayAccount } from '../gateway.ts'
import { isObject, objectAt, parseJson, type JsonObject } from '../json.ts'
import { textOf } from '../text.ts'

/**
 * The version in which we are answered, whatever the account's own is: the last in which a charge
 * names its invoice, and so the subscription that charged it.
 */
const VERSION = '2024-06-20'

const OF_CHARGE = ['balance_transaction', 'payment_intent', 'invoice']
const MOVEMENTS = ['balance_transaction', 'failure_balance_transaction']

/** What is asked for with an object, by its collection: above all its balance transactions. */
const EXPANDED: Readonly<Record<string, readonly string[]>> = {
  charges: [...OF_CHARGE, ...MOVEMENTS.map((name) => `refunds.data.${name}`)],
  payment_intents: OF_CHARGE.map((name) => `latest_charge.${name}`),
  refunds: [...MOVEMENTS, ...OF_CHARGE.map((name) => `charge.${name}`)],
  payouts: MOVEMENTS,
}

/** The `expand[]` of an object of that collection; `data.` where they are in a list. */
export function expandedIn(collection: string, within = ''): [string, string][] {
  const names = EXPANDED[collection] ?? []
  return names.map((name) => ['expand[]', within + name])
}

/**
 * What Stripe says of one thing or list; undefined where it knows none (404). Throws
 * `gateway_unavailable` and `gateway_refused`.
 */
export async function ask(
  account: GatewayAccount,
  path: string,
  query: readonly (readonly [string, string])[],
  { signal }: CallOptions,
): Promise<JsonObject | undefined> {
  const url = addressOf(account.apiUrl, `/v1/${path}`)
  const search = new URLSearchParams(query.map(pairOf)).toString()
  const { status, text } = await get({
    gateway: 'Stripe',
    url: search === '' ? url : `${url}?${search}`,
    headers: headersOf(account),
    signal,
  })
  return status === 404 ? undefined : answerIn(account, status, text, false)
}

/** A call that is to do something, under a key that makes its repetition harmless. */
export interface Doing {
  path: string
  fields: readonly (readonly [string, string])[]
  /** At most 255 characters; Stripe forgets it after a day. */
  idempotencyKey: string
  movesMoney: boolean
}

/**
 * Throws `gateway_refused`, and `gateway_unavailable` with `moved: 'unknown'` where money is to be
 * moved and nobody can know whether it was.
 */
export async function tell(
  account: GatewayAccount,
  { path, fields, idempotencyKey, movesMoney }: Doing,
  { signal }: CallOptions,
): Promise<JsonObject> {
  const { status, text } = await post({
    gateway: 'Stripe',
    url: addressOf(account.apiUrl, `/v1/${path}`),
    headers: {
      ...headersOf(account),
      'content-type': 'application/x-www-form-urlencoded',
      'idempotency-key': idempotencyKey,
    },
    body: new URLSearchParams(fields.map(pairOf)).toString(),
    signal,
    movesMoney,
  })
  return answerIn(account, status, text, movesMoney)
}

function headersOf({ keySecret }: GatewayAccount): Record<string, string> {
  return { authorization: `Bearer ${keySecret}`, 'stripe-version': VERSION }
}

function answerIn(
  account: GatewayAccount,
  status: number,
  text: string,
  movesMoney: boolean,
): JsonObject {
  const answer = parseJson(text)
  const body = isObject(answer) ? answer : undefined
  const moved = movesMoney ? 'unknown' : 'no'
  if (status === 409) {
    throw unavailable('Stripe still works on an earlier call with the same key.', { moved })
  }
  if (status < 200 || status > 299) {
    const words = textOf(objectAt(body, 'error')?.['message'])
    throw refused('Stripe', words ?? `HTTP ${status}.`, [account.keySecret])
  }
  if (body === undefined) {
    throw unavailable('Stripe answered with something that is not a JSON object.', { moved })
  }
  return body
}

function pairOf([name, value]: readonly [string, string]): [string, string] {
  return [name, value]
}
