/** How often who may call what: a class for each operation, and its numbers. */
import type { NextFunction, Request, Response } from 'express'
import { z } from 'zod'
import { ConfigError, type Config } from '../base/config.ts'
import type { Log } from '../base/log.ts'
import { overLimit } from '../base/metrics.ts'
import { Problem } from '../base/problem.ts'
import { openRateCounters, type RateCounter, type Taken } from '../base/rate-counter.ts'
import { openRateStore, type Quota } from '../base/rate-store.ts'
import { principalOf } from './auth.ts'
import type { Described } from './operation.ts'
import type { Access } from './permissions.ts'

const WINDOW_S = 60

/**
 * Calls a minute: of a principal, of an address (sign_in, wrong_token), of a name, or of a webhook
 * endpoint.
 */
export const LIMITS = {
  read: 600,
  write: 300,
  money: 1200,
  export: 10,
  sign_in: 10,
  sign_in_email: 5,
  wrong_token: 30,
  webhook: 6000,
} as const

export type LimitClass = keyof typeof LIMITS

/** Classes that an operation may have; the others go with one. */
export type OperationLimit = Exclude<LimitClass, 'sign_in_email' | 'wrong_token' | 'webhook'>

/** Whoever guesses passwords waits until somebody counts again; all others are let through. */
const CLOSED_WHERE_AWAY = new Set<LimitClass>(['sign_in', 'sign_in_email'])
const MONEY = new Set<Access>(['books.post', 'donations.open'])

type Limited = Pick<Described, 'limit' | 'method' | 'path' | 'permission'>

/** The class of an operation: its own, or by what it needs and does. */
export function limitOf(one: Limited): OperationLimit {
  if (one.limit !== undefined) {
    return one.limit
  }
  if (one.permission === 'public') {
    return 'sign_in'
  }
  if (one.permission === 'exports.read' || one.path.endsWith('.csv')) {
    return 'export'
  }
  if (one.method === 'get') {
    return 'read'
  }
  return MONEY.has(one.permission) ? 'money' : 'write'
}

export interface Limits {
  /**
   * A handler before an operation's body is read. Problem `rate_limited` above its class's limit;
   * of sign-ins `unavailable` where nobody counts.
   */
  caller(one: Described): Handler
  /** A handler for ways to sign in that are no operations. */
  readonly signIn: Handler
  /** A handler after it: sign-ins also count by the email that they are for. */
  email(one: Described): Handler[]
  /**
   * Counts a token that nobody has by the address that it came from. Problem `rate_limited` above
   * the limit. Where the store is away this process counts alone: who moves money is let in.
   */
  wrongToken(request: Request, response: Response): Promise<void>
  /** Counts a webhook. None is refused: a gateway that hears no would try again, or give up. */
  webhook(endpointId: string): void
  /** Waits until the store has heard of everything. */
  settle(): Promise<void>
  close(): Promise<void>
}

type Handler = (request: Request, response: Response, next: NextFunction) => void | Promise<void>

/** Throws `ConfigError` for a class in RATE_LIMITS that there is not. */
export function openLimits(config: Config, log: Log): Limits {
  const quotas = quotasOf(config.rateLimits)
  const counters = openRateCounters(openRateStore(config, log), log)
  const counterOf = (name: LimitClass): RateCounter =>
    counters.counter(quotas[name], {
      whenAway: CLOSED_WHERE_AWAY.has(name) ? 'refuse' : 'count alone',
    })
  const webhooks = counterOf('webhook')
  const wrongTokens = counterOf('wrong_token')
  const handler = (name: OperationLimit, keyOf: (request: Request) => string): Handler => {
    const counter = counterOf(name)
    return async (request, response, next) => {
      const taken = await counter.take(keyOf(request))
      sayLimit(response, quotas[name], taken)
      refuseOver(name, taken)
      next()
    }
  }
  return {
    caller: (one) => handler(limitOf(one), one.permission === 'public' ? addressOf : principalKey),
    signIn: handler('sign_in', addressOf),
    email(one) {
      if (limitOf(one) !== 'sign_in') {
        return []
      }
      const counter = counterOf('sign_in_email')
      return [
        async (request, response, next) => {
          const read = withEmail.safeParse(request.body)
          if (read.success) {
            const taken = await counter.take(
              `${read.data.organisation} ${read.data.email.toLowerCase()}`,
            )
            if (taken.isOver) {
              sayLimit(response, quotas.sign_in_email, taken)
            }
            refuseOver('sign_in_email', taken)
          }
          next()
        },
      ]
    },
    async wrongToken(request, response) {
      const taken = await wrongTokens.take(addressOf(request))
      if (taken.isOver) {
        sayLimit(response, quotas.wrong_token, taken)
      }
      refuseOver('wrong_token', taken)
    },
    webhook(endpointId) {
      webhooks.take(endpointId).then(
        ({ isOver }) => {
          if (isOver) {
            overLimit.inc({ class: 'webhook' })
          }
        },
        (error: unknown) => log.warn({ err: error }, 'a webhook was not counted'),
      )
    },
    settle: counters.settle,
    close: counters.close,
  }
}

/** The same name at two organisations is two people's: neither may use up the other's tries. */
const withEmail = z.object({ email: z.string().max(320), organisation: z.string().catch('') })

function quotasOf(given: Readonly<Record<string, number>>): Record<LimitClass, Quota> {
  const unknown = Object.keys(given).filter((name) => name !== 'all' && !(name in LIMITS))
  if (unknown.length > 0) {
    const names = Object.keys(LIMITS).join(', ')
    throw new ConfigError([`RATE_LIMITS has no class ${unknown.join(', ')}: there are ${names}`])
  }
  const quotaOf = (name: LimitClass): Quota => ({
    name,
    limit: given[name] ?? given['all'] ?? LIMITS[name],
    windowS: WINDOW_S,
  })
  return {
    read: quotaOf('read'),
    write: quotaOf('write'),
    money: quotaOf('money'),
    export: quotaOf('export'),
    sign_in: quotaOf('sign_in'),
    sign_in_email: quotaOf('sign_in_email'),
    wrong_token: quotaOf('wrong_token'),
    webhook: quotaOf('webhook'),
  }
}

function principalKey(request: Request): string {
  const { orgId, subject } = principalOf(request)
  return `${orgId} ${subject}`
}

/** The caller's address; of IPv6 the network, because each customer has billions of addresses. */
export function addressOf({ ip = '' }: Pick<Request, 'ip'>): string {
  const plain = ip.replace(/^::ffff:(?=\d+\.)/, '')
  if (!plain.includes(':')) {
    return plain
  }
  const [head = '', tail] = plain.split('::')
  const front = head === '' ? [] : head.split(':')
  const back = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = tail === undefined ? [] : Array<string>(8 - front.length - back.length).fill('0')
  return [...front, ...zeros, ...back].slice(0, 4).join(':')
}

/** IETF draft-ietf-httpapi-ratelimit-headers. */
function sayLimit(response: Response, quota: Quota, taken: Taken): void {
  const { name, limit, windowS } = quota
  response.setHeader('RateLimit-Policy', `"${name}";q=${limit};w=${windowS}`)
  response.setHeader('RateLimit', `"${name}";r=${taken.remaining};t=${taken.resetS}`)
}

function refuseOver(name: LimitClass, taken: Taken): void {
  if (taken.isOver) {
    overLimit.inc({ class: name })
    const detail = `The limit of the class ${name} is reached; go on in ${taken.resetS} s.`
    throw new Problem('rate_limited', { detail, retryAfter: taken.resetS })
  }
}
