/** The one way out to the services of others: who calls what, and within which limits. */
import { setTimeout as delayOf } from 'node:timers/promises'
import { openBreakers, type Breaker, type Breakers } from './breakers.ts'
import { openBulkhead, type Bulkhead } from './bulkhead.ts'
import { callsNotMade, callsRepeated } from './metrics-gateways.ts'
import { Problem } from './problem.ts'

export interface Errand {
  orgId: number
  /** Whose service it is: a gateway's name. */
  service: string
  /** What is asked of it: `createOrder`, `refund`, `listPayments`. Breakers are kept for each. */
  operation: string
  /** True where a second call does nothing that the first one did not do already. */
  repeatable: boolean
}

/** One request and its answer, as they were; only what is harmless of it is written down. */
export interface Exchange {
  method: string
  url: string
  requestHeaders: Readonly<Record<string, string>>
  requestBody: string
  begunAt: Date
  tookMs: number
  /** Null where there was no answer. */
  status: number | null
  answer: string | null
  /** Seconds, where the answer asks us to wait. */
  retryAfter: number | null
  /** The service's own name of the request, for its support. */
  requestId: string | null
  /** Why there is no answer that can be used. */
  failure: string | null
}

export interface CallOptions {
  /** Aborts the call; every call out has a limit. */
  signal: AbortSignal
  /** Told of every request that was made, whatever became of it. */
  heard?(exchange: Exchange): void
}

/** Runs a call to its end; the problems are those of the call, or `gateway_unavailable`. */
export type CallsOut = <Answer>(
  errand: Errand,
  call: (options: CallOptions) => Promise<Answer>,
) => Promise<Answer>

/** One attempt that is over: what was said, and the error that it ended with, if any. */
export interface Attempt {
  errand: Errand
  attempt: number
  exchanges: readonly Exchange[]
  error: unknown
}

export interface CallsOutOptions {
  /** The limit of one attempt; all of them together, with the waiting between, have two of it. */
  timeoutMs: number
  breakers?: Breakers
  record?(attempt: Attempt): void
  limits?: { together: number; waitingMax: number }
  /** For tests: from 0 to below 1, and how one waits. */
  random?(): number
  delay?(milliseconds: number): Promise<unknown>
}

export const BREAKER_SETTINGS = { windowMs: 30_000, callsMin: 5, resetMs: 30_000 } as const

/** Of one service, in this process. */
const BULKHEAD = { together: 20, waitingMax: 100 } as const

const ATTEMPTS_MAX = 3
const RETRY_FIRST_MS = 300
const RETRY_MOST_MS = 3000
/** An attempt that would have less than this part of its limit is not made. */
const LEAST_PART = 1 / 4
/** For a call that does not heed its signal. */
const GRACE_MS = 1000

/** A call that was not made, because the breaker is open or the bulkhead full. */
class NotMade extends Problem {
  readonly reason: 'open' | 'full'

  constructor(reason: 'open' | 'full', detail: string, retryAfter: number) {
    super('gateway_unavailable', { detail, moved: 'no', retryAfter })
    this.reason = reason
  }
}

/**
 * A call goes out unless the breaker of its operation is open, when there is room at the service,
 * and, where it is repeatable and the service did not answer, up to three times, with full jitter
 * between. Throws what the call throws, and `gateway_unavailable` (`moved: 'no'`) where it was not
 * made. Where any attempt may have moved money and the last one failed, `moved` is `unknown`.
 */
