/** The emails of invitations as rows: promised with the invitation, claimed, sent or given up. */
import { seal, sha256, unseal, type Keyring } from '../base/crypto.ts'
import type { Database, Trx } from '../base/db.ts'
import { newId } from '../base/ids.ts'
import { traceContext, type TraceContext } from '../base/tracing.ts'

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

/** Claimed at once, and sent at the same time. */
const CLAIM_MAX = 5
/** A claim ends after this time, which is longer than SES may take: its worker is dead then. */
export const CLAIM_MS = 180_000
/** SES has no idempotency key: where nobody knows whether it took one, a second one goes out. */
export const UNKNOWN_MAX = 2

/** An email in hand, with all that it says. */
export interface ClaimedEmail {
  email_id: string
  attempts: number
  unknown_attempts: number
  token_sealed: Buffer
  page_url: string
  trace_context: TraceContext | null
  to_name: string
  to_address: string
  expires_at: Date
  legal_name: string
  mail_from: string
  mail_from_name: string
}

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

/** The secret that an email takes to its user. */
export function tokenOf(email: ClaimedEmail, keyring: Keyring): string {
  return unseal(keyring, email.token_sealed, email.email_id).toString()
}

/** Takes due emails of an organisation in hand; what is of no use any more is withdrawn. */
export async function claimEmails(db: Database, orgId: number): Promise<ClaimedEmail[]> {
  return await db.transact(
    orgId,
    async (trx) => {
      await giveUp(trx)
      await withdraw(trx)
      return await trx.query<ClaimedEmail>(
        `with due as (
           select org_id, email_id from invitation_emails
            where org_id = $1 and next_try_at <= now()
              and (state in ('waiting', 'claimed')
                   or (state = 'sending' and unknown_attempts + 1 < $4))
            order by next_try_at, email_id limit $2
            for update skip locked
         ), mine as (
           update invitation_emails e
              set state = 'claimed', attempts = e.attempts + 1,
                  unknown_attempts =
                    e.unknown_attempts + case e.state when 'sending' then 1 else 0 end,
                  next_try_at = now() + $3 * interval '1 millisecond'
             from due where e.org_id = due.org_id and e.email_id = due.email_id
           returning e.*
         )
         select m.email_id, m.attempts, m.unknown_attempts, m.token_sealed, m.page_url,
                m.trace_context, u.name as to_name, u.email as to_address, i.expires_at,
                o.legal_name, o.mail_from, o.mail_from_name
           from mine m
           join users u on u.org_id = m.org_id and u.user_id = m.user_id
           join user_invitations i on i.org_id = m.org_id and i.token_hash = m.token_hash
           join organisations o on o.org_id = m.org_id`,
        [orgId, CLAIM_MAX, CLAIM_MS, UNKNOWN_MAX],
      )
    },
    { isolation: 'read committed' },
  )
}

/** What was handed to SES by a worker that died then, and not for the first time. */
async function giveUp(trx: Trx): Promise<void> {
  await trx.query(
    `update invitation_emails
        set state = 'unconfirmed', token_sealed = null, unknown_attempts = unknown_attempts + 1,
            last_error = 'its worker died, and SES may have taken it'
      where org_id = $1 and state = 'sending' and next_try_at <= now()
        and unknown_attempts + 1 >= $2`,
    [trx.scope, UNKNOWN_MAX],
  )
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

/**
 * Notes that the email goes to SES now: a worker that dies before did not send it, one that dies
 * after may have. False where the claim was lost to another worker.
 */
export async function handOver(db: Database, orgId: number, one: ClaimedEmail): Promise<boolean> {
  const rows = await db.transact(
    orgId,
    async (trx) =>
      await trx.query(
        `update invitation_emails set state = 'sending'
          where org_id = $1 and email_id = $2 and state = 'claimed' and attempts = $3
         returning 1`,
        [orgId, one.email_id, one.attempts],
      ),
    { isolation: 'read committed' },
  )
  return rows.length > 0
}

/** What an attempt leaves. */
export interface Left {
  state: 'waiting' | 'sent' | 'refused' | 'unconfirmed' | 'dead'
  waitMs: number
  messageId: string | null
  error: string | null
  isUnknown: boolean
}

/** Notes what an attempt left. A worker that lost its claim may still say that it sent. */
export async function recordEmail(
  db: Database,
  orgId: number,
  one: ClaimedEmail,
  left: Left,
): Promise<void> {
  await db.transact(
    orgId,
    async (trx) =>
      await trx.query(
        `update invitation_emails
            set state = $3, message_id = $4, sent_at = case when $3 = 'sent' then now() end,
                token_sealed = case when $3 = 'waiting' then token_sealed end,
                last_error = $5, next_try_at = now() + $6 * interval '1 millisecond',
                unknown_attempts = unknown_attempts + $8
          where org_id = $1 and email_id = $2 and state <> 'sent'
            and ($3 = 'sent' or (state in ('claimed', 'sending') and attempts = $7))`,
        [
          orgId,
          one.email_id,
          left.state,
          left.messageId,
          left.error,
          left.waitMs,
          one.attempts,
          left.isUnknown ? 1 : 0,
        ],
      ),
    { isolation: 'read committed' },
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
