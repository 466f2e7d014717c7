/**
 * Signs as the gateways sign. It shares nothing with the code that verifies, so that a mistake
 * in one of them shows up as a refused webhook instead of hiding in both.
 */
import { createHash, createHmac } from 'node:crypto'

/** `X-Razorpay-Signature`: HMAC-SHA256 over the exact bytes of the body, in lower-case hex. */
export function razorpaySignature(body: string | Uint8Array, secret: string): string {
  return createHmac('sha256', secret).update(body).digest('hex')
}

/** `Stripe-Signature`: HMAC-SHA256 over the time in seconds and the exact bytes of the body. */
export function stripeSignature(body: string, secret: string, seconds: number): string {
  const v1 = createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex')
  return `t=${seconds},v1=${v1}`
}

/** The values of a PayU payment that its hash covers; an absent udf counts as empty. */
export interface PayuSigned {
  key: string
  txnid: string
  /** The exact text that is posted: "10" and "10.00" have different hashes. */
  amount: string
  productinfo: string
  firstname: string
  email: string
  udf1?: string
  udf2?: string
  udf3?: string
  udf4?: string
  udf5?: string
}

export interface PayuAnswered extends PayuSigned {
  status: string
  /** In front of the salt where PayU adds charges; an empty text counts as absent. */
  additionalCharges?: string
  splitInfo?: string
}

/** Between udf5 and its neighbour stand five parts that are always empty. */
const GAP = ['', '', '', '', '']

/** The hash that a checkout form carries to PayU: plain SHA-512, salt last. */
export function payuRequestHash(payment: PayuSigned, salt: string): string {
  const { key, txnid, amount, productinfo, firstname, email } = payment
  const parts = [key, txnid, amount, productinfo, firstname, email, ...udf(payment)]
  return sha512([...parts, ...GAP, salt])
}

/** The hash of PayU's callback: the same values backwards, salt first. */
export function payuResponseHash(payment: PayuAnswered, salt: string): string {
  const { key, txnid, amount, productinfo, firstname, email, status } = payment
  const { additionalCharges: charges = '', splitInfo: split = '' } = payment
  return sha512([
    ...(charges === '' ? [] : [charges]),
    salt,
    status,
    ...(split === '' ? [] : [split]),
    ...GAP,
    ...udf(payment).reverse(),
    email,
    firstname,
    productinfo,
    amount,
    txnid,
    key,
  ])
}

export interface PayuApiCall {
  key: string
  command: string
  var1: string
}

/** The hash of a call to PayU's own API: `key|command|var1|salt`. */
export function payuApiHash(call: PayuApiCall, salt: string): string {
  return sha512([call.key, call.command, call.var1, salt])
}

function udf(payment: PayuSigned): string[] {
  const { udf1 = '', udf2 = '', udf3 = '', udf4 = '', udf5 = '' } = payment
  return [udf1, udf2, udf3, udf4, udf5]
}

function sha512(parts: readonly string[]): string {
  return createHash('sha512').update(parts.join('|'), 'utf8').digest('hex')
}
