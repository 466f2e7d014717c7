/** What Razorpay tells beside donations: payouts, Route, unasked money, refunds that fail. */
import type { Delivery } from '../simulate/deliveries.ts'
import { digitsFrom, idFrom, randomFrom } from '../simulate/random.ts'
import { razorpayText, type JsonObject } from '../simulate/razorpay-text.ts'
import { razorpaySignature } from '../simulate/sign.ts'
import type { Endpoint } from '../simulate/running.ts'
import type { ToldLife } from './lives.ts'

export interface OtherLifeOptions {
  seed: number
  now: Date
  endpoint: Endpoint
}

/** An event: its name, what stands in it, and how long before the last one it happened. */
interface Step {
  event: string
  payload: Record<string, JsonObject>
  secondsAgo: number
}

/** A life that no donation waits for; which one follows from the seed and its number. */
export function otherLife(number: number, options: OtherLifeOptions): ToldLife {
  const stream = `${options.seed}/other/${number}`
  const at = Math.floor(options.now.getTime() / 1000)
  const steps = KINDS[number % KINDS.length]?.(stream, at) ?? []
  const { account, secret } = options.endpoint
  const deliveries = steps.map(({ event, payload, secondsAgo }, index): Delivery => {
    const body = razorpayText(`${stream}/${index}`, {
      entity: 'event',
      account_id: account,
      event,
      contains: Object.keys(payload),
      payload: Object.fromEntries(Object.entries(payload).map(([of, entity]) => [of, { entity }])),
      created_at: at - secondsAgo,
    })
    return {
      life: number,
      gateway: 'razorpay',
      name: event,
      kind: 'genuine',
      headers: {
        'content-type': 'application/json',
        'x-razorpay-event-id': idFrom(`${stream}/event/${index}`),
        'x-razorpay-signature': razorpaySignature(body, secret),
      },
      body,
      signing: null,
      captures: event === 'payment.captured',
      truth: null,
    }
  })
  return { number, deliveries }
}

type Kind = (stream: string, at: number) => Step[]

const KINDS: readonly Kind[] = [
  (stream, at) => payout(stream, at, ['queued', 'processing', 'processed']),
  (stream, at) => payout(stream, at, ['queued', 'processing', 'processed', 'reversed']),
  (stream, at) => payout(stream, at, ['pending', 'failed']),
  routed,
  refundedTwice,
  downtime,
]

const PAYOUT_EVENT: Readonly<Record<string, string>> = { processing: 'initiated' }

function payout(stream: string, at: number, states: readonly string[]): Step[] {
  const amount = amountOf(stream)
  return states.map((status, index) => ({
    event: `payout.${PAYOUT_EVENT[status] ?? status}`,
    secondsAgo: (states.length - index) * 10,
    payload: {
      payout: {
        id: `pout_${idFrom(stream)}`,
        entity: 'payout',
        fund_account_id: `fa_${idFrom(`${stream}/to`)}`,
        amount,
        currency: 'INR',
        notes: [],
        fees: 590,
        tax: 90,
        status,
        purpose: 'vendor bill',
        utr: index >= 2 ? digitsFrom(`${stream}/utr`, 12) : null,
        mode: 'IMPS',
        reference_id: `BILL${digitsFrom(stream, 8)}`,
        status_details: { description: null, source: null, reason: null },
        created_at: at - 100,
      },
    },
  }))
}

/** Money that nobody asked for, of which a merchant gets a part, and gives some of it back. */
function routed(stream: string, at: number): Step[] {
  const paid = unaskedPayment(stream, at)
  const amount = Math.floor(amountOf(stream) / 2)
  const transfer = {
    id: `trf_${idFrom(stream)}`,
    entity: 'transfer',
    status: 'processed',
    source: paid.id,
    recipient: `acc_${idFrom(`${stream}/merchant`)}`,
    amount,
    currency: 'INR',
    amount_reversed: 0,
    fees: 296,
    tax: 46,
    on_hold: false,
    processed_at: at - 40,
    created_at: at - 50,
  }
  const reversal = {
    id: `rvrsl_${idFrom(stream)}`,
    entity: 'reversal',
    transfer_id: transfer.id,
    amount: Math.floor(amount / 3),
    fee: 0,
    tax: 0,
    currency: 'INR',
    created_at: at - 10,
  }
  return [
    { event: 'payment.captured', secondsAgo: 60, payload: { payment: paid } },
    { event: 'transfer.processed', secondsAgo: 40, payload: { transfer } },
    { event: 'transfer.reversed', secondsAgo: 10, payload: { reversal, transfer } },
  ]
}

/** One refund that is paid and comes back, and a second one that is paid. */
function refundedTwice(stream: string, at: number): Step[] {
  const payment = unaskedPayment(stream, at)
  const refund = (name: string, status: string): JsonObject => ({
    id: `rfnd_${idFrom(`${stream}/${name}`)}`,
    entity: 'refund',
    amount: Math.floor(amountOf(stream) / 4),
    currency: 'INR',
    payment_id: payment.id,
    notes: [],
    receipt: `BACK${digitsFrom(`${stream}/${name}`, 8)}`,
    acquirer_data: { arn: status === 'processed' ? digitsFrom(`${stream}/${name}/arn`, 12) : null },
    created_at: at - 40,
    status,
    speed_processed: 'normal',
    speed_requested: 'normal',
  })
  const step = (event: string, name: string, status: string, secondsAgo: number): Step => {
    return { event, secondsAgo, payload: { refund: refund(name, status), payment } }
  }
  return [
    { event: 'payment.captured', secondsAgo: 60, payload: { payment } },
    step('refund.created', 'first', 'pending', 40),
    step('refund.processed', 'first', 'processed', 35),
    step('refund.failed', 'first', 'failed', 30),
    step('refund.created', 'second', 'pending', 20),
    step('refund.processed', 'second', 'processed', 10),
  ]
}

function downtime(stream: string, at: number): Step[] {
  const entity = (status: string, end: number | null): JsonObject => ({
    id: `down_${idFrom(stream)}`,
    entity: 'payment.downtime',
    method: 'netbanking',
    begin: at - 300,
    end,
    status,
    scheduled: false,
    severity: 'high',
    instrument: { bank: 'SBIN' },
    created_at: at - 290,
    updated_at: end ?? at - 290,
  })
  return [
    {
      event: 'payment.downtime.started',
      secondsAgo: 290,
      payload: { 'payment.downtime': entity('started', null) },
    },
    {
      event: 'payment.downtime.resolved',
      secondsAgo: 20,
      payload: { 'payment.downtime': entity('resolved', at - 20) },
    },
  ]
}

function unaskedPayment(stream: string, at: number): JsonObject & { id: string } {
  return {
    id: `pay_${idFrom(stream)}`,
    entity: 'payment',
    amount: amountOf(stream),
    currency: 'INR',
    status: 'captured',
    order_id: null,
    captured: true,
    method: 'upi',
    vpa: 'somebody@okexample',
    email: null,
    contact: null,
    notes: [],
    fee: 236,
    tax: 36,
    acquirer_data: { rrn: digitsFrom(`${stream}/rrn`, 12) },
    created_at: at - 70,
  }
}

/** Paise. */
function amountOf(stream: string): number {
  return 10_000 + randomFrom(stream).below(1_000_000)
}
