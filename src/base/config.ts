/** The environment, read once; a wrong variable is named, and the process does not start. */
import { z } from 'zod'
import { readKeyring, type Keyring } from './crypto.ts'

export interface Config {
  production: boolean
  host: string
  /** null: the start command looks for a free port from 3000 on. */
  port: number | null
  databaseUrl: string
  /** Who migrates and owns the tables; the same as `databaseUrl` where there is one login only. */
  databaseOwnerUrl: string
  databasePoolSize: number
  redisUrl: string | null
  /** Keeps the queues of installations apart that share a Redis. */
  redisPrefix: string
  ses: { region: string; endpoint: string | null }
  jwtSecret: string
  dataKeys: Keyring
  filesDir: string
  /** Milliseconds until a call to a gateway is given up. */
  gatewayTimeoutMs: number
  logLevel: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'silent'
}

export class ConfigError extends Error {
  constructor(problems: readonly string[]) {
    super(`The configuration is not valid:\n${problems.map((line) => `  ${line}`).join('\n')}`)
    this.name = 'ConfigError'
  }
}

const url = (...protocols: string[]) =>
  z.string().refine((text) => URL.canParse(text) && protocols.includes(new URL(text).protocol), {
    error: `must be a URL that begins with ${protocols.map((p) => `${p}//`).join(' or ')}`,
  })

const integer = (least: number, most: number) =>
  z
    .string()
    .regex(/^\d{1,9}$/, 'must be a whole number')
    .transform(Number)
    .refine((value) => value >= least && value <= most, {
      error: `must be from ${least} to ${most}`,
    })

const schema = z.object({
  NODE_ENV: z.enum(['production', 'development', 'test']).default('development'),
  HOST: z.string().min(1).default('127.0.0.1'),
  PORT: integer(0, 65_535).optional(),
  DATABASE_URL: url('postgres:', 'postgresql:'),
  DATABASE_OWNER_URL: url('postgres:', 'postgresql:').optional(),
  DATABASE_POOL_SIZE: integer(4, 200).default(12),
  REDIS_URL: url('redis:', 'rediss:').optional(),
  REDIS_PREFIX: z
    .string()
    .regex(/^[\w-]{1,40}$/, 'must be letters, digits, _ or -')
    .default('bahi'),
  AWS_REGION: z
    .string()
    .regex(/^[a-z]{2}(-[a-z]+)+-\d$/, 'must be a region such as ap-south-1')
    .optional(),
  SES_ENDPOINT: url('http:', 'https:').optional(),
  JWT_SECRET: z.string().min(32, 'must have at least 32 characters'),
  DATA_KEYS: z.string().transform((text, context) => {
    try {
      return readKeyring(text)
    } catch (error) {
      context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : 'bad' })
      return z.NEVER
    }
  }),
  FILES_DIR: z.string().min(1).default('data/files'),
  GATEWAY_TIMEOUT_MS: integer(100, 60_000).default(8000),
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'silent']).default('info'),
})

/** Reads the environment. Throws `ConfigError` with one line for each variable that is wrong. */
export function readConfig(env: Readonly<Record<string, string | undefined>>): Config {
  // An empty variable is one that is not set: that is how shells and compose files unset them.
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''))
  const result = schema.safeParse(given)
  const problems = result.success ? [] : result.error.issues.map(describeIssue)
  if (given['AWS_REGION'] === undefined && given['SES_ENDPOINT'] === undefined) {
    problems.push('AWS_REGION is missing: set it (or SES_ENDPOINT for a local mailbox)')
  }
  if (!result.success || problems.length > 0) {
    throw new ConfigError(problems)
  }
  const read = result.data
  return {
    production: read.NODE_ENV === 'production',
    host: read.HOST,
    port: read.PORT ?? null,
    databaseUrl: read.DATABASE_URL,
    databaseOwnerUrl: read.DATABASE_OWNER_URL ?? read.DATABASE_URL,
    databasePoolSize: read.DATABASE_POOL_SIZE,
    redisUrl: read.REDIS_URL ?? null,
    redisPrefix: read.REDIS_PREFIX,
    ses: { region: read.AWS_REGION ?? 'ap-south-1', endpoint: read.SES_ENDPOINT ?? null },
    jwtSecret: read.JWT_SECRET,
    dataKeys: read.DATA_KEYS,
    filesDir: read.FILES_DIR,
    gatewayTimeoutMs: read.GATEWAY_TIMEOUT_MS,
    logLevel: read.LOG_LEVEL,
  }
}

function describeIssue(issue: z.core.$ZodIssue): string {
  const name = issue.path.join('.')
  const missing = issue.code === 'invalid_type' && issue.input === undefined
  return missing ? `${name} is missing: set it (see .env.example)` : `${name} ${issue.message}`
}
