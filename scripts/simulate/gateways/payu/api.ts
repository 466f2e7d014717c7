/** PayU's API: commands to its post service, whose errors are 200 as well, and a report. */
import { createHash } from 'node:crypto'
import { payuApiHash } from '../../sign.ts'
import { Impossible, reply, type Api, type Asked, type Json, type Reply } from '../wire.ts'
import { paiseOf, type KnownPayment, type PayuBooks } from './books.ts'
import { actionOf, detailsOf, jsonOf } from './details.ts'
import { finishRefund, move, request } from './life.ts'
import { getSettlementDetails, listTransactions, settlementRange } from './reports.ts'

/** The variables of a command, the first at 0; absent ones are empty. */
type Command = (books: PayuBooks, vars: readonly string[], key: string) => Reply

const COMMANDS: ReadonlyMap<string, Command> = new Map<string, Command>([
  ['verify_payment', verifyPayment],
  ['check_payment', checkPayment],
  ['cancel_refund_transaction', cancelOrRefund],
  ['check_action_status', checkAction],
  ['capture_transaction', capture],
  ['get_transaction_info', listTransactions],
  ['get_settlement_details', getSettlementDetails],
])

export function createPayuApi(books: PayuBooks): Api {
  return {
    operationOf(asked) {
      const { method, path } = asked
      if (method === 'POST' && path === '/merchant/postservice.php') {
        const form = new URLSearchParams(asked.body)
        const command = form.get('command') ?? ''
        const name = /^\w{1,60}$/.test(command) ? `payu.${command}` : 'payu.unknown'
        return { name, run: () => obey(books, form, command) }
      }
      if (method === 'GET' && path === '/settlement/range') {
        return { name: 'payu.settlement_range', run: () => rangeFor(books, asked) }
      }
      return undefined
    },
  }
}

function obey(books: PayuBooks, form: URLSearchParams, command: string): Reply {
  const [key, hash] = [form.get('key') ?? '', form.get('hash') ?? '']
  const vars = [1, 2, 3, 4, 5].map((number) => form.get(`var${number}`) ?? '')
  const [var1 = ''] = vars
  const salt = books.salts.get(key)
  // Before the first payment of a key its salt is not known here: then only the shape counts.
  const isRight =
    salt === undefined
      ? /^[0-9a-f]{128}$/.test(hash)
      : hash === payuApiHash({ key, command, var1 }, salt)
  if (key === '' || !isRight) {
    return payuError('Invalid Hash.')
  }
  const run = COMMANDS.get(command)
  if (run === undefined) {
    return payuError(`The command ${command} is not known here.`)
  }
  if (var1 === '') {
    return payuError('Parameter missing')
  }
  try {
    return run(books, vars, key)
  } catch (error) {
    if (error instanceof Impossible) {
      return payuError(error.message)
    }
    throw error
  }
}

function payuError(msg: string, more: Record<string, Json> = {}): Reply {
  return reply(200, { status: 0, msg, ...more })
}

function verifyPayment(books: PayuBooks, [var1 = '']: readonly string[], key: string): Reply {
  const txnids = var1.split('|')
  let found = 0
  const details = txnids.map((txnid) => {
    const payment = books.orders.find(txnid)
    if (payment === undefined || payment.key !== key) {
      return [txnid, { mihpayid: 'Not Found', status: 'Not Found' }] as const
    }
    found += 1
    return [txnid, detailsOf(payment)] as const
  })
  const json = jsonOf({
    status: found > 0 ? 1 : 0,
    msg: `${found} out of ${txnids.length} Transactions Fetched Successfully`,
    transaction_details: Object.fromEntries(details),
  })
  return { status: 200, json }
}

function checkPayment(books: PayuBooks, [var1 = '']: readonly string[], key: string): Reply {
  const payment = ownPayment(books, var1, key)
  if (payment === undefined) {
    return payuError('Transaction not found')
  }
  const details = detailsOf(payment)
  const msg = 'Transaction Fetched Successfully'
  return { status: 200, json: jsonOf({ status: 1, msg, transaction_details: details }) }
}

