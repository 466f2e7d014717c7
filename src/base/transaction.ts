/** Transactions on pooled connections: begun with the organisation set, run again where undone. */
import type { Knex } from 'knex'
import type pg from 'pg'
import { from as copyFrom } from 'pg-copy-streams'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { isConnectionError, isPlanOutdated, isTimedOut, sqlStateOf } from './database-error.ts'
import type { BulkTrx, Scope, Statement, TransactOptions, Trx, WriterQueue } from './db.ts'
import { serializationRetries } from './metrics.ts'
import { BY_KEYS, haveOldPlans, nameOf } from './plans.ts'
import { asError, Problem } from './problem.ts'
import { inSpan, spanEvent } from './tracing.ts'

/** 40001 and 40P01: Postgres undid the transaction and asks for it to be run again. */
const RETRY_CODES = new Set(['40001', '40P01'])
const IN_FAILED_TRANSACTION = '25P02'
const ATTEMPTS_MAX = 12

/** Runs `work` in one transaction, SERIALIZABLE unless told, again where Postgres asks for it. */
export async function transact<T>(
  pool: pg.Pool,
  scope: Scope,
  work: (trx: Trx) => Promise<T>,
  options: TransactOptions,
): Promise<T> {
  const { isolation = 'serializable', planOnce = false } = options
  return await again(
    isolation,
    scope,
    async () =>
      await onConnection(pool, async (client, discard) => {
        const locks = locksOf([options.behind, options.queue], scope)
        const begun = begin(client, scope, { mode: isolation, locks, planOnce })
        await begun.catch((error: unknown) => {
          // It may have been given up just when it had the lock, which the session then keeps.
          discard(asError(error))
          throw isTimedOut(error) ? tooBusy(error) : error
        })
        return await finish(client, work, { scope, locks, discard, planOnce })
      }),
  )
}

/** One statement in a transaction of its own, all of it sent before anything is answered. */
export async function transactOnce<Row extends object>(
  pool: pg.Pool,
  scope: number,
  statement: Statement,
  queue: WriterQueue,
): Promise<Row[]> {
  return await again(
    'serializable',
    scope,
    async () => await sendOnce<Row>(pool, scope, statement, queue),
  )
}

/** A read-only transaction with one snapshot for all its queries. */
export async function readOnly<T>(
  pool: pg.Pool,
  scope: Scope,
  work: (trx: Trx) => Promise<T>,
): Promise<T> {
  const mode = 'repeatable read read only'
  return await traced(
    mode,
    scope,
    async () =>
      await onConnection(pool, async (client, discard) => {
        await begin(client, scope, { mode, locks: [] })
        return await finish(client, work, { scope, locks: [], discard })
      }),
  )
}

/** A transaction in which rows may be copied in; `pool` sends nothing before the last answer. */
export async function bulk<T>(
  pool: pg.Pool,
  scope: number,
  work: (trx: BulkTrx) => Promise<T>,
): Promise<T> {
  const mode = 'read committed'
  return await again(
    mode,
    scope,
    async () =>
      await onConnection(pool, async (client, discard) => {
        const copyIn = async (sql: string, pieces: Iterable<Buffer>): Promise<number> => {
          const copy = client.query(copyFrom(sql))
          await pipeline(Readable.from(pieces, { highWaterMark: 1 }), copy)
          return copy.rowCount
        }
        await begin(client, scope, { mode, locks: [] })
        const how = { scope, locks: [], discard }
        return await finish(client, async (trx) => await work({ ...trx, copyIn }), how)
      }),
  )
}

async function sendOnce<Row extends object>(
  pool: pg.Pool,
  scope: number,
  statement: Statement,
  queue: WriterQueue,
): Promise<Row[]> {
  return await onConnection(pool, async (client, discard) => {
    const locks = locksOf([queue], scope)
    const [begun, done, ended] = await Promise.allSettled([
      begin(client, scope, { mode: 'serializable', locks }),
      client.query<Row>({
        name: statement.name,
        text: statement.sql,
        values: [...statement.params],
      }),
      client.query(`commit${releaseOf(locks)}`),
    ])
    if (ended.status === 'rejected' && !isConnectionError(ended.reason)) {
      // A commit that failed ended its message before the lock was given back.
      await client.query(`rollback${releaseOf(locks)}`).catch(discard)
    }
    if (begun.status === 'rejected' && isTimedOut(begun.reason)) {
      throw tooBusy(begun.reason)
    }
    // The first that failed says why; what came after it failed for that.
    for (const step of [begun, done, ended]) {
      if (step.status === 'rejected') {
        throw step.reason
      }
    }
    return done.status === 'fulfilled' ? done.value.rows : []
  })
}

/** Runs the work again, whole, where Postgres undid it because of others. */
async function again<T>(mode: string, scope: Scope, work: () => Promise<T>): Promise<T> {
  return await traced(mode, scope, async () => await untilDone(work))
}

async function untilDone<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work()
    } catch (error) {
      const code = sqlStateOf(error)
      if (code === undefined || !(RETRY_CODES.has(code) || isPlanOutdated(error))) {
        throw error
      }
      serializationRetries.inc({ code })
      spanEvent('retry', { 'db.response.status_code': code, attempt })
      if (attempt === ATTEMPTS_MAX) {
        throw tooBusy(error)
      }
      // Full jitter up to 5, 10, 20 … 640 ms: those who collided do not meet again.
      await delay(Math.random() * 5 * 2 ** Math.min(attempt - 1, 7))
    }
  }
}

