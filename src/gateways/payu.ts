/** PayU (India): webhooks, PayU's own word on them, the form of a payment, and other calls. */
import { formatDecimal } from '../base/money.ts'
import { Problem } from '../base/problem.ts'
import { addressOf } from './call.ts'
import { USUAL_TERMS, type Gateway, type GatewayAccount } from './gateway.ts'
import type { GatewayOrder, NewOrder } from './gateway.ts'
import { payuHash, verifyCallback } from './payu/callback.ts'
import { confirm } from './payu/confirm.ts'
import { list } from './payu/lists.ts'
import { capture, fetchOrder, fetchPayment, fetchRefund, findRefund, refund } from './payu/money.ts'
import { confirmationOf, readWebhook } from './payu/read.ts'
import { cutText } from './text.ts'

/** The longest values that PayU takes (docs.payu.in, Additional Info for Payment APIs). */
const MAX_FIRSTNAME = 60
const MAX_PRODUCTINFO = 100
const MAX_EMAIL = 50

export const payu: Gateway = {
  name: 'payu',
  verify: verifyCallback,
  needsConfirmation: confirmationOf,
  confirm,
  read: (webhook, account, confirmation, terms = USUAL_TERMS) =>
    readWebhook(webhook, account, confirmation, terms),
  createOrder,
  capture,
  fetchPayment,
  fetchOrder,
  refund,
  findRefund,
  fetchRefund,
  list,
}

/**
 * The form that the donor's browser posts to PayU; PayU is not called before. The order reference
 * is PayU's txnid. Throws `invalid_request` for a currency other than INR (PayU's amounts carry
 * none) and for "|" in a hashed field, which PayU's hash cannot tell from its separator.
 */
async function createOrder(account: GatewayAccount, order: NewOrder): Promise<GatewayOrder> {
  if (order.currency !== 'INR' || order.amount <= 0n) {
    throw new Problem('invalid_request', { detail: 'PayU takes only amounts above zero in INR.' })
  }
  const hashed = [
    ['reference', order.reference],
    ['description', cutText(oneLine(order.description), MAX_PRODUCTINFO)],
    ['name', cutText(oneLine(order.payer.name), MAX_FIRSTNAME)],
    ['email', order.payer.email.trim()],
  ] as const
  for (const [field, value] of hashed) {
    if (value === '' || value.includes('|')) {
      throw invalid(field, 'is empty or contains "|", which PayU cannot take')
    }
  }
  const [[, txnid], [, productinfo], [, firstname], [, email]] = hashed
  if (email.length > MAX_EMAIL) {
    throw invalid('email', `is longer than the ${MAX_EMAIL} characters that PayU takes`)
  }
  const { account: key, keySecret: salt } = account
  const amount = formatDecimal(order.amount, 'INR')
  const udfs = ['', '', '', '', '']
  const unused = ['', '', '', '', '']
  const paid = [key, txnid, amount, productinfo, firstname, email]
  const fields = {
    key,
    txnid,
    amount,
    productinfo,
    firstname,
    email,
    phone: order.payer.phone?.trim() ?? '',
    surl: order.returnUrl,
    furl: order.returnUrl,
    hash: payuHash([...paid, ...udfs, ...unused, salt]),
  }
  const action = addressOf(formUrlOf(account.apiUrl), '/_payment')
  return { orderRef: txnid, checkout: { gateway: 'payu', action, fields } }
}

/**
 * PayU takes forms at another host than questions, in production: `secure` and `info`. Its test
 * host, and any other, serves both.
 */
function formUrlOf(apiUrl: string): string {
  const url = new URL(apiUrl)
  return url.hostname === 'info.payu.in' ? 'https://secure.payu.in' : apiUrl
}

/** Browsers rewrite line ends in the fields of a form, and the hash would no longer fit. */
function oneLine(text: string): string {
  return text.replaceAll(/[\s\p{Cc}]+/gu, ' ').trim()
}

function invalid(field: string, detail: string): Problem {
  const pointers: Record<string, string> = { name: '/payer/name', email: '/payer/email' }
  return new Problem('invalid_request', {
    detail: `The ${field} ${detail}.`,
    errors: [{ pointer: pointers[field] ?? `/${field}`, detail: `It ${detail}.` }],
  })
}
