/** JWTs: the installation's own by a secret, an identity provider's by its published keys. */
import jwt from 'jsonwebtoken'
import { z } from 'zod'
import type { Config } from '../base/config.ts'
import { unknownCaller, type Caller } from './caller.ts'
import type { Jwks } from './jwks.ts'
import { folded } from './persons.ts'
import { ROLES, type Role } from './roles.ts'

const ISSUER = 'bahi'
const AUDIENCE = 'bahi-api'
const CLOCK_SKEW_S = 30
/** What is not seen, or not by itself, could make two names of one. */
const SUBJECT =
  /^(?!\s)[^\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Default_Ignorable_Code_Point}\u2028\u2029]{1,200}(?<!\s)$/u
/** Names of users, keys and our own doings, which no token may take however it writes them. */
const TAKEN = /^(?:user|key|token|job|script|operator) ?:|^operator$/

const claims = z.object({
  sub: z
    .string()
    .regex(SUBJECT)
    .refine((text) => !TAKEN.test(folded(text))),
  org: z.int32().positive(),
  role: z.enum(ROLES),
  exp: z.int(),
})

/** How a token is checked: with which key, and so by which algorithm, and whose it has to be. */
interface Check {
  key: jwt.Secret | jwt.PublicKey
  algorithm: jwt.Algorithm
  issuer: string
  audience: string
}

/**
 * Whom a token speaks of. The key decides the algorithm: a token with a key id is the provider's
 * where there is one, and any other has to be signed with our secret. Throws `unauthenticated`.
 */
export async function tokenCaller(
  token: string,
  trust: Pick<Config, 'jwtSecret' | 'jwks'> & { keys: Jwks | null },
): Promise<Caller> {
  const header = headerOf(token)
  const check = await checkFor(header, trust)
  if (check === undefined) {
    throw notValid()
  }
  let verified: unknown
  try {
    verified = jwt.verify(token, check.key, {
      algorithms: [check.algorithm],
      issuer: check.issuer,
      audience: check.audience,
      clockTolerance: CLOCK_SKEW_S,
    })
  } catch (error) {
    throw error instanceof jwt.TokenExpiredError
      ? unknownCaller('The token has expired; get a new one.')
      : notValid()
  }
  const read = claims.safeParse(verified)
  if (!read.success) {
    throw unknownCaller('The token lacks org, role, sub or exp, or its sub cannot be a name here.')
  }
  const { sub: subject, org: orgId, role } = read.data
  return { subject, orgId, role, only: null, ownerRole: null, user: null }
}

function notValid() {
  return unknownCaller('The token is not valid.')
}

/** What a token says about how it is to be read; nothing of it is believed but the key's id. */
function headerOf(token: string): Record<string, unknown> {
  try {
    const decoded = jwt.decode(token, { complete: true })
    return decoded === null ? {} : { ...decoded.header }
  } catch {
    // What cannot be decoded cannot be verified either, and is refused there.
    return {}
  }
}

async function checkFor(
  header: Record<string, unknown>,
  { jwtSecret, jwks, keys }: Pick<Config, 'jwtSecret' | 'jwks'> & { keys: Jwks | null },
): Promise<Check | undefined> {
  const { kid, crit } = header
  if (crit !== undefined) {
    // Extensions that must be understood (RFC 7515, 4.1.11); none is.
    return undefined
  }
  if (kid === undefined || jwks === null || keys === null) {
    return { key: jwtSecret, algorithm: 'HS256', issuer: ISSUER, audience: AUDIENCE }
  }
  if (typeof kid !== 'string' || kid.length > 200) {
    return undefined
  }
  const known = await keys.find(kid)
  return known === undefined
    ? undefined
    : { ...known, issuer: jwks.issuer, audience: jwks.audience }
}

/** A token for trying out and for tests; `lifetimeS` in seconds. */
export function signToken(
  principal: { subject: string; orgId: number; role: Role },
  secret: string,
  lifetimeS: number,
): string {
  return jwt.sign({ org: principal.orgId, role: principal.role }, secret, {
    algorithm: 'HS256',
    subject: principal.subject,
    issuer: ISSUER,
    audience: AUDIENCE,
    expiresIn: lifetimeS,
  })
}
