/** The emails of invitations as rows: promised with the invitation, seen by admins. */
import { seal, sha256, type Keyring } from '../base/crypto.ts'
import type { Trx } from '../base/db.ts'
import { newId } from '../base/ids.ts'
import { traceContext } from '../base/tracing.ts'

export const INVITATION_EMAIL_STATES = [
  'waiting',
  'claimed',
  'sending',
  'sent',
  'refused',
  'unconfirmed',
  'dead',
  'withdrawn',
] as const

export type InvitationEmailState = (typeof INVITATION_EMAIL_STATES)[number]

/**
 * Promises an invitation's email in the transaction that invites. `pageUrl` is where the secret is
 * put in; the secret itself is encrypted until it is sent.
 */
export async function promiseEmail(
  trx: Trx,
  keyring: Keyring,
  invitation: { userId: string; token: string },
  pageUrl: string,
): Promise<void> {
  const emailId = newId('eml')
  const { userId, token } = invitation
  await trx.query(
    `insert into invitation_emails (org_id, email_id, user_id, token_hash, token_sealed, page_url,
       trace_context)
     values ($1, $2, $3, $4, $5, $6, $7)`,
    [
      trx.scope,
      emailId,
      userId,
      sha256(token),
      seal(keyring, token, emailId),
      pageUrl,
      traceContext(),
    ],
  )
}

/** The newest email of a user's invitation, as an admin may see it. */
export interface InvitationEmail {
  state: InvitationEmailState
  attempts: number
  sent_at: Date | null
  last_error: string | null
}

/** The email of an invitation; undefined for one that was never promised one. */
export async function emailOf(trx: Trx, tokenHash: Buffer): Promise<InvitationEmail | undefined> {
  const [row] = await trx.query<InvitationEmail>(
    `select state, attempts, sent_at, last_error from invitation_emails
      where org_id = $1 and token_hash = $2`,
    [trx.scope, tokenHash],
  )
  return row
}
