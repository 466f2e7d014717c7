/** The bells: BullMQ wakes workers up; what there is to do stands in Postgres, never in a job. */
import { Queue, Worker, createPostgresBackend } from 'bullmq'
import { Redis } from 'ioredis'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import type { Config } from './config.ts'
import { isConnectionError } from './database-error.ts'
import type { Log } from './log.ts'

/** Every job there is, with its limits. A job drains what waits, so one at a time is the rule. */
export const JOBS = {
  'confirm-payments': { concurrency: 1, lockMs: 120_000 },
  'process-inbox': { concurrency: 1, lockMs: 60_000 },
  'operate-inbox': { concurrency: 1, lockMs: 60_000 },
  'send-instructions': { concurrency: 1, lockMs: 120_000 },
  'commit-imports': { concurrency: 1, lockMs: 60_000 },
  'fetch-recon': { concurrency: 1, lockMs: 600_000 },
  'load-recon': { concurrency: 1, lockMs: 600_000 },
  'remind-recon': { concurrency: 1, lockMs: 120_000 },
  reconcile: { concurrency: 1, lockMs: 600_000 },
  'try-recon': { concurrency: 1, lockMs: 600_000 },
  'issue-receipts': { concurrency: 1, lockMs: 60_000 },
  'send-receipts': { concurrency: 1, lockMs: 120_000 },
  'send-invitations': { concurrency: 1, lockMs: 120_000 },
  'deliver-webhooks': { concurrency: 1, lockMs: 120_000 },
  'self-check': { concurrency: 1, lockMs: 120_000 },
  'make-exports': { concurrency: 1, lockMs: 600_000 },
  'send-export-emails': { concurrency: 1, lockMs: 120_000 },
  'seal-days': { concurrency: 1, lockMs: 120_000 },
  'rotate-keys': { concurrency: 1, lockMs: 600_000 },
  'link-people-audit': { concurrency: 1, lockMs: 60_000 },
  'seal-inbox-bodies': { concurrency: 1, lockMs: 300_000 },
  'poll-gateways': { concurrency: 1, lockMs: 600_000 },
  'forget-old': { concurrency: 1, lockMs: 300_000 },
} as const

export type JobName = keyof typeof JOBS

export interface Bells {
  /**
   * Says that there may be work. Returns at once and never throws: a bell that is lost costs time
   * until the next sweep, no data. Calls that come together are rung once.
   */
  ring(name: JobName): void
  /** Waits for what is being rung, then lets go of the connections. */
  close(): Promise<void>
}

export interface Listener {
  /** Lets the running job end, then stops. */
  close(): Promise<void>
}

export interface QueueBackend {
  /** One bell: `ring` rejects where the queue cannot be reached. */
  bell(name: JobName): { ring(): Promise<void>; close(): Promise<void> }
  /** Calls `run` for each ring. */
  listen(name: JobName, run: () => Promise<void>): Listener
}

/** How long a ring waits for others to join it. */
const GATHER_MS = 10
const RING_MS_MAX = 2000
const RETRY_DELAY_MS_MAX = 5000

/** BullMQ on Redis where REDIS_URL is set, else on its own tables in our Postgres. */
export function queueBackend(config: Config, log: Log): QueueBackend {
  return config.redisUrl === null
    ? postgresBackend(config.databaseUrl, log)
    : redisBackend(config.redisUrl, config.redisPrefix, log)
}

function postgresBackend(databaseUrl: string, log: Log): QueueBackend {
  const connection = {
    connectionString: databaseUrl,
    max: 2,
    schema: 'bullmq',
    // A bell that a crash loses is rung by the sweep; it need not wait for the disk.
    options: '-c role=bahi_app -c synchronous_commit=off',
    application_name: 'bahi queue',
  }
  return {
    bell: (name) => bellOf(new Queue(name, { connection }, createPostgresBackend), name, log),
    listen: (name, run) =>
      started(
        new Worker(name, run, { connection, ...limitsOf(name) }, createPostgresBackend),
        name,
        log,
      ),
  }
}