/** One span for a transaction with all its attempts. */
async function traced<T>(mode: string, scope: Scope, work: () => Promise<T>): Promise<T> {
  const attributes = {
    'db.system.name': 'postgresql',
    'db.operation.name': 'transaction',
    'bahi.isolation': mode,
    'bahi.organisation': String(scope),
  }
  return await inSpan('transaction', { kind: 'client', attributes }, work)
}

function tooBusy(cause: unknown): Problem {
  const detail = 'Too many others write to the same books; nothing was written. Try again.'
  return new Problem('unavailable', { detail, moved: 'no', retryAfter: 1, cause })
}

/** First half of a queue's advisory key pair; the second is the organisation. */
const WRITER_QUEUES: Readonly<Record<WriterQueue, number>> = {
  journal: 0x62616869,
  receipts: 0x6261686a,
  recon: 0x6261686b,
}

async function onConnection<T>(
  pool: pg.Pool,
  work: (client: pg.PoolClient, discard: (why: Error) => void) => Promise<T>,
): Promise<T> {
  const client = await pool.connect()
  let broken: Error | undefined
  const discard = (why: Error) => {
    broken = why
  }
  // A checked-out connection reports its death here; without a listener it would end the process.
  client.on('error', discard)
  try {
    return await work(client, discard)
  } catch (error) {
    if (isConnectionError(error) || isPlanOutdated(error)) {
      discard(asError(error))
    }
    throw error
  } finally {
    client.off('error', discard)
    client.release(broken)
  }
}

/** The two numbers of each queue's advisory lock, as SQL, in the order in which they are taken. */
function locksOf(queues: readonly (WriterQueue | undefined)[], scope: Scope): string[] {
  return queues.flatMap((queue) => {
    if (queue === undefined) {
      return []
    }
    if (scope === 'all') {
      throw new Error('a queue of writers belongs to one organisation')
    }
    return [`${WRITER_QUEUES[queue]}, ${Math.trunc(scope)}`]
  })
}

function releaseOf(locks: readonly string[]): string {
  return locks.map((lock) => `; select pg_advisory_unlock(${lock})`).join('')
}

/**
 * One round trip for all of it. The lock is taken in a transaction that ends at once, so that the
 * snapshot is younger than the wait; and there is no moment in which a process that was frozen
 * could hold the lock outside a transaction, where Postgres would never take it away.
 */
async function begin(
  client: pg.PoolClient,
  scope: Scope,
  how: { mode: string; locks: readonly string[]; planOnce?: boolean },
): Promise<void> {
  const org = scope === 'all' ? 'all' : String(Math.trunc(scope))
  const waits = how.locks.map((lock) => `select pg_advisory_lock(${lock})`)
  const first = [
    ...(how.planOnce === true && haveOldPlans(client) ? ['discard plans'] : []),
    ...waits,
  ]
  const before = first.length === 0 ? '' : `${first.join('; ')}; commit; `
  const plans = how.planOnce === true ? BY_KEYS : ''
  await client.query(
    `${before}begin isolation level ${how.mode}; set local bahi.org_id = '${org}'${plans}`,
  )
}

async function finish<T>(
  client: pg.PoolClient,
  work: (trx: Trx) => Promise<T>,
  how: {
    scope: Scope
    locks: readonly string[]
    discard: (why: Error) => void
    planOnce?: boolean
  },
): Promise<T> {
  let failure: unknown
  const rowsOf = async <Row extends object>(sent: Promise<pg.QueryResult<Row>>): Promise<Row[]> => {
    try {
      const { rows } = await sent
      // What a savepoint undid is over.
      failure = undefined
      return rows
    } catch (error) {
      // What was sent behind a failure fails for it: who asks is told of that one.
      failure = sqlStateOf(error) === IN_FAILED_TRANSACTION ? (failure ?? error) : error
      throw failure
    }
  }
  const trx: Trx = {
    scope: how.scope,
    async query<Row extends object>(sql: string, params?: readonly unknown[]) {
      const values = params === undefined ? undefined : [...params]
      const name = how.planOnce === true ? nameOf(sql) : undefined
      return await rowsOf(client.query<Row>({ name, text: sql, values }))
    },
    async run<Row extends object>(query: Knex.QueryBuilder) {
      const { sql, bindings } = query.toSQL().toNative()
      return await rowsOf(client.query<Row>(sql, [...bindings]))
    },
  }
  const unlock = releaseOf(how.locks)
  try {
    const result = await work(trx)
    const ended = await client.query(`commit${unlock}`)
    // Postgres answers a commit behind a failure that was swallowed by rolling back.
    if ([ended].flat()[0]?.command !== 'COMMIT') {
      throw asError(failure ?? 'a statement failed, and nothing was written')
    }
    return result
  } catch (error) {
    if (!isConnectionError(error)) {
      // A connection that cannot roll back is thrown away; the end of its session frees all.
      await client.query(`rollback${unlock}`).catch(how.discard)
    }
    throw error
  }
}
