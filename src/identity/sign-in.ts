/** Coming in by password: signing in, accepting an invitation, changing the password. */
import { setTimeout as delay } from 'node:timers/promises'
import { notePeople } from '../audit/append.ts'
import type { Database, Trx } from '../base/db.ts'
import { Problem } from '../base/problem.ts'
import { invited, useInvitation } from './invitations.ts'
import { organisationOf } from './organisations.ts'
import { checkPassword, hashPassword, passwordFault } from './passwords.ts'
import { startSession, type Origin } from './sessions.ts'
import { countAttempt, noteInvitationSeen, noteSignIn, setPassword, type User } from './users.ts'

export interface SignedIn {
  user: User
  token: string
  sessionId: string
  expiresAt: Date
}

/** Rows of one user, which nothing else depends on. */
export const ONE_ROW = { isolation: 'read committed' } as const

/** A refusal comes at the end of such a slot, whatever was looked up for it. */
const SLOT_MS = 250

/**
 * A session for who knows the password. Throws `sign_in_failed` in the same words and after the
 * same time for an unknown organisation, an unknown email, a wrong password and a locked user.
 */
export async function signIn(
  db: Database,
  asked: { organisation: string; email: string; password: string },
  how: { origin: Origin; jwtSecret: string },
): Promise<SignedIn> {
  const begun = performance.now()
  const signedIn = await trySignIn(db, asked, how)
  if (signedIn === undefined) {
    const passed = performance.now() - begun
    await delay(SLOT_MS - (passed % SLOT_MS))
    throw signInFailed()
  }
  return signedIn
}

export function signInFailed(): Problem {
  const detail = 'Check the organisation, the email and the password. Many failures lock the user.'
  return new Problem('sign_in_failed', { detail })
}

async function trySignIn(
  db: Database,
  asked: { organisation: string; email: string; password: string },
  how: { origin: Origin; jwtSecret: string },
): Promise<SignedIn | undefined> {
  const orgId = await organisationOf(db, asked.organisation)
  const found =
    orgId === undefined
      ? undefined
      : await db.transact(orgId, async (trx) => await countAttempt(trx, asked), ONE_ROW)
  const { isRight, isOutdated } = await checkPassword(asked.password, found?.hash ?? null)
  if (orgId === undefined || found === undefined) {
    return undefined
  }
  if (!isRight) {
    // At most ten in a row: whoever is locked is not counted, and not noted either.
    const { userId } = found
    await db.transact(
      orgId,
      async (trx) => await note(trx, userId, 'signInRefused', how.origin),
      ONE_ROW,
    )
    return undefined
  }
  const renewed = isOutdated ? await hashPassword(asked.password) : null
  const enter = { userId: found.userId, password: { hash: found.hash, renewed } }
  return await db.transact(
    orgId,
    async (trx) => await open(trx, enter, { ...how, method: 'password' }),
    ONE_ROW,
  )
}

/** Starts a session for a user who has shown who he is; undefined where he may not come in. */
export async function open(
  trx: Trx,
  who: { userId: string; password: { hash: string; renewed: string | null } | null },
  how: { method: 'password' | 'oidc'; origin: Origin; jwtSecret: string },
): Promise<SignedIn | undefined> {
  const user = await noteSignIn(trx, who.userId, who.password)
  if (user === undefined) {
    return undefined
  }
  await note(trx, who.userId, 'signIn', how.origin, { method: how.method })
  return { user, ...(await startSession(trx, who.userId, how)) }
}

/** Notes of a user how he came in, or did not. */
export async function note(
  trx: Trx,
  userId: string,
  operation: string,
  origin: Origin,
  after: object | null = null,
): Promise<void> {
  const actor = `user:${userId}`
  await notePeople(trx, { ...origin, actor, operation, before: null, after, reason: null })
}

/**
 * Sets the password of who was invited; gives whom. The invitation is used up, and sessions from
 * before end. Throws `invalid_invitation` and `weak_password`.
 */
export async function acceptInvitation(
  db: Database,
  asked: { token: string; password: string },
  origin: Origin,
): Promise<{ email: string }> {
  const who = await invited(db, asked.token)
  if (who === undefined) {
    throw invalidInvitation()
  }
  assertAccepted(asked.password, who.email)
  const hash = await hashPassword(asked.password)
  await db.transact(
    who.orgId,
    async (trx) => {
      const used = await useInvitation(trx, asked.token)
      if (used === undefined || !(await setPassword(trx, who.userId, { hash, session: null }))) {
        throw invalidInvitation()
      }
      await noteInvitationSeen(trx, who.userId, used.shownTo)
      await note(trx, who.userId, 'acceptInvitation', origin)
    },
    ONE_ROW,
  )
  return { email: who.email }
}

function invalidInvitation(): Problem {
  const detail = 'It was used, replaced by another, or is older than a week; ask for a new one.'
  return new Problem('invalid_invitation', { detail })
}

function assertAccepted(password: string, email: string): void {
  const fault = passwordFault(password, email)
  if (fault !== undefined) {
    throw new Problem('weak_password', { detail: fault })
  }
}

/**
 * Changes one's own password, and ends one's other sessions. A wrong one counts like a failed
 * sign-in. `noted` writes who did it, beside it. Throws `sign_in_failed` and `weak_password`.
 */
export async function changePassword(
  db: Database,
  orgId: number,
  user: { userId: string; email: string; sessionId: string },
  asked: { current: string; fresh: string },
  noted: (trx: Trx) => Promise<void>,
): Promise<void> {
  assertAccepted(asked.fresh, user.email)
  const found = await db.transact(orgId, async (trx) => await countAttempt(trx, user), ONE_ROW)
  const { isRight } = await checkPassword(asked.current, found?.hash ?? null)
  if (found === undefined || !isRight) {
    throw signInFailed()
  }
  const hash = await hashPassword(asked.fresh)
  const isSet = await db.transact(
    orgId,
    async (trx) => {
      const how = { hash, before: found.hash, session: user.sessionId }
      const isDone = await setPassword(trx, user.userId, how)
      await noted(trx)
      return isDone
    },
    ONE_ROW,
  )
  if (!isSet) {
    throw signInFailed()
  }
}
