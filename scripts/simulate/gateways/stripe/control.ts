/** What can be made to happen at the Stripe of the test gateways. */
import { z } from 'zod'
import { action } from '../action.ts'
import { Impossible, secondsOf, type Entity, type Json } from '../wire.ts'
import type { StripeBooks } from './books.ts'
import { capture, complete, decide, decline, dispute, failPayout } from './life.ts'
import { finishRefund, payOut, refund, succeed } from './life.ts'
import { intentObject } from './objects.ts'

const id = z.string().min(1).max(100)
const money = z.int().min(1).max(Number.MAX_SAFE_INTEGER)
const currency = z
  .string()
  .regex(/^[a-z]{3}$/)
  .default('inr')
const charge = z.strictObject({ fee: z.int().min(0), tax: z.int().min(0) })
const metadata = z.record(z.string(), z.string()).default({})

/** Who pays: a session, an intent, or an intent made for it; `reference` finds a session. */
const Payer = z.strictObject({
  session: id.optional(),
  reference: id.optional(),
  intent: id.optional(),
  amount: money.optional(),
  currency,
  metadata,
})

const Told = z.object({ id, object: z.string().min(1) }).catchall(z.json())

/** Typed for tests; over HTTP `POST /_test/stripe/<name>` with the input as JSON. */
export type StripeControl = ReturnType<typeof createStripeControl>

export function createStripeControl(books: StripeBooks) {
  return {
    /** Paid, and captured where that is not left to us. */
    pay: action(Payer.extend({ charge: charge.optional() }), ({ charge: charged, ...payer }) => {
      const session = sessionOf(books, payer)
      const intent = intentOf(books, payer, session)
      const made = succeed(books, intent, charged)
      if (session !== undefined) {
        complete(books, session, intent)
      }
      return made
    }),
    decline: action(Payer, (payer) =>
      decline(books, intentOf(books, payer, sessionOf(books, payer))),
    ),
    capture: action(z.strictObject({ charge: id }), (wanted) =>
      capture(books, books.shelves.charges.get(wanted.charge), null),
    ),
    refund: action(z.strictObject({ charge: id, amount: money.optional(), metadata }), (wanted) =>
      refund(books, books.shelves.charges.get(wanted.charge), wanted),
    ),
    finishRefund: action(
      z.strictObject({ refund: id, status: z.enum(['succeeded', 'failed']) }),
      (wanted) => finishRefund(books, wanted.refund, wanted.status),
    ),
    dispute: action(z.strictObject({ charge: id, amount: money.optional() }), (wanted) =>
      dispute(books, books.shelves.charges.get(wanted.charge), wanted.amount),
    ),
    decide: action(z.strictObject({ dispute: id, status: z.enum(['won', 'lost']) }), (wanted) =>
      decide(books, wanted.dispute, wanted.status),
    ),
    settle: action(z.strictObject({ currency }), (wanted) => payOut(books, wanted.currency)),
    failPayout: action(z.strictObject({ payout: id }), (wanted) =>
      failPayout(books, wanted.payout),
    ),
    /** Whether refunds that the API is asked for succeed at once. */
    finishes: action(z.strictObject({ refunds: z.boolean() }), ({ refunds }) => {
      books.finishes.refunds = refunds
      return { ...books.finishes }
    }),
    /** Objects as somebody else made them; nobody is told by us. */
    know: action(z.strictObject({ objects: z.array(Told).min(1).max(20) }), ({ objects }) => ({
      kept: objects.map((object) => books.keep({ ...object }).id) as Json,
    })),
  }
}

type PayerInput = z.output<typeof Payer>

function sessionOf(books: StripeBooks, payer: PayerInput): Entity | undefined {
  const { session, reference } = payer
  const sessions = books.shelves['checkout/sessions']
  if (session !== undefined) {
    return sessions.get(session)
  }
  if (reference === undefined) {
    return undefined
  }
  const found = sessions.all().find((one) => one['client_reference_id'] === reference)
  if (found === undefined) {
    throw new Impossible(`There is no session for ${reference} here.`)
  }
  return found
}

/** The intent of a session is made at the first attempt, and is the same at the next. */
function intentOf(books: StripeBooks, payer: PayerInput, session: Entity | undefined): Entity {
  if (payer.intent !== undefined) {
    return books.shelves.payment_intents.get(payer.intent)
  }
  if (session !== undefined) {
    const intended = books.intended.get(session.id)
    return books.shelves.payment_intents.find(intended.id) ?? books.keep(intended)
  }
  if (payer.amount === undefined) {
    throw new Impossible('A payment has an amount, a session or an intent.')
  }
  const { amount } = payer
  const at = secondsOf(books.now())
  const wanted = { amount, currency: payer.currency, metadata: payer.metadata, at }
  return books.keep(intentObject({ ...wanted, description: null, isManual: false }))
}
