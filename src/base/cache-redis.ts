/** Texts kept in Redis for all processes that share it; without Redis every read is a load. */
import { randomBytes } from 'node:crypto'
import { Redis } from 'ioredis'
import { changedNothing, DOUBT_MS, type TextCache } from './cache.ts'
import type { Log } from './log.ts'

export interface RedisCacheOptions {
  url: string
  /** Keeps installations apart that share a Redis. */
  prefix: string
  /** How long a value is kept at the most. */
  ttlMs: number
  log: Log
}

/** Whoever reads must not wait for a Redis that is away: loading is not slower. */
const COMMAND_MS = 250
const RETRY_DELAY_MS_MAX = 5000
/** Longer than any load takes. */
const GENERATION_MS = 3_600_000

/**
 * Three keys a name: the value, a generation that every write raises, and the writes under way with
 * the time at which each is given up. A value is put only by whoever began to load it in the
 * generation that still is, while no write is under way.
 */
const PUT = `
  local time = redis.call('TIME')
  redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', time[1])
  if redis.call('ZCARD', KEYS[3]) == 0 and (redis.call('GET', KEYS[2]) or '') == ARGV[2] then
    redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])
  end`

const BEGIN = `
  local time = redis.call('TIME')
  redis.call('ZADD', KEYS[3], time[1] + ARGV[2] / 1000, ARGV[1])
  redis.call('PEXPIRE', KEYS[3], ARGV[2])
  redis.call('INCR', KEYS[2])
  redis.call('PEXPIRE', KEYS[2], ARGV[3])
  redis.call('DEL', KEYS[1])`

const END = `
  if ARGV[4] == 'known' then
    redis.call('ZREM', KEYS[3], ARGV[1])
  else
    local time = redis.call('TIME')
    redis.call('ZADD', KEYS[3], time[1] + ARGV[2] / 1000, ARGV[1])
    redis.call('PEXPIRE', KEYS[3], ARGV[2])
  end
  redis.call('INCR', KEYS[2])
  redis.call('PEXPIRE', KEYS[2], ARGV[3])
  redis.call('DEL', KEYS[1])`

/**
 * A cache in Redis. Where Redis can be told neither of a write's beginning nor of its end, this
 * process does without the cache until what is kept there is too old; others may read it so long.
 */
export function openRedisCache(options: RedisCacheOptions): TextCache {
  const { ttlMs } = options
  const redis = openTexts(options)
  const untold = new Map<string, number>()

  const isUntold = (name: string): boolean => {
    const until = untold.get(name) ?? 0
    if (until <= Date.now()) {
      untold.delete(name)
    }
    return until > Date.now()
  }

  return {
    async get(name, load) {
      const seen = isUntold(name) ? undefined : await redis.read(name)
      if (seen === undefined) {
        return await load()
      }
      const [kept, generation] = seen
      if (typeof kept === 'string') {
        return kept
      }
      const value = await load()
      await redis.put(name, value, generation ?? '')
      return value
    },
    async change(names, write) {
      const token = randomBytes(12).toString('hex')
      const isBegun = await redis.tell(BEGIN, names, token, 'begun')
      const end = async (how: 'known' | 'in doubt') => {
        if (!(await redis.tell(END, names, token, how)) && !isBegun) {
          for (const name of names) {
            untold.set(name, Date.now() + Math.max(ttlMs, DOUBT_MS))
          }
        }
      }
      try {
        const result = await write()
        await end('known')
        return result
      } catch (error) {
        await end(changedNothing(error) ? 'known' : 'in doubt')
        throw error
      }
    },
    close: redis.close,
  }
}

/** What is asked of Redis; undefined, or false, where it does not answer. */
function openTexts({ url, prefix, ttlMs, log }: RedisCacheOptions) {
  const redis = new Redis(url, {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 1,
    commandTimeout: COMMAND_MS,
    retryStrategy: (times) => Math.min(50 * 2 ** times, RETRY_DELAY_MS_MAX),
  })
  redis.on('error', (error) => log.warn({ err: error }, 'redis does not answer'))

  // In braces, so that a cluster keeps the three together.
  const keyOf = (name: string, what: 'v' | 'g' | 'w') => `${prefix}:cache:{${name}}:${what}`

  const run = async (script: string, name: string, args: (string | number)[]) =>
    await redis.eval(script, 3, keyOf(name, 'v'), keyOf(name, 'g'), keyOf(name, 'w'), ...args)

  const asked = async <T>(ask: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await ask()
    } catch (error) {
      log.warn({ err: error }, 'the cache does not answer')
      return undefined
    }
  }

  return {
    /** The value and the generation of a name. */
    read: async (name: string) =>
      await asked(async () => await redis.mget(keyOf(name, 'v'), keyOf(name, 'g'))),
    async put(name: string, value: string, generation: string) {
      await asked(async () => await run(PUT, name, [value, generation, ttlMs]))
    },
    async tell(script: string, names: readonly string[], token: string, how: string) {
      const all = await asked(async () => {
        const args = [token, DOUBT_MS, GENERATION_MS, how]
        return await Promise.all(names.map(async (name) => await run(script, name, args)))
      })
      return all !== undefined
    },
    close() {
      redis.disconnect()
    },
  }
}
