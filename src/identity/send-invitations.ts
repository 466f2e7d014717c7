/** Sends invitations by email, each once; a failure is tried again or ends where admins see it. */
import { setTimeout as delay } from 'node:timers/promises'
import { delayAfter, type Backoff } from '../base/backoff.ts'
import { indianDate } from '../base/clock.ts'
import type { Keyring } from '../base/crypto.ts'
import { isConnectionError } from '../base/database-error.ts'
import type { Database } from '../base/db.ts'
import type { Log } from '../base/log.ts'
import type { Mail, Mailer, SendResult } from '../base/mail.ts'
import { invitationEmails } from '../base/metrics.ts'
import { messageOf } from '../base/problem.ts'
import { inSpan } from '../base/tracing.ts'
import {
  CLAIM_MS,
  claimEmails,
  handOver,
  recordEmail,
  tokenOf,
  UNKNOWN_MAX,
  type ClaimedEmail,
  type Left,
} from './invitation-emails.ts'

export interface SendingParts {
  db: Database
  keyring: Keyring
  mailer: Mailer
  log: Log
}

/** As receipts': a copy of an invitation does no harm, one that is lost keeps somebody out. */
const BACKOFF: Backoff = { firstMs: 4000, mostMs: 7_200_000, attemptsMax: 20 }
const UNKNOWN_PAUSE_MS = 600_000

/** Sends what is due for one organisation; gives how many emails it took in hand. */
export async function sendInvitations(parts: SendingParts, orgId: number): Promise<number> {
  const claimed = await claimEmails(parts.db, orgId)
  await Promise.all(
    claimed.map(async (email) => {
      const attributes = { 'bahi.email': email.email_id, 'bahi.attempt': email.attempts }
      const options = { parent: email.trace_context, attributes }
      await inSpan('send invitation', options, async () => await deliver(parts, orgId, email))
    }),
  )
  return claimed.length
}

async function deliver(parts: SendingParts, orgId: number, email: ClaimedEmail): Promise<void> {
  let result: SendResult
  try {
    const mail = mailOf(email, tokenOf(email, parts.keyring))
    if (!(await handOver(parts.db, orgId, email))) {
      return
    }
    result = await parts.mailer.send(mail)
  } catch (error) {
    parts.log.error({ err: error, emailId: email.email_id }, 'an invitation could not be sent')
    result = { outcome: 'later', reason: messageOf(error) }
  }
  const left = leftBy(email, result)
  invitationEmails.inc({ state: left.state })
  await recordSurely(parts, orgId, email, left)
}

/** What SES answered is worth several tries: forgetting it would send the email again. */
async function recordSurely(
  parts: SendingParts,
  orgId: number,
  email: ClaimedEmail,
  left: Left,
): Promise<void> {
  const deadline = Date.now() + CLAIM_MS / 2
  for (let pause = 100; ; pause *= 2) {
    try {
      await recordEmail(parts.db, orgId, email, left)
      return
    } catch (error) {
      if (!isConnectionError(error) || Date.now() > deadline) {
        throw error
      }
      parts.log.warn({ err: error, emailId: email.email_id }, 'result not yet recorded')
      await delay(pause)
    }
  }
}

function mailOf(email: ClaimedEmail, token: string): Mail {
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

function leftBy(email: ClaimedEmail, result: SendResult): Left {
  const isUnknown = result.outcome === 'unknown'
  const left = (state: Left['state'], waitMs = 0): Left => ({
    state,
    waitMs,
    messageId: result.outcome === 'sent' ? result.messageId : null,
    error: result.outcome === 'sent' ? null : result.reason.slice(0, 500),
    isUnknown,
  })
  switch (result.outcome) {
    case 'sent':
    case 'refused':
      return left(result.outcome)
    case 'later': {
      const waitMs = delayAfter(BACKOFF, email.attempts)
      return waitMs === null ? left('dead') : left('waiting', waitMs)
    }
    case 'unknown':
      return email.unknown_attempts + 1 >= UNKNOWN_MAX
        ? left('unconfirmed')
        : left('waiting', UNKNOWN_PAUSE_MS)
    default:
      return result satisfies never
  }
}