function redisBackend(url: string, prefix: string, log: Log): QueueBackend {
  return {
    bell(name) {
      // Whoever rings must not wait for a Redis that is away.
      const redis = openRedis(url, log, { enableOfflineQueue: false, maxRetriesPerRequest: 1 })
      let bell: ReturnType<typeof bellOf> | undefined
      return {
        async ring() {
          if (redis.status !== 'ready') {
            await once(redis, 'ready', { signal: AbortSignal.timeout(RING_MS_MAX) })
          }
          // BullMQ asks Redis for its version as soon as a queue is made, and only then.
          bell ??= bellOf(new Queue(name, { connection: redis, prefix }), name, log)
          await bell.ring()
        },
        async close() {
          await inReach(redis, async () => await bell?.close())
          redis.disconnect()
        },
      }
    },
    listen(name, run) {
      // A worker waits for its Redis for ever.
      const redis = openRedis(url, log, { enableOfflineQueue: true, maxRetriesPerRequest: null })
      const worker = new Worker(name, run, { connection: redis, prefix, ...limitsOf(name) })
      const listener = started(worker, name, log)
      return {
        async close() {
          await inReach(redis, listener.close)
          redis.disconnect()
        },
      }
    },
  }
}

/** BullMQ says goodbye to Redis; one that is away would keep the process from ending. */
async function inReach(redis: Redis, goodbye: () => Promise<void>): Promise<void> {
  if (redis.status === 'ready') {
    const lost = once(redis, 'close')
    await Promise.race([goodbye(), lost])
  }
}

function limitsOf(name: JobName) {
  return { concurrency: JOBS[name].concurrency, lockDuration: JOBS[name].lockMs, autorun: false }
}

function bellOf(queue: RingableQueue, name: JobName, log: Log) {
  let isClosing = false
  queue.on('error', (error: Error) => {
    if (!isClosing) {
      log.warn({ err: error, queue: name }, 'queue connection')
    }
  })
  return {
    async ring() {
      // A job that waits begins after this, so it sees what this ring is about.
      if ((await queue.getWaitingCount()) > 0) {
        return
      }
      await queue.add(name, {}, { removeOnComplete: true, removeOnFail: 100 })
    },
    async close() {
      isClosing = true
      await queue.close()
    },
  }
}

interface RingableQueue {
  on(event: 'error', listener: (error: Error) => void): unknown
  getWaitingCount(): Promise<number>
  add(name: string, data: object, options: object): Promise<unknown>
  close(): Promise<void>
}

interface StartableWorker {
  on(event: 'error', listener: (error: Error) => void): unknown
  on(event: 'failed', listener: (job: unknown, error: Error) => void): unknown
  run(): Promise<unknown>
  close(): Promise<void>
}

function started(worker: StartableWorker, name: JobName, log: Log): Listener {
  let isClosing = false
  worker.on('error', (error) => {
    if (!isClosing) {
      log.warn({ err: error, queue: name }, 'worker connection')
    }
  })
  worker.on('failed', (_job, error) => {
    // A database that is away fails every bell that is left; the sweep rings again.
    log[isConnectionError(error) ? 'warn' : 'error']({ err: error, queue: name }, 'job failed')
  })
  worker.run().catch((error: unknown) => log.error({ err: error, queue: name }, 'worker ended'))
  return {
    async close() {
      isClosing = true
      await worker.close()
    },
  }
}

function openRedis(
  url: string,
  log: Log,
  options: { enableOfflineQueue: boolean; maxRetriesPerRequest: number | null },
): Redis {
  const redis = new Redis(url, {
    ...options,
    retryStrategy: (times) => Math.min(50 * 2 ** times, RETRY_DELAY_MS_MAX),
  })
  redis.on('error', (error) => log.warn({ err: error }, 'redis does not answer'))
  return redis
}

async function late(timeoutMs: number): Promise<never> {
  await delay(timeoutMs, undefined, { ref: false })
  throw new Error(`the queue did not answer in ${timeoutMs} ms`)
}

export function openBells(backend: QueueBackend, log: Log): Bells {
  const opened = new Map<JobName, ReturnType<QueueBackend['bell']>>()
  const ringing = new Map<JobName, Promise<void>>()
  const wanted = new Set<JobName>()
  let closing = false

  const ringNow = async (name: JobName): Promise<void> => {
    do {
      await delay(GATHER_MS)
      wanted.delete(name)
      try {
        const bell = opened.get(name) ?? backend.bell(name)
        opened.set(name, bell)
        await Promise.race([bell.ring(), late(RING_MS_MAX)])
      } catch (error) {
        log.warn({ err: error, queue: name }, 'bell not rung; the sweep will find the work')
      }
    } while (wanted.has(name))
  }

  return {
    ring(name) {
      if (closing) {
        return
      }
      wanted.add(name)
      if (!ringing.has(name)) {
        ringing.set(
          name,
          ringNow(name).finally(() => ringing.delete(name)),
        )
      }
    },
    async close() {
      closing = true
      await Promise.all(ringing.values())
      await Promise.all([...opened.values()].map(async (bell) => await bell.close()))
    },
  }
}
