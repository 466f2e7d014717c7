/** Razorpay: webhooks signed over the raw bytes, what they tell, new orders, and other calls. */
import { createHmac } from 'node:crypto'
import { isCurrency, minorToJson } from '../base/money.ts'
import { Problem } from '../base/problem.ts'
import { refused } from './call.ts'
import type {
  CallOptions,
  Confirmation,
  Gateway,
  GatewayAccount,
  GatewayOrder,
  NewOrder,
  RawWebhook,
  VerifiedWebhook,
  WebhookSecret,
} from './gateway.ts'
import { postJson, unusable } from './razorpay/calls.ts'
import { isMoney } from './razorpay/lane.ts'
import { list } from './razorpay/lists.ts'
import {
  capture,
  fetchOrder,
  fetchPayment,
  fetchRefund,
  findRefund,
  refund,
} from './razorpay/money.ts'
import { findPayout, payout } from './razorpay/pay-out.ts'
import { read } from './razorpay/read.ts'
import { findTransfer, transfer } from './razorpay/pass-on.ts'
import { signerOf } from './signature.ts'
import { cutText, idOf } from './text.ts'

/** Characters in a note of an order: Razorpay takes 256. */
const MAX_NOTE = 250

export const razorpay: Gateway = {
  name: 'razorpay',
  verify,
  isMoney,
  needsConfirmation: () => null,
  confirm: () => Promise.resolve(new Map<string, Confirmation>()),
  read,
  createOrder,
  capture,
  fetchPayment,
  fetchOrder,
  refund,
  findRefund,
  fetchRefund,
  payout,
  findPayout,
  transfer,
  findTransfer,
  list,
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
  const body = await postJson(
    account,
    {
      path: '/v1/orders',
      body: {
        amount,
        currency,
        receipt: reference,
        notes: { reference, description: cutText(description, MAX_NOTE) },
      },
    },
    options,
  )
  const orderId = idOf(body['id'])
  if (body['entity'] !== 'order' || orderId === undefined) {
    throw unusable('an order', false)
  }
  if (body['amount'] !== amount || body['currency'] !== currency) {
    throw refused('Razorpay', 'It opened an order of another amount.', [])
  }
  const checkout = { gateway: 'razorpay', keyId: account.keyId, orderId, amount, currency } as const
  return { orderRef: orderId, checkout }
}
