/** Connections and transactions. Only the edges (routes, jobs, scripts, intake) open one. */
import knexModule, { type Knex } from 'knex'
import pg from 'pg'
import type { Log } from './log.ts'
import { bulk, readOnly, transact, transactOnce } from './transaction.ts'
import { openTurns } from './turns.ts'

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

/** An open transaction that may also send rows as COPY takes them. */
export interface BulkTrx extends Trx {
  /** Runs `copy … from stdin` with these bytes; gives how many rows came in. */
  copyIn(sql: string, pieces: Iterable<Buffer>): Promise<number>
}

export interface TransactOptions {
  /**
   * A queue of the organisation's writers, held across the transaction and taken before its
   * snapshot: who waits here does not fail with 40001. The guarantee stays with SERIALIZABLE.
   */
  queue?: WriterQueue
  /** Another queue, taken before that one: for who writes what two kinds of writers do. */
  behind?: WriterQueue
  /**
   * For writes of single rows that no other row depends on: a new donation, an email's state. Among
   * few rows SERIALIZABLE takes neighbours for conflicts.
   */
  isolation?: 'read committed'
  /**
   * A connection plans each statement of it once and again after seconds: for what is run many
   * times a second. Tables may have grown meanwhile: a statement looks its rows up one by one.
   */
  planOnce?: boolean
}

export type WriterQueue = 'journal' | 'receipts' | 'recon'

/** One statement with $1, $2, … parameters; under its name a connection plans it once. */
export interface Statement {
  name: string
  sql: string
  params: readonly unknown[]
}

export interface Database {
  /** Runs `work` in one transaction, SERIALIZABLE unless told, again where Postgres asks for it. */
  transact<T>(scope: Scope, work: (trx: Trx) => Promise<T>, options?: TransactOptions): Promise<T>
  /**
   * A SERIALIZABLE transaction of one statement, all of it in one round trip: for what an
   * organisation's writers do most. Run again where Postgres asks for it.
   */
  transactOnce<Row extends object>(
    scope: number,
    statement: Statement,
    queue: WriterQueue,
  ): Promise<Row[]>
  /** A read-only transaction with one snapshot for all its queries. */
  read<T>(scope: Scope, work: (trx: Trx) => Promise<T>): Promise<T>
  /**
   * A READ COMMITTED transaction for many rows at once, whose statements may take minutes. `work`
   * reads what it sends anew where Postgres undid it.
   */
  bulk<T>(scope: number, work: (trx: BulkTrx) => Promise<T>): Promise<T>
  /**
   * One statement across organisations in a transaction of its own, READ COMMITTED, in one round
   * trip: for the intake's insert and for looking up what waits.
   */
  statement<Row extends object>(sql: string, params?: readonly unknown[]): Promise<Row[]>
  /** The same, planned once a connection: for what is run many times a second. */
  prepared<Row extends object>(statement: Statement): Promise<Row[]>
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
  /** For scripts that read all of the books: a statement may take half an hour. */
  patient?: boolean
}

/** The query builder; it makes SQL only, the transaction runs it. */
export const build: Knex = knexModule({ client: 'pg' })

const SYSTEM_POOL_SIZE = 4
const BULK_POOL_SIZE = 2
/** One writer of an organisation works while the next one waits for it in Postgres; no more. */
const WRITERS_TOGETHER = 2
const CONNECT_TIMEOUT_MS = 5000
/** A statement's limit on the server, and ours on a connection that has fallen silent. */
const LIMITS = {
  own: { statementMs: 20_000, silenceMs: 25_000 },
  system: { statementMs: 5000, silenceMs: 8000 },
  bulk: { statementMs: 10 * 60_000, silenceMs: 11 * 60_000 },
  patient: { statementMs: 30 * 60_000, silenceMs: 31 * 60_000 },
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
  const pool = openPool(
    options,
    options.poolSize,
    options.patient === true ? LIMITS.patient : LIMITS.own,
  )
  const turns = openTurns(WRITERS_TOGETHER, LIMITS.own.statementMs)
  const system = openPool(options, SYSTEM_POOL_SIZE, LIMITS.system, ' -c bahi.org_id=all')
  // COPY cannot share a connection with statements that follow each other without waiting.
  const bulkPool = openPool(options, BULK_POOL_SIZE, LIMITS.bulk, '', false)
  return {
    pool,
    async statement<Row extends object>(sql: string, params?: readonly unknown[]) {
      return (await system.query<Row>(sql, params === undefined ? undefined : [...params])).rows
    },
    async prepared<Row extends object>({ name, sql, params }: Statement) {
      return (await system.query<Row>({ name, text: sql, values: [...params] })).rows
    },
    async transact(scope, work, more = {}) {
      const run = async () => await transact(pool, scope, work, more)
      const inTurn = async () =>
        more.queue === undefined ? await run() : await turns.take(`${more.queue} ${scope}`, run)
      return more.behind === undefined
        ? await inTurn()
        : await turns.take(`${more.behind} ${scope}`, inTurn)
    },
    transactOnce: async (scope, statement, queue) =>
      await turns.take(
        `${queue} ${scope}`,
        async () => await transactOnce(pool, scope, statement, queue),
      ),
    read: async (scope, work) => await readOnly(pool, scope, work),
    bulk: async (scope, work) => await bulk(bulkPool, scope, work),
    async ping(timeoutMs) {
      await Promise.all([ping(pool, timeoutMs), ping(system, timeoutMs)])
    },
    close: async () => {
      await Promise.all([pool.end(), system.end(), bulkPool.end()])
    },
  }
}

function openPool(
  options: DatabaseOptions,
  size: number,
  limits: { statementMs: number; silenceMs: number },
  settings = '',
  pipeline = true,
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
    // Statements may follow each other without waiting; who awaits each notices nothing.
    pipeline,
  })
  // An idle connection that breaks is replaced by the pool; without a listener it ends the process.
  pool.on('error', (error) => {
    if (!pool.ending) {
      options.log.warn({ err: error }, 'database connection lost')
    }
  })
  return pool
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
