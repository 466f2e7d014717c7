/** Stripe: signed events that are asked about, Checkout, captures, refunds and lists. */
import { unavailable, refused } from './call.ts'
import type { CallOptions, Gateway, GatewayAccount, GatewayOrder, NewOrder } from './gateway.ts'
import { REFERENCE } from './stripe/answer.ts'
import { toStripe } from './stripe/amounts.ts'
import { tell } from './stripe/api.ts'
import { capture, confirm, fetchPayment, fetchRefund, findRefund, refund } from './stripe/calls.ts'
import { isMoney } from './stripe/lane.ts'
import { lists } from './stripe/lists.ts'
import { questionOf, readEvent } from './stripe/read.ts'
import { verifySignature } from './stripe/signature.ts'
import { cutText } from './text.ts'

/** Characters in the name of what is paid for: Stripe takes 250. */
const MAX_NAME = 250

export const stripe: Gateway = {
  name: 'stripe',
  verify: verifySignature,
  isMoney,
  needsConfirmation: questionOf,
  confirm,
  read: readEvent,
  createOrder,
  capture,
  fetchPayment,
  refund,
  findRefund,
  fetchRefund,
  list: lists,
}

/**
 * Opens a Checkout Session (POST /v1/checkout/sessions), to whose page the donor is sent. Our
 * reference stands in the metadata of its intent, which Stripe copies to the charge: that is how a
 * payment is known to be for it. Throws `gateway_unavailable`, `gateway_refused`, and
 * `invalid_request` for an amount or currency that Stripe does not take. The reference makes a
 * repetition within a day the same session.
 */
async function createOrder(
  account: GatewayAccount,
  order: NewOrder,
  options: CallOptions,
): Promise<GatewayOrder> {
  const { reference, returnUrl, payer } = order
  const currency = order.currency.toLowerCase()
  const amount = toStripe(order.amount, order.currency)
  const name = cutText(order.description.trim() || reference, MAX_NAME)
  const fields = [
    ['mode', 'payment'],
    ['submit_type', 'donate'],
    ['client_reference_id', reference],
    ['customer_email', payer.email],
    ['success_url', returnUrl],
    ['cancel_url', returnUrl],
    ['line_items[0][quantity]', '1'],
    ['line_items[0][price_data][currency]', currency],
    ['line_items[0][price_data][unit_amount]', String(amount)],
    ['line_items[0][price_data][product_data][name]', name],
    [`metadata[${REFERENCE}]`, reference],
    ['payment_intent_data[description]', name],
    [`payment_intent_data[metadata][${REFERENCE}]`, reference],
  ] as const
  const made = await tell(
    account,
    { path: 'checkout/sessions', fields, idempotencyKey: `order-${reference}`, movesMoney: false },
    options,
  )
  const url = typeof made['url'] === 'string' && URL.canParse(made['url']) ? made['url'] : ''
  if (made['object'] !== 'checkout.session' || !/^https?:\/\//.test(url)) {
    throw unavailable('Stripe answered with something that is not a page to pay on.')
  }
  if (made['amount_total'] !== amount || made['currency'] !== currency) {
    throw refused('Stripe', 'It opened a session of another amount.', [])
  }
  return { orderRef: reference, checkout: { gateway: 'stripe', url } }
}
