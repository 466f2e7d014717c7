/** Bearer tokens: a JWT says which organisation somebody works for, and as what. */
import type { NextFunction, Request, Response } from 'express'
import jwt from 'jsonwebtoken'
import { z } from 'zod'
import { Problem } from '../base/problem.ts'
import { ROLES } from './permissions.ts'
import type { Principal } from './request.ts'

const ISSUER = 'bahi'
const AUDIENCE = 'bahi-api'
const CLOCK_SKEW_S = 30

const claims = z.object({
  sub: z.string().min(1).max(200),
  org: z.int32().positive(),
  role: z.enum(ROLES),
  exp: z.int(),
})

const principals = new WeakMap<Request, Principal>()

/** The caller of a request that `authenticate` let through. */
export function principalOf(request: Request): Principal {
  const principal = principals.get(request)
  if (principal === undefined) {
    throw new Error('the route has no authentication')
  }
  return principal
}

/** Lets through who has a valid token. Problem `unauthenticated` otherwise. */
export function authenticate(secret: string) {
  return (request: Request, _response: Response, next: NextFunction): void => {
    principals.set(request, readToken(request.headers.authorization, secret))
    next()
  }
}

function readToken(header: string | undefined, secret: string): Principal {
  const [, token] = /^Bearer +([\w-]+\.[\w-]+\.[\w-]+)$/i.exec(header ?? '') ?? []
  if (token === undefined) {
    throw new Problem('unauthenticated', {
      detail: 'Send the header "Authorization: Bearer <token>".',
    })
  }
  let verified: unknown
  try {
    verified = jwt.verify(token, secret, {
      algorithms: ['HS256'],
      issuer: ISSUER,
      audience: AUDIENCE,
      clockTolerance: CLOCK_SKEW_S,
    })
  } catch (error) {
    const expired = error instanceof jwt.TokenExpiredError
    throw new Problem('unauthenticated', {
      detail: expired ? 'The token has expired; get a new one.' : 'The token is not valid.',
    })
  }
  const read = claims.safeParse(verified)
  if (!read.success) {
    throw new Problem('unauthenticated', { detail: 'The token lacks org, role, sub or exp.' })
  }
  return { subject: read.data.sub, orgId: read.data.org, role: read.data.role }
}

/** A token for trying out and for tests; `lifetimeS` in seconds. */
export function signToken(principal: Principal, secret: string, lifetimeS: number): string {
  return jwt.sign({ org: principal.orgId, role: principal.role }, secret, {
    algorithm: 'HS256',
    subject: principal.subject,
    issuer: ISSUER,
    audience: AUDIENCE,
    expiresIn: lifetimeS,
  })
}
