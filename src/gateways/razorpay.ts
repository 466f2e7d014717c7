/** Razorpay: webhooks signed over the raw bytes, the payments told in them, and new orders. */
import { createHmac } from 'node:crypto'
import { isCurrency, minorToJson } from '../base/money.ts'
import { Problem } from '../base/problem.ts'
import { addressOf, post, refused, unavailable } from './call.ts'
import type { Fact } from './fact.ts'
import type {
  CallOptions,
  Confirmation,
  Gateway,
  GatewayAccount,
  GatewayEvent,
  GatewayOrder,
  NewOrder,
  RawWebhook,
  VerifiedWebhook,
  WebhookSecret,
} from './gateway.ts'
import { isObject, objectAt, parseJson, type JsonObject } from './json.ts'
import { signerOf } from './signature.ts'
import { cutText, idOf, textOf } from './text.ts'

type Told = 'authorized' | 'captured' | 'failed'

/** What an event tells of the payment in it. One capture is told by several of them. */
const TOLD_BY: ReadonlyMap<string, Told> = new Map<string, Told>([
  ['payment.authorized', 'authorized'],
  ['payment.captured', 'captured'],
  ['order.paid', 'captured'],
  ['invoice.paid', 'captured'],
  ['invoice.partially_paid', 'captured'],
  ['payment_link.paid', 'captured'],
  ['payment_link.partially_paid', 'captured'],
  ['subscription.charged', 'captured'],
  ['qr_code.credited', 'captured'],
  ['virtual_account.credited', 'captured'],
  ['payment.failed', 'failed'],
])

const STATUSES = new Set<unknown>(['created', 'authorized', 'captured', 'refunded', 'failed'])

/** Characters in a note of an order: Razorpay takes 256. */
const MAX_NOTE = 250

/** The first second that has a five-digit year; a time in milliseconds lies far behind it. */
const YEAR_10000 = 253_402_300_800

/** What a donor finds on the bank statement, the likeliest first. */
const BANK_REFERENCES = [
  'rrn',
  'bank_transaction_id',
  'utr',
  'upi_transaction_id',
  'auth_code',
] as const

export const razorpay: Gateway = {
  name: 'razorpay',
  verify,
  needsConfirmation: () => null,
  confirm: () => Promise.resolve(new Map<string, Confirmation>()),
  read,
  createOrder,
}

/**
 * Throws `bad_signature` unless `x-razorpay-signature` is the lower-case hex HMAC-SHA256 of the
 * bytes under one of the secrets (razorpay.com/docs/webhooks/validate-test). Retries of older
 * events are signed with the older secret, so several may be valid at a time.
 */
function verify(
  webhook: RawWebhook,
  _account: string,
  secrets: readonly WebhookSecret[],
): VerifiedWebhook {
  const given = webhook.headers['x-razorpay-signature'] ?? ''
  if (!/^[0-9a-f]{64}$/.test(given)) {
    throw new Problem('bad_signature', { detail: 'X-Razorpay-Signature is missing or malformed.' })
  }
  const secretId = signerOf(secrets, given, (secret) => [
    createHmac('sha256', secret).update(webhook.body).digest('hex'),
  ])
  if (secretId === undefined) {
    throw new Problem('bad_signature')
  }
  const eventId = webhook.headers['x-razorpay-event-id']?.trim() ?? ''
  return { secretId, gatewayEventId: /^[\x21-\x7e]{1,100}$/.test(eventId) ? eventId : null }
}

/**
 * The facts in an event. Throws `malformed_event` where it cannot be understood, or where it is of
 * another merchant account than the endpoint's: ids are unique only inside one account, and a
 * linked account's payment (Route) is not money in our books.
 */
function read(webhook: RawWebhook, account: string): GatewayEvent {
  const envelope = parseJson(webhook.body.toString('utf8'))
  if (!isObject(envelope)) {
    throw malformed('The body is not a JSON object.')
  }
  const { event, account_id: accountId } = envelope
  if (typeof event !== 'string' || !/^[\x21-\x7e]{1,100}$/.test(event)) {
    throw malformed('The body has no event name.')
  }
  if (objectAt(envelope, 'payload') === undefined) {
    throw malformed('The body has no payload.')
  }
  if (accountId !== undefined && accountId !== null && accountId !== account) {
    throw malformed(`The event is of account ${textOf(accountId)}, the endpoint of ${account}.`)
  }
  const told = TOLD_BY.get(event)
  return { type: event, facts: told === undefined ? [] : factsOf(told, envelope, account) }
}

/**
 * Only `status` decides: it agrees with the event's name in every published sample, while
 * `captured` is also seen `true` on failed payments and as the text "1". The payment in an event is
 * a snapshot and may be further than the event's name says; that further step comes as an event of
 * its own.
 */
