/** Plays a run against a running service: opens the donations, sends the webhooks, counts. */
import type { Clock } from '../../src/base/clock.ts'
import {
  deliveriesOf,
  settlementOf,
  type Delivery,
  type ExpectedCapture,
  type OpenedDonation,
  type PlayedLife,
} from './deliveries.ts'
import { endsCaptured, planLives, type Life, type SimulatedGateway } from './lives.ts'
import { openDonation } from './open-donation.ts'
import type { Endpoint, Running } from './running.ts'
import { schedule } from './schedule.ts'
import { comesAgain, createSender, eachAtPace, type Answer, type Sender } from './send.ts'
import { stripeSignature } from './sign.ts'
import { createTruthTeller, type TruthTeller } from './truth-teller.ts'

export interface PlayOptions {
  running: Running
  /** How many payments end captured, at least. */
  payments: number
  /** Webhook calls per second; 0 for as fast as the connections allow. */
  rate: number
  /** Shares of the genuine calls, 0 to 1. */
  duplicates: number
  reorder: number
  badSignatures: number
  seed: number
  gateways: readonly SimulatedGateway[]
  clock: Clock
  /** Ends the run early: what is under way is finished, nothing more is begun. */
  signal?: AbortSignal
  /** Calls under way at once; 16 unless told. */
  atOnce?: number
  /** Time limit of one try, Razorpay's five seconds unless told. */
  timeoutMs?: number
  /** Tries per call, 12 unless told, and the first wait; together about half a minute. */
  attempts?: number
  firstDelayMs?: number
}

export interface Progress {
  phase: 'opening' | 'sending'
  done: number
  total: number
  retries: number
  unexpected: number
}

export interface SimulationSummary {
  /** Payment lives in the plan, and how many of them end captured. */
  lives: number
  capturedLives: number
  opened: number
  /** Webhook calls that were made, each counted once however many tries it took. */
  sent: number
  /** Genuine calls and duplicates that were answered 200. */
  accepted: number
  /** How many of the calls sent were duplicates, and how many were forged. */
  duplicates: number
  forged: number
  /** Forged calls that were answered 401. */
  rejected: number
  /** Tries beyond the first, over all calls. */
  retries: number
  /** Answers other than the expected ones, the first few of them in words. */
  unexpected: number
  unexpectedSamples: string[]
  /** The time of sending the webhooks, without opening the donations. */
  seconds: number
  perSecond: number
  /** True where the run was ended early. */
  stopped: boolean
  /** Payments whose capture was told and accepted: the books must show exactly these. */
  expected: ExpectedCapture[]
}

const SAMPLES = 10

interface Run {
  options: PlayOptions
  signal: AbortSignal
  atOnce: number
  sender: Sender
  summary: SimulationSummary
  report: (progress: Progress) => void
}

/**
 * Plays a whole run and counts honestly; it does not look into the service's books. Throws where
 * the options ask for a gateway that the service has no endpoint for, or the token is refused.
 */
export async function play(
  options: PlayOptions,
  report: (progress: Progress) => void = () => undefined,
): Promise<SimulationSummary> {
  for (const gateway of options.gateways) {
    endpointOf(options, gateway)
  }
  const signal = options.signal ?? new AbortController().signal
  const atOnce = options.atOnce ?? 16
  const lives = planLives(options)
  const sender = createSender({
    connections: atOnce,
    timeoutMs: options.timeoutMs ?? 5000,
    attempts: options.attempts ?? 12,
    firstDelayMs: options.firstDelayMs ?? 250,
    seed: options.seed,
    signal,
  })
  const run = { options, signal, atOnce, sender, report, summary: emptySummary(lives) }
  try {
    const opened = await openAll(run, lives)
    await sendAll(run, tellLives(run, opened))
  } finally {
    sender.close()
  }
  return { ...run.summary, stopped: signal.aborted }
}

async function openAll(run: Run, lives: readonly Life[]): Promise<OpenedDonation[]> {
  const { summary } = run
  const opened = new Map<number, OpenedDonation>()
  let done = 0
  const pace = { atOnce: run.atOnce, perSecond: 0, signal: run.signal }
  await eachAtPace(lives, pace, async (life) => {
    const result = await openDonation(run.sender, run.options.running, life)
    summary.retries += result.retries
    if (result.donation === null && !run.signal.aborted) {
      complain(summary, `donation ${life.number}: ${result.complaint}`)
    }
    if (result.donation !== null) {
      opened.set(life.number, result.donation)
      summary.opened += 1
    }
    done += 1
    run.report(progressOf(summary, 'opening', done, lives.length))
  })
  // In the order of the plan, whichever answer came first.
  return lives.flatMap((life) => opened.get(life.number) ?? [])
}

