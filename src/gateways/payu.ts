/** PayU (India): hashed callbacks, PayU's own word on a payment, and the form that starts one. */
import { formatDecimal } from '../base/money.ts'
import { Problem } from '../base/problem.ts'
import { addressOf, post, refused, unavailable } from './call.ts'
import type {
  CallOptions,
  Confirmation,
  Gateway,
  GatewayAccount,
  GatewayOrder,
  NewOrder,
} from './gateway.ts'
import { isObject, objectAt, parseJsonNumbersAsText, type JsonObject } from './json.ts'
import { payuHash, verifyCallback } from './payu/callback.ts'
import { confirmationOf, readCallback } from './payu/read.ts'
import { cutText, textOf } from './text.ts'

/** Payments in one question to PayU. */
const MAX_ORDERS = 20

/** What is kept of PayU's answer: what decides and what proves. Names and cards stay with PayU. */
const KEPT = [
  'mihpayid',
  'txnid',
  'status',
  'unmappedstatus',
  'amt',
  'transaction_amount',
  'additional_charges',
  'disc',
  'net_amount_debit',
  'mode',
  'bankcode',
  'PG_TYPE',
  'bank_ref_num',
  'request_id',
  'addedon',
  'error_code',
  'error_Message',
  'field9',
  'Merchant_UTR',
  'Settled_At',
] as const

/** The longest values that PayU takes (docs.payu.in, Additional Info for Payment APIs). */
const MAX_FIRSTNAME = 60
const MAX_PRODUCTINFO = 100
const MAX_EMAIL = 50

export const payu: Gateway = {
  name: 'payu',
  verify: verifyCallback,
  needsConfirmation: confirmationOf,
  confirm,
  read: readCallback,
  createOrder,
}

/**
 * Asks PayU about orders (verify_payment). Orders that PayU does not know have the status "Not
 * Found"; an order that its answer leaves out is left out. Throws `gateway_unavailable` and, as
 * PayU says most errors with HTTP 200 and status 0, `gateway_refused` with its own words.
 */
async function confirm(
  account: GatewayAccount,
  orderRefs: readonly string[],
  options: CallOptions,
): Promise<ReadonlyMap<string, Confirmation>> {
  if (orderRefs.length === 0) {
    return new Map()
  }
  if (orderRefs.length > MAX_ORDERS || orderRefs.some((ref) => ref === '' || ref.includes('|'))) {
    throw new Problem('internal', { detail: 'These orders cannot be asked about in one question.' })
  }
  const { account: key, keySecret: salt } = account
  const command = 'verify_payment'
  const var1 = orderRefs.join('|')
  const hash = payuHash([key, command, var1, salt])
  const { status, text } = await post({
    gateway: 'PayU',
    url: addressOf(account.apiUrl, '/merchant/postservice.php?form=2'),
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ key, command, var1, hash }).toString(),
    signal: options.signal,
  })
  const answer = parseJsonNumbersAsText(text)
  const body = isObject(answer) ? answer : undefined
  if (status < 200 || status > 299) {
    throw refused('PayU', textOf(body?.['msg'] ?? body?.['message']) ?? `HTTP ${status}.`, [salt])
  }
  if (body === undefined) {
    throw unavailable('PayU answered with something that is not a JSON object.')
  }
  const confirmations = confirmationsIn(body, orderRefs)
  if (confirmations.size === 0 && textOf(body['status']) !== '1') {
    throw refused('PayU', textOf(body['msg']), [salt, hash])
  }
  return confirmations
}

function confirmationsIn(
  body: JsonObject,
  orderRefs: readonly string[],
): Map<string, Confirmation> {
  const details = objectAt(body, 'transaction_details') ?? {}
  const confirmations = new Map<string, Confirmation>()
  for (const orderRef of orderRefs) {
    const entry = Object.hasOwn(details, orderRef) ? objectAt(details, orderRef) : undefined
    if (entry !== undefined) {
      confirmations.set(orderRef, confirmationFrom(entry))
    }
  }
  return confirmations
}

function confirmationFrom(entry: JsonObject): Confirmation {
  const kept: Record<string, string> = {}
  for (const name of KEPT) {
    const text = textOf(entry[name])
    if (text !== null) {
      kept[name] = text
    }
  }
  return kept
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
  const action = addressOf(account.apiUrl, '/_payment')
  return { orderRef: txnid, checkout: { gateway: 'payu', action, fields } }
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
