/** Whether an organisation's invitations go by email only, or are shown to who invites as well. */
import type { Trx } from '../base/db.ts'

export interface InvitationSettings {
  emailOnly: boolean
  updatedBy: string | null
  updatedAt: Date | null
}

/** What the organisation has chosen; until it does, invitations are shown as well. */
export async function invitationSettings(trx: Trx): Promise<InvitationSettings> {
  const [row] = await trx.query<InvitationSettings>(
    `select email_only as "emailOnly", updated_by as "updatedBy", updated_at as "updatedAt"
       from invitation_settings where org_id = $1`,
    [trx.scope],
  )
  return row ?? { emailOnly: false, updatedBy: null, updatedAt: null }
}

/** Sets it; invitations from before stay as they were made. */
export async function setInvitationSettings(
  trx: Trx,
  emailOnly: boolean,
  actor: string,
): Promise<InvitationSettings> {
  await trx.query(
    `insert into invitation_settings (org_id, email_only, updated_by) values ($1, $2, $3)
     on conflict (org_id) do update set email_only = excluded.email_only,
       updated_by = excluded.updated_by, updated_at = now()`,
    [trx.scope, emailOnly, actor],
  )
  return await invitationSettings(trx)
}
