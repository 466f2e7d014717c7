/** Calls to Stripe's API: one version of it, what is to be expanded, and how a refusal looks. */
import Stripe from 'stripe'
import { addressOf, get, post, refused, unavailable, type Answer } from '../call.ts'
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
  options: CallOptions,
): Promise<JsonObject | undefined> {
  const search = new URLSearchParams(query.map(pairOf)).toString()
  const asked = { method: 'GET', path: search === '' ? path : `${path}?${search}` } as const
  const answer = await answerTo(account, asked, options)
  return answer.status === 404 ? undefined : objectIn(account, answer, false)
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
  doing: Doing,
  options: CallOptions,
): Promise<JsonObject> {
  const answer = await answerTo(account, { method: 'POST', ...doing }, options)
  return objectIn(account, answer, doing.movesMoney)
}

type Asked = { method: 'GET'; path: string } | ({ method: 'POST' } & Doing)

/**
 * One request: Stripe's SDK makes it, our own `call.ts` sends it, to the account's address and
 * within the limit of the call. The SDK neither repeats it nor tells Stripe of others, and what it
 * makes of the answer is left aside: the same one has to become the same problem at every gateway.
 */
async function answerTo(
  account: GatewayAccount,
  asked: Asked,
  options: CallOptions,
): Promise<Answer> {
  const path = `/v1/${asked.path}`
  let answer: Answer | undefined
  let failure: unknown
  const send: typeof fetch = async (_address, sent) => {
    const url = addressOf(account.apiUrl, path)
    const call = { gateway: 'Stripe', url, headers: headersIn(sent), options }
    const body = typeof sent?.body === 'string' ? sent.body : ''
    try {
      answer =
        asked.method === 'GET'
          ? await get(call)
          : await post({ ...call, body, movesMoney: asked.movesMoney })
    } catch (error) {
      failure = error
      throw error
    }
    return new Response(answer.text, { status: answer.status })
  }
  const client = new Stripe(account.keySecret, {
    httpClient: Stripe.createFetchHttpClient(send),
    maxNetworkRetries: 0,
    telemetry: false,
  })
  const made =
    asked.method === 'GET'
      ? client.rawRequest('GET', path, undefined, { apiVersion: VERSION })
      : client.rawRequest('POST', path, paramsOf(asked.fields), {
          apiVersion: VERSION,
          idempotencyKey: asked.idempotencyKey,
        })
  const refusal: unknown = await made.then(
    () => undefined,
    (error: unknown) => error,
  )
  if (answer === undefined) {
    throw failure ?? refusal
  }
  return answer
}

/** Of the SDK's headers those that the request needs: the others tell of this machine. */
const SENT_HEADERS = ['authorization', 'stripe-version', 'content-type', 'idempotency-key']

function headersIn(sent: RequestInit | undefined): Record<string, string> {
  const given = [...new Headers(sent?.headers)]
  return Object.fromEntries(given.filter(([name]) => SENT_HEADERS.includes(name)))
}

/** Fields as the SDK takes them: what stands several times becomes a list. */
function paramsOf(fields: Doing['fields']): Record<string, string | string[]> {
  const expand = fields.filter(([name]) => name === 'expand[]').map(([, value]) => value)
  const others = fields.filter(([name]) => name !== 'expand[]')
  return { ...Object.fromEntries(others), ...(expand.length === 0 ? {} : { expand }) }
}

function objectIn(
  account: GatewayAccount,
  { status, text }: Answer,
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
