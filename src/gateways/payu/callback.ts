/** PayU's webhooks: their fields, from a form or JSON, and the hash that vouches for some. */
import { createHash } from 'node:crypto'
import { Problem } from '../../base/problem.ts'
import type { RawWebhook, StoredWebhook, VerifiedWebhook, WebhookSecret } from '../gateway.ts'
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
export function fieldsOf(webhook: Pick<StoredWebhook, 'body' | 'contentType'>): Fields | undefined {
  const text = webhook.body.toString('utf8')
  if (isJson(webhook)) {
    return jsonFieldsOf(text)
  }
  return /^\s*multipart\//i.test(webhook.contentType) ? undefined : formFieldsOf(text)
}

function isJson({ contentType }: Pick<StoredWebhook, 'contentType'>): boolean {
  return /^\s*application\/([\w.-]+\+)?json\b/i.test(contentType)
}

/**
 * Throws `bad_signature` unless the `hash` field is the reverse hash of the callback under one of
 * the salts (docs.payu.in, Verify Webhook Requests) and the callback is of this merchant key.
 * Refunds come without a hash, and disputes with a signature only where PayU was asked for it: they
 * are taken as hints, from which nothing is posted but what PayU itself confirms.
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
  const kind = kindOf(webhook, fields)
  if (kind === 'refund') {
    return hintOfRefund(fields, account)
  }
  if (kind === 'dispute') {
    return { secretId: signerOfDispute(webhook, fields, account, salts), gatewayEventId: null }
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

/** What the fields are about. What tells of settlements, nobody sends: PayU was asked for it. */
export type Kind = 'payment' | 'refund' | 'dispute' | 'settlement' | 'settlement_line'

/**
 * The same for whoever verifies and whoever reads, so that no hash of one kind vouches for another:
 * what is not a payment comes as JSON.
 */
export function kindOf(webhook: Pick<StoredWebhook, 'contentType'>, fields: Fields): Kind {
  if (!isJson(webhook)) {
    return 'payment'
  }
  const event = fields.get('event')
  if (event === 'dispute' || event === 'settlement' || event === 'settlement_line') {
    return event
  }
  return fields.get('action') === 'refund' ? 'refund' : 'payment'
}

function hintOfRefund(fields: Fields, account: string): VerifiedWebhook {
  if (fields.get('key') !== account) {
    throw badSignature('The merchant key of the refund is not the one of this endpoint.')
  }
  if (idOf(fields.get('request_id')) === undefined) {
    throw badSignature('The refund has no request_id by which PayU could be asked about it.')
  }
  return { secretId: null, gatewayEventId: null }
}

/** Fields of a dispute that its signature covers, between the merchant key and the salt. */
const SIGNED = ['txn_id', 'cb_amount', 'cb_id', 'cb_type', 'cb_status'] as const
const DISPUTE_SIGNATURE = 'x-payu-dispute-webhook-signature-v2'

/**
 * Which salt signed a dispute; null where it carries no signature. Throws `bad_signature` where it
 * carries a wrong one (docs.payu.in, Webhooks for Disputes).
 */
function signerOfDispute(
  webhook: RawWebhook,
  fields: Fields,
  account: string,
  salts: readonly WebhookSecret[],
): string | null {
  const given = webhook.headers[DISPUTE_SIGNATURE]?.trim().toLowerCase()
  if (given === undefined) {
    return null
  }
  const values = SIGNED.map((name) => fields.get(name) ?? '')
  if (values.some((value) => value.includes('|'))) {
    throw badSignature('A signed field contains "|", so the signature does not tell its end.')
  }
  const signer = signerOf(salts, given, (salt) => {
    const [status = ''] = values.slice(-1)
    const told = [...values.slice(0, -1), status.replaceAll(/\s+/g, '')]
    return [payuHash([account, ...told, salt])]
  })
  if (signer === undefined) {
    throw new Problem('bad_signature')
  }
  return signer
}

export interface PaymentIds {
  /** Our order: PayU's `txnid`. */
  orderRef: string
  /** PayU's `mihpayid`. */
  gatewayPaymentId: string
}

/** Both ids, trimmed; undefined where one is unusable. */
export function idsOf(fields: Fields): PaymentIds | undefined {
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
