/** The environment, read once; a wrong variable is named, and the process does not start. */
import { isIP } from 'node:net'
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
  /** Makes organisations (POST /v1/organisations); null: nobody does, by HTTP. */
  operatorKey: string | null
  /** Who reads metrics of the API shows it; null for everybody, or nobody in production. */
  metricsToken: string | null
  /** An identity provider whose tokens are taken beside the installation's own. */
  jwks: { url: string; issuer: string; audience: string } | null
  /** Where browsers reach the service; null: at the address that it listens on. */
  publicUrl: string | null
  dataKeys: Keyring
  filesDir: string
  /** Milliseconds until a call to a gateway is given up. */
  gatewayTimeoutMs: number
  /** Milliseconds for which a gateway's operation that fails is left alone; 0: it never is. */
  gatewayBreakerMs: number
  /** Where webhooks may go beside public addresses: to this machine, outside production. */
  webhookReach: { loopback: boolean }
  logLevel: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'silent'
  /** Calls a minute by class (src/http/limits.ts), in place of the class's own; `all` for each. */
  rateLimits: Readonly<Record<string, number>>
  /** Open connections, altogether and from one address that is no trusted proxy's. */
  connections: { most: number; perAddress: number }
  /** Addresses and networks whose X-Forwarded-For is believed. */
  trustedProxies: readonly string[]
  /** Where spans are sent, by OTLP over HTTP; null: nowhere, and none are made. */
  otlpEndpoint: string | null
  /** Where a worker process tells its metrics; null: nowhere. */
  workerMetricsPort: number | null
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

/** True for https, and for http where nobody else can listen in: on the machine itself. */
export function isSafe(text: string): boolean {
  const { protocol, hostname } = new URL(text)
  return protocol === 'https:' || ['localhost', '127.0.0.1', '[::1]'].includes(hostname)
}

/** `read=600,money=1200`: calls a minute by class. */
const rateLimits = z
  .string()
  .regex(/^\w+=[1-9]\d{0,8}(,\w+=[1-9]\d{0,8})*$/, 'must be like read=600,money=1200')
  .transform((text): Record<string, number> => {
    const pairs = text.split(',').map((pair) => pair.split('='))
    return Object.fromEntries(pairs.map(([name = '', limit = '']) => [name, Number(limit)]))
  })

/** Addresses and networks, such as `10.0.0.0/8,::1`. */
const networks = z
  .string()
  .transform((text) => text.split(',').map((one) => one.trim()))
  .refine((all) => all.every(isNetwork), { error: 'must be addresses or networks, with commas' })

function isNetwork(text: string): boolean {
  const [address = '', bits, ...more] = text.split('/')
  const most = isIP(address) === 6 ? 128 : 32
  const isBits = bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= most)
  return isIP(address) !== 0 && isBits && more.length === 0
}

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
  JWT_JWKS_URL: url('https:', 'http:')
    .refine((text) => isSafe(text), {
      error: 'must be a URL that begins with https:// (http:// on this machine only)',
    })
    .optional(),
  JWT_ISSUER: z
    .string()
    .refine((text) => text !== 'bahi', { error: 'must not be "bahi": such tokens are our own' })
    .optional(),
  JWT_AUDIENCE: z.string().optional(),
  PUBLIC_URL: url('https:', 'http:')
    .refine((text) => URL.canParse(text) && text === new URL(text).origin, {
      error: 'must be an origin: scheme, host and port, with nothing behind them',
    })
    .optional(),
  OPERATOR_KEY: z.string().min(32, 'must have at least 32 characters').optional(),
  METRICS_TOKEN: z.string().min(32, 'must have at least 32 characters').optional(),
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
  GATEWAY_BREAKER_MS: integer(0, 600_000).default(30_000),
  WEBHOOKS_ALLOW_PRIVATE: z.enum(['true', 'false']).default('false'),
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'silent']).default('info'),
  RATE_LIMITS: rateLimits.default({}),
  CONNECTIONS_MAX: integer(10, 100_000).default(2000),
  CONNECTIONS_PER_ADDRESS: integer(1, 100_000).default(500),
  TRUSTED_PROXIES: networks.default([]),
  OTEL_EXPORTER_OTLP_ENDPOINT: url('http:', 'https:').optional(),
  WORKER_METRICS_PORT: integer(1, 65_535).optional(),
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
  if (given['WEBHOOKS_ALLOW_PRIVATE'] === 'true' && given['NODE_ENV'] === 'production') {
    problems.push('WEBHOOKS_ALLOW_PRIVATE is for development: unset it in production')
  }
  const provider = ['JWT_JWKS_URL', 'JWT_ISSUER', 'JWT_AUDIENCE']
  const lacking = provider.filter((name) => given[name] === undefined)
  if (lacking.length > 0 && lacking.length < provider.length) {
    problems.push(`${lacking.join(', ')} is missing: ${provider.join(', ')} go together`)
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
    operatorKey: read.OPERATOR_KEY ?? null,
    metricsToken: read.METRICS_TOKEN ?? null,
    jwks: providerOf(read),
    publicUrl: read.PUBLIC_URL ?? null,
    dataKeys: read.DATA_KEYS,
    filesDir: read.FILES_DIR,
    gatewayTimeoutMs: read.GATEWAY_TIMEOUT_MS,
    gatewayBreakerMs: read.GATEWAY_BREAKER_MS,
    webhookReach: { loopback: read.WEBHOOKS_ALLOW_PRIVATE === 'true' },
    logLevel: read.LOG_LEVEL,
    rateLimits: read.RATE_LIMITS,
    connections: { most: read.CONNECTIONS_MAX, perAddress: read.CONNECTIONS_PER_ADDRESS },
    trustedProxies: read.TRUSTED_PROXIES,
    otlpEndpoint: read.OTEL_EXPORTER_OTLP_ENDPOINT ?? null,
    workerMetricsPort: read.WORKER_METRICS_PORT ?? null,
  }
}

function providerOf(read: z.infer<typeof schema>): Config['jwks'] {
  const { JWT_JWKS_URL, JWT_ISSUER, JWT_AUDIENCE } = read
  return JWT_JWKS_URL === undefined || JWT_ISSUER === undefined || JWT_AUDIENCE === undefined
    ? null
    : { url: JWT_JWKS_URL, issuer: JWT_ISSUER, audience: JWT_AUDIENCE }
}

function describeIssue(issue: z.core.$ZodIssue): string {
  const name = issue.path.join('.')
  const missing = issue.code === 'invalid_type' && issue.input === undefined
  return missing ? `${name} is missing: set it (see .env.example)` : `${name} ${issue.message}`
}
