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
    redact: { paths: HIDDEN.flatMap((key) => [key, `*.${key}`, `*.*.${key}`]), censor: '[hidden]' },
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
  })
}
