/** Sends issued receipts by email, each once; a failure is tried again or ends visibly. */
import { setTimeout as delay } from 'node:timers/promises'
import { delayAfter, type Backoff } from '../base/backoff.ts'
import type { Keyring } from '../base/crypto.ts'
import { isConnectionError } from '../base/database-error.ts'
import type { Database, Trx } from '../base/db.ts'
import type { Files } from '../base/files.ts'
import type { Log } from '../base/log.ts'
import type { Mailer, SendResult } from '../base/mail.ts'
import { emails } from '../base/metrics.ts'
import { messageOf } from '../base/problem.ts'
import { inSpan, type TraceContext } from '../base/tracing.ts'
import { receiptPdf, recordPdfHash, type IssuedReceipt, type ReceiptPdf } from './receipt-file.ts'
import { tellOfEmails, type ToldEmail } from './tell.ts'

export interface DeliveryParts {
  db: Database
  files: Files
  keyring: Keyring
  mailer: Mailer
  log: Log
}

/** Claimed at once, and sent at the same time. */
const CLAIM_MAX = 5
/** A claim ends after this time, which is longer than SES may take: its worker is dead then. */
const CLAIM_MS = 180_000
/**
 * SES has no idempotency key. Where nobody knows whether it took the email, it is sent once more
 * after this time, because a lost receipt is worse than a second copy; after that nobody guesses.
 */
const UNKNOWN_PAUSE_MS = 600_000
const UNKNOWN_MAX = 2
const BACKOFF: Backoff = { firstMs: 4000, mostMs: 7_200_000, attemptsMax: 20 }

interface Claimed extends IssuedReceipt {
  email_id: string
  kind: 'issued' | 'cancelled'
  to_name: string
  to_address: string
  attempts: number
  unknown_attempts: number
  amount: bigint
  legal_name: string
  mail_from: string
  mail_from_name: string
  trace_context: TraceContext | null
}

/** Sends what is due for one organisation; gives how many emails it took in hand. */
export async function deliverReceipts(parts: DeliveryParts, orgId: number): Promise<number> {
  const claimed = await claim(parts.db, orgId)
  await Promise.all(
    claimed.map(async (email) => {
      const attributes = { 'bahi.receipt': email.receipt_id, 'bahi.attempt': email.attempts }
      const options = { parent: email.trace_context, attributes }
      await inSpan('send receipt', options, async () => await deliver(parts, orgId, email))
    }),
  )
  return claimed.length
}

async function claim(db: Database, orgId: number): Promise<Claimed[]> {
  return await db.transact(
    orgId,
    async (trx) => {
      await giveUp(trx)
      return await trx.query<Claimed>(
        `with due as (
         select org_id, email_id from receipt_emails
          where org_id = $1 and next_try_at <= now()
            and (state in ('waiting', 'claimed')
                 or (state = 'sending' and unknown_attempts + 1 < $4))
            and not exists (select from organisations o
                             where o.org_id = $1 and 'receipt_emails' = any(o.switched_off))
          order by next_try_at, email_id limit $2
          for update skip locked
       ), mine as (
         update receipt_emails e
            set state = 'claimed', attempts = e.attempts + 1,
                unknown_attempts =
                  e.unknown_attempts + case e.state when 'sending' then 1 else 0 end,
                next_try_at = now() + $3 * interval '1 millisecond'
           from due where e.org_id = due.org_id and e.email_id = due.email_id
         returning e.*
       )
       select m.email_id, m.kind, m.to_name, m.to_address, m.attempts,
              m.unknown_attempts, m.trace_context, r.receipt_id, r.number,
              r.document_sealed, r.pdf_sha256, r.amount, o.legal_name, o.mail_from,
              o.mail_from_name, l.bytes as logo
         from mine m
         join receipts r on r.org_id = m.org_id and r.receipt_id = m.receipt_id
         join organisations o on o.org_id = m.org_id
         left join organisation_logos l on l.org_id = r.org_id and l.sha256 = r.logo_sha256`,
        [orgId, CLAIM_MAX, CLAIM_MS, UNKNOWN_MAX],
      )
    },
    { isolation: 'read committed' },
  )
}

/** What was handed to SES by a worker that died then, and not for the first time. */
async function giveUp(trx: Trx): Promise<void> {
  const given = await trx.query<ToldEmail>(
    `update receipt_emails e
        set state = 'unconfirmed', unknown_attempts = e.unknown_attempts + 1,
            last_error = 'its worker died, and SES may have taken it'
       from receipts r
      where e.org_id = $1 and e.state = 'sending' and e.next_try_at <= now()
        and e.unknown_attempts + 1 >= $2 and r.org_id = $1 and r.receipt_id = e.receipt_id
      returning e.receipt_id, r.donation_id, e.state`,
    [trx.scope, UNKNOWN_MAX],
  )
  await tellOfEmails(trx, given)
}

