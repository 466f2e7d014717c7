/** Who is asking: a bearer token of any kind, or a browser's session. */
import type { NextFunction, Request, Response } from 'express'
import { isConnectionError } from '../base/database-error.ts'
import type { Parts } from '../base/parts.ts'
import { Problem, type ProblemCode } from '../base/problem.ts'
import { openBearers, type Bearers, type CountWrong } from '../identity/bearer.ts'
import { unknownCaller, type Caller } from '../identity/caller.ts'
import { isKey, type Standing } from '../identity/persons.ts'
import { signToken } from '../identity/tokens.ts'
import type { Limits } from './limits.ts'
import {
  permissionsOf,
  permissionsOfKey,
  rolesWith,
  type Permission,
  type Role,
} from './permissions.ts'
import { asProblem } from './problem-json.ts'
import type { Principal } from './request.ts'
import { assertOwnSite, sessionsIn, type Site } from './session-cookie.ts'

// Scripts and tests get their tokens where requests are let in with them.
export { signToken }

const principals = new WeakMap<Request, Principal>()

/** The caller of a request that `authenticate` let through. */
export function principalOf(request: Request): Principal {
  const principal = principals.get(request)
  if (principal === undefined) {
    throw new Error('the route has no authentication')
  }
  return principal
}

/**
 * Lets through who is known. Problem `unauthenticated` otherwise, and `rate_limited` where too many
 * wrong tokens came from the same address: right ones are let in from there all the same.
 */
export function authenticate(
  parts: Pick<Parts, 'config' | 'db' | 'log'>,
  limits: Pick<Limits, 'wrongToken'>,
) {
  const bearers = openBearers(parts)
  return async (request: Request, response: Response, next: NextFunction): Promise<void> => {
    const countWrong = async () => await limits.wrongToken(request, response)
    const caller = await callerOf(request, bearers, parts.config, countWrong).catch(notYetMoved)
    principals.set(request, principalFor(caller))
    next()
  }
}

/** Whoever could not be let in because the database is away has not moved anything. */
function notYetMoved(error: unknown): never {
  if (!isConnectionError(error)) {
    throw error
  }
  const { extras, code } = asProblem(error)
  throw new Problem(code, { ...extras, moved: 'no', cause: error })
}

async function callerOf(
  request: Request,
  bearers: Bearers,
  site: Site,
  countWrong: CountWrong,
): Promise<Caller> {
  const { authorization } = request.headers
  const cookies = sessionsIn(request, site)
  // A token was put there by whoever sends the request; a cookie by the browser, unasked.
  if (authorization === undefined && cookies.length > 0) {
    assertOwnSite(request, site)
    return await firstSession(cookies, bearers, countWrong)
  }
  const [, token] = /^Bearer +([\w.-]+)$/i.exec(authorization ?? '') ?? []
  if (token === undefined) {
    throw unknownCaller('Send the header "Authorization: Bearer <token>".')
  }
  return await bearers.callerOf(token, countWrong)
}

/** A token that is wrong, or one of too many: the next one may be right. */
const NO_SESSION = new Set<ProblemCode>(['unauthenticated', 'rate_limited'])

/** The first that is somebody's: another site of the same domain may have set one beside it. */
async function firstSession(
  [first = '', ...others]: readonly string[],
  bearers: Bearers,
  countWrong: CountWrong,
): Promise<Caller> {
  try {
    return await bearers.sessionOf(first, countWrong)
  } catch (error) {
    const isNone = error instanceof Problem && NO_SESSION.has(error.code)
    if (others.length === 0 || !isNone) {
      throw error
    }
    return await firstSession(others, bearers, countWrong)
  }
}

function principalFor(caller: Caller): Principal {
  const { subject, orgId, role, user } = caller
  return { subject, orgId, role, permissions: permissionsFor(subject, caller), user }
}

/** What a caller may do as he stands. */
export function permissionsFor(
  subject: string,
  { role, only, ownerRole }: Standing,
): Set<Permission> {
  return isKey(subject) ? permissionsOfKey(role, only, ownerRole) : permissionsOf(role, only)
}

/**
 * Problem `forbidden` where somebody would give, to a user or a key, more than he has himself: a
 * key with few permissions would otherwise make itself another one with all of them, and any key a
 * user who does what takes somebody in person.
 */
export function assertGives(
  principal: Principal,
  given: { role: Role; only: readonly string[] | null; to: 'user' | 'key' },
): void {
  const permissions =
    given.to === 'key'
      ? permissionsOfKey(given.role, given.only, null)
      : permissionsOf(given.role, given.only)
  const beyond = [...permissions].filter(
    (name) => !principal.permissions.has(name) && rolesWith(name).includes(principal.role),
  )
  if (beyond.length > 0) {
    const detail = `Nobody gives more than he has: ${beyond.slice(0, 3).join(', ')}.`
    throw new Problem('forbidden', { detail })
  }
}
