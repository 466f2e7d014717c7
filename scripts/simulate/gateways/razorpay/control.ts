/** What can be made to happen at the Razorpay of the test gateways. */
import { z } from 'zod'
import { action } from '../action.ts'
import { wordAt, type Entity } from '../wire.ts'
import { change, type RazorpayBooks } from './books.ts'
import { authorise, begin, capture, decide, dispute, fail, finishRefund, refund } from './life.ts'
import { movePayout, settle } from './outgoing.ts'

const id = z.string().min(1).max(64)
const money = z.int().min(1).max(Number.MAX_SAFE_INTEGER)
const charge = z.strictObject({ fee: z.int().min(0), tax: z.int().min(0) })

/** As Razorpay shows it; members that are not named here are kept as they are. */
const ToldPayment = z
  .object({
    id,
    amount: money,
    currency: z.string().regex(/^[A-Z]{3}$/),
    status: z.enum(['created', 'authorized', 'captured', 'refunded', 'failed']),
    captured: z.boolean(),
    order_id: id.nullable(),
    created_at: z.int().min(1),
  })
  .catchall(z.json())

const PaymentWanted = z.strictObject({
  order: id.optional(),
  amount: money.optional(),
  currency: z
    .string()
    .regex(/^[A-Z]{3}$/)
    .optional(),
  /** Contact, e-mail, method and the like, as they should stand in the payment. */
  details: z.record(z.string(), z.json()).default({}),
})

/** Typed for tests; over HTTP `POST /_test/razorpay/<name>` with the input as JSON. */
export type RazorpayControl = ReturnType<typeof createRazorpayControl>

export function createRazorpayControl(books: RazorpayBooks) {
  return { ...payments(books), ...afterwards(books) }
}

function payments(books: RazorpayBooks) {
  const paying = ({ details, ...wanted }: z.output<typeof PaymentWanted>): Entity =>
    change(books.payments, begin(books, wanted).id, details)
  return {
    /** A payment that is only begun; nobody is told. */
    begin: action(PaymentWanted, paying),
    /** Paid: authorised, and captured unless `capture` is false. */
    pay: action(
      PaymentWanted.extend({ capture: z.boolean().default(true), charge: charge.nullish() }),
      ({ capture: isCaptured, charge: told, ...wanted }) => {
        const payment = authorise(books, paying(wanted).id)
        return isCaptured ? capture(books, payment.id, told) : payment
      },
    ),
    fail: action(z.strictObject({ payment: id }), ({ payment }) => fail(books, payment)),
    authorise: action(z.strictObject({ payment: id }), ({ payment }) => authorise(books, payment)),
    capture: action(
      z.strictObject({ payment: id, charge: charge.nullish() }),
      ({ payment, charge: told }) => capture(books, payment, told),
    ),
    /** `order.paid` once more, as an event of its own. */
    orderPaid: action(z.strictObject({ payment: id }), (wanted) => {
      const payment = books.payments.get(wanted.payment)
      books.emit('order.paid', { payment, order: books.orders.get(wordAt(payment, 'order_id')) })
      return payment
    }),
    /** A payment as somebody else made it; nobody is told by us. */
    know: action(ToldPayment, (payment) => {
      const order = books.orders.find(payment.order_id ?? '')
      if (order !== undefined && payment.captured) {
        const paid = { status: 'paid', amount_paid: payment.amount, amount_due: 0 }
        change(books.orders, order.id, paid)
      }
      return books.payments.put(payment.id, { ...payment })
    }),
  }
}

function afterwards(books: RazorpayBooks) {
  return {
    refund: action(
      z.strictObject({ payment: id, amount: money.optional(), receipt: z.string().nullish() }),
      ({ payment, ...wanted }) => refund(books, payment, wanted),
    ),
    finishRefund: action(
      z.strictObject({ refund: id, status: z.enum(['processed', 'failed']) }),
      (wanted) => finishRefund(books, wanted.refund, wanted.status),
    ),
    dispute: action(
      z.strictObject({ payment: id, amount: money.optional(), phase: z.string().optional() }),
      ({ payment, ...wanted }) => dispute(books, payment, wanted),
    ),
    decide: action(
      z.strictObject({
        dispute: id,
        status: z.enum(['under_review', 'won', 'lost', 'closed']),
      }),
      (wanted) => decide(books, wanted.dispute, wanted.status),
    ),
    settle: action(z.strictObject({}), () => settle(books)),
    movePayout: action(
      z.strictObject({
        payout: id,
        status: z.enum([
          'queued',
          'pending',
          'processing',
          'processed',
          'reversed',
          'failed',
          'rejected',
        ]),
      }),
      (wanted) => movePayout(books, wanted.payout, wanted.status),
    ),
    /** Whether refunds and payouts that the API is asked for are done at once. */
    finishes: action(
      z.strictObject({ refunds: z.boolean().optional(), payouts: z.boolean().optional() }),
      ({ refunds, payouts }) => {
        books.finishes.refunds = refunds ?? books.finishes.refunds
        books.finishes.payouts = payouts ?? books.finishes.payouts
        return { ...books.finishes }
      },
    ),
  }
}
