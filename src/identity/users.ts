/** The people of an organisation: who they are, as what, and with which password. */
import type { Trx } from '../base/db.ts'
import { newId } from '../base/ids.ts'
import { Problem } from '../base/problem.ts'
import { unbind } from './identities.ts'
import { endInvitation } from './invitations.ts'
import type { Role } from './roles.ts'
import { endSessions } from './sessions.ts'

export interface User {
  userId: string
  email: string
  name: string
  role: Role
  state: 'active' | 'disabled'
  hasPassword: boolean
  /** He came in by an identity provider before, and is who he was there. */
  hasIdentity: boolean
  /** The person who saw the secret by which he set his password; null for nobody but him. */
  invitationShownTo: string | null
  lockedUntil: Date | null
  signedInAt: Date | null
  createdBy: string
  createdAt: Date
  updatedAt: Date
}

interface UserRow {
  user_id: string
  email: string
  name: string
  role: Role
  state: User['state']
  has_password: boolean
  has_identity: boolean
  invitation_shown_to: string | null
  locked_until: Date | null
  signed_in_at: Date | null
  created_by: string
  created_at: Date
  updated_at: Date
}

const COLUMNS = `user_id, email, name, role, state, password_hash is not null as has_password,
  exists (select from user_identities i
           where i.org_id = users.org_id and i.user_id = users.user_id) as has_identity,
  invitation_shown_to, case when locked_until > now() then locked_until end as locked_until,
  signed_in_at, created_by, created_at, updated_at`

function userOf(row: UserRow): User {
  return {
    userId: row.user_id,
    email: row.email,
    name: row.name,
    role: row.role,
    state: row.state,
    hasPassword: row.has_password,
    hasIdentity: row.has_identity,
    invitationShownTo: row.invitation_shown_to,
    lockedUntil: row.locked_until,
    signedInAt: row.signed_in_at,
    createdBy: row.created_by,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  }
}

/** Users, newest first, those before `after`. */
export async function listUsers(
  trx: Trx,
  page: { limit: number; after: string | null },
): Promise<User[]> {
  const rows = await trx.query<UserRow>(
    `select ${COLUMNS} from users
      where org_id = $1 and ($2::text is null or user_id < $2) order by user_id desc limit $3`,
    [trx.scope, page.after, page.limit],
  )
  return rows.map(userOf)
}

export async function findUser(trx: Trx, userId: string): Promise<User | undefined> {
  const [row] = await trx.query<UserRow>(
    `select ${COLUMNS} from users where org_id = $1 and user_id = $2`,
    [trx.scope, userId],
  )
  return row === undefined ? undefined : userOf(row)
}

/** The active user with that email. */
export async function activeUser(trx: Trx, email: string): Promise<User | undefined> {
  const [row] = await trx.query<UserRow>(
    `select ${COLUMNS} from users where org_id = $1 and email = $2 and state = 'active'`,
    [trx.scope, email],
  )
  return row === undefined ? undefined : userOf(row)
}

/** A new user without a password. Throws `user_exists` where another one has the email. */
export async function createUser(
  trx: Trx,
  asked: { email: string; name: string; role: Role },
  actor: string,
): Promise<User> {
  const [row] = await trx.query<UserRow>(
    `insert into users (org_id, user_id, email, name, role, created_by, updated_by)
     values ($1, $2, $3, $4, $5, $6, $6) on conflict (org_id, email) do nothing
     returning ${COLUMNS}`,
    [trx.scope, newId('usr'), asked.email, asked.name, asked.role, actor],
  )
  if (row === undefined) {
    throw new Problem('user_exists', { detail: `${asked.email} is a user already.` })
  }
  return userOf(row)
}

/**
 * Changes what is given; undefined where there is no such user. Who is disabled is out at once: his
 * sessions and his invitation end. Throws `last_admin` for the last active admin.
 */
export async function changeUser(
  trx: Trx,
  userId: string,
  change: {
    name?: string | undefined
    role?: Role | undefined
    state?: User['state'] | undefined
  },
  actor: string,
): Promise<User | undefined> {
  const [row] = await trx
    .query<UserRow>(
      `update users set name = coalesce($3, name), role = coalesce($4, role),
          state = coalesce($5, state), updated_by = $6, updated_at = now()
        where org_id = $1 and user_id = $2 returning ${COLUMNS}`,
      [trx.scope, userId, change.name, change.role, change.state, actor],
    )
    .catch((error: unknown) => {
      throw refusesLastAdmin(error) ? lastAdmin() : error
    })
  if (row?.state === 'disabled') {
    await endSessions(trx, userId, null)
    await endInvitation(trx, userId)
  }
  return row === undefined ? undefined : userOf(row)
}

