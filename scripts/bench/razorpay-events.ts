/** Razorpay's webhooks of a payment of ₹500, as a load sends them. */

/** One webhook: its event id and its body. */
export interface BenchEvent {
  eventId: string
  body: string
}

/** Which events the load sends: the capture alone, or a payment's life. */
export type Mix = 'captures' | 'lives'

/** What Razorpay sends of a payment that an order asked for, all three telling of one payment. */
const LIFE = ['payment.authorized', 'payment.captured', 'order.paid'] as const
/** After so many events of lives comes one of them again, as after an answer that got lost. */
const REPEAT_AFTER = 30
const REPEATED_BACK = 14

const AT = 1_779_000_000

/** The webhook at a place of the load; the same for the same place. */
export function eventAt(mix: Mix, account: string, run: string, place: number): BenchEvent {
  if (mix === 'captures') {
    return eventOf(account, 'payment.captured', idOf(run, place))
  }
  const { number } = numbered(place)
  const life = Math.floor(number / LIFE.length)
  return eventOf(account, LIFE[number % LIFE.length] ?? 'payment.captured', idOf(run, life))
}

/** How many payments are told captured by the events before a place. */
export function capturedBefore(mix: Mix, place: number): number {
  if (mix === 'captures') {
    return place
  }
  // The second event of a life is the first to tell it.
  return Math.floor((numbered(place).next + 1) / LIFE.length)
}

/** Which event of the lives stands at a place, and which is the first that did not come before. */
function numbered(place: number): { number: number; next: number } {
  const rounds = Math.floor(place / (REPEAT_AFTER + 1))
  const within = place % (REPEAT_AFTER + 1)
  const next = rounds * REPEAT_AFTER + within
  return { number: within === REPEAT_AFTER ? next - REPEATED_BACK : next, next }
}

function idOf(run: string, n: number): string {
  return `${run}${String(n).padStart(10, '0')}`
}

function eventOf(account: string, event: string, id: string): BenchEvent {
  const isAuthorised = event === 'payment.authorized'
  const payment = {
    id: `pay_${id}`,
    entity: 'payment',
    amount: 50_000,
    currency: 'INR',
    status: isAuthorised ? 'authorized' : 'captured',
    order_id: `order_${id}`,
    method: 'upi',
    captured: !isAuthorised,
    email: 'asha@example.org',
    contact: '+919800000000',
    ...(isAuthorised ? { fee: null, tax: null } : { fee: 1180, tax: 180 }),
    created_at: AT,
  }
  const order = {
    id: `order_${id}`,
    entity: 'order',
    amount: 50_000,
    amount_paid: 50_000,
    amount_due: 0,
    currency: 'INR',
    status: 'paid',
    attempts: 1,
    created_at: AT,
  }
  const body = JSON.stringify({
    entity: 'event',
    account_id: account,
    event,
    contains: event === 'order.paid' ? ['payment', 'order'] : ['payment'],
    payload: {
      payment: { entity: payment },
      ...(event === 'order.paid' ? { order: { entity: order } } : {}),
    },
    created_at: AT,
  })
  return { eventId: `evt_${id}_${event}`, body }
}
