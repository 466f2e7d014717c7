/** One JSON line a record, secrets and personal ids removed before it is written. */
import { AsyncLocalStorage } from 'node:async_hooks'
import { pino, type Logger } from 'pino'
import type { Config } from './config.ts'
import { jsonWithoutIds, withoutSecrets } from './private.ts'
import { traceId } from './tracing.ts'

export type Log = Logger

const requests = new AsyncLocalStorage<string>()

/** Runs work, and all that comes of it, with a request's id in its log lines. */
export function forRequest<T>(requestId: string, work: () => T): T {
  return requests.run(requestId, work)
}

/** The process's log, on standard output. */
export function openLog(level: Config['logLevel'], name: string): Log {
  return pino({
    name,
    level,
    serializers: { err: (error: unknown) => plainError(error) },
    mixin: placeOf,
    formatters: { log: (record) => withoutSecrets(record) as Record<string, unknown> },
    // Whatever a message or a stack may hold: no PAN and no Aadhaar number leaves it.
    hooks: { streamWrite: jsonWithoutIds },
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
  })
}

/** What a line belongs to: its request and trace, where there is one. */
function placeOf(): object {
  const requestId = requests.getStore()
  const trace = traceId()
  return {
    ...(requestId === undefined ? {} : { request_id: requestId }),
    ...(trace === undefined ? {} : { trace_id: trace }),
  }
}

const CAUSES_MAX = 3

/**
 * An error without what libraries hang on it (connections, rows): those may hold data. With what
 * caused it, because our own errors say little of that.
 */
function plainError(error: unknown, depth = 0): object {
  if (!(error instanceof Error)) {
    return { message: String(error) }
  }
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined
  const cause =
    error.cause === undefined || depth === CAUSES_MAX
      ? {}
      : { cause: plainError(error.cause, depth + 1) }
  return { type: error.name, code, message: error.message, stack: error.stack, ...cause }
}
