/** Counts how often callers come: in this process at once, with the others in a shared store. */
import type { Log } from './log.ts'
import { rateLimiterFailures } from './metrics.ts'
import { Problem } from './problem.ts'
import type { Quota, RateStore } from './rate-store.ts'

/** How one call stands against its quota. */
export interface Taken {
  isOver: boolean
  remaining: number
  /** Whole seconds until the window ends, at least 1. */
  resetS: number
}

export interface CounterOptions {
  /** Where the store is away, this process counts on by itself, or nobody is let in. */
  whenAway: 'count alone' | 'refuse'
}

export interface RateCounter {
  /**
   * Counts one call of a key. Near its limit the store is asked, so that all processes together let
   * no more through; far from it the store hears of it later. A call that is over is not counted.
   * Throws `unavailable` where the store is away and that is what the options say.
   */
  take(key: string): Promise<Taken>
}

export interface RateCounters {
  counter(quota: Quota, options: CounterOptions): RateCounter
  /** Tells the store what it has not heard yet; for tests and for the end. */
  settle(): Promise<void>
  close(): Promise<void>
}

interface Count {
  quota: Quota
  key: string
  /** The store's last word. */
  shared: number
  /** On its way to the store, and not yet. */
  sent: number
  pending: number
  endsAt: number
}

/** What a process may keep to itself is this part of a limit, and only below this other part. */
const KEPT_PART = 0.1
const FAR_PART = 0.5
const SETTLE_MS = 200
/** A store that failed is left alone for this time, so that not each call waits for it. */
const AWAY_MS = 1000
const KEYS_MAX = 50_000

export function openRateCounters(store: RateStore, log: Log): RateCounters {
  const counts = new Map<string, Count>()
  const tell = openTeller(store, log)
  const settling = openSettling(tell)
  return {
    counter: (quota, { whenAway }) => ({
      async take(key) {
        const count = countOf(counts, quota, key)
        if (soFar(count) >= quota.limit) {
          return takenOf(count, true)
        }
        count.pending += 1
        if (whenAway === 'count alone' && isFar(count)) {
          settling.later(count)
          return takenOf(count, false)
        }
        const sum = await tell(count)
        if (sum !== null) {
          return takenOf(count, sum > quota.limit)
        }
        if (whenAway === 'refuse') {
          count.pending -= 1
          const detail = 'It cannot be told how often this was tried; try again in a moment.'
          throw new Problem('unavailable', { detail, retryAfter: 2 })
        }
        settling.later(count)
        return takenOf(count, false)
      },
    }),
    settle: settling.now,
    async close() {
      await settling.close()
      await store.close()
    },
  }
}

/** The count of a key in the window that is now. */
function countOf(counts: Map<string, Count>, quota: Quota, key: string): Count {
  const name = `${quota.name} ${key}`
  const now = Date.now()
  const known = counts.get(name)
  if (known !== undefined && known.endsAt > now) {
    return known
  }
  counts.delete(name)
  makeRoom(counts, now)
  const endsAt = now + quota.windowS * 1000
  const fresh: Count = { quota, key, shared: 0, sent: 0, pending: 0, endsAt }
  counts.set(name, fresh)
  return fresh
}

/** Tells the store what is pending of a count; gives the sum with it, null where it is away. */
type Tell = (count: Count) => Promise<number | null>

function openTeller(store: RateStore, log: Log): Tell {
  let awayUntil = 0
  return async (count) => {
    if (awayUntil > Date.now()) {
      return null
    }
    const points = count.pending
    count.pending = 0
    count.sent += points
    try {
      const { consumed, resetMs } = await store.add(count.quota, count.key, points)
      const endsAt = Date.now() + resetMs
      // Answers may come in another order; one of a later window counts whatever it says.
      const isLater = endsAt > count.endsAt + 1000
      count.shared = isLater ? consumed : Math.max(count.shared, consumed)
      count.endsAt = endsAt
      awayUntil = 0
      return consumed
    } catch (error) {
      count.pending += points
      rateLimiterFailures.inc()
      if (awayUntil === 0) {
        log.warn({ err: error }, 'the store of the rate limits does not answer; counting alone')
      }
      awayUntil = Date.now() + AWAY_MS
      return null
    } finally {
      count.sent -= points
    }
  }
}

interface Settling {
  /** Has the store told of it in a moment. */
  later(count: Count): void
  now(): Promise<void>
  close(): Promise<void>
}

function openSettling(tell: Tell): Settling {
  const unsettled = new Set<Count>()
  let timer: NodeJS.Timeout | null = null
  let running: Promise<void> = Promise.resolve()
  let isClosed = false

  const all = async (): Promise<void> => {
    // One after the other: calls near their limit have the other connection.
    for (const count of unsettled) {
      unsettled.delete(count)
      const isDue = count.pending > 0 && count.endsAt > Date.now()
      if (isDue && (await tell(count)) === null) {
        unsettled.add(count)
        return
      }
    }
  }

  const later = (count: Count): void => {
    unsettled.add(count)
    timer ??= setTimeout(() => {
      running = all().finally(() => {
        timer = null
        const [next] = unsettled
        if (next !== undefined && !isClosed) {
          later(next)
        }
      })
    }, SETTLE_MS).unref()
  }

  const now = async (): Promise<void> => {
    await running
    await all()
  }

  return {
    later,
    now,
    async close() {
      isClosed = true
      if (timer !== null) {
        clearTimeout(timer)
      }
      await now()
    },
  }
}

function soFar({ shared, sent, pending }: Count): number {
  return shared + sent + pending
}

/** Whether what this process keeps to itself cannot take the key over its limit unseen. */
function isFar(count: Count): boolean {
  const { limit } = count.quota
  return count.pending + count.sent <= limit * KEPT_PART && soFar(count) <= limit * FAR_PART
}

function takenOf(count: Count, isOver: boolean): Taken {
  const remaining = isOver ? 0 : Math.max(0, count.quota.limit - soFar(count))
  return { isOver, remaining, resetS: Math.max(1, Math.ceil((count.endsAt - Date.now()) / 1000)) }
}

/** Windows that are over go first, then whoever was seen first. */
function makeRoom(counts: Map<string, Count>, now: number): void {
  if (counts.size < KEYS_MAX) {
    return
  }
  for (const [name, { endsAt }] of counts) {
    if (endsAt <= now) {
      counts.delete(name)
    }
  }
  for (const name of counts.keys()) {
    if (counts.size < KEYS_MAX * 0.9) {
      return
    }
    counts.delete(name)
  }
}
