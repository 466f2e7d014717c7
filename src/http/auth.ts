/** Who is asking: a bearer token of any kind, or a browser's session. */
import type { NextFunction, Request, Response } from 'express'
import { isConnectionError } from '../base/database-error.ts'
import type { Parts } from '../base/parts.ts'
import { Problem } from '../base/problem.ts'
import { openBearers, type Bearers } from '../identity/bearer.ts'
import { unknownCaller, type Caller } from '../identity/caller.ts'
import { signToken } from '../identity/tokens.ts'
import { permissionsOf, rolesWith, type Permission, type Role } from './permissions.ts'
import { asProblem } from './problem-json.ts'
import type { Principal } from './request.ts'
import { assertOwnSite, cookieOf, SESSION_COOKIE } from './session-cookie.ts'

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

/** Lets through who is known. Problem `unauthenticated` otherwise. */
export function authenticate(parts: Pick<Parts, 'config' | 'db' | 'log'>) {
  const bearers = openBearers(parts)
  return async (request: Request, _response: Response, next: NextFunction): Promise<void> => {
    const caller = await callerOf(request, bearers, parts.config.publicUrl).catch(notYetMoved)
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
  publicUrl: string | null,
): Promise<Caller> {
  const { authorization } = request.headers
  const cookie = cookieOf(request, SESSION_COOKIE)
  // A token was put there by whoever sends the request; a cookie by the browser, unasked.
  if (authorization === undefined && cookie !== undefined) {
    assertOwnSite(request, publicUrl)
    return await bearers.sessionOf(cookie)
  }
  const [, token] = /^Bearer +([\w.-]+)$/i.exec(authorization ?? '') ?? []
  if (token === undefined) {
    throw unknownCaller('Send the header "Authorization: Bearer <token>".')
  }
  return await bearers.callerOf(token)
}

function principalFor({ subject, orgId, role, only, user }: Caller): Principal {
  return { subject, orgId, role, permissions: permissionsOf(role, only), user }
}

/**
 * Problem `forbidden` where somebody would give, to a user or a key, more than he has himself: a
 * key with few permissions would otherwise make itself another one with all of them.
 */
export function assertGives(
  principal: Principal,
  given: { role: Role; only: readonly Permission[] | null },
): void {
  const beyond = [...permissionsOf(given.role, given.only)].filter(
    (name) => !principal.permissions.has(name) && rolesWith(name).includes(principal.role),
  )
  if (beyond.length > 0) {
    const detail = `Nobody gives more than he has: ${beyond.slice(0, 3).join(', ')}.`
    throw new Problem('forbidden', { detail })
  }
}