export function openCallsOut(options: CallsOutOptions): CallsOut {
  const { timeoutMs, random = Math.random, delay = delayOf } = options
  const breakers = options.breakers ?? openBreakers(BREAKER_SETTINGS, () => undefined)
  const bulkheads = new Map<string, Bulkhead>()
  const bulkheadOf = (service: string): Bulkhead => {
    const limits = options.limits ?? BULKHEAD
    const full = () =>
      new NotMade('full', `Too many calls to ${service} are under way. Try again.`, 1)
    const bulkhead = bulkheads.get(service) ?? openBulkhead({ ...limits, full })
    bulkheads.set(service, bulkhead)
    return bulkhead
  }

  return async (errand, call) => {
    const { service, operation } = errand
    const breaker = breakers.of(service, operation)
    const deadline = Date.now() + 2 * timeoutMs
    let mayHaveMoved = false
    for (let attempt = 1; ; attempt += 1) {
      const exchanges: Exchange[] = []
      const limitMs = Math.min(timeoutMs, deadline - Date.now())
      const guarded = {
        run: async () =>
          await within(limitMs, service, async (signal) => {
            return await call({ signal, heard: (exchange) => exchanges.push(exchange) })
          }),
        isFailure: (error: unknown) => isFailureOfService(error, exchanges),
      }
      try {
        assertClosed(breaker, service)
        const answer = await bulkheadOf(service).run(errand.orgId, limitMs, async () => {
          return await breaker.run(guarded, () => openProblem(breaker, service))
        })
        options.record?.({ errand, attempt, exchanges, error: null })
        return answer
      } catch (error) {
        if (error instanceof NotMade) {
          callsNotMade.inc({ service, operation, reason: error.reason })
        }
        options.record?.({ errand, attempt, exchanges, error })
        mayHaveMoved ||= movedIn(error)
        const ceiling = Math.min(RETRY_FIRST_MS * 2 ** (attempt - 1), RETRY_MOST_MS)
        const waitMs = Math.max(random() * ceiling, askedToWait(exchanges))
        const isWorthIt =
          errand.repeatable &&
          attempt < ATTEMPTS_MAX &&
          mayBeRepeated(error) &&
          breaker.closedFor() === null &&
          Date.now() + waitMs + timeoutMs * LEAST_PART <= deadline
        if (!isWorthIt) {
          throw mayHaveMoved ? unknownAfter(error) : error
        }
        callsRepeated.inc({ service, operation })
        await delay(waitMs)
      }
    }
  }
}

function assertClosed(breaker: Breaker, service: string): void {
  if (breaker.closedFor() !== null) {
    throw openProblem(breaker, service)
  }
}

function openProblem(breaker: Breaker, service: string): Problem {
  const seconds = Math.max(Math.ceil((breaker.closedFor() ?? 0) / 1000), 1)
  const detail =
    `Too many calls to ${service} failed, and it is left alone for a while. ` +
    `The next call is let through in ${seconds} s.`
  return new NotMade('open', detail, seconds)
}

/** Gives the call its limit; one that does not heed it is given up all the same. */
async function within<T>(
  limitMs: number,
  service: string,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const overdue = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      const detail = `${service} did not answer in time.`
      reject(new Problem('gateway_unavailable', { detail, moved: 'unknown', retryAfter: 30 }))
    }, limitMs + GRACE_MS)
  })
  try {
    return await Promise.race([work(AbortSignal.timeout(Math.max(limitMs, 1))), overdue])
  } finally {
    clearTimeout(timer)
  }
}

function isUnavailable(error: unknown): error is Problem {
  return error instanceof Problem && error.code === 'gateway_unavailable'
}

/**
 * Whether a failure says that the service is not there. What answers 4xx is: too many calls, or one
 * that is still worked on, is the matter of one account and not of everybody’s.
 */
function isFailureOfService(error: unknown, exchanges: readonly Exchange[]): boolean {
  const isAnswered =
    exchanges.some(({ status }) => status !== null && status >= 400) &&
    exchanges.every(({ status }) => status !== null && status < 500)
  return isUnavailable(error) && !isAnswered
}

function mayBeRepeated(error: unknown): boolean {
  return isUnavailable(error) && !(error instanceof NotMade)
}

/** Milliseconds for which the service asks us to wait. */
function askedToWait(exchanges: readonly Exchange[]): number {
  return Math.max(0, ...exchanges.map(({ retryAfter }) => (retryAfter ?? 0) * 1000))
}

function movedIn(error: unknown): boolean {
  return error instanceof Problem && error.extras.moved !== undefined && error.extras.moved !== 'no'
}

/** The failure of the last attempt, after one of which nobody knows whether it moved money. */
function unknownAfter(error: unknown): unknown {
  if (!(error instanceof Problem)) {
    return new Problem('internal', { moved: 'unknown', cause: error })
  }
  return error.extras.moved === 'no' || error.extras.moved === undefined
    ? new Problem(error.code, { ...error.extras, moved: 'unknown', cause: error })
    : error
}
