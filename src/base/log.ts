/** One JSON line a record, secrets and personal ids removed before it is written. */
import { pino, type Logger } from 'pino'
import type { Config } from './config.ts'

export type Log = Logger

const HIDDEN = [
  'authorization',
  'cookie',
  'password',
  'secret',
  'token',
  'pan',
  'taxId',
  'tax_id',
  'aadhaar',
  'keySecret',
  'hash',
]

/** The process's log, on standard output. */
export function openLog(level: Config['logLevel'], name: string): Log {
  return pino({
    name,
    level,
    serializers: { err: plainError },
    redact: { paths: HIDDEN.flatMap((key) => [key, `*.${key}`, `*.*.${key}`]), censor: '[hidden]' },
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
  })
}

/** An error without what libraries hang on it (connections, rows): those may hold data. */
function plainError(error: unknown): object {
  if (!(error instanceof Error)) {
    return { message: String(error) }
  }
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined
  return { type: error.name, code, message: error.message, stack: error.stack }
}
