/** What is unfinished for too long: payments, refunds and orders, each with its next question. */
import { delayAfter, type Backoff } from '../../base/backoff.ts'
import type { Database, Trx } from '../../base/db.ts'
import type { GatewayName } from '../../gateways/fact.ts'
import { gateways } from '../../gateways/registry.ts'
import { resolveOverdue } from './differences.ts'
import type { Poll } from './polls.ts'
import type { ListName } from './timetable.ts'

const ABOUT = ['payment', 'refund', 'order'] as const

export type About = (typeof ABOUT)[number]

export interface Question {
  org_id: number
  gateway: GatewayName
  account: string
  about: About
  gateway_ref: string
  order_ref: string | null
  since: Date
  attempts: number
}

const HOUR_MS = 60 * 60_000

/** Which list a question belongs to: a payment of an order is found in the list of payments. */
export const LIST_OF: Readonly<Record<About, ListName>> = {
  payment: 'payments',
  refund: 'refunds',
  order: 'payments',
}

/**
 * When the gateway itself ends what is authorised, in hours: Razorpay gives back after three days
 * (payments/capture-settings), Stripe's cards after seven; PayU says nothing, and a day is long.
 */
const PAYMENT_HOURS_MAX: Readonly<Record<GatewayName, number>> = {
  razorpay: 72,
  payu: 24,
  stripe: 168,
}

/** And what is to be refunded: seven working days at Razorpay, ten days at Stripe. */
const REFUND_HOURS_MAX: Readonly<Record<GatewayName, number>> = {
  razorpay: 216,
  payu: 72,
  stripe: 240,
}

/** The first question comes before that: after a day somebody may still capture it. */
const ASKED_AFTER_HOURS = 24
/** A donor who has not paid by then may have paid without anybody telling. */
const ORDER_MINUTES = 30
const ORDER_DAYS_MAX = 3

const BACKOFFS: Readonly<Record<About, Backoff>> = {
  payment: { firstMs: 3 * HOUR_MS, mostMs: 24 * HOUR_MS, attemptsMax: 30 },
  refund: { firstMs: 6 * HOUR_MS, mostMs: 24 * HOUR_MS, attemptsMax: 60 },
  order: { firstMs: HOUR_MS, mostMs: 24 * HOUR_MS, attemptsMax: 4 },
}

/** Noted in one go; the next comparison notes more. */
const NOTED_MAX = 1000
const CLAIMED_MAX = 20
/** While one is asked about, nobody else asks; one whose worker was killed is asked again. */
const CLAIM_MINUTES = 10

/** Notes what of that gateway is unfinished for too long, once each. */
export async function noteUnfinished(trx: Trx, { gateway, account }: Poll): Promise<void> {
  const rows = await trx.query<Pick<Question, 'about' | 'gateway_ref' | 'order_ref' | 'since'>>(
    `(select 'payment' as about, gateway_payment_id as gateway_ref, order_ref,
             authorized_at as since
        from payments
       where org_id = $1 and gateway = $2 and account = $3 and state = 'authorized'
         and authorized_at < now() - make_interval(hours => $4)
       order by authorized_at limit $6)
      union all
     (select 'refund', gateway_refund_id, null, began_at
        from refunds
       where org_id = $1 and gateway = $2 and account = $3 and state = 'created'
         and began_at < now() - make_interval(hours => $4)
       order by began_at limit $6)
      union all
     (select 'order', order_ref, order_ref, opened_at
        from donations
       where org_id = $1 and gateway = $2 and state = 'open' and order_ref is not null and $5
         and opened_at between now() - interval '${ORDER_DAYS_MAX} days'
                           and now() - interval '${ORDER_MINUTES} minutes'
       order by opened_at desc limit $6)`,
    [
      trx.scope,
      gateway,
      account,
      ASKED_AFTER_HOURS,
      gateways[gateway].fetchOrder !== undefined,
      NOTED_MAX,
    ],
  )
  await trx.query(
    `insert into gateway_questions (org_id, gateway, account, about, gateway_ref, order_ref, since)
     select $1, $2, $3, n.*
       from unnest($4::text[], $5::text[], $6::text[], $7::timestamptz[]) as n
     on conflict do nothing`,
    [
      trx.scope,
      gateway,
      account,
      rows.map((row) => row.about),
      rows.map((row) => row.gateway_ref),
      rows.map((row) => row.order_ref),
      rows.map((row) => row.since),
    ],
  )
  // What nobody asks about any more is kept as long as it would be noted anew.
  await trx.query(
    `delete from gateway_questions
      where org_id = $1 and gateway = $2 and about = 'order'
        and since < now() - interval '${ORDER_DAYS_MAX + 1} days'`,
    [trx.scope, gateway],
  )
}