function factsOf(told: Told, envelope: JsonObject, account: string): Fact[] {
  const payload = objectAt(envelope, 'payload')
  const payment = objectAt(objectAt(payload, 'payment'), 'entity')
  if (payment === undefined) {
    throw malformed('The payload has no payment.')
  }
  if (!STATUSES.has(payment['status'])) {
    throw malformed('The status of the payment is not one that Razorpay has.')
  }
  if (payment['status'] !== told) {
    return []
  }
  const id = idOf(payment['id'])
  if (id === undefined) {
    throw malformed('The payment has no usable id.')
  }
  const occurredAt = instantOf(envelope['created_at'] ?? payment['created_at'])
  const base = {
    gateway: 'razorpay',
    account,
    gatewayPaymentId: id,
    orderRef: orderOf(payment),
    amount: amountOf(payment),
    currency: currencyOf(payment),
    occurredAt,
    method: textOf(payment['method']),
    payer: {
      name: textOf(objectAt(payment, 'card')?.['name']),
      email: textOf(payment['email']),
      phone: textOf(payment['contact']),
    },
  } as const
  const key = `rzp:${account}:pay:${id}`
  switch (told) {
    case 'authorized':
      return [{ ...base, kind: 'payment_authorized', key: `${key}:authorized` }]
    case 'captured':
      return [
        {
          ...base,
          kind: 'payment_captured',
          key: `${key}:captured`,
          ...chargeOf(payment),
          bankReference: bankReferenceOf(payload, payment),
        },
      ]
    case 'failed': {
      // A payment may fail more than once (UPI retries), and be captured after that.
      const failedKey = `${key}:failed:${occurredAt.getTime() / 1000}`
      return [{ ...base, kind: 'payment_failed', key: failedKey, reason: reasonOf(payment) }]
    }
    default:
      return told satisfies never
  }
}

function orderOf(payment: JsonObject): string | null {
  const given = payment['order_id'] ?? null
  if (given === null || given === '') {
    return null
  }
  const order = idOf(given)
  if (order === undefined) {
    throw malformed('The order id of the payment is not usable.')
  }
  return order
}

function amountOf(payment: JsonObject): bigint {
  const amount = payment['amount']
  if (typeof amount !== 'number' || !Number.isSafeInteger(amount) || amount <= 0) {
    throw malformed('The amount is not a whole number of minor units above zero.')
  }
  return BigInt(amount)
}

function currencyOf(payment: JsonObject): string {
  const currency = payment['currency']
  if (typeof currency !== 'string' || !isCurrency(currency)) {
    throw malformed(`The currency ${textOf(currency)} is not known here.`)
  }
  return currency
}

/**
 * Razorpay's `fee` contains `tax`. Both are null until it has worked them out, even after capture.
 */
function chargeOf(payment: JsonObject): { fee: bigint | null; tax: bigint | null } {
  const [fee, tax] = [chargedOf(payment['fee']), chargedOf(payment['tax'])]
  if (fee !== null && tax !== null && tax > fee) {
    throw malformed('The tax is larger than the fee that should contain it.')
  }
  return { fee, tax }
}

function chargedOf(value: unknown): bigint | null {
  if (value === null || value === undefined) {
    return null
  }
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw malformed('The fee or the tax is not a whole number of minor units.')
  }
  return BigInt(value)
}

function instantOf(seconds: unknown): Date {
  const usable = typeof seconds === 'number' && Number.isSafeInteger(seconds)
  if (!usable || seconds <= 0 || seconds >= YEAR_10000) {
    throw malformed('The event has no usable created_at (seconds since 1970).')
  }
  return new Date(seconds * 1000)
}

/**
 * Transfers to a virtual account carry no `acquirer_data`, but the transfer itself is beside it.
 */
function bankReferenceOf(payload: JsonObject | undefined, payment: JsonObject): string | null {
  const acquirer = objectAt(payment, 'acquirer_data')
  const bankTransfer = objectAt(objectAt(payload, 'bank_transfer'), 'entity')
  const upiTransfer = objectAt(objectAt(payload, 'upi_transfer'), 'entity')
  const references = [
    ...BANK_REFERENCES.map((name) => acquirer?.[name]),
    bankTransfer?.['bank_reference'],
    upiTransfer?.['rrn'],
  ]
  return references.map(textOf).find((reference) => reference !== null) ?? null
}

function reasonOf(payment: JsonObject): string | null {
  const reasons = ['error_description', 'error_reason', 'error_code']
  return reasons.map((name) => textOf(payment[name])).find((reason) => reason !== null) ?? null
}

/**
 * Opens an order for a checkout (POST /v1/orders). Throws `gateway_unavailable`, `gateway_refused`,
 * and `invalid_request` for an amount or currency that no order can have. Not idempotent: Razorpay
 * documents no such header here, and a second order for one reference moves no money by itself.
 */
async function createOrder(
  account: GatewayAccount,
  order: NewOrder,
  options: CallOptions,
): Promise<GatewayOrder> {
  const { reference, currency, description } = order
  if (order.amount <= 0n || !isCurrency(currency)) {
    throw new Problem('invalid_request', { detail: 'The amount or its currency is not usable.' })
  }
  const amount = minorToJson(order.amount)
  const credentials = Buffer.from(`${account.keyId}:${account.keySecret}`).toString('base64')
  const { status, text } = await post({
    gateway: 'Razorpay',
    url: addressOf(account.apiUrl, '/v1/orders'),
    headers: { authorization: `Basic ${credentials}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      amount,
      currency,
      receipt: reference,
      notes: { reference, description: cutText(description, MAX_NOTE) },
    }),
    signal: options.signal,
  })
  const answer = parseJson(text)
  const body = isObject(answer) ? answer : undefined
  if (status < 200 || status > 299) {
    const words = textOf(objectAt(body, 'error')?.['description'])
    throw refused('Razorpay', words ?? `HTTP ${status}.`, [account.keySecret, credentials])
  }
  const orderId = idOf(body?.['id'])
  if (body?.['entity'] !== 'order' || orderId === undefined) {
    throw unavailable('Razorpay answered with something that is not an order.')
  }
  if (body['amount'] !== amount || body['currency'] !== currency) {
    throw refused('Razorpay', 'It opened an order of another amount.', [])
  }
  const checkout = { gateway: 'razorpay', keyId: account.keyId, orderId, amount, currency } as const
  return { orderRef: orderId, checkout }
}

function malformed(detail: string): Problem {
  return new Problem('malformed_event', { detail })
}
