/** Circuit breakers: a service that fails is left alone for a while, then tried with one call. */
import CircuitBreaker from 'opossum'
import { breakerState, breakerTrips } from './metrics-gateways.ts'

export const BREAKER_STATES = ['closed', 'half_open', 'open'] as const

/** Half open: the next call is let through, alone; what becomes of it closes or opens. */
export type BreakerState = (typeof BREAKER_STATES)[number]

export interface BreakerSays {
  service: string
  operation: string
  state: BreakerState
  since: Date
  /** When the next call is let through; null while all are. */
  probeAt: Date | null
}

export interface BreakerSettings {
  /** It opens where more than half of the calls of the last so many milliseconds failed … */
  windowMs: number
  /** … and there were at least so many. */
  callsMin: number
  /** How long it stays open; 0 for breakers that never open. */
  resetMs: number
}

/** What a breaker counts: a call, and whether its failure is the service's. */
export interface Guarded<T> {
  run(): Promise<T>
  isFailure(error: unknown): boolean
}

export interface Breaker {
  /** Milliseconds until a call may be let through; null where one is now. */
  closedFor(): number | null
  /** Throws what the call throws, or what `refusal` makes where it may not be made now. */
  run<T>(call: Guarded<T>, refusal: () => Error): Promise<T>
}

export interface Breakers {
  of(service: string, operation: string): Breaker
  /** Those that were used since the start. */
  all(): BreakerSays[]
  close(): void
}

const BUCKETS = 10

/** One breaker per service and operation; `onChange` hears of each one's first use and changes. */
export function openBreakers(settings: BreakerSettings, onChange: () => void): Breakers {
  const breakers = new Map<string, Breaker & { says(): BreakerSays; shutdown(): void }>()
  return {
    of(service, operation) {
      const name = `${service} ${operation}`
      const breaker = breakers.get(name) ?? openBreaker(service, operation, settings, onChange)
      if (!breakers.has(name)) {
        breakers.set(name, breaker)
        onChange()
      }
      return breaker
    },
    all: () => [...breakers.values()].map((breaker) => breaker.says()),
    close() {
      for (const breaker of breakers.values()) {
        breaker.shutdown()
      }
    },
  }
}

/** How a call failed, until the breaker has counted it. */
class Failed extends Error {
  readonly isOfService: boolean

  constructor(cause: unknown, isOfService: boolean) {
    super('the call failed', { cause })
    this.isOfService = isOfService
  }
}

async function answerTo(call: Guarded<unknown>): Promise<unknown> {
  try {
    return await call.run()
  } catch (error) {
    throw new Failed(error, call.isFailure(error))
  }
}

function openBreaker(
  service: string,
  operation: string,
  { windowMs, callsMin, resetMs }: BreakerSettings,
  onChange: () => void,
) {
  const circuit = new CircuitBreaker(answerTo, {
    // Each call has limits of its own (calls-out.ts).
    timeout: false,
    enabled: resetMs > 0,
    errorThresholdPercentage: 50,
    volumeThreshold: callsMin,
    rollingCountTimeout: windowMs,
    rollingCountBuckets: BUCKETS,
    rollingPercentilesEnabled: false,
    enableSnapshots: false,
    resetTimeout: resetMs,
    // What is filtered counts as a success: whoever refuses is there.
    errorFilter: (error: unknown) => error instanceof Failed && !error.isOfService,
  })
  let state: BreakerState = 'closed'
  let since = new Date()
  const tell = (): void => {
    for (const one of BREAKER_STATES) {
      breakerState.set({ service, operation, state: one }, one === state ? 1 : 0)
    }
  }
  const become = (next: BreakerState): void => {
    state = next
    since = new Date()
    tell()
    onChange()
  }
  tell()
  circuit.on('open', () => {
    breakerTrips.inc({ service, operation })
    become('open')
  })
  circuit.on('halfOpen', () => become('half_open'))
  circuit.on('close', () => become('closed'))
  const probeMs = (): number => Math.max(since.getTime() + resetMs - Date.now(), 0)
  const closedFor = (): number | null => {
    // Half open, the first call is let through; the others hear what became of it.
    const isOpen = !circuit.closed && !circuit.pendingClose
    return isOpen ? (circuit.halfOpen ? 0 : probeMs()) : null
  }
  return {
    closedFor,
    async run<T>(call: Guarded<T>, refusal: () => Error): Promise<T> {
      // Those it refuses are kept from it, because it would count them as calls that went well.
      if (closedFor() !== null) {
        throw refusal()
      }
      try {
        return (await circuit.fire(call)) as T
      } catch (error) {
        throw error instanceof Failed ? error.cause : error
      }
    },
    says: (): BreakerSays => ({
      service,
      operation,
      state,
      since,
      probeAt: state === 'open' ? new Date(since.getTime() + resetMs) : null,
    }),
    shutdown: () => circuit.shutdown(),
  }
}