const NOT_PAUSED = `not exists (select from inbox_pauses z
  where z.org_id = q.org_id and z.gateway = q.gateway and z.event_type is null
    and z.resumed_at is null)`

export async function isQuestionDue(db: Database): Promise<boolean> {
  const rows = await db.statement(
    `select 1 from gateway_questions q where q.next_ask_at <= now() and ${NOT_PAUSED} limit 1`,
  )
  return rows.length > 0
}

/** Those that are due for longest, claimed so that nobody else asks meanwhile. */
export async function claim(db: Database, gateway: GatewayName): Promise<Question[]> {
  return await db.statement<Question>(
    `update gateway_questions q
        set attempts = q.attempts + 1,
            next_ask_at = now() + interval '${CLAIM_MINUTES} minutes'
      where (q.org_id, q.gateway, q.about, q.gateway_ref) in (
        select q.org_id, q.gateway, q.about, q.gateway_ref from gateway_questions q
         where q.gateway = $1 and q.next_ask_at <= now() and ${NOT_PAUSED}
         order by q.next_ask_at limit ${CLAIMED_MAX} for update skip locked)
     returning q.org_id, q.gateway, q.account, q.about, q.gateway_ref, q.order_ref, q.since,
       q.attempts`,
    [gateway],
  )
}

/** A try that had no answer does not count. */
export async function putBack(
  db: Database,
  question: Question,
  problem: string | null,
): Promise<void> {
  await db.transact(
    question.org_id,
    async (trx) => {
      await trx.query(
        `update gateway_questions
            set attempts = greatest(attempts - 1, 0),
                last_problem = coalesce(left($5, 1000), last_problem),
                next_ask_at = now() + (5 + 10 * random()) * interval '1 minute'
          where org_id = $1 and gateway = $2 and about = $3 and gateway_ref = $4`,
        [...keyOf(trx, question), problem?.replaceAll('\0', '') ?? null],
      )
    },
    { isolation: 'read committed' },
  )
}

function keyOf(trx: Trx, { gateway, about, gateway_ref: ref }: Question) {
  return [trx.scope, gateway, about, ref]
}

/** When it is asked about next: soon where something came of it, never again after the last try. */
export async function askAgain(trx: Trx, question: Question, hadNews: boolean): Promise<void> {
  const delay = hadNews
    ? CLAIM_MINUTES * 60_000
    : delayAfter(BACKOFFS[question.about], question.attempts)
  await trx.query(
    `update gateway_questions
        set last_problem = null,
            next_ask_at = now() + $5::float8 * interval '1 millisecond'
      where org_id = $1 and gateway = $2 and about = $3 and gateway_ref = $4`,
    [...keyOf(trx, question), delay],
  )
}

export function isOverdue({ about, gateway, since }: Question, now: Date): boolean {
  if (about === 'order') {
    return false
  }
  const hours = about === 'payment' ? PAYMENT_HOURS_MAX[gateway] : REFUND_HOURS_MAX[gateway]
  return now.getTime() - since.getTime() > hours * HOUR_MS
}

/** Whether our books still have it as unfinished. */
export async function isOpen(trx: Trx, question: Question): Promise<boolean> {
  const { gateway, account, about, gateway_ref: ref } = question
  const [row] = await trx.query<{ open: boolean }>(
    `select case $4
       when 'payment' then exists (
         select from payments where org_id = $1 and gateway = $2 and account = $3
            and gateway_payment_id = $5 and state = 'authorized')
       when 'refund' then exists (
         select from refunds where org_id = $1 and gateway = $2 and account = $3
            and gateway_refund_id = $5 and state = 'created')
       else exists (
         select from donations where org_id = $1 and gateway = $2 and order_ref = $5
            and state = 'open')
       end as open`,
    [trx.scope, gateway, account, about, ref],
  )
  return row?.open ?? false
}

/** It is finished: nobody asks about it any more. */
export async function settle(trx: Trx, question: Question): Promise<void> {
  const { gateway, account, about, gateway_ref: ref } = question
  await trx.query(
    `delete from gateway_questions
      where org_id = $1 and gateway = $2 and about = $3 and gateway_ref = $4`,
    keyOf(trx, question),
  )
  await resolveOverdue(trx, { gateway, account, list: LIST_OF[about] }, [ref])
}
