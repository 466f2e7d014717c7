/** Razorpay's API: which call is which operation, who may call, and how it says no. */
import { Impossible, type Api, type Asked, type Operation, type Reply } from '../wire.ts'
import type { RazorpayBooks } from './books.ts'
import { capturePayment, createOrder, createPayout, createRefund, createTransfer } from './doing.ts'
import { razorpayError } from './errors.ts'
import { combined, fetchOne, list, payoutsBy } from './reading.ts'

type Handler = (books: RazorpayBooks, asked: Asked, id: string) => Reply

interface Route {
  name: string
  method: 'GET' | 'POST'
  path: RegExp
  handler: Handler
}

const ID = '([\\w-]{1,64})'

function route(name: string, method: Route['method'], path: string, handler: Handler): Route {
  return { name: `razorpay.${name}`, method, path: new RegExp(`^/v1/${path}$`), handler }
}

const ROUTES: readonly Route[] = [
  route('orders.create', 'POST', 'orders', createOrder),
  route('orders.list', 'GET', 'orders', (books, asked) => list(books.orders, asked)),
  route('orders.fetch', 'GET', `orders/${ID}`, (books, _, id) => fetchOne(books.orders, id)),
  route('orders.payments', 'GET', `orders/${ID}/payments`, (books, asked, id) =>
    list(books.payments, asked, (payment) => payment['order_id'] === id),
  ),
  route('payments.list', 'GET', 'payments', (books, asked) => list(books.payments, asked)),
  route('payments.fetch', 'GET', `payments/${ID}`, (books, _, id) => fetchOne(books.payments, id)),
  route('payments.capture', 'POST', `payments/${ID}/capture`, capturePayment),
  route('refunds.create', 'POST', `payments/${ID}/refund`, createRefund),
  route('payments.refunds', 'GET', `payments/${ID}/refunds`, (books, asked, id) =>
    list(books.refunds, asked, (refund) => refund['payment_id'] === id),
  ),
  route('refunds.list', 'GET', 'refunds', (books, asked) => list(books.refunds, asked)),
  route('refunds.fetch', 'GET', `refunds/${ID}`, (books, _, id) => fetchOne(books.refunds, id)),
  route('disputes.list', 'GET', 'disputes', (books, asked) => list(books.disputes, asked)),
  route('disputes.fetch', 'GET', `disputes/${ID}`, (books, _, id) => fetchOne(books.disputes, id)),
  route('settlements.recon', 'GET', 'settlements/recon/combined', combined),
  route('settlements.list', 'GET', 'settlements', (books, asked) => list(books.settlements, asked)),
  route('settlements.fetch', 'GET', `settlements/${ID}`, (books, _, id) =>
    fetchOne(books.settlements, id),
  ),
  route('payouts.create', 'POST', 'payouts', createPayout),
  route('payouts.list', 'GET', 'payouts', payoutsBy),
  route('payouts.fetch', 'GET', `payouts/${ID}`, (books, _, id) => fetchOne(books.payouts, id)),
  route('transfers.create', 'POST', `payments/${ID}/transfers`, createTransfer),
  route('payments.transfers', 'GET', `payments/${ID}/transfers`, (books, asked, id) =>
    list(books.transfers, asked, (transfer) => transfer['source'] === id),
  ),
  route('transfers.list', 'GET', 'transfers', (books, asked) => list(books.transfers, asked)),
  route('transfers.fetch', 'GET', `transfers/${ID}`, (books, _, id) =>
    fetchOne(books.transfers, id),
  ),
]

export function createRazorpayApi(books: RazorpayBooks): Api {
  return {
    operationOf(asked): Operation | undefined {
      for (const { name, method, path, handler } of ROUTES) {
        const match = method === asked.method ? path.exec(asked.path) : null
        if (match !== null) {
          return { name, run: () => answer(books, asked, match[1] ?? '', handler) }
        }
      }
      return undefined
    },
  }
}

function answer(books: RazorpayBooks, asked: Asked, id: string, handler: Handler): Reply {
  if (!hasKeyAndSecret(asked.headers['authorization'] ?? '')) {
    return razorpayError(401, 'Authentication failed')
  }
  try {
    return handler(books, asked, id)
  } catch (error) {
    if (error instanceof Impossible) {
      const isUnknown = error.message.startsWith('There is no ')
      return razorpayError(400, isUnknown ? 'The id provided does not exist' : error.message)
    }
    throw error
  }
}

/** HTTP basic authentication with both parts; which ones they are nobody here knows. */
function hasKeyAndSecret(authorization: string): boolean {
  const encoded = /^Basic ([A-Za-z0-9+/=]+)$/i.exec(authorization)?.[1] ?? ''
  return /^[^:]+:.+$/.test(Buffer.from(encoded, 'base64').toString('utf8'))
}
