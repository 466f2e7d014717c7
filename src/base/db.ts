/** Connections and transactions. Only the edges (routes, jobs, scripts, intake) open one. */
import knexModule, { type Knex } from 'knex'
import pg from 'pg'
import { setTimeout as delay } from 'node:timers/promises'
import type { Log } from './log.ts'
import { serializationRetries } from './metrics.ts'
import { Problem } from './problem.ts'

/** Whose rows a transaction may see: one organisation's, or (intake, sweep) everybody's. */
export type Scope = number | 'all'

/** An open transaction. A function that writes takes it as its first parameter. */
export interface Trx {
  readonly scope: Scope
  /** Runs one statement with $1, $2, … parameters. */
  query<Row extends object>(sql: string, params?: readonly unknown[]): Promise<Row[]>
  /** Runs what the query builder made. */
  run<Row extends object>(query: Knex.QueryBuilder): Promise<Row[]>
}

export interface TransactOptions {
  /**
   * A queue of the organisation's writers, held across the transaction and taken before its
   * snapshot: who waits here does not fail with 40001. The guarantee stays with SERIALIZABLE.
   */
  queue?: WriterQueue
  /**
   * For writes of single rows that no other row depends on: a new donation, an email's state. Among
   * few rows SERIALIZABLE takes neighbours for conflicts.
   */
  isolation?: 'read committed'
}

export type WriterQueue = 'journal' | 'receipts'

export interface Database {
  /** Runs `work` in one transaction, SERIALIZABLE unless told, again where Postgres asks for it. */
  transact<T>(scope: Scope, work: (trx: Trx) => Promise<T>, options?: TransactOptions): Promise<T>
  /** A read-only transaction with one snapshot for all its queries. */
  read<T>(scope: Scope, work: (trx: Trx) => Promise<T>): Promise<T>
  /**
   * One statement across organisations in a transaction of its own, READ COMMITTED, in one round
   * trip: for the intake's insert and for looking up what waits.
   */
  statement<Row extends object>(sql: string, params?: readonly unknown[]): Promise<Row[]>
  /** Throws where Postgres does not answer within `timeoutMs`. */
  ping(timeoutMs: number): Promise<void>
  readonly pool: pg.Pool
  close(): Promise<void>
}

export interface DatabaseOptions {
  url: string
  poolSize: number
  log: Log
  applicationName?: string
}

/** The query builder; it makes SQL only, the transaction runs it. */
export const build: Knex = knexModule({ client: 'pg' })

/** 40001 and 40P01: Postgres undid the transaction and asks for it to be run again. */
const RETRY_CODES = new Set(['40001', '40P01'])
const ATTEMPTS_MAX = 12
const SYSTEM_POOL_SIZE = 4
const CONNECT_TIMEOUT_MS = 5000
/** A statement's limit on the server, and ours on a connection that has fallen silent. */
const LIMITS = {
  own: { statementMs: 20_000, silenceMs: 25_000 },
  system: { statementMs: 5000, silenceMs: 8000 },
} as const
/** A transaction whose process was frozen gives its locks back after this time. */
const IDLE_IN_TRANSACTION_MS = 30_000

const INT8 = 20
const DATE = 1082

const types: pg.CustomTypesConfig = {
  getTypeParser(oid: number, format?: 'text' | 'binary') {
    // Amounts are bigint, and a day is text: a Date would carry a time zone it does not have.
    if (oid === INT8) {
      return BigInt
    }
    if (oid === DATE) {
      return (text: string) => text
    }
    return pg.types.getTypeParser(oid, format)
  },
}

export function openDatabase(options: DatabaseOptions): Database {
  const pool = openPool(options, options.poolSize, LIMITS.own)
  const system = openPool(options, SYSTEM_POOL_SIZE, LIMITS.system, ' -c bahi.org_id=all')
  return {
    pool,
    async statement<Row extends object>(sql: string, params?: readonly unknown[]) {
      return (await system.query<Row>(sql, params === undefined ? undefined : [...params])).rows
    },
    transact: async (scope, work, more) => await transact(pool, scope, work, more ?? {}),
    read: async (scope, work) =>
      await onConnection(pool, async (client, discard) => {
        await begin(client, scope, 'repeatable read read only', null)
        return await finish(client, work, { scope, lock: null, discard })
      }),
    async ping(timeoutMs) {
      await Promise.all([ping(pool, timeoutMs), ping(system, timeoutMs)])
    },
    close: async () => {
      await Promise.all([pool.end(), system.end()])
    },
  }
}

function openPool(
  options: DatabaseOptions,
  size: number,
  limits: { statementMs: number; silenceMs: number },
  settings = '',
): pg.Pool {
  const pool = new pg.Pool({
    connectionString: options.url,
    max: size,
    types,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    statement_timeout: limits.statementMs,
    query_timeout: limits.silenceMs,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
    application_name: options.applicationName ?? 'bahi',
    // Where the login is the owner or a superuser, it still works as the application's role.
    options: `-c role=bahi_app${settings}`,
  })
  // An idle connection that breaks is replaced by the pool; without a listener it ends the process.
  pool.on('error', (error) => {
    if (!pool.ending) {
      options.log.warn({ err: error }, 'database connection lost')
    }
  })
  return pool
}