/** The database counts under locks, so that it is asked and not guessed at before. */
function refusesLastAdmin(error: unknown): boolean {
  return error instanceof Error && error.message === 'bahi: the last active admin stays'
}

function lastAdmin(): Problem {
  const detail = 'This is the last active admin; make somebody else one first.'
  return new Problem('last_admin', { detail })
}

/** Takes away every way in, by password and by identity provider; nobody who came by one stays. */
export async function takeWaysIn(trx: Trx, userId: string, actor: string): Promise<void> {
  await trx.query(
    `update users set password_hash = null, invitation_shown_to = null, failed_attempts = 0,
        locked_until = null, updated_by = $3, updated_at = now()
      where org_id = $1 and user_id = $2`,
    [trx.scope, userId, actor],
  )
  await unbind(trx, userId)
  await endSessions(trx, userId, null)
}

/**
 * Sets a password, and ends all sessions but `session`. False where the user is not active, or has
 * another password than the one with the hash `before` (undefined: whichever).
 */
export async function setPassword(
  trx: Trx,
  userId: string,
  asked: { hash: string; before?: string; session: string | null },
): Promise<boolean> {
  const rows = await trx.query(
    `update users set password_hash = $3, failed_attempts = 0, locked_until = null,
        updated_by = 'user:' || user_id, updated_at = now()
      where org_id = $1 and user_id = $2 and state = 'active'
        and ($4::text is null or password_hash = $4)
      returning 1`,
    [trx.scope, userId, asked.hash, asked.before],
  )
  await endSessions(trx, userId, asked.session)
  return rows.length > 0
}

/** Notes who saw the secret by which a user has just set his password, beside himself. */
export async function noteInvitationSeen(
  trx: Trx,
  userId: string,
  shownTo: string | null,
): Promise<void> {
  await trx.query('update users set invitation_shown_to = $3 where org_id = $1 and user_id = $2', [
    trx.scope,
    userId,
    shownTo,
  ])
}

/** Failures in a row after which nobody gets in for a while, and how long that is at first. */
export const ATTEMPTS_MAX = 10
export const LOCK_MINUTES = 15

/**
 * Counts an attempt at a password before it is looked at, so that many at the same time are no
 * way around the limit; gives the hash to compare with. Undefined where there is nothing to try:
 * no such user, not active, without a password, or locked (15 minutes, doubling to a day).
 */
export async function countAttempt(
  trx: Trx,
  who: { email: string } | { userId: string },
): Promise<{ userId: string; hash: string } | undefined> {
  const [column, value] = 'email' in who ? ['email', who.email] : ['user_id', who.userId]
  const [row] = await trx.query<{ user_id: string; password_hash: string }>(
    `update users set failed_attempts = failed_attempts + 1,
        locked_until = case when failed_attempts + 1 >= $3 then
          now() + least(interval '1 day',
            make_interval(mins => $4) * power(2, least(failed_attempts + 1 - $3, 10))) end
      where org_id = $1 and ${column} = $2 and state = 'active' and password_hash is not null
        and (locked_until is null or locked_until <= now())
      returning user_id, password_hash`,
    [trx.scope, value, ATTEMPTS_MAX, LOCK_MINUTES],
  )
  return row === undefined ? undefined : { userId: row.user_id, hash: row.password_hash }
}

/**
 * Notes that somebody got in, with a hash made anew where there is one. Undefined where he is not
 * active any more, or got in with a password that is not his any more.
 */
export async function noteSignIn(
  trx: Trx,
  userId: string,
  password: { hash: string; renewed: string | null } | null,
): Promise<User | undefined> {
  const [row] = await trx.query<UserRow>(
    `update users set failed_attempts = 0, locked_until = null, signed_in_at = now(),
        password_hash = coalesce($4, password_hash)
      where org_id = $1 and user_id = $2 and state = 'active'
        and ($3::text is null or password_hash = $3)
      returning ${COLUMNS}`,
    [trx.scope, userId, password?.hash, password?.renewed],
  )
  return row === undefined ? undefined : userOf(row)
}
