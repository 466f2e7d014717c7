/** Opens what every process of the service needs, from its configuration, and closes it again. */
import { openRedisCache } from './cache-redis.ts'
import { openNearCache, type NearCache, type TextCache } from './cache.ts'
import { openBreakerStates } from './breaker-states.ts'
import { openBreakers } from './breakers.ts'
import { openCallLog, type CallLog } from './call-log.ts'
import { BREAKER_SETTINGS, openCallsOut, type CallsOut } from './calls-out.ts'
import type { Config } from './config.ts'
import type { Keyring } from './crypto.ts'
import { openDatabase, type Database } from './db.ts'
import { openFiles, type Files } from './files.ts'
import { openLog, type Log } from './log.ts'
import { openBells, queueBackend, type Bells, type QueueBackend } from './queue.ts'
import { openTracing } from './tracing.ts'

export interface Parts {
  config: Config
  log: Log
  db: Database
  keyring: Keyring
  files: Files
  queues: QueueBackend
  bells: Bells
  caches: Caches
  /** The way out to the gateways. */
  out: CallsOut
  /** Where the calls that go out are written down. */
  callLog: CallLog
  close(): Promise<void>
}

export interface Caches {
  /** In this process: what another process changes is seen here after `NEAR_MS` at the latest. */
  near: NearCache
  /** In Redis where there is one, dropped for all processes at once; else in this process too. */
  shared: TextCache
}

const NEAR_MS = 5000
const NEAR_ENTRIES_MAX = 10_000
const SHARED_MS = 30_000

/** `name` stands in log lines and in Postgres' list of connections. */
export function openParts(config: Config, name: string): Parts {
  const log = openLog(config.logLevel, name)
  const tracing = openTracing(config.otlpEndpoint, name, (message) => log.warn(message))
  const db = openDatabase({
    url: config.databaseUrl,
    poolSize: config.databasePoolSize,
    log,
    applicationName: name,
  })
  const queues = queueBackend(config, log)
  const bells = openBells(queues, log)
  const near = openNearCache({ ttlMs: NEAR_MS, entriesMax: NEAR_ENTRIES_MAX })
  const { redisUrl: url, redisPrefix: prefix } = config
  const shared = url === null ? near : openRedisCache({ url, prefix, ttlMs: SHARED_MS, log })
  const callLog = openCallLog(db, log)
  const breakers = openBreakers({ ...BREAKER_SETTINGS, resetMs: config.gatewayBreakerMs }, () =>
    states.say(),
  )
  const states = openBreakerStates(db, log, name, breakers.all)
  return {
    config,
    log,
    db,
    keyring: config.dataKeys,
    files: openFiles(config.filesDir, config.dataKeys),
    queues,
    bells,
    caches: { near, shared },
    out: openCallsOut({
      timeoutMs: config.gatewayTimeoutMs,
      breakers,
      record: callLog.record,
    }),
    callLog,
    async close() {
      breakers.close()
      await states.close()
      await callLog.written()
      shared.close()
      await bells.close()
      await db.close()
      await tracing.close()
    },
  }
}
