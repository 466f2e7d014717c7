/** Signs webhooks as the gateways do; it shares no code with the verifier, and so no mistake. */
import { createHash, createHmac } from 'node:crypto'

/** A webhook call that is ready to be verified. */
export interface SignedWebhook {
  body: Buffer
  contentType: string
  headers: Record<string, string>
  receivedAt: Date
  /** The secret that signs it, for whoever reads it without verifying it first. */
  signedBy: string | null
}

/** When all of these webhooks came in. */
const RECEIVED = { receivedAt: new Date('2026-01-02T06:00:00Z'), signedBy: 'one' }

/** The value of X-Razorpay-Signature for these bytes. */
export function razorpaySignature(body: Buffer | string, secret: string): string {
  return createHmac('sha256', secret).update(body).digest().toString('hex')
}

/** A Razorpay webhook of these bytes, or of this value as JSON. */
export function razorpayWebhook(
  content: Buffer | string | object,
  secret: string,
  eventId = 'evt_TEST0000000001',
): SignedWebhook {
  const isText = typeof content === 'string' || Buffer.isBuffer(content)
  const body = Buffer.from(isText ? content : JSON.stringify(content))
  return {
    body,
    contentType: 'application/json',
    ...RECEIVED,
    headers: {
      'content-type': 'application/json',
      'x-razorpay-event-id': eventId,
      'x-razorpay-signature': razorpaySignature(body, secret),
    },
  }
}

/** How PayU makes the hash of one callback: charges come first and a split behind the status. */
export interface PayuHashForm {
  charges?: string
  split?: string
}

/** The `hash` of a PayU callback with these fields, spelled out as the documentation prints it. */
export function payuCallbackHash(
  fields: Readonly<Record<string, string>>,
  salt: string,
  form: PayuHashForm = {},
): string {
  const of = (name: string): string => fields[name] ?? ''
  let text = `${salt}|${of('status')}|`
  if (form.charges !== undefined) {
    text = `${form.charges}|${text}`
  }
  if (form.split !== undefined) {
    text += `${form.split}|`
  }
  text += `|||||${of('udf5')}|${of('udf4')}|${of('udf3')}|${of('udf2')}|${of('udf1')}`
  text += `|${of('email')}|${of('firstname')}|${of('productinfo')}|${of('amount')}`
  text += `|${of('txnid')}|${of('key')}`
  return createHash('sha512').update(Buffer.from(text, 'utf8')).digest('hex')
}

/** A PayU callback as a form post. A `hash` among the fields is replaced by the right one. */
export function payuWebhook(
  fields: Readonly<Record<string, string>>,
  salt: string,
  form: PayuHashForm = {},
): SignedWebhook {
  const hash = payuCallbackHash(fields, salt, form)
  return payuForm({ ...fields, hash })
}

/** A PayU callback as a form post with exactly these fields. */
export function payuForm(fields: Readonly<Record<string, string>>): SignedWebhook {
  const contentType = 'application/x-www-form-urlencoded'
  const pairs = Object.entries(fields).map(
    ([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`,
  )
  const body = Buffer.from(pairs.join('&').replaceAll('%20', '+'))
  return { body, contentType, ...RECEIVED, headers: { 'content-type': contentType } }
}

/** A PayU callback as JSON with exactly these fields. */
export function payuJson(fields: object): SignedWebhook {
  const contentType = 'application/json; charset=utf-8'
  const body = Buffer.from(JSON.stringify(fields))
  return { body, contentType, ...RECEIVED, headers: { 'content-type': contentType } }
}
