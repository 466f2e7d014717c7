/** What Razorpay is told to do: orders, captures, refunds, payouts, transfers; each key once. */
import { createHash } from 'node:crypto'
import { z } from 'zod'
import { newId, numberAt, parsed, reply, secondsOf, wordAt } from '../wire.ts'
import type { Asked, Entity, Json, Reply } from '../wire.ts'
import type { RazorpayBooks } from './books.ts'
import { razorpayError } from './errors.ts'
import { capture, finishRefund, refund } from './life.ts'
import { movePayout, transfer } from './outgoing.ts'

const notes = z.union([z.record(z.string(), z.json()), z.array(z.never())]).nullish()
const integer = z.int('The amount must be an integer.')
// Razorpay takes nothing below one rupee.
const amount = integer.min(100, 'The amount must be at least INR 1.00')
const currency = z.string('The currency field is required.').regex(/^[A-Z]{3}$/, {
  error: 'Currency is not supported',
})
const text = z.string().max(250)

const OrderShape = z.object({
  amount,
  currency,
  receipt: z
    .string('The receipt must be a string.')
    .max(40, 'The receipt may not be greater than 40 characters.')
    .nullish(),
  notes,
})
const CaptureShape = z.object({ amount: integer, currency: z.string() })
const RefundShape = z.object({
  amount: amount.optional(),
  speed: z.enum(['normal', 'optimum']).optional(),
  receipt: z.string().max(40).nullish(),
  notes,
})
const PayoutShape = z
  .object({
    account_number: text.min(1),
    fund_account_id: text.optional(),
    fund_account: z.record(z.string(), z.json()).optional(),
    amount,
    currency,
    mode: z.enum(['NEFT', 'RTGS', 'IMPS', 'UPI', 'card', 'amazonpay']),
    purpose: text.min(1),
    reference_id: z.string().max(40).nullish(),
    narration: z.string().max(30).nullish(),
    queue_if_low_balance: z.boolean().optional(),
    notes,
  })
  .refine((one) => one.fund_account_id !== undefined || one.fund_account !== undefined, {
    error: 'The fund account id field is required.',
    path: ['fund_account_id'],
  })
const TransfersShape = z.object({
  transfers: z
    .array(z.object({ account: text.min(1), amount, currency }))
    .min(1)
    .max(20),
})

export function createOrder(books: RazorpayBooks, asked: Asked): Reply {
  return withBody(asked, OrderShape, (wanted) => {
    const order: Entity = {
      id: newId('order_'),
      entity: 'order',
      amount: wanted.amount,
      amount_paid: 0,
      amount_due: wanted.amount,
      currency: wanted.currency,
      receipt: wanted.receipt ?? null,
      offer_id: null,
      status: 'created',
      attempts: 0,
      notes: wanted.notes ?? [],
      created_at: secondsOf(asked.now),
    }
    return reply(200, books.orders.put(order.id, order))
  })
}

/** All that was authorised, once. */
export function capturePayment(books: RazorpayBooks, asked: Asked, id: string): Reply {
  return withBody(asked, CaptureShape, (wanted) => {
    const payment = books.payments.get(id)
    const isSame = wanted.amount === numberAt(payment, 'amount')
    if (payment['status'] === 'authorized' && !isSame) {
      const words = 'Capture amount must be equal to the amount authorized'
      return razorpayError(400, words, 'amount')
    }
    return reply(200, capture(books, id))
  })
}

/** `X-Refund-Idempotency` makes a repetition the same refund; another content is refused. */
export function createRefund(books: RazorpayBooks, asked: Asked, id: string): Reply {
  const key = asked.headers['x-refund-idempotency']
  if (key !== undefined && !/^[\w-]{10,}$/.test(key)) {
    return razorpayError(400, 'The idempotency key is invalid.', 'X-Refund-Idempotency')
  }
  const known = key === undefined ? undefined : answered(books, `refund ${key}`, asked)
  return (
    known ??
    withBody(asked, RefundShape, ({ notes: wantedNotes, ...wanted }) => {
      const made = refund(books, id, { ...wanted, notes: wantedNotes ?? [] })
      const answer = reply(200, made)
      if (key !== undefined) {
        keep(books, `refund ${key}`, asked, answer)
      }
      if (books.finishes.refunds) {
        finishRefund(books, made.id, 'processed')
      }
      return answer
    })
  )
}

