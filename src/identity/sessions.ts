/** Sessions of signed-in users: at most 12 hours, and 60 minutes without a request. */
import { sha256 } from '../base/crypto.ts'
import type { Database, Trx } from '../base/db.ts'
import { newId } from '../base/ids.ts'
import type { Caller } from './caller.ts'
import type { Role } from './roles.ts'
import { newStampedSecret } from './secrets.ts'

export const SESSION_HOURS = 12
export const SESSION_IDLE_MINUTES = 60
/** Of one user; a new one beyond it ends the oldest. */
export const SESSIONS_MAX = 20
const PREFIX = 'bahi_session_'

/** From where somebody signs in: for his own list of sessions, and for the audit of people. */
export interface Origin {
  requestId: string | null
  ip: string | null
  userAgent: string | null
  target: string | null
}

const USER_AGENT_MAX = 200
const ADDRESS_MAX = 64

export interface Session {
  sessionId: string
  method: 'password' | 'oidc'
  userAgent: string | null
  remoteAddress: string | null
  createdAt: Date
  lastUsedAt: Date
  expiresAt: Date
}

/** Starts a session of a user; the token is shown here and never again. */
export async function startSession(
  trx: Trx,
  userId: string,
  how: { method: Session['method']; origin: Origin; jwtSecret: string },
): Promise<{ token: string; sessionId: string; expiresAt: Date }> {
  await trx.query(
    `delete from sessions where org_id = $1 and user_id = $2 and (
       expires_at <= now() or session_id in (
         select session_id from sessions where org_id = $1 and user_id = $2
          order by created_at desc, session_id desc offset $3))`,
    [trx.scope, userId, SESSIONS_MAX - 1],
  )
  const { secret: token, hash } = newStampedSecret(PREFIX, how.jwtSecret)
  const sessionId = newId('ses')
  const [row] = await trx.query<{ expires_at: Date }>(
    `insert into sessions (org_id, session_id, user_id, token_hash, method, user_agent,
       remote_address)
     values ($1, $2, $3, $4, $5, $6, $7) returning expires_at`,
    [
      trx.scope,
      sessionId,
      userId,
      hash,
      how.method,
      how.origin.userAgent?.slice(0, USER_AGENT_MAX),
      how.origin.ip?.slice(0, ADDRESS_MAX),
    ],
  )
  return { token, sessionId, expiresAt: row?.expires_at ?? new Date() }
}

/** True for text that has the form of a session's token. */
export function isSessionToken(text: string): boolean {
  return /^bahi_session_[\w-]{43}$/.test(text)
}

/** Whose session that token is, where it still runs; each minute of use is noted. */
export async function sessionCaller(db: Database, token: string): Promise<Caller | undefined> {
  const hash = sha256(token)
  const [row] = await db.statement<{
    org_id: number
    session_id: string
    user_id: string
    role: Role
    is_noted: boolean
  }>(
    `select s.org_id, s.session_id, s.user_id, u.role,
            s.last_used_at > now() - interval '1 minute' as is_noted
       from sessions s
       join users u on u.org_id = s.org_id and u.user_id = s.user_id and u.state = 'active'
       join organisations o on o.org_id = s.org_id and o.state = 'active'
      where s.token_hash = $1 and s.expires_at > now()
        and s.last_used_at > now() - make_interval(mins => $2)`,
    [hash, SESSION_IDLE_MINUTES],
  )
  if (row === undefined) {
    return undefined
  }
  if (!row.is_noted) {
    await db.statement(
      `update sessions set last_used_at = now()
        where token_hash = $1 and last_used_at < now() - interval '1 minute'`,
      [hash],
    )
  }
  return {
    subject: `user:${row.user_id}`,
    orgId: row.org_id,
    role: row.role,
    only: null,
    ownerRole: null,
    user: { userId: row.user_id, sessionId: row.session_id },
  }
}

/** The sessions of a user that still run, newest first. */
export async function listSessions(trx: Trx, userId: string): Promise<Session[]> {
  const rows = await trx.query<{
    session_id: string
    method: Session['method']
    user_agent: string | null
    remote_address: string | null
    created_at: Date
    last_used_at: Date
    expires_at: Date
  }>(
    `select session_id, method, user_agent, remote_address, created_at, last_used_at, expires_at
       from sessions
      where org_id = $1 and user_id = $2 and expires_at > now()
        and last_used_at > now() - make_interval(mins => $3)
      order by created_at desc, session_id desc limit $4`,
    [trx.scope, userId, SESSION_IDLE_MINUTES, SESSIONS_MAX],
  )
  return rows.map((row) => ({
    sessionId: row.session_id,
    method: row.method,
    userAgent: row.user_agent,
    remoteAddress: row.remote_address,
    createdAt: row.created_at,
    lastUsedAt: row.last_used_at,
    expiresAt: row.expires_at,
  }))
}

/** Ends one session of a user; false where he has no such session. */
export async function endSession(trx: Trx, userId: string, sessionId: string): Promise<boolean> {
  const rows = await trx.query(
    `delete from sessions where org_id = $1 and user_id = $2 and session_id = $3 returning 1`,
    [trx.scope, userId, sessionId],
  )
  return rows.length > 0
}

/** Ends all sessions of a user, but for the one that may go on. */
export async function endSessions(trx: Trx, userId: string, but: string | null): Promise<void> {
  await trx.query(
    `delete from sessions
      where org_id = $1 and user_id = $2 and session_id is distinct from $3`,
    [trx.scope, userId, but],
  )
}

/** Forgets sessions that were over so many days ago, of all organisations; gives how many. */
export async function forgetSessions(db: Database, days: number, most: number): Promise<number> {
  const rows = await db.statement(
    `delete from sessions s
      using (select org_id, session_id from sessions
              where expires_at < now() - make_interval(days => $1)
              order by expires_at limit $2
              for update skip locked) old
      where s.org_id = old.org_id and s.session_id = old.session_id
     returning 1`,
    [days, most],
  )
  return rows.length
}
