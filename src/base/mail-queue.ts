/** Emails that wait as rows: claimed, handed to SES once, tried again later or given up visibly. */
import { setTimeout as delay } from 'node:timers/promises'
import { delayAfter, type Backoff } from './backoff.ts'
import { isConnectionError } from './database-error.ts'
import type { Database, Trx } from './db.ts'
import type { Log } from './log.ts'
import type { Mail, Mailer, SendResult } from './mail.ts'
import { messageOf } from './problem.ts'
import { inSpan, type TraceContext } from './tracing.ts'

/** Claimed at once, and sent at the same time. */
const CLAIM_MAX = 5
/** A claim ends after this time, which is longer than SES may take: its worker is dead then. */
const CLAIM_MS = 180_000
/**
 * SES has no idempotency key. Where nobody knows whether it took the email, it is sent once more
 * after this time, because a lost one is worse than a second copy; after that nobody guesses.
 */
const UNKNOWN_PAUSE_MS = 600_000
const UNKNOWN_MAX = 2
const BACKOFF: Backoff = { firstMs: 4000, mostMs: 7_200_000, attemptsMax: 20 }

/** An email in hand; what its text says is read with it. */
export interface ClaimedMail {
  email_id: string
  attempts: number
  unknown_attempts: number
  trace_context: TraceContext | null
}

/** The state that an attempt leaves. */
export type MailState = 'waiting' | 'sent' | 'refused' | 'unconfirmed' | 'dead'

/** An email that ended, or goes on waiting. */
export interface LeftMail {
  email_id: string
  state: MailState
}

/**
 * A table of emails, with the columns that `receipt_emails` has: state, attempts, unknown_attempts,
 * next_try_at, message_id, sent_at, last_error, trace_context.
 */
export interface MailQueue<Row extends ClaimedMail> {
  table: 'receipt_emails' | 'invitation_emails' | 'export_emails' | 'recon_emails'
  /** SQL: what is read of rows in hand, `from mine m`. */
  read: string
  /** SQL: a condition without which none goes out; $1 is the organisation. */
  goesOut?: string
  /** A secret column, which is emptied when the email ends. */
  secret?: string
  /** In the transaction of a claim, before it: ends what is of no use any more. */
  withdraw?(trx: Trx): Promise<void>
  /** Composes it; throws where that fails, and is asked again later. */
  compose(row: Row): Composed | Promise<Composed>
  /** In the transaction that notes what became of them. */
  onLeft?(trx: Trx, left: readonly LeftMail[]): Promise<void>
  count(state: MailState): void
  span(row: Row): { name: string; attributes: Record<string, string> }
}

export interface Composed {
  mail: Mail
  /** Notes what came about by composing, in the transaction that notes how it ended. */
  keep?(trx: Trx): Promise<void>
}

export interface MailParts {
  db: Database
  mailer: Mailer
  log: Log
}

/** Sends what is due for one organisation; gives how many emails it took in hand. */
export async function sendMails<Row extends ClaimedMail>(
  parts: MailParts,
  orgId: number,
  queue: MailQueue<Row>,
): Promise<number> {
  const claimed = await claim(parts.db, orgId, queue)
  await Promise.all(
    claimed.map(async (email) => {
      const { name, attributes: own } = queue.span(email)
      const attributes = { ...own, 'bahi.attempt': email.attempts }
      const options = { parent: email.trace_context, attributes }
      await inSpan(name, options, async () => await deliver(parts, orgId, queue, email))
    }),
  )
  return claimed.length
}

async function claim<Row extends ClaimedMail>(
  db: Database,
  orgId: number,
  queue: MailQueue<Row>,
): Promise<Row[]> {
  const { table, read, goesOut = 'true' } = queue
  return await db.transact(
    orgId,
    async (trx) => {
      await giveUp(trx, queue)
      await queue.withdraw?.(trx)
      return await trx.query<Row>(
        `with due as (
           select org_id, email_id from ${table}
            where org_id = $1 and next_try_at <= now()
              and (state in ('waiting', 'claimed')
                   or (state = 'sending' and unknown_attempts + 1 < $4))
              and ${goesOut}
            order by next_try_at, email_id limit $2
            for update skip locked
         ), mine as (
           update ${table} e
              set state = 'claimed', attempts = e.attempts + 1,
                  unknown_attempts =
                    e.unknown_attempts + case e.state when 'sending' then 1 else 0 end,
                  next_try_at = now() + $3 * interval '1 millisecond'
             from due where e.org_id = due.org_id and e.email_id = due.email_id
           returning e.*
         )
         ${read}`,
        [orgId, CLAIM_MAX, CLAIM_MS, UNKNOWN_MAX],
      )
    },
    { isolation: 'read committed' },
  )
}