/** Gives back what was captured; lets go what was only authorised. A token is taken once. */
function cancelOrRefund(books: PayuBooks, vars: readonly string[], key: string): Reply {
  const [mihpayid = '', token = '', amountText = ''] = vars
  const payment = ownPayment(books, mihpayid, key)
  if (token === '') {
    return payuError('token is empty', { mihpayid })
  }
  if (books.tokens.find(token) !== undefined) {
    return payuError('token already used or request pending')
  }
  const isAuth = payment?.unmappedstatus === 'auth'
  if (payment === undefined || (payment.unmappedstatus !== 'captured' && !isAuth)) {
    return payuError('Refund FAILURE - Invalid payment', { mihpayid, error_code: 105 })
  }
  const amount = paiseOf(amountText)
  if (amount <= 0n || amount > leftOf(books, payment)) {
    return payuError('Refund FAILURE - Invalid amount', { mihpayid, error_code: 105 })
  }
  const made = request(books, { mihpayid, action: isAuth ? 'cancel' : 'refund', amount, token })
  const base = { bank_ref_num: made.bankRef, mihpayid }
  const answer = isAuth
    ? { status: 1, msg: 'Cancel Request Queued', txn_update_id: made.requestId, ...base }
    : {
        status: 1,
        msg: 'Refund Request Queued',
        request_id: made.requestId,
        ...base,
        error_code: 102,
      }
  if (books.finishes.refunds) {
    finishRefund(books, made.requestId, { status: 'success' })
  }
  return reply(200, answer)
}

/** What is left of a payment when its refunds that did not fail are taken off. */
function leftOf(books: PayuBooks, payment: KnownPayment): bigint {
  return books.requests
    .all()
    .filter((one) => one.mihpayid === payment.mihpayid && one.status !== 'failure')
    .filter((one) => one.action === 'refund' || one.action === 'cancel')
    .reduce((left, one) => left - one.amount, paiseOf(payment.amount))
}

/** By a request's id, or by PayU's id of a payment where `var2` is `payuid`. */
function checkAction(books: PayuBooks, vars: readonly string[], key: string): Reply {
  const [id = '', by = ''] = vars
  const requests =
    by === 'payuid'
      ? books.requests.all().filter((one) => one.mihpayid === id)
      : [books.requests.find(id)].filter((one) => one !== undefined)
  const own = requests.filter((one) => ownPayment(books, one.mihpayid, key) !== undefined)
  const found = own.length > 0
  const actions = Object.fromEntries(own.map((one) => [one.requestId, actionOf(books, one)]))
  return reply(200, {
    status: found ? 1 : 0,
    msg: `${found ? 1 : 0} out of 1 Transactions Fetched Successfully`,
    transaction_details: { [id]: found ? actions : 'No action status found' },
  })
}

function capture(books: PayuBooks, vars: readonly string[], key: string): Reply {
  const [mihpayid = '', token = '', amountText = ''] = vars
  const payment = ownPayment(books, mihpayid, key)
  if (payment?.unmappedstatus === 'captured') {
    return payuError('Capture already successful', { error_code: 301, mihpayid })
  }
  if (payment === undefined || payment.unmappedstatus !== 'auth') {
    return payuError('Capture failed', { error_code: 109, mihpayid })
  }
  if (token !== '' && books.tokens.find(token) !== undefined) {
    return payuError('Token already exists.', { error_code: 106, mihpayid })
  }
  if (paiseOf(amountText) !== paiseOf(payment.amount)) {
    return payuError('Invalid amount', { error_code: 109, mihpayid })
  }
  const requestId = `9${mihpayid.slice(-11)}`
  books.tokens.put(token, requestId)
  if (books.finishes.captures) {
    move(books, mihpayid, 'captured', {})
  }
  const msg = 'Capture Request Queued'
  return reply(200, { status: 1, msg, request_id: requestId, bank_ref_num: null, mihpayid })
}

function ownPayment(books: PayuBooks, mihpayid: string, key: string): KnownPayment | undefined {
  const payment = books.payments.find(mihpayid)
  return payment?.key === key ? payment : undefined
}

/** Despite its name the signature is a plain SHA-512 over body, date and salt. */
function rangeFor(books: PayuBooks, asked: Asked): Reply {
  const authorization = asked.headers['authorization'] ?? ''
  const [key, signature] = ['username', 'signature'].map(
    (name) => new RegExp(`${name}="([^"]*)"`).exec(authorization)?.[1] ?? '',
  )
  const salt = books.salts.get(key ?? '')
  const signed = `|${asked.headers['date'] ?? ''}|${salt ?? ''}`
  const right = createHash('sha512').update(signed).digest('hex')
  const isRight = salt === undefined ? /^[0-9a-f]{128}$/.test(signature ?? '') : signature === right
  return key === '' || !isRight
    ? reply(401, { message: 'Unauthorized' })
    : settlementRange(books, asked.query)
}
