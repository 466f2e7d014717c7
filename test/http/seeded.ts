/** A service with a history: donations opened, paid, posted, receipted and mailed. */
import nock from 'nock'
import { donationRequest, razorpayEvent } from '../support/bodies.ts'
import { GATEWAYS_URL, type JsonObject, type TestService } from '../support/service.ts'
import { startNock, stopNock } from '../support/nock.ts'

/** Lets nock, and nothing else, stand in for the gateways while the `describe` around it runs. */
export function withGateways(): void {
  before(() => {
    // Another file may have switched it off for all.
    startNock()
  })
  after(() => {
    stopNock()
  })
}

let opened = 0

/** Lets Razorpay open the next order, with an id of its own; gives the id. */
export function razorpayOpens(amount: number): string {
  opened += 1
  const id = `order_TESTlist${opened}`
  nock(GATEWAYS_URL)
    .post('/v1/orders', (asked: { amount: number }) => asked.amount === amount)
    .reply(200, { id, entity: 'order', amount, currency: 'INR' })
  return id
}

/** The rows of a list answer. */
export function rowsOf(json: JsonObject): JsonObject[] {
  return json['data'] as JsonObject[]
}

/** A field that must be text. */
export function textIn(row: JsonObject | undefined, field: string): string {
  const value = row?.[field]
  if (typeof value !== 'string') {
    throw new Error(`there is no text in ${field}: ${JSON.stringify(row)}`)
  }
  return value
}

/** Noon in India on that day, as Razorpay writes times. */
export function noonOf(day: string): number {
  return Date.parse(`${day}T12:00:00+05:30`) / 1000
}

/** Opens a donation and lets it be paid on that day; gives the donation's id. */
export async function donate(service: TestService, amount: number, day: string): Promise<string> {
  const orderId = razorpayOpens(amount)
  const donation = await service.call('POST', '/v1/donations', {
    body: donationRequest({ amount }),
  })
  await service.deliver(
    'razorpay',
    razorpayEvent('payment.captured', {
      id: orderId.replace('order_', 'pay_'),
      orderId,
      amount,
      createdAt: noonOf(day),
    }),
  )
  return textIn(donation.json, 'id')
}

/** Lets money come in that belongs to no donation. */
export async function payUnasked(
  service: TestService,
  payment: { id: string; amount: number; day: string },
): Promise<void> {
  await service.deliver(
    'razorpay',
    razorpayEvent('payment.captured', {
      id: payment.id,
      orderId: null,
      amount: payment.amount,
      createdAt: noonOf(payment.day),
    }),
  )
}

/** Follows a list to its end, `limit` rows a page; `cursor` is the field that names a row. */
export async function allPages(
  service: TestService,
  path: string,
  limit: number,
  cursor = 'id',
): Promise<JsonObject[][]> {
  const pages: JsonObject[][] = []
  for (let after = ''; ;) {
    const query = `${path}${path.includes('?') ? '&' : '?'}limit=${limit}${after}`
    const { status, json, text } = await service.call('GET', query)
    if (status !== 200) {
      throw new Error(`GET ${query} answered ${status}: ${text}`)
    }
    pages.push(rowsOf(json))
    if (json['has_more'] !== true) {
      return pages
    }
    after = `&starting_after=${textIn(pages.at(-1)?.at(-1), cursor)}`
  }
}
