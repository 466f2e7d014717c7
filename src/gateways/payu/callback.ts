/** PayU's payment callback: its fields, from a form or JSON, and the hash that vouches for some. */
import { createHash } from 'node:crypto'
import { Problem } from '../../base/problem.ts'
import type { ConfirmationRequest, RawWebhook, VerifiedWebhook, WebhookSecret } from '../gateway.ts'
import { isObject, parseJsonNumbersAsText } from '../json.ts'
import { signerOf } from '../signature.ts'
import { idOf } from '../text.ts'

export type Fields = ReadonlyMap<string, string>

export const UNREADABLE = 'The body is neither a form nor a JSON object with every field once.'

/** Fields behind the status in the reverse hash, in its order. */
const HASHED = [
  'udf5',
  'udf4',
  'udf3',
  'udf2',
  'udf1',
  'email',
  'firstname',
  'productinfo',
  'amount',
  'txnid',
  'key',
] as const

const CHARGES = ['additionalCharges', 'additional_charges'] as const

/**
 * The fields of a callback, decoded but not trimmed: the hash is over what was posted. Undefined
 * where the body cannot be read, or where a field comes twice with two values and so means neither.
 */
export function fieldsOf(webhook: RawWebhook): Fields | undefined {
  const type = webhook.contentType.trim().toLowerCase()
  const text = webhook.body.toString('utf8')
  if (/^application\/([\w.-]+\+)?json\b/.test(type)) {
    return jsonFieldsOf(text)
  }
  return type.startsWith('multipart/') ? undefined : formFieldsOf(text)
}

/**
 * Throws `bad_signature` unless the `hash` field is the reverse hash of the callback under one of
 * the salts (docs.payu.in, Verify Webhook Requests) and the callback is of this merchant key.
 * Refund and dispute webhooks are refused: they carry no hash that can be checked.
 */
export function verifyCallback(
  webhook: RawWebhook,
  account: string,
  salts: readonly WebhookSecret[],
): VerifiedWebhook {
  const fields = fieldsOf(webhook)
  if (fields === undefined) {
    throw badSignature(UNREADABLE)
  }
  const kind = unhashedKind(fields)
  if (kind !== undefined) {
    throw badSignature(`PayU's ${kind} webhooks carry no hash that can be checked.`)
  }
  if (fields.get('key') !== account) {
    throw badSignature('The merchant key of the callback is not the one of this endpoint.')
  }
  if (!isUnambiguous(fields)) {
    throw badSignature('A hashed field contains "|", so the hash does not tell where it ends.')
  }
  const given = (fields.get('hash') ?? '').trim().toLowerCase()
  if (!/^[0-9a-f]{128}$/.test(given)) {
    throw badSignature('The hash of the callback is missing or malformed.')
  }
  const secretId = signerOf(salts, given, (salt) => hashesOf(fields, salt))
  if (secretId === undefined) {
    throw new Problem('bad_signature')
  }
  return { secretId, gatewayEventId: null }
}

/** Refunds and disputes come to webhooks too, as JSON of another shape. */
export function unhashedKind(fields: Fields): 'refund' | 'dispute' | undefined {
  if (fields.get('action') === 'refund') {
    return 'refund'
  }
  return fields.get('event') === 'dispute' ? 'dispute' : undefined
}

/**
 * Our order (`txnid`) and PayU's payment (`mihpayid`), trimmed; undefined where one is unusable.
 */
export function idsOf(fields: Fields): ConfirmationRequest | undefined {
  const orderRef = fields.get('txnid')?.trim() ?? ''
  const gatewayPaymentId = idOf(fields.get('mihpayid'))
  // A "|" would split the order in two when PayU is asked about it.
  if (gatewayPaymentId === undefined || !/^[^|\p{Cc}]{1,100}$/u.test(orderRef)) {
    return undefined
  }
  return { orderRef, gatewayPaymentId }
}

/** A status as PayU means it: case and spaces vary between its pages. */
export function plainStatus(status: string | undefined): string {
  return (status ?? '').toLowerCase().replaceAll(/\s+/g, '')
}

/** PayU's hash: plain SHA-512 of the parts joined with "|", lower-case hex. */
export function payuHash(parts: readonly string[]): string {
  return createHash('sha512').update(parts.join('|'), 'utf8').digest('hex')
}

/**
 * Every hash that PayU may have made of these fields. Charges that the payer bears come first,
 * where there are any, but not on every account that has them; a split comes behind the status.
 */
function hashesOf(fields: Fields, salt: string): string[] {
  const field = (name: string): string => fields.get(name) ?? ''
  const split = field('splitInfo') === '' ? [] : [field('splitInfo')]
  const plain = [salt, field('status'), ...split, '', '', '', '', '', ...HASHED.map(field)]
  const charges = CHARGES.map(field).filter((charge) => charge !== '')
  return [plain, ...charges.map((charge) => [charge, ...plain])].map(payuHash)
}

function isUnambiguous(fields: Fields): boolean {
  const names = ['status', 'splitInfo', ...CHARGES, ...HASHED]
  return names.every((name) => fields.get(name)?.includes('|') !== true)
}

function formFieldsOf(text: string): Fields | undefined {
  const fields = new Map<string, string>()
  for (const [name, value] of new URLSearchParams(text)) {
    if ((fields.get(name) ?? value) !== value) {
      return undefined
    }
    fields.set(name, value)
  }
  return fields
}

/** Partner webhooks are JSON with the fields of the form. What is nested in it is not hashed. */
function jsonFieldsOf(text: string): Fields | undefined {
  const body = parseJsonNumbersAsText(text)
  if (!isObject(body)) {
    return undefined
  }
  const scalars = Object.entries(body).filter((entry) => typeof entry[1] === 'string')
  return new Map(scalars.map(([name, value]) => [name, String(value)]))
}

function badSignature(detail: string): Problem {
  return new Problem('bad_signature', { detail })
}
