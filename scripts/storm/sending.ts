/** The webhooks go out: life by life in order, or all of them at once and in no order. */
import { systemClock } from '../../src/base/clock.ts'
import type { Delivery, Truth } from '../simulate/deliveries.ts'
import type { TestGateways } from '../simulate/gateway-server.ts'
import { headersOf } from '../simulate/play.ts'
import { randomFrom } from '../simulate/random.ts'
import { schedule } from '../simulate/schedule.ts'
import { createSender, eachAtPace, type Sender } from '../simulate/send.ts'
import type { Endpoints, ToldLife } from './lives.ts'

export interface Sent {
  /** Webhooks, each counted once however often it had to be sent. */
  webhooks: number
  duplicates: number
  badSignatures: number
  /** Those with a bad signature that were answered 401. */
  refused: number
  /** Tries beyond the first: the answer was none, or "not now". */
  sentAgain: number
  /** Other answers than those, in words: the first few. */
  complaints: string[]
}

export interface SendOptions {
  apiUrl: string
  endpoints: Endpoints
  seed: number
  /** Ends it early. */
  signal: AbortSignal
  /** Hears how many were answered so far; the socket waits for it. */
  onAnswer?(done: number): Promise<void>
}

const SOCKETS = 64
/** A gateway tries for hours; here a service that is away for minutes is broken. */
const TRIES = 60
const FIRST_DELAY_MS = 100
/** Razorpay's own. */
const TIMEOUT_MS = 5000
const COMPLAINTS_MAX = 20

/** Sends each as soon as there is room, and again where a gateway would. */
export async function sendAll(calls: readonly Delivery[], options: SendOptions): Promise<Sent> {
  const { signal } = options
  const sender = createSender({
    connections: SOCKETS,
    timeoutMs: TIMEOUT_MS,
    attempts: TRIES,
    firstDelayMs: FIRST_DELAY_MS,
    seed: options.seed,
    signal,
  })
  const sent: Sent = {
    webhooks: 0,
    duplicates: 0,
    badSignatures: 0,
    refused: 0,
    sentAgain: 0,
    complaints: [],
  }
  try {
    await eachAtPace(calls, { atOnce: SOCKETS, perSecond: 0, signal }, async (call) => {
      await sendOne(sender, call, options, sent)
      await options.onAnswer?.(sent.webhooks)
    })
  } finally {
    sender.close()
  }
  return sent
}

async function sendOne(
  sender: Sender,
  call: Delivery,
  { apiUrl, endpoints }: SendOptions,
  sent: Sent,
): Promise<void> {
  const answer = await sender.send({
    method: 'POST',
    url: new URL(endpoints[call.gateway].path, apiUrl).href,
    headers: headersOf(call, systemClock()),
    body: call.body,
  })
  const isForged = call.kind === 'forged'
  sent.webhooks += 1
  sent.sentAgain += answer.retries
  sent.duplicates += call.kind === 'duplicate' ? 1 : 0
  sent.badSignatures += isForged ? 1 : 0
  const wanted = isForged ? 401 : 200
  if (answer.status === wanted) {
    sent.refused += isForged ? 1 : 0
  } else if (sent.complaints.length < COMPLAINTS_MAX) {
    const got = `${answer.status} ${answer.text.slice(0, 200)}`
    sent.complaints.push(`life ${call.life}: ${call.gateway} ${call.name}: ${wanted}, not ${got}`)
  }
}

/**
 * The storm's order: all webhooks, those that come twice and those that are forged, as chance has
 * them. The life's last word may come first, and a duplicate before what it repeats.
 */
export function stormOf(
  lives: readonly ToldLife[],
  options: { seed: number; duplicates: number; badSignatures: number; endpoints: Endpoints },
): Delivery[] {
  const deliveries = lives.map((life) => life.deliveries)
  const all = schedule(deliveries, { ...options, reorder: 0 })
  return randomFrom(`${options.seed}/storm`).shuffle(all)
}

/** The n-th webhook of each life that has one: sent and done before the next, they are in order. */
export function wavesOf(lives: readonly ToldLife[]): Delivery[][] {
  const longest = lives.reduce((most, life) => Math.max(most, life.deliveries.length), 0)
  return Array.from({ length: longest }, (_none, step) =>
    lives.flatMap(({ deliveries }) => deliveries.slice(step, step + 1)),
  )
}

/** Tells the gateways what they know by the time of these calls. */
export function tellTruths(gateways: TestGateways, calls: readonly Delivery[]): void {
  for (const { truth } of calls) {
    if (truth !== null) {
      tellTruth(gateways, truth)
    }
  }
}

function tellTruth({ razorpay, payu, stripe }: TestGateways, { path, body }: Truth): void {
  switch (path) {
    case 'razorpay/know':
      razorpay.know(body as never)
      return
    case 'payu/know':
      payu.know(body as never)
      return
    case 'stripe/know':
      stripe.know(body as never)
      return
    default:
      throw new RangeError(`The test gateways cannot be told ${path}.`)
  }
}
