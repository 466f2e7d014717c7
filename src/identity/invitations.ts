/** Invitations: a secret that is shown once, with which a user sets his password within a week. */
import { sha256 } from '../base/crypto.ts'
import type { Database, Trx } from '../base/db.ts'
import { newSecret } from './secrets.ts'

export const INVITATION_DAYS = 7
const PREFIX = 'bahi_invitation_'

/**
 * A new invitation of a user in place of the one that he may have. `shownTo` is the person who gets
 * to see its secret beside him; null where only the email has it.
 */
export async function invite(
  trx: Trx,
  userId: string,
  actor: string,
  shownTo: string | null,
): Promise<{ token: string; expiresAt: Date }> {
  await endInvitation(trx, userId)
  const { secret: token, hash } = newSecret(PREFIX)
  const [row] = await trx.query<{ expires_at: Date }>(
    `insert into user_invitations (org_id, user_id, token_hash, created_by, shown_to, expires_at)
     values ($1, $2, $3, $4, $5, now() + make_interval(days => $6)) returning expires_at`,
    [trx.scope, userId, hash, actor, shownTo, INVITATION_DAYS],
  )
  return { token, expiresAt: row?.expires_at ?? new Date() }
}

export async function endInvitation(trx: Trx, userId: string): Promise<void> {
  await trx.query(`delete from user_invitations where org_id = $1 and user_id = $2`, [
    trx.scope,
    userId,
  ])
}

/** Whom an invitation is for; undefined where it is unknown, used or too old. */
export async function invited(
  db: Database,
  token: string,
): Promise<{ orgId: number; userId: string; email: string } | undefined> {
  const [row] = await db.statement<{ org_id: number; user_id: string; email: string }>(
    `select i.org_id, i.user_id, u.email
       from user_invitations i
       join users u on u.org_id = i.org_id and u.user_id = i.user_id and u.state = 'active'
       join organisations o on o.org_id = i.org_id and o.state = 'active'
      where i.token_hash = $1 and i.expires_at > now()`,
    [sha256(token)],
  )
  return row === undefined
    ? undefined
    : { orgId: row.org_id, userId: row.user_id, email: row.email }
}

/** Uses an invitation up, and gives who saw it; undefined where somebody else just did. */
export async function useInvitation(
  trx: Trx,
  token: string,
): Promise<{ shownTo: string | null } | undefined> {
  const [row] = await trx.query<{ shownTo: string | null }>(
    `delete from user_invitations where org_id = $1 and token_hash = $2 and expires_at > now()
     returning shown_to as "shownTo"`,
    [trx.scope, sha256(token)],
  )
  return row
}

/** An invitation as an admin may see it; the hash finds its email. */
export interface Invitation {
  tokenHash: Buffer
  createdBy: string
  createdAt: Date
  expiresAt: Date
}

/** The invitation that a user has, expired too; undefined where he has none or has used it. */
export async function invitationOf(trx: Trx, userId: string): Promise<Invitation | undefined> {
  const [row] = await trx.query<Invitation>(
    `select token_hash as "tokenHash", created_by as "createdBy", created_at as "createdAt",
            expires_at as "expiresAt"
       from user_invitations where org_id = $1 and user_id = $2`,
    [trx.scope, userId],
  )
  return row
}
