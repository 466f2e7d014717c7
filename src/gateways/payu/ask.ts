/** Calls to PayU: commands to its post service, and its settlement reports. */
import { addressOf, get, post, refused, unavailable } from '../call.ts'
import type { Told } from '../asked.ts'
import type { CallOptions, Confirmation, GatewayAccount } from '../gateway.ts'
import { isObject, parseJsonNumbersAsText, type JsonObject } from '../json.ts'
import { textOf } from '../text.ts'
import { payuHash } from './callback.ts'

export const GATEWAY = 'PayU'

interface Command {
  command: string
  /** `var1`, `var2` …; the first is hashed. */
  vars: readonly string[]
  movesMoney?: boolean
}

/**
 * PayU's answer to a command (docs.payu.in, General APIs), numbers as text. It says most errors
 * with HTTP 200 and status 0, which the caller looks at. Throws `gateway_unavailable`, and
 * `gateway_refused` for an HTTP error.
 */
export async function ask(
  account: GatewayAccount,
  { command, vars, movesMoney = false }: Command,
  options: CallOptions,
): Promise<JsonObject> {
  const { account: key, keySecret: salt } = account
  const hash = payuHash([key, command, vars[0] ?? '', salt])
  const named = vars.map((value, index) => [`var${index + 1}`, value] as const)
  const { status, text } = await post({
    gateway: GATEWAY,
    url: addressOf(account.apiUrl, '/merchant/postservice.php?form=2'),
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams([
      ['key', key],
      ['command', command],
      ...named.map(([name, value]): [string, string] => [name, value]),
      ['hash', hash],
    ]).toString(),
    options,
    movesMoney,
  })
  return objectIn(account, status, text, movesMoney)
}

/**
 * PayU's answer to a report (docs.payu.in, Settlement Range API). Despite its name the signature is
 * a plain SHA-512 over body, date and salt; the merchant's number is sent where the key id is one.
 */
export async function report(
  account: GatewayAccount,
  path: string,
  options: CallOptions,
): Promise<JsonObject> {
  const date = new Date().toUTCString()
  const { account: key, keyId, keySecret: salt } = account
  const signature = payuHash(['', date, salt])
  const signed = [
    `username="${key}"`,
    'algorithm="sha512"',
    'headers="date"',
    `signature="${signature}"`,
  ]
  const { status, text } = await get({
    gateway: GATEWAY,
    url: addressOf(account.apiUrl, path),
    headers: {
      date,
      ...(/^\d+$/.test(keyId) ? { mid: keyId } : {}),
      authorization: `hmac ${signed.join(', ')}`,
    },
    options,
  })
  return objectIn(account, status, text, false)
}

function objectIn(
  account: GatewayAccount,
  status: number,
  text: string,
  movesMoney: boolean,
): JsonObject {
  const answer = parseJsonNumbersAsText(text)
  const body = isObject(answer) ? answer : undefined
  if (status < 200 || status > 299) {
    throw no(account, body ?? {}, `HTTP ${status}.`)
  }
  if (body === undefined) {
    throw unusable('a JSON object', movesMoney)
  }
  return body
}

/** `gateway_refused` with PayU's own words. */
export function no(account: GatewayAccount, answer: JsonObject, otherwise: string | null = null) {
  const words = textOf(answer['msg'] ?? answer['message']) ?? otherwise
  return refused(GATEWAY, words, [account.keySecret])
}

/** `gateway_unavailable` for a good answer that is not what was asked for. */
export function unusable(expected: string, movesMoney: boolean) {
  return unavailable(`${GATEWAY} answered with something that is not ${expected}.`, {
    moved: movesMoney ? 'unknown' : 'no',
  })
}

/** The named fields of an answer as text; what is missing or blank is left out. */
export function kept(entry: JsonObject, names: readonly string[]): Confirmation {
  const fields: Record<string, string> = {}
  for (const name of names) {
    const text = textOf(entry[name])
    if (text !== null) {
      fields[name] = text
    }
  }
  return fields
}

/** What PayU answered about one thing, as the webhook that would have told it. */
export function toldOf(
  account: GatewayAccount,
  id: string,
  fields: Readonly<Record<string, string>>,
  confirmation: Confirmation,
): Told {
  const body = { key: account.account, ...fields }
  return {
    id,
    event: {
      body: Buffer.from(JSON.stringify(body)),
      contentType: 'application/json',
      receivedAt: new Date(),
      signedBy: null,
    },
    confirmation,
  }
}
