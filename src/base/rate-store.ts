/** Where processes add up how often a caller came: Redis where it is configured, else Postgres. */
import { Redis } from 'ioredis'
import pg from 'pg'
import {
  RateLimiterPostgres,
  RateLimiterRedis,
  type RateLimiterStoreAbstract,
} from 'rate-limiter-flexible'
import type { Config } from './config.ts'
import { sha256 } from './crypto.ts'
import type { Log } from './log.ts'

/** How many times within how many seconds. */
export interface Quota {
  name: string
  limit: number
  windowS: number
}

export interface Sum {
  /** In this window, by all processes. */
  consumed: number
  /** Milliseconds until the window ends. */
  resetMs: number
}

export interface RateStore {
  /** Adds to a key's sum of this window. Rejects where the store does not answer in time. */
  add(quota: Quota, key: string, points: number): Promise<Sum>
  close(): Promise<void>
}

/** Whoever waits for the store waits for this long at most. */
const ANSWER_MS_MAX = 500
/** Connections of its own: counting and the work of requests never wait for each other. */
const CONNECTIONS = 2

/** A store that takes longer than `answerMs` is away. */
export function openRateStore(config: Config, log: Log, answerMs = ANSWER_MS_MAX): RateStore {
  return config.redisUrl === null
    ? postgresStore(config.databaseUrl, log, answerMs)
    : redisStore(config.redisUrl, config.redisPrefix, log, answerMs)
}

function postgresStore(url: string, log: Log, answerMs: number): RateStore {
  // The library takes the driver's numbers as text, so that this pool has no types of ours.
  const pool = new pg.Pool({
    connectionString: url,
    max: CONNECTIONS,
    connectionTimeoutMillis: answerMs,
    query_timeout: answerMs,
    statement_timeout: answerMs,
    application_name: 'bahi limits',
    options: '-c role=bahi_app',
  })
  pool.on('error', (error) => log.debug({ err: error }, 'connection of the limits lost'))
  const limiterOf = (quota: Quota, isFirst: boolean) =>
    new RateLimiterPostgres({
      ...optionsOf(quota, `${quota.name}:`),
      storeClient: pool,
      storeType: 'pool',
      tableName: 'rate_limits',
      tableCreated: true,
      // One of them clears up what has expired for all.
      clearExpiredByTimeout: isFirst,
    })
  return storeOf(limiterOf, async () => await pool.end())
}

function redisStore(url: string, prefix: string, log: Log, answerMs: number): RateStore {
  const redis = new Redis(url, {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    commandTimeout: answerMs,
    connectTimeout: 2000,
    retryStrategy: (times) => Math.min(50 * 2 ** times, 2000),
  })
  redis.on('error', (error) => log.debug({ err: error }, 'redis of the limits does not answer'))
  const limiterOf = (quota: Quota) =>
    new RateLimiterRedis({
      ...optionsOf(quota, `${prefix}:limit:${quota.name}`),
      storeClient: redis,
      rejectIfRedisNotReady: true,
    })
  return storeOf(limiterOf, () => {
    redis.disconnect()
    return Promise.resolve()
  })
}

function optionsOf({ limit, windowS }: Quota, keyPrefix: string) {
  return { keyPrefix, points: limit, duration: windowS }
}

function storeOf(
  limiterOf: (quota: Quota, isFirst: boolean) => RateLimiterStoreAbstract,
  close: () => Promise<void>,
): RateStore {
  const limiters = new Map<string, RateLimiterStoreAbstract>()
  return {
    async add(quota, key, points) {
      const limiter = limiters.get(quota.name) ?? limiterOf(quota, limiters.size === 0)
      limiters.set(quota.name, limiter)
      // A hash: keys may be addresses, and as long and strange as somebody likes.
      const sum = await limiter.penalty(sha256(key).toString('base64url'), points)
      return { consumed: sum.consumedPoints, resetMs: sum.msBeforeNext }
    },
    close,
  }
}