/** The lives, and in the end a settlement of what they come to at each gateway. */
function tellLives(run: Run, opened: readonly OpenedDonation[]): PlayedLife[] {
  const { clock, seed, gateways } = run.options
  const now = clock()
  const told = (gateway: SimulatedGateway) => {
    return { seed, endpoint: endpointOf(run.options, gateway), now }
  }
  const owed = new Map<SimulatedGateway, bigint>()
  const lives = opened.map((donation) => {
    const { gateway } = donation.life.request
    const played = deliveriesOf(donation, told(gateway))
    owed.set(gateway, (owed.get(gateway) ?? 0n) + played.owed)
    return played
  })
  const settlements = gateways.flatMap((gateway, index) => {
    // The last order is of this run only.
    const stream = `${seed}/settlement/${gateway}/${opened.at(-1)?.orderRef ?? ''}`
    const life = run.summary.lives + index
    const sum = owed.get(gateway) ?? 0n
    return settlementOf(gateway, { life, owed: sum, stream }, told(gateway)) ?? []
  })
  return [...lives, ...settlements]
}

function endpointOf(options: PlayOptions, gateway: SimulatedGateway): Endpoint {
  const endpoint = options.running.endpoints[gateway]
  if (endpoint === undefined) {
    throw new RangeError(`The running service has no webhook endpoint for ${gateway}.`)
  }
  return endpoint
}

async function sendAll(run: Run, lives: readonly PlayedLife[]): Promise<void> {
  const { options, summary } = run
  const calls = schedule(
    lives.map((life) => life.deliveries),
    { ...options, endpoints: options.running.endpoints },
  )
  const captured = new Set<number>()
  const truth = createTruthTeller(run.sender, options.running.test_gateways_url)
  const began = performance.now()
  const pace = { atOnce: run.atOnce, perSecond: options.rate, signal: run.signal }
  await eachAtPace(calls, pace, async (call) => {
    await sendOne(run, call, truth)
      .then((accepted) => accepted && call.captures && captured.add(call.life))
      .finally(() => run.report(progressOf(summary, 'sending', summary.sent, calls.length)))
  })
  summary.seconds = (performance.now() - began) / 1000
  summary.perSecond = summary.seconds === 0 ? 0 : summary.sent / summary.seconds
  summary.expected = lives.flatMap(({ deliveries, capture }) => {
    const told = deliveries.some((delivery) => captured.has(delivery.life))
    return capture !== null && told ? [capture] : []
  })
}

/** Sends one call and counts it. True where a genuine call was accepted. */
async function sendOne(run: Run, call: Delivery, truth: TruthTeller): Promise<boolean> {
  const { summary, options } = run
  const told = await truth.tell(call)
  summary.retries += told.retries
  if (told.complaint !== null && !run.signal.aborted) {
    complain(summary, told.complaint)
  }
  const answer = await run.sender.send({
    method: 'POST',
    url: new URL(endpointOf(options, call.gateway).path, options.running.api_url).href,
    headers: headersOf(call, options.clock()),
    body: call.body,
  })
  summary.retries += answer.retries
  if (run.signal.aborted && comesAgain(answer)) {
    // The run was ended while this call waited for its next try: it has no answer to judge.
    return false
  }
  summary.sent += 1
  summary.duplicates += call.kind === 'duplicate' ? 1 : 0
  summary.forged += call.kind === 'forged' ? 1 : 0
  const wanted = call.kind === 'forged' ? 401 : 200
  if (answer.status !== wanted) {
    complain(summary, `${call.gateway} ${call.name}: ${wanted} expected, ${inWords(answer)}`)
    return false
  }
  summary[call.kind === 'forged' ? 'rejected' : 'accepted'] += 1
  return call.kind !== 'forged'
}

/** The headers of a call that is sent now. */
export function headersOf({ headers, signing }: Delivery, now: Date): Delivery['headers'] {
  if (signing === null) {
    return headers
  }
  const seconds = Math.floor(now.getTime() / 1000) - signing.secondsAgo
  const signature = stripeSignature(signing.body, signing.secret, seconds)
  return { ...headers, 'stripe-signature': signature }
}

function inWords(answer: Answer): string {
  return `got ${answer.status === 0 ? 'no answer' : answer.status}: ${answer.text.slice(0, 200)}`
}

function complain(summary: SimulationSummary, complaint: string): void {
  summary.unexpected += 1
  if (summary.unexpectedSamples.length < SAMPLES) {
    summary.unexpectedSamples.push(complaint)
  }
}

function progressOf(
  summary: SimulationSummary,
  phase: Progress['phase'],
  done: number,
  total: number,
): Progress {
  return { phase, done, total, retries: summary.retries, unexpected: summary.unexpected }
}

function emptySummary(lives: readonly Life[]): SimulationSummary {
  return {
    lives: lives.length,
    capturedLives: lives.filter((life) => endsCaptured(life.outcome)).length,
    opened: 0,
    sent: 0,
    accepted: 0,
    duplicates: 0,
    forged: 0,
    rejected: 0,
    retries: 0,
    unexpected: 0,
    unexpectedSamples: [],
    seconds: 0,
    perSecond: 0,
    stopped: false,
    expected: [],
  }
}
