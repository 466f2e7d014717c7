/** What Stripe is told to do: sessions, intents, captures, refunds. */
import { numberAt, secondsOf, wordAt, type Asked, type Entity, type Json } from '../wire.ts'
import type { StripeBooks } from './books.ts'
import { capture, refund } from './life.ts'
import { intentObject, sessionObject } from './objects.ts'
import { StripeRefusal } from './refusal.ts'

/** Half a dollar and its like; in rupees it is fifty paise. */
const LEAST = 50

export function createSession(
  books: StripeBooks,
  form: URLSearchParams,
  _id: string,
  asked: Asked,
): Entity {
  if (form.get('mode') !== 'payment') {
    throw new StripeRefusal(400, 'Only sessions in payment mode are made here.', 'mode')
  }
  for (const name of ['success_url', 'cancel_url']) {
    if (!URL.canParse(form.get(name) ?? '')) {
      throw new StripeRefusal(400, 'Not a valid URL', name)
    }
  }
  const price = 'line_items[0][price_data]'
  const quantity = integerAt(form, 'line_items[0][quantity]', 1)
  const session = sessionObject({
    amount: integerAt(form, `${price}[unit_amount]`, LEAST) * quantity,
    currency: currencyAt(form, `${price}[currency]`),
    reference: form.get('client_reference_id'),
    email: form.get('customer_email'),
    metadata: metadataIn(form, 'metadata'),
    page: `http://${asked.headers['host'] ?? 'checkout.test'}`,
    at: secondsOf(asked.now),
  })
  // The intent is made when somebody pays; until then the session remembers what it is to be.
  const intent = intentObject({
    amount: numberAt(session, 'amount_total'),
    currency: wordAt(session, 'currency'),
    metadata: metadataIn(form, 'payment_intent_data[metadata]'),
    description: form.get('payment_intent_data[description]'),
    isManual: form.get('payment_intent_data[capture_method]') === 'manual',
    at: secondsOf(asked.now),
  })
  books.intended.put(session.id, intent)
  return books.keep(session)
}

export function createIntent(books: StripeBooks, form: URLSearchParams): Entity {
  return books.keep(
    intentObject({
      amount: integerAt(form, 'amount', LEAST),
      currency: currencyAt(form, 'currency'),
      metadata: metadataIn(form, 'metadata'),
      description: form.get('description'),
      isManual: form.get('capture_method') === 'manual',
      at: secondsOf(books.now()),
    }),
  )
}

export function captureCharge(books: StripeBooks, form: URLSearchParams, id: string): Entity {
  const amount = form.has('amount') ? integerAt(form, 'amount', 1) : null
  return capture(books, books.shelves.charges.get(id), amount)
}

export function captureIntent(books: StripeBooks, form: URLSearchParams, id: string): Entity {
  const intent = books.shelves.payment_intents.get(id)
  if (intent['status'] !== 'requires_capture') {
    const status = wordAt(intent, 'status')
    const words = `This PaymentIntent could not be captured because it has a status of ${status}.`
    throw new StripeRefusal(400, words, 'intent')
  }
  const amount = form.has('amount_to_capture') ? integerAt(form, 'amount_to_capture', 1) : null
  capture(books, books.shelves.charges.get(wordAt(intent, 'latest_charge')), amount)
  return books.shelves.payment_intents.get(id)
}

/** Lets go what was only authorised. */
export function cancelIntent(books: StripeBooks, _form: URLSearchParams, id: string): Entity {
  const intent = books.shelves.payment_intents.get(id)
  if (intent['status'] === 'succeeded' || intent['status'] === 'canceled') {
    throw new StripeRefusal(400, 'You cannot cancel this PaymentIntent.', 'intent')
  }
  const canceled_at = secondsOf(books.now())
  const changes = { status: 'canceled', canceled_at, amount_capturable: 0 }
  const after = books.change(intent, changes)
  books.emit('payment_intent.canceled', after)
  return after
}

export function createRefund(books: StripeBooks, form: URLSearchParams): Entity {
  const of = form.get('charge') ?? form.get('payment_intent') ?? ''
  const found = books.find(of)
  const isIntent = found?.['object'] === 'payment_intent'
  const charge = isIntent ? books.find(wordAt(found, 'latest_charge')) : found
  if (charge?.['object'] !== 'charge') {
    throw new StripeRefusal(404, `No such charge: '${of.slice(0, 64)}'`, 'charge')
  }
  return refund(books, charge, {
    amount: form.has('amount') ? integerAt(form, 'amount', 1) : undefined,
    metadata: metadataIn(form, 'metadata'),
    reason: form.get('reason') ?? undefined,
  })
}

function integerAt(form: URLSearchParams, name: string, least: number): number {
  const text = form.get(name) ?? ''
  if (!/^\d{1,12}$/.test(text)) {
    throw new StripeRefusal(400, `Invalid integer: ${text.slice(0, 40)}`, name)
  }
  if (Number(text) < least) {
    throw new StripeRefusal(400, `This value must be greater than or equal to ${least}.`, name)
  }
  return Number(text)
}

function currencyAt(form: URLSearchParams, name: string): string {
  const currency = (form.get(name) ?? '').toLowerCase()
  if (!/^[a-z]{3}$/.test(currency)) {
    throw new StripeRefusal(400, `Invalid currency: ${currency.slice(0, 40)}`, name)
  }
  return currency
}

/** The members `name[key]`, at most fifty. */
function metadataIn(form: URLSearchParams, name: string): Record<string, Json> {
  const inside = [...form].flatMap(([key, value]): [string, string][] => {
    const isMember = key.startsWith(`${name}[`) && key.endsWith(']')
    return isMember ? [[key.slice(name.length + 1, -1), value]] : []
  })
  if (inside.length > 50) {
    throw new StripeRefusal(400, 'You may specify up to 50 metadata keys.', name)
  }
  return Object.fromEntries(inside)
}
