/** Sends invitations by email, each once; a failure is tried again or ends where admins see it. */
import { indianDate } from '../base/clock.ts'
import { unseal, type Keyring } from '../base/crypto.ts'
import type { Trx } from '../base/db.ts'
import type { Mail } from '../base/mail.ts'
import { sendMails, type ClaimedMail, type MailParts } from '../base/mail-queue.ts'
import { invitationEmails } from '../base/metrics.ts'

export interface SendingParts extends MailParts {
  keyring: Keyring
}

/** An email in hand, with all that it says. */
interface Claimed extends ClaimedMail {
  token_sealed: Buffer
  page_url: string
  to_name: string
  to_address: string
  expires_at: Date
  legal_name: string
  mail_from: string
  mail_from_name: string
}

const READ = `select m.email_id, m.attempts, m.unknown_attempts, m.token_sealed, m.page_url,
       m.trace_context, u.name as to_name, u.email as to_address, i.expires_at,
       o.legal_name, o.mail_from, o.mail_from_name
  from mine m
  join users u on u.org_id = m.org_id and u.user_id = m.user_id
  join user_invitations i on i.org_id = m.org_id and i.token_hash = m.token_hash
  join organisations o on o.org_id = m.org_id`

/** Sends what is due for one organisation; gives how many emails it took in hand. */
export async function sendInvitations(parts: SendingParts, orgId: number): Promise<number> {
  return await sendMails<Claimed>(parts, orgId, {
    table: 'invitation_emails',
    read: READ,
    secret: 'token_sealed',
    withdraw,
    compose: (email) => ({ mail: mailOf(email, tokenOf(email, parts.keyring)) }),
    count: (state) => invitationEmails.inc({ state }),
    span: ({ email_id: id }) => ({ name: 'send invitation', attributes: { 'bahi.email': id } }),
  })
}

async function withdraw(trx: Trx): Promise<void> {
  await trx.query(
    `update invitation_emails e
        set state = 'withdrawn', token_sealed = null,
            last_error = 'the invitation was used, replaced or too old before it was sent'
      where e.org_id = $1 and e.state in ('waiting', 'claimed', 'sending')
        and e.next_try_at <= now()
        and not exists (
          select from user_invitations i
            join users u on u.org_id = i.org_id and u.user_id = i.user_id and u.state = 'active'
           where i.org_id = e.org_id and i.token_hash = e.token_hash and i.expires_at > now())`,
    [trx.scope],
  )
}

/** The secret that an email takes to its user. */
function tokenOf(email: Claimed, keyring: Keyring): string {
  return unseal(keyring, email.token_sealed, email.email_id).toString()
}

function mailOf(email: Claimed, token: string): Mail {
  return {
    from: { name: email.mail_from_name, address: email.mail_from },
    to: { name: email.to_name, address: email.to_address },
    subject: `Your invitation to the books of ${email.legal_name}`,
    text: [
      `Dear ${email.to_name},`,
      '',
      `${email.legal_name} invites you to its books. Set your password here:`,
      '',
      // Behind the #, so that it stands in no server's log.
      `${email.page_url}#${token}`,
      '',
      `It works once, until ${indianDate(email.expires_at)}; nobody else may have it.`,
      'If you do not know what this is about, do nothing.',
      '',
      email.mail_from_name,
    ].join('\n'),
    reference: email.email_id,
    attachments: [],
  }
}