async function deliver(parts: DeliveryParts, orgId: number, email: Claimed): Promise<void> {
  let result: SendResult
  let pdfHash: Buffer | null = null
  try {
    const isIssued = email.kind === 'issued'
    const pdf = isIssued ? await receiptPdf(email, orgId, parts.files, parts.keyring) : null
    pdfHash = pdf?.sha256 ?? null
    if (!(await handOver(parts.db, orgId, email))) {
      return
    }
    result = await parts.mailer.send({
      from: { name: email.mail_from_name, address: email.mail_from },
      to: { name: email.to_name, address: email.to_address },
      subject: isIssued
        ? `Receipt ${email.number} for your donation to ${email.legal_name}`
        : `Receipt ${email.number} of ${email.legal_name} is cancelled`,
      text: textOf(email),
      reference: email.receipt_id,
      attachments: pdf === null ? [] : [attached(email, pdf)],
    })
  } catch (error) {
    parts.log.error({ err: error, receiptId: email.receipt_id }, 'a receipt could not be sent')
    result = { outcome: 'later', reason: messageOf(error) }
  }
  await recordSurely(parts, orgId, { email, result, pdfHash })
}

/** What became of one attempt. */
interface Attempt {
  email: Claimed
  result: SendResult
  pdfHash: Buffer | null
}

/** What SES answered is worth several tries: forgetting it would send the email again. */
async function recordSurely(parts: DeliveryParts, orgId: number, attempt: Attempt): Promise<void> {
  const deadline = Date.now() + CLAIM_MS / 2
  for (let pause = 100; ; pause *= 2) {
    try {
      await record(parts.db, orgId, attempt)
      return
    } catch (error) {
      if (!isConnectionError(error) || Date.now() > deadline) {
        throw error
      }
      parts.log.warn({ err: error, emailId: attempt.email.email_id }, 'result not yet recorded')
      await delay(pause)
    }
  }
}

/**
 * Notes that the email goes to SES now: a worker that dies before did not send it, one that dies
 * after may have. False where the claim was lost to another worker.
 */
async function handOver(db: Database, orgId: number, email: Claimed): Promise<boolean> {
  const rows = await db.transact(
    orgId,
    async (trx) =>
      await trx.query(
        `update receipt_emails set state = 'sending'
          where org_id = $1 and email_id = $2 and state = 'claimed' and attempts = $3
         returning email_id`,
        [orgId, email.email_id, email.attempts],
      ),
    { isolation: 'read committed' },
  )
  return rows.length > 0
}

function attached({ number }: Claimed, { bytes }: ReceiptPdf) {
  const filename = `receipt-${number.replaceAll('/', '-')}.pdf`
  return { filename, contentType: 'application/pdf', content: bytes }
}

function textOf(email: Claimed): string {
  if (email.kind === 'cancelled') {
    return [
      `Dear ${email.to_name},`,
      '',
      `your donation to ${email.legal_name} was given back, so that receipt ${email.number} does`,
      'not stand any more: please do not use it, for a tax deduction least of all.',
      '',
      email.mail_from_name,
    ].join('\n')
  }
  return [
    `Dear ${email.to_name},`,
    '',
    `thank you for your donation to ${email.legal_name}.`,
    `Your receipt ${email.number} is attached as a PDF.`,
    '',
    email.mail_from_name,
  ].join('\n')
}

/** The state that an attempt leaves, and how long the next one waits. */
function nextOf(email: Claimed, outcome: SendResult['outcome']): { state: string; waitMs: number } {
  switch (outcome) {
    case 'sent':
    case 'refused':
      return { state: outcome, waitMs: 0 }
    case 'later': {
      const waitMs = delayAfter(BACKOFF, email.attempts)
      return waitMs === null ? { state: 'dead', waitMs: 0 } : { state: 'waiting', waitMs }
    }
    case 'unknown':
      return email.unknown_attempts + 1 >= UNKNOWN_MAX
        ? { state: 'unconfirmed', waitMs: 0 }
        : { state: 'waiting', waitMs: UNKNOWN_PAUSE_MS }
    default:
      return outcome satisfies never
  }
}

async function record(db: Database, orgId: number, attempt: Attempt): Promise<void> {
  const { email, result, pdfHash } = attempt
  const { state, waitMs } = nextOf(email, result.outcome)
  emails.inc({ state })
  await db.transact(
    orgId,
    async (trx) => {
      if (pdfHash !== null) {
        await recordPdfHash(trx, email.receipt_id, pdfHash)
      }
      // A worker that lost its claim may still say that it sent, but not that there is more to do.
      const changed = await trx.query<ToldEmail>(
        `update receipt_emails
            set state = $3, message_id = $4, sent_at = case when $3 = 'sent' then now() end,
                last_error = $5, next_try_at = now() + $6 * interval '1 millisecond',
                unknown_attempts = unknown_attempts + $8
          where org_id = $1 and email_id = $2 and state <> 'sent'
            and ($3 = 'sent' or (state in ('claimed', 'sending') and attempts = $7))
          returning receipt_id, state, (
            select r.donation_id from receipts r
             where r.org_id = $1 and r.receipt_id = receipt_emails.receipt_id) as donation_id`,
        [
          orgId,
          email.email_id,
          state,
          result.outcome === 'sent' ? result.messageId : null,
          result.outcome === 'sent' ? null : result.reason,
          waitMs,
          email.attempts,
          result.outcome === 'unknown' ? 1 : 0,
        ],
      )
      await tellOfEmails(trx, changed)
    },
    { isolation: 'read committed' },
  )
}
