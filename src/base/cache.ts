/** What is read often and written seldom, kept for seconds in this process; a write drops it. */
import { Problem } from './problem.ts'

export interface Changes {
  /**
   * Runs a write that changes what these names hold, and drops it in the write's wake: who reads
   * after this has returned, or has thrown, does not read what was there before. Meanwhile nothing
   * is kept under the names, so that a read that began before the write cannot put it back. Where
   * nobody knows what became of the write (its answer is lost), nothing is kept for a while after.
   */
  change<T>(names: readonly string[], write: () => Promise<T>): Promise<T>
}

/** Keeps values of any kind, for this process alone. */
export interface NearCache extends Changes {
  /** The value of that name; loaded where it is not there. A load that fails is not kept. */
  get<T>(name: string, load: () => Promise<T>): Promise<T>
}

/** Keeps texts, for all processes where they share a Redis. */
export interface TextCache extends Changes {
  get(name: string, load: () => Promise<string>): Promise<string>
  close(): void
}

export interface NearCacheOptions {
  /** How long another process's write may go unnoticed here. */
  ttlMs: number
  /** The oldest goes where one more comes. */
  entriesMax: number
  now?: () => number
}

/** A write whose answer is lost is over by then: Postgres ends every statement sooner. */
export const DOUBT_MS = 60_000

/** What a write that was refused by a rule left as it was; of other failures nobody knows. */
export function changedNothing(thrown: unknown): boolean {
  return thrown instanceof Problem && thrown.status < 500
}

interface Kept {
  until: number
  value: Promise<unknown>
}

/** A cache in this process's memory. */
export function openNearCache(options: NearCacheOptions): NearCache & TextCache {
  const { ttlMs, entriesMax, now = Date.now } = options
  const kept = new Map<string, Kept>()
  const writes = openWrites(now)

  const keep = (name: string, value: Promise<unknown>): void => {
    kept.delete(name)
    const oldest = kept.keys().next()
    if (kept.size >= entriesMax && oldest.done !== true) {
      kept.delete(oldest.value)
    }
    kept.set(name, { until: now() + ttlMs, value })
    value.catch(() => {
      if (kept.get(name)?.value === value) {
        kept.delete(name)
      }
    })
  }

  return {
    async get<T>(name: string, load: () => Promise<T>): Promise<T> {
      if (writes.concern(name)) {
        return await load()
      }
      const before = kept.get(name)
      if (before !== undefined && before.until > now()) {
        return (await before.value) as T
      }
      // Kept from its beginning: a write that comes after it finds it here and drops it.
      const value = load()
      keep(name, value)
      return await value
    },
    async change(names, write) {
      const end = writes.begin(names)
      for (const name of names) {
        kept.delete(name)
      }
      try {
        const result = await write()
        end('known')
        return result
      } catch (error) {
        end(changedNothing(error) ? 'known' : 'in doubt')
        throw error
      }
    },
    close() {
      kept.clear()
    },
  }
}

/** Writes under way, by the names that they concern. */
function openWrites(now: () => number) {
  const running = new Map<string, Map<symbol, number>>()
  return {
    concern(name: string): boolean {
      const own = running.get(name)
      if (own === undefined) {
        return false
      }
      for (const [write, until] of own) {
        if (until <= now()) {
          own.delete(write)
        }
      }
      if (own.size === 0) {
        running.delete(name)
      }
      return own.size > 0
    },
    /** Gives what ends the write. */
    begin(names: readonly string[]) {
      const write = Symbol('write')
      for (const name of names) {
        running.set(name, (running.get(name) ?? new Map()).set(write, Infinity))
      }
      return (how: 'known' | 'in doubt'): void => {
        for (const name of names) {
          if (how === 'known') {
            running.get(name)?.delete(write)
          } else {
            running.get(name)?.set(write, now() + DOUBT_MS)
          }
        }
      }
    },
  }
}