async function transact<T>(
  pool: pg.Pool,
  scope: Scope,
  work: (trx: Trx) => Promise<T>,
  options: TransactOptions,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await onConnection(pool, async (client, discard) => {
        const lock = options.queue === undefined ? null : lockOf(options.queue, scope)
        await begin(client, scope, options.isolation ?? 'serializable', lock)
        return await finish(client, work, { scope, lock, discard })
      })
    } catch (error) {
      const code = sqlStateOf(error)
      if (code === undefined || !RETRY_CODES.has(code)) {
        throw error
      }
      serializationRetries.inc({ code })
      if (attempt === ATTEMPTS_MAX) {
        throw new Problem('unavailable', {
          detail: 'Too many others write to the same books; nothing was written. Try again.',
          moved: 'no',
          retryAfter: 1,
          cause: error,
        })
      }
      // Full jitter up to 5, 10, 20 … 640 ms: those who collided do not meet again.
      await delay(Math.random() * 5 * 2 ** Math.min(attempt - 1, 7))
    }
  }
}

/** First half of a queue's advisory key pair; the second is the organisation. */
const WRITER_QUEUES: Readonly<Record<WriterQueue, number>> = {
  journal: 0x62616869,
  receipts: 0x6261686a,
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
    if (isConnectionError(error)) {
      discard(error instanceof Error ? error : new Error(String(error)))
    }
    throw error
  } finally {
    client.off('error', discard)
    client.release(broken)
  }
}

/** The two numbers of an advisory lock, as SQL. */
function lockOf(queue: WriterQueue, scope: Scope): string {
  if (scope === 'all') {
    throw new Error('a queue of writers belongs to one organisation')
  }
  return `${WRITER_QUEUES[queue]}, ${Math.trunc(scope)}`
}

/**
 * One round trip for all of it. The lock is taken in a transaction that ends at once, so that the
 * snapshot is younger than the wait; and there is no moment in which a process that was frozen
 * could hold the lock outside a transaction, where Postgres would never take it away.
 */
async function begin(
  client: pg.PoolClient,
  scope: Scope,
  mode: string,
  lock: string | null,
): Promise<void> {
  const org = scope === 'all' ? 'all' : String(Math.trunc(scope))
  const first = lock === null ? '' : `select pg_advisory_lock(${lock}); commit; `
  await client.query(`${first}begin isolation level ${mode}; set local bahi.org_id = '${org}'`)
}

async function finish<T>(
  client: pg.PoolClient,
  work: (trx: Trx) => Promise<T>,
  how: { scope: Scope; lock: string | null; discard: (why: Error) => void },
): Promise<T> {
  const trx: Trx = {
    scope: how.scope,
    async query<Row extends object>(sql: string, params?: readonly unknown[]) {
      const result = await client.query<Row>(sql, params === undefined ? undefined : [...params])
      return result.rows
    },
    async run<Row extends object>(query: Knex.QueryBuilder) {
      const { sql, bindings } = query.toSQL().toNative()
      const result = await client.query<Row>(sql, [...bindings])
      return result.rows
    },
  }
  const unlock = how.lock === null ? '' : `; select pg_advisory_unlock(${how.lock})`
  try {
    const result = await work(trx)
    await client.query(`commit${unlock}`)
    return result
  } catch (error) {
    if (!isConnectionError(error)) {
      // A connection that cannot roll back is thrown away; the end of its session frees all.
      await client.query(`rollback${unlock}`).catch(how.discard)
    }
    throw error
  }
}

async function ping(pool: pg.Pool, timeoutMs: number): Promise<void> {
  const late = AbortSignal.timeout(timeoutMs)
  await Promise.race([
    pool.query('select 1'),
    new Promise<never>((_resolve, reject) => {
      late.addEventListener('abort', () => reject(new Error(`no answer in ${timeoutMs} ms`)))
    }),
  ])
}

/** The SQLSTATE of a database error, or undefined for any other. */
export function sqlStateOf(error: unknown): string | undefined {
  return error instanceof pg.DatabaseError ? error.code : undefined
}

/** Connection lost or refused, server starting or stopping: what heals by itself later. */
export function isConnectionError(error: unknown): boolean {
  const code = sqlStateOf(error)
  if (code !== undefined) {
    return code.startsWith('08') || code.startsWith('57P') || code === '53300'
  }
  if (!(error instanceof Error)) {
    return false
  }
  const system = 'code' in error && typeof error.code === 'string' ? error.code : ''
  return (
    /^(ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|EHOST)/.test(system) ||
    CONNECTION_LOST.test(error.message) ||
    (error instanceof AggregateError && error.errors.some(isConnectionError))
  )
}

/** How `pg` words it; it gives these no code. */
const CONNECTION_LOST =
  /Connection terminated|timeout exceeded when trying to connect|not queryable|read timeout/i
