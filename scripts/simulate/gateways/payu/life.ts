/** What happens to payments at PayU: paid, captured, given back, contested, settled. */
import { payuBody, payuTruth, type PayuPayment, type PayuState } from '../../payu-bodies.ts'
import { payuDisputeCall, payuRefundCall } from '../../payu-json.ts'
import { digitsFrom } from '../../random.ts'
import { Impossible, newId } from '../wire.ts'
import { paiseOf, type KnownPayment, type PayuBooks, type Request } from './books.ts'

export interface Paying {
  txnid: string
  /** Paise. */
  amount: bigint
  /** The fields of the checkout form. */
  fields: Readonly<Record<string, string>>
  /** Of an attempt that goes on; else it is a new one. */
  mihpayid?: string | undefined
  charges: bigint
  state: PayuState
}

/** An attempt to pay, told by a callback whose hash covers what PayU's covers. */
export function pay(books: PayuBooks, wanted: Paying): KnownPayment {
  const { key, salt } = books.merchant()
  const payment: PayuPayment = {
    mihpayid: wanted.mihpayid ?? `40${digitsFrom(newId(''), 16)}`,
    txnid: wanted.txnid,
    amount: wanted.amount,
    fields: wanted.fields,
    key,
    salt,
    at: books.now(),
    stream: wanted.txnid,
    charges: wanted.charges,
  }
  const { txnid: _, ...truth } = payuTruth(payment, wanted.state)
  const known = books.record(wanted.txnid, truth)
  const body = payuBody(payment, wanted.state)
  books.tell({
    type: `payment.${wanted.state}`,
    about: payment.mihpayid,
    // The hash is in the body: another salt would be another callback.
    call: () => ({
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        'user-agent': 'PayU-Webhook (bahi simulate)',
      },
      body,
    }),
  })
  return known
}

/** Tells of a payment what PayU knows of it by now, as the form that it was paid with. */
export function move(
  books: PayuBooks,
  mihpayid: string,
  state: PayuState,
  fields: Readonly<Record<string, string>>,
): KnownPayment {
  const before = books.payments.get(mihpayid)
  const charges = paiseOf(before['additional_charges'] ?? '0.00')
  const { txnid, amount } = before
  const told = Object.entries(before).filter((entry): entry is [string, string] => {
    return entry[1] !== undefined
  })
  const given = { ...Object.fromEntries(told), ...fields }
  return pay(books, { txnid, amount: paiseOf(amount), fields: given, mihpayid, charges, state })
}

/** A request of ours that PayU has taken, and ends by itself where it is told to. */
export function request(
  books: PayuBooks,
  wanted: Pick<Request, 'mihpayid' | 'action' | 'amount' | 'token'>,
): Request {
  const requestId = digitsFrom(newId(''), 11)
  const made: Request = {
    ...wanted,
    requestId,
    status: 'queued',
    bankRef: digitsFrom(requestId, 12),
    arn: null,
    at: books.now(),
    settlementId: null,
  }
  books.requests.put(requestId, made)
  if (wanted.token !== '') {
    books.tokens.put(wanted.token, requestId)
  }
  return made
}

export function finishRefund(
  books: PayuBooks,
  requestId: string,
  end: { status: 'success' | 'failure'; arn?: string | undefined },
): Request {
  const before = books.requests.get(requestId)
  const isNew = before.status === 'queued' || (before.status === 'success' && end.arn !== undefined)
  if (before.action === 'capture' || !isNew) {
    throw new Impossible(`Request ${requestId} is a ${before.action} that is ${before.status}.`)
  }
  const after = { ...before, status: end.status, arn: end.arn ?? before.arn }
  books.requests.put(requestId, after)
  if (after.action === 'refund') {
    tellRefund(books, after)
  }
  return after
}

function tellRefund(books: PayuBooks, refund: Request): void {
  const { key } = books.merchant()
  const txnid = books.payments.find(refund.mihpayid)?.txnid ?? ''
  const call = payuRefundCall({ ...refund, key, txnid })
  books.tell({ type: `refund.${refund.status}`, about: refund.requestId, call: () => call })
}

export interface Contest {
  disputeId: string
  mihpayid: string
  /** Paise. */
  amount: bigint
  status: string
  type: string
  /** PayU signs disputes where it was asked to. */
  isSigned: boolean
}

export function dispute(books: PayuBooks, contest: Contest): Contest {
  const { key } = books.merchant()
  books.payments.get(contest.mihpayid)
  const told = { ...contest, key, at: books.now() }
  books.tell({
    type: `dispute.${contest.status.replaceAll(/\s+/g, '')}`,
    about: contest.disputeId,
    call: (salt) => payuDisputeCall(told, contest.isSigned ? salt : null),
  })
  return contest
}

const TAKES = new Set(['refund', 'chargeback'])

/** Everything that was captured, given back or taken and is in no settlement yet. */
export function settle(books: PayuBooks) {
  const requests = books.requests
    .all()
    .filter((one) => one.settlementId === null && one.status === 'success')
    .filter((one) => one.action !== 'cancel')
    .reverse()
  const amount = requests.reduce((sum, one) => sum + netOf(one), 0n)
  if (amount <= 0n) {
    throw new Impossible(`There is nothing to settle: the lines come to ${amount} paise.`)
  }
  const id = digitsFrom(newId(''), 18)
  const settled = requests.map((one) =>
    books.requests.put(one.requestId, { ...one, settlementId: id }),
  )
  const utr = `BAHIP${digitsFrom(id, 12)}`
  return books.settlements.put(id, { id, at: books.now(), amount, utr, requests: settled })
}

/** PayU's fee excludes its tax: 2 % and 18 % on it, for captures only. */
export function chargeOf(request: Request): { fee: bigint; tax: bigint } {
  if (request.action !== 'capture') {
    return { fee: 0n, tax: 0n }
  }
  const fee = (request.amount * 2n + 50n) / 100n
  return { fee, tax: (fee * 18n + 50n) / 100n }
}

export function netOf(request: Request): bigint {
  const { fee, tax } = chargeOf(request)
  return TAKES.has(request.action) ? -request.amount : request.amount - fee - tax
}
