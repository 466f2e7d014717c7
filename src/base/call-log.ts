/** Writes down the calls to gateways: when they are over, many at a time, never in their way. */
import type { Attempt, Exchange } from './calls-out.ts'
import { textOfCall } from './call-text.ts'
import { isConnectionError } from './database-error.ts'
import type { Database } from './db.ts'
import { newId } from './ids.ts'
import type { Log } from './log.ts'
import { callsNotLogged } from './metrics-gateways.ts'
import { messageOf, Problem } from './problem.ts'

export const CALL_OUTCOMES = ['answered', 'refused', 'unavailable', 'failed'] as const

export type CallOutcome = (typeof CALL_OUTCOMES)[number]

export interface CallLog {
  /** Notes what was said in an attempt; returns at once and never throws. */
  record(attempt: Attempt): void
  /** Waits until all that was noted so far is written, or given up. */
  written(): Promise<void>
}

/** Rows of one statement, and rows that may wait for theirs; what comes above is counted only. */
const TOGETHER = 50
const WAITING_MAX = 1000

/** The columns in the order of `insert`, each with its type. */
const COLUMNS = {
  org_id: 'integer',
  call_id: 'text',
  gateway: 'text',
  operation: 'text',
  attempt: 'integer',
  method: 'text',
  path: 'text',
  status: 'integer',
  outcome: 'text',
  error: 'text',
  moved: 'text',
  begun_at: 'timestamptz',
  took_ms: 'integer',
  idempotency_key: 'text',
  gateway_request_id: 'text',
  request: 'text',
  answer: 'text',
} as const

const NAMES = Object.keys(COLUMNS) as (keyof typeof COLUMNS)[]

type Row = Record<keyof typeof COLUMNS, string | number | Date | null>

export function openCallLog(db: Database, log: Log): CallLog {
  let waiting: Row[] = []
  let writing: Promise<void> | null = null

  const lose = (rows: number, error: unknown): void => {
    callsNotLogged.inc(rows)
    log.warn({ err: error, rows }, 'calls to gateways not written down')
  }

  const write = async (rows: readonly Row[]): Promise<void> => {
    try {
      await insert(db, rows)
    } catch (error) {
      if (rows.length === 1 || isConnectionError(error)) {
        lose(rows.length, error)
        return
      }
      // One that Postgres refuses must not take the others with it.
      for (const row of rows) {
        await write([row])
      }
    }
  }

  const writeAll = async (): Promise<void> => {
    while (waiting.length > 0) {
      await write(waiting.splice(0, TOGETHER))
    }
    writing = null
  }

  return {
    record(attempt) {
      try {
        const rows = rowsOf(attempt)
        if (waiting.length + rows.length > WAITING_MAX) {
          lose(rows.length, new Error('too many wait to be written'))
          return
        }
        waiting = [...waiting, ...rows]
        writing ??= waiting.length > 0 ? writeAll() : null
      } catch (error) {
        lose(attempt.exchanges.length, error)
      }
    },
    async written() {
      await writing
    },
  }
}

async function insert(db: Database, rows: readonly Row[]): Promise<void> {
  const arrays = NAMES.map((name, index) => `$${index + 1}::${COLUMNS[name]}[]`)
  await db.statement(
    `insert into gateway_calls (${NAMES.join(', ')}) select * from unnest(${arrays.join(', ')})`,
    NAMES.map((name) => rows.map((row) => row[name])),
  )
}

/** A row for each request; the error that the attempt ended with stands with the one it is of. */
function rowsOf({ errand, attempt, exchanges, error }: Attempt): Row[] {
  const failed = exchanges.findLast(({ failure, status }) => failure !== null || !isGood(status))
  const culprit = error === null ? undefined : (failed ?? exchanges.at(-1))
  return exchanges.map((exchange) => {
    const isCulprit = exchange === culprit
    const text = textOfCall(exchange)
    const outcome = outcomeOf(exchange, isCulprit ? error : null)
    const reason = isCulprit ? messageOf(error) : exchange.failure
    const isAnswered = outcome === 'answered'
    const moved = error instanceof Problem && isCulprit ? error.extras.moved : undefined
    return {
      org_id: errand.orgId,
      call_id: newId('gcl', exchange.begunAt.getTime()),
      gateway: errand.service,
      operation: errand.operation,
      attempt,
      method: exchange.method,
      path: text.path,
      status: exchange.status,
      outcome,
      error: isAnswered ? null : text.clean(reason ?? 'It failed.'),
      moved: moved ?? null,
      begun_at: exchange.begunAt,
      took_ms: Math.max(Math.round(exchange.tookMs), 0),
      idempotency_key: text.idempotencyKey,
      gateway_request_id: requestIdOf(exchange.requestId),
      request: text.request,
      answer: text.answer,
    }
  })
}

function isGood(status: number | null): boolean {
  return status !== null && status < 400
}

function outcomeOf({ failure }: Exchange, error: unknown): CallOutcome {
  if (error === null || error === undefined) {
    return failure === null ? 'answered' : 'unavailable'
  }
  const code = error instanceof Problem ? error.code : null
  return code === 'gateway_refused'
    ? 'refused'
    : code === 'gateway_unavailable'
      ? 'unavailable'
      : 'failed'
}

function requestIdOf(given: string | null): string | null {
  return given !== null && /^[\w-]{1,100}$/.test(given) ? given : null
}

/** Forgets calls that were made so many days ago, the oldest first; gives how many. */
export async function forgetCalls(db: Database, days: number, most: number): Promise<number> {
  const rows = await db.statement(
    `delete from gateway_calls c
      using (select org_id, call_id from gateway_calls
              where created_at < now() - make_interval(days => $1)
              order by created_at limit $2) old
      where c.org_id = old.org_id and c.call_id = old.call_id
     returning 1`,
    [days, most],
  )
  return rows.length
}