/** What was handed to SES by a worker that died then, and not for the first time. */
async function giveUp<Row extends ClaimedMail>(trx: Trx, queue: MailQueue<Row>): Promise<void> {
  const { table, secret } = queue
  const given = await trx.query<LeftMail>(
    `update ${table}
        set state = 'unconfirmed', unknown_attempts = unknown_attempts + 1,
            ${secret === undefined ? '' : `${secret} = null,`}
            last_error = 'its worker died, and SES may have taken it'
      where org_id = $1 and state = 'sending' and next_try_at <= now()
        and unknown_attempts + 1 >= $2
     returning email_id, state`,
    [trx.scope, UNKNOWN_MAX],
  )
  await queue.onLeft?.(trx, given)
}

async function deliver<Row extends ClaimedMail>(
  { db, mailer, log }: MailParts,
  orgId: number,
  queue: MailQueue<Row>,
  email: Row,
): Promise<void> {
  let result: SendResult
  let composed: Composed | null = null
  try {
    composed = await queue.compose(email)
    if (!(await handOver(db, orgId, queue.table, email))) {
      return
    }
    result = await mailer.send(composed.mail)
  } catch (error) {
    log.error({ err: error, emailId: email.email_id }, 'an email could not be sent')
    result = { outcome: 'later', reason: messageOf(error) }
  }
  const next = nextOf(email, result.outcome)
  queue.count(next.state)
  // What SES answered is worth several tries: forgetting it would send the email again.
  const deadline = Date.now() + CLAIM_MS / 2
  for (let pause = 100; ; pause *= 2) {
    try {
      await record(db, orgId, queue, { email, result, composed, ...next })
      return
    } catch (error) {
      if (!isConnectionError(error) || Date.now() > deadline) {
        throw error
      }
      log.warn({ err: error, emailId: email.email_id }, 'result not yet recorded')
      await delay(pause)
    }
  }
}

/**
 * Notes that the email goes to SES now: a worker that dies before did not send it, one that dies
 * after may have. False where the claim was lost to another worker.
 */
async function handOver(
  db: Database,
  orgId: number,
  table: string,
  email: ClaimedMail,
): Promise<boolean> {
  const rows = await db.transact(
    orgId,
    async (trx) =>
      await trx.query(
        `update ${table} set state = 'sending'
          where org_id = $1 and email_id = $2 and state = 'claimed' and attempts = $3
         returning 1`,
        [orgId, email.email_id, email.attempts],
      ),
    { isolation: 'read committed' },
  )
  return rows.length > 0
}

/** The state that an attempt leaves, and how long the next one waits. */
function nextOf(
  email: ClaimedMail,
  outcome: SendResult['outcome'],
): { state: MailState; waitMs: number } {
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

/** What became of one attempt. */
interface Attempt {
  email: ClaimedMail
  composed: Composed | null
  result: SendResult
  state: MailState
  waitMs: number
}

async function record<Row extends ClaimedMail>(
  db: Database,
  orgId: number,
  queue: MailQueue<Row>,
  { email, result, composed, state, waitMs }: Attempt,
): Promise<void> {
  const { table, secret } = queue
  const emptied =
    secret === undefined ? '' : `${secret} = case when $3 = 'waiting' then ${secret} end,`
  await db.transact(
    orgId,
    async (trx) => {
      await composed?.keep?.(trx)
      // A worker that lost its claim may still say that it sent, but not that there is more to do.
      const left = await trx.query<LeftMail>(
        `update ${table}
            set state = $3, message_id = $4, sent_at = case when $3 = 'sent' then now() end,
                ${emptied} last_error = $5, next_try_at = now() + $6 * interval '1 millisecond',
                unknown_attempts = unknown_attempts + $8
          where org_id = $1 and email_id = $2 and state <> 'sent'
            and ($3 = 'sent' or (state in ('claimed', 'sending') and attempts = $7))
         returning email_id, state`,
        [
          orgId,
          email.email_id,
          state,
          result.outcome === 'sent' ? result.messageId : null,
          result.outcome === 'sent' ? null : result.reason.slice(0, 500),
          waitMs,
          email.attempts,
          result.outcome === 'unknown' ? 1 : 0,
        ],
      )
      await queue.onLeft?.(trx, left)
    },
    { isolation: 'read committed' },
  )
}
