/** Calls to Razorpay: how each is made, and what becomes of an answer that says no. */
import { addressOf, get, post, refused, unavailable, type Answer } from '../call.ts'
import type { Told } from '../asked.ts'
import type { CallOptions, GatewayAccount, StoredWebhook } from '../gateway.ts'
import { isObject, objectAt, parseJson, type JsonObject } from '../json.ts'
import { textOf } from '../text.ts'

export const GATEWAY = 'Razorpay'

const CONFLICT = 409

interface Post {
  path: string
  body: JsonObject
  headers?: Readonly<Record<string, string>>
  movesMoney?: boolean
}

/**
 * The object that Razorpay answers to a POST. Throws `gateway_refused` with its own words and
 * `gateway_unavailable`.
 */
export async function postJson(
  account: GatewayAccount,
  call: Post,
  options: CallOptions,
): Promise<JsonObject> {
  const { path, body, headers = {}, movesMoney = false } = call
  const answer = await post({
    gateway: GATEWAY,
    url: addressOf(account.apiUrl, path),
    headers: { ...authorization(account), ...headers, 'content-type': 'application/json' },
    body: JSON.stringify(body),
    options,
    movesMoney,
  })
  return objectIn(account, answer, movesMoney)
}

/** As `postJson`; null where Razorpay knows no such thing. */
export async function getJson(
  account: GatewayAccount,
  path: string,
  options: CallOptions,
): Promise<JsonObject | null> {
  const url = addressOf(account.apiUrl, path)
  const answer = await get({
    gateway: GATEWAY,
    url,
    headers: authorization(account),
    options,
  })
  return isUnknownId(answer) ? null : objectIn(account, answer, false)
}

function authorization({ keyId, keySecret }: GatewayAccount): { authorization: string } {
  return { authorization: `Basic ${Buffer.from(`${keyId}:${keySecret}`).toString('base64')}` }
}

/** Razorpay says 400 "The id provided does not exist" for what it does not know. */
function isUnknownId({ status, text }: Answer): boolean {
  if (status !== 400 && status !== 404) {
    return false
  }
  return /\bdoes not exist\b|\bis not a valid id\b/i.test(errorIn(parseJson(text)) ?? '')
}

function objectIn(account: GatewayAccount, answer: Answer, movesMoney: boolean): JsonObject {
  const { status, text } = answer
  const body = parseJson(text)
  if (status === CONFLICT && movesMoney) {
    // The first call under this key is still on its way, or it said something else.
    throw unavailable(`${GATEWAY} has another call under that key: ${errorIn(body) ?? ''}`, {
      moved: 'unknown',
    })
  }
  if (status < 200 || status > 299) {
    const encoded = authorization(account).authorization.slice('Basic '.length)
    throw refused(GATEWAY, errorIn(body) ?? `HTTP ${status}.`, [account.keySecret, encoded])
  }
  if (!isObject(body)) {
    throw unusable('a JSON object', movesMoney)
  }
  return body
}

function errorIn(body: unknown): string | null {
  return isObject(body) ? textOf(objectAt(body, 'error')?.['description']) : null
}

/** `gateway_unavailable` for a good answer that is not what was asked for. */
export function unusable(expected: string, movesMoney: boolean) {
  return unavailable(`${GATEWAY} answered with something that is not ${expected}.`, {
    moved: movesMoney ? 'unknown' : 'no',
  })
}

/**
 * An entity that Razorpay gave, as the event that would have told it: without a time of its own, so
 * that the entity's own counts.
 */
export function toldOf(
  account: GatewayAccount,
  event: string,
  entities: Readonly<Record<string, JsonObject>>,
  id: string,
): Told {
  const payload = Object.fromEntries(
    Object.entries(entities).map(([name, entity]) => [name, { entity }]),
  )
  const body = { entity: 'event', account_id: account.account, event, payload }
  return { id, event: storedEvent(body), confirmation: null }
}

function storedEvent(body: JsonObject): StoredWebhook {
  return {
    body: Buffer.from(JSON.stringify(body)),
    contentType: 'application/json',
    receivedAt: new Date(),
    signedBy: null,
  }
}
