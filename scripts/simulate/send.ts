/** Calls over HTTP as a gateway makes them: kept connections, a time limit, another try later. */
import http from 'node:http'
import https from 'node:https'
import { setTimeout as wait } from 'node:timers/promises'
import { messageOf } from '../../src/base/problem.ts'
import { randomFrom } from './random.ts'

export interface SenderOptions {
  /** How many connections at once, at most. */
  connections: number
  /** How long one try may take. Razorpay gives up after five seconds. */
  timeoutMs: number
  /** How often a call is made at most, and the wait after the first try; it doubles each time. */
  attempts: number
  firstDelayMs: number
  seed: number
  /** Ends the waiting between tries; a call that is under way is not cut off. */
  signal: AbortSignal
}

export interface Call {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  url: string
  headers: Readonly<Record<string, string>>
  body: string
}

export interface Answer {
  /** 0 where no answer came at all; `text` then says why. */
  status: number
  text: string
  /** How many tries it took beyond the first. */
  retries: number
}

export interface Sender {
  /** Never rejects: a call without an answer has the status 0. */
  send(call: Call): Promise<Answer>
  close(): void
}

/** Statuses that mean "not now". A 500 is none of them: it is a finding, not a state. */
const TRY_AGAIN = new Set([0, 429, 502, 503, 504])

const LONGEST_DELAY_MS = 5000
const LONGEST_ANSWER = 1_000_000

/** True where a gateway would try again: no answer, or one that means "not now". */
export function comesAgain(answer: { status: number }): boolean {
  return TRY_AGAIN.has(answer.status)
}

export function createSender(options: SenderOptions): Sender {
  const settings = { keepAlive: true, maxSockets: options.connections }
  const agents = { http: new http.Agent(settings), https: new https.Agent(settings) }
  const random = randomFrom(`${options.seed}/backoff`)

  async function send(call: Call): Promise<Answer> {
    for (let retries = 0; ; retries += 1) {
      const answer = await tryOnce(call)
      const last = retries + 1 >= options.attempts || options.signal.aborted
      if (last || !comesAgain(answer)) {
        return { ...answer, retries }
      }
      const delay = Math.min(LONGEST_DELAY_MS, options.firstDelayMs * 2 ** retries)
      // Half of the wait is chance, so that the calls do not all come back at one moment.
      await pause(delay / 2 + (random.fraction() * delay) / 2, options.signal)
    }
  }

  function tryOnce(call: Call): Promise<{ status: number; text: string }> {
    return new Promise((resolve) => {
      const end = (status: number, text: string): void => {
        clearTimeout(limit)
        resolve({ status, text })
      }
      const failed = (error: unknown): void => end(0, messageOf(error))
      const secure = call.url.startsWith('https:')
      const { request } = secure ? https : http
      const body = Buffer.from(call.body, 'utf8')
      const outgoing = request(
        call.url,
        {
          method: call.method,
          agent: secure ? agents.https : agents.http,
          headers: { ...call.headers, 'content-length': body.length },
        },
        (incoming) => {
          let text = ''
          incoming.setEncoding('utf8')
          incoming.on('data', (chunk: string) => {
            text += text.length < LONGEST_ANSWER ? chunk : ''
          })
          incoming.on('end', () => end(incoming.statusCode ?? 0, text))
          incoming.on('error', failed)
        },
      )
      const limit = setTimeout(() => {
        outgoing.destroy(new Error(`No answer within ${options.timeoutMs} ms.`))
      }, options.timeoutMs)
      outgoing.on('error', failed)
      outgoing.end(body)
    })
  }

  return {
    send,
    close() {
      agents.http.destroy()
      agents.https.destroy()
    },
  }
}

/** Waits, or less where the signal says stop. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await wait(ms, undefined, { signal }).catch((error: unknown) => {
    if (!signal.aborted) {
      throw error
    }
  })
}

export interface Pace {
  /** How many tasks run at once, at most. */
  atOnce: number
  /** How many begin per second, at most; 0 for as many as there is room for. */
  perSecond: number
  /** Begins no more tasks; those under way are awaited. */
  signal: AbortSignal
}

/**
 * Runs a task for each member, in their order, at the given pace. Where a task throws, no more
 * are begun, and it throws the first error when those under way have ended.
 */
export async function eachAtPace<T>(
  members: readonly T[],
  pace: Pace,
  task: (member: T) => Promise<void>,
): Promise<void> {
  const began = performance.now()
  const upcoming = members.entries()
  const errors: unknown[] = []

  async function work(): Promise<void> {
    for (const [index, member] of upcoming) {
      const due = pace.perSecond === 0 ? 0 : (index / pace.perSecond) * 1000
      const early = (): number => due - (performance.now() - began)
      // More than once, because a timer may fire a little before its time.
      while (early() > 0 && !pace.signal.aborted) {
        await pause(Math.ceil(early()), pace.signal)
      }
      if (pace.signal.aborted || errors.length > 0) {
        return
      }
      await task(member).catch((error: unknown) => errors.push(error))
    }
  }

  await Promise.all(Array.from({ length: Math.min(pace.atOnce, members.length) }, work))
  if (errors.length > 0) {
    throw errors[0]
  }
}
