/** What can be made to happen at the PayU of the test gateways. */
import { z } from 'zod'
import { action } from '../action.ts'
import { digitsFrom } from '../../random.ts'
import { newId } from '../wire.ts'
import { PaymentShape, paiseOf, type PayuBooks, type Request } from './books.ts'
import { dispute, finishRefund, move, pay, request, settle } from './life.ts'

const id = z.string().min(1).max(64)
/** Paise: PayU itself writes rupees with decimals. */
const paise = z.int().min(1).max(Number.MAX_SAFE_INTEGER)
const fields = z.record(z.string().max(50), z.string().max(1000)).default({})
const state = z.enum([
  'captured',
  'auth',
  'pending',
  'failed',
  'bounced',
  'userCancelled',
  'autoRefund',
])

/** Typed for tests; over HTTP `POST /_test/payu/<name>` with the input as JSON. */
export type PayuControl = ReturnType<typeof createPayuControl>

export function createPayuControl(books: PayuBooks) {
  return { ...payments(books), ...afterwards(books) }
}

function payments(books: PayuBooks) {
  return {
    /** An attempt to pay an order, with the fields of the checkout form. */
    pay: action(
      z.strictObject({
        txnid: z.string().min(1).max(120),
        amount: paise,
        fields,
        charges: z.int().min(0).default(0),
        state: state.default('captured'),
      }),
      ({ amount, charges, ...wanted }) =>
        pay(books, { ...wanted, amount: BigInt(amount), charges: BigInt(charges) }),
    ),
    /** An attempt goes on: pending becomes captured, auth becomes captured, and so on. */
    move: action(z.strictObject({ payment: id, state, fields }), (wanted) =>
      move(books, wanted.payment, wanted.state, wanted.fields),
    ),
    /** A payment as somebody else made it; nobody is told by us. */
    know: action(
      z.strictObject({
        txnid: z.string().min(1).max(120),
        payment: PaymentShape,
        refunds: z
          .array(z.strictObject({ id, amount: paise, token: z.string(), bankRef: z.string() }))
          .max(20)
          .default([]),
      }),
      ({ txnid, payment, refunds }) => {
        for (const { id: requestId, amount, ...refund } of refunds) {
          books.requests.put(requestId, {
            ...refund,
            requestId,
            mihpayid: payment.mihpayid,
            action: 'refund',
            amount: BigInt(amount),
            status: 'success',
            arn: null,
            at: books.now(),
            settlementId: null,
          })
        }
        return books.record(txnid, payment)
      },
    ),
  }
}

function afterwards(books: PayuBooks) {
  return {
    refund: action(
      z.strictObject({ payment: id, amount: paise.optional(), token: z.string().default('') }),
      ({ payment, amount, token }) => {
        const { amount: paid } = books.payments.get(payment)
        const wanted = amount === undefined ? paiseOf(paid) : BigInt(amount)
        return viewOf(
          request(books, { mihpayid: payment, action: 'refund', amount: wanted, token }),
        )
      },
    ),
    /** Its end, and later the bank's reference. */
    finishRefund: action(
      z.strictObject({
        refund: id,
        status: z.enum(['success', 'failure']),
        arn: z
          .string()
          .regex(/^\d{6,15}$/)
          .optional(),
      }),
      ({ refund, ...end }) => viewOf(finishRefund(books, refund, end)),
    ),
    dispute: action(
      z.strictObject({
        payment: id,
        amount: paise.optional(),
        dispute: z
          .string()
          .regex(/^\d{1,12}$/)
          .optional(),
        status: z.string().min(1).default('New'),
        type: z.string().min(1).default('Chargeback'),
        signed: z.boolean().default(true),
      }),
      ({ payment, amount, ...wanted }) => {
        const { amount: paid } = books.payments.get(payment)
        const contest = dispute(books, {
          disputeId: wanted.dispute ?? digitsFrom(newId(''), 7),
          mihpayid: payment,
          amount: amount === undefined ? paiseOf(paid) : BigInt(amount),
          status: wanted.status,
          type: wanted.type,
          isSigned: wanted.signed,
        })
        return { ...contest, amount: Number(contest.amount) }
      },
    ),
    settle: action(z.strictObject({}), () => {
      const { id: settlement, amount, utr, requests } = settle(books)
      return { id: settlement, amount: Number(amount), utr, lines: requests.length }
    }),
    /** Whether refunds and captures that the API is asked for are done at once. */
    finishes: action(
      z.strictObject({ refunds: z.boolean().optional(), captures: z.boolean().optional() }),
      ({ refunds, captures }) => {
        books.finishes.refunds = refunds ?? books.finishes.refunds
        books.finishes.captures = captures ?? books.finishes.captures
        return { ...books.finishes }
      },
    ),
  }
}

/** Amounts in paise as numbers, times as text: it goes over HTTP as well. */
function viewOf(of: Request) {
  return { ...of, amount: Number(of.amount), at: of.at.toISOString() }
}
