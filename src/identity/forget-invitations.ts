/** Forgets invitations that nobody can accept any more, and the emails that took them there. */
import type { Database } from '../base/db.ts'

/**
 * Forgets invitations that expired so many days ago; gives how many. One that is used is gone at
 * once. The user stays, and an admin can invite him anew.
 */
export async function forgetInvitations(db: Database, days: number, most: number): Promise<number> {
  const rows = await db.statement(
    `delete from user_invitations i
      using (select org_id, user_id, token_hash from user_invitations
              where expires_at < now() - make_interval(days => $1)
              order by expires_at limit $2) old
      where i.org_id = old.org_id and i.user_id = old.user_id and i.token_hash = old.token_hash
     returning 1`,
    [days, most],
  )
  return rows.length
}

/** Forgets emails that are over, so many days after they were promised; gives how many. */
export async function forgetInvitationEmails(
  db: Database,
  days: number,
  most: number,
): Promise<number> {
  const rows = await db.statement(
    `delete from invitation_emails e
      using (select org_id, email_id from invitation_emails n
              where created_at < now() - make_interval(days => $1)
                and state not in ('waiting', 'claimed', 'sending')
                and not exists (select from user_invitations i
                                 where i.org_id = n.org_id and i.token_hash = n.token_hash)
              order by created_at limit $2
              for update skip locked) old
      where e.org_id = old.org_id and e.email_id = old.email_id
     returning 1`,
    [days, most],
  )
  return rows.length
}