/** The key is not optional here; known, it answers what became of the payout since. */
export function createPayout(books: RazorpayBooks, asked: Asked): Reply {
  const key = asked.headers['x-payout-idempotency']
  if (key === undefined || !/^[\w -]{4,36}$/.test(key)) {
    const words =
      key === undefined
        ? 'Idempotency key is missing. Include idempotency header and key in the request.'
        : 'The idempotency key is invalid.'
    return razorpayError(400, words, 'X-Payout-Idempotency')
  }
  const known = answered(books, `payout ${key}`, asked)
  if (known !== undefined) {
    const id = wordAt((parsed(known.json) ?? {}) as Record<string, Json>, 'id')
    return known.status === 200 ? reply(200, books.payouts.get(id)) : known
  }
  return withBody(asked, PayoutShape, (wanted) => {
    const payout = payoutOf(wanted, asked.now)
    books.payouts.put(payout.id, payout)
    const answer = reply(200, payout)
    keep(books, `payout ${key}`, asked, answer)
    books.emit('payout.initiated', { payout })
    if (books.finishes.payouts) {
      movePayout(books, payout.id, 'processed')
    }
    return answer
  })
}

/** ₹5 a payout, and 18 % on it. */
const PAYOUT_FEES = { fees: 590, tax: 90, fee_type: 'free_payout' }

function payoutOf(wanted: z.output<typeof PayoutShape>, at: Date): Entity {
  return {
    id: newId('pout_'),
    entity: 'payout',
    fund_account_id: wanted.fund_account_id ?? newId('fa_'),
    amount: wanted.amount,
    currency: wanted.currency,
    notes: wanted.notes ?? [],
    ...PAYOUT_FEES,
    status: 'processing',
    utr: null,
    mode: wanted.mode,
    purpose: wanted.purpose,
    reference_id: wanted.reference_id ?? null,
    narration: wanted.narration ?? null,
    batch_id: null,
    failure_reason: null,
    status_details: { description: null, source: null, reason: null },
    created_at: secondsOf(at),
  }
}

export function createTransfer(books: RazorpayBooks, asked: Asked, id: string): Reply {
  return withBody(asked, TransfersShape, ({ transfers }) => {
    const items = transfers.map((wanted) => transfer(books, id, wanted))
    return reply(200, { entity: 'collection', count: items.length, items })
  })
}

function withBody<Shape extends z.ZodType>(
  asked: Asked,
  shape: Shape,
  run: (wanted: z.output<Shape>) => Reply,
): Reply {
  // Nothing at all stands for an empty object, as in a refund of everything.
  const body = asked.body === '' ? {} : parsed(asked.body)
  if (body === undefined) {
    return razorpayError(400, 'The request body is not valid JSON')
  }
  const wanted = shape.safeParse(body)
  if (!wanted.success) {
    const [issue] = wanted.error.issues
    return razorpayError(400, issue?.message ?? 'Invalid request', String(issue?.path[0] ?? ''))
  }
  return run(wanted.data)
}

/** The answer under a key; 409 where something else was asked under it. */
function answered(books: RazorpayBooks, key: string, asked: Asked): Reply | undefined {
  const known = books.answers.find(key)
  if (known !== undefined && known.asked !== fingerprint(asked)) {
    const words = 'Different request with the same idempotency key has already been processed.'
    return razorpayError(409, words)
  }
  return known?.reply
}

function keep(books: RazorpayBooks, key: string, asked: Asked, answer: Reply): void {
  books.answers.put(key, { asked: fingerprint(asked), reply: answer })
}

function fingerprint({ path, body }: Asked): string {
  return createHash('sha256').update(`${path}\n${body}`).digest('hex')
}
