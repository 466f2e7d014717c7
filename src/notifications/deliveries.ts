/** Deliveries: one for each message and subscription, and again for each replay. */
import type { Database, Trx } from '../base/db.ts'
import { newId } from '../base/ids.ts'
import { Problem } from '../base/problem.ts'

export const DELIVERY_STATES = ['waiting', 'sending', 'delivered', 'dead'] as const
export const DELIVERY_REASONS = ['event', 'replay', 'test'] as const

export type DeliveryState = (typeof DELIVERY_STATES)[number]
export type DeliveryReason = (typeof DELIVERY_REASONS)[number]

export interface Delivery {
  delivery_id: string
  message_id: string
  type: string
  subscription_id: string
  reason: DeliveryReason
  state: DeliveryState
  attempts: number
  next_try_at: Date
  last_status: number | null
  last_error: string | null
  created_at: Date
  ended_at: Date | null
}

export interface Attempt {
  attempt: number
  outcome: 'delivered' | 'failed' | 'lost'
  status: number | null
  duration_ms: number | null
  error: string | null
  answer: string | null
  ended_at: Date
}

export interface NewDelivery {
  orgId: number
  messageId: string
  subscriptionId: string
  reason: DeliveryReason
}

/** Writes deliveries, due at once; what is on its way to that subscription already stays so. */
export async function insertDeliveries(trx: Trx, rows: readonly NewDelivery[]): Promise<number> {
  const inserted = await trx.query(
    `insert into webhook_deliveries (org_id, delivery_id, message_id, subscription_id, reason)
     select n.* from unnest($1::integer[], $2::text[], $3::text[], $4::text[], $5::text[]) as n
     on conflict (org_id, message_id, subscription_id) where state in ('waiting', 'sending')
       do nothing
     returning 1`,
    [
      rows.map((row) => row.orgId),
      rows.map(() => newId('dlv')),
      rows.map((row) => row.messageId),
      rows.map((row) => row.subscriptionId),
      rows.map((row) => row.reason),
    ],
  )
  return inserted.length
}

const FANNED_OUT_TOGETHER = 200

/**
 * Turns new messages, of all organisations, into a delivery for each enabled subscription that
 * wants them; gives how many messages. Safe beside itself: who comes second takes others.
 */
export async function fanOut(db: Database): Promise<number> {
  const [some] = await db.statement(
    'select 1 from webhook_messages where fanned_out_at is null limit 1',
  )
  return some === undefined
    ? 0
    : await db.transact('all', fanOutSome, { isolation: 'read committed' })
}

async function fanOutSome(trx: Trx): Promise<number> {
  const messages = await trx.query<{ org_id: number; message_id: string; type: string }>(
    `select org_id, message_id, type from webhook_messages
      where fanned_out_at is null order by created_at limit $1
      for update skip locked`,
    [FANNED_OUT_TOGETHER],
  )
  const names = [messages.map((row) => row.org_id), messages.map((row) => row.message_id)]
  const wanted = await trx.query<{ org_id: number; message_id: string; subscription_id: string }>(
    `select m.org_id, m.message_id, s.subscription_id
       from unnest($1::integer[], $2::text[], $3::text[]) with ordinality
         as m (org_id, message_id, type, place)
       join webhook_subscriptions s
         on s.org_id = m.org_id and s.state = 'enabled' and m.type = any(s.event_types)
      order by m.place`,
    [...names, messages.map((row) => row.type)],
  )
  const deliveries = wanted.map((row): NewDelivery => ({
    orgId: row.org_id,
    messageId: row.message_id,
    subscriptionId: row.subscription_id,
    reason: 'event',
  }))
  await insertDeliveries(trx, deliveries)
  await trx.query(
    `update webhook_messages m set fanned_out_at = now()
       from unnest($1::integer[], $2::text[]) as n (org_id, message_id)
      where m.org_id = n.org_id and m.message_id = n.message_id`,
    names,
  )
  return messages.length
}

const SELECT = `
  select d.delivery_id, d.message_id, m.type, d.subscription_id, d.reason, d.state, d.attempts,
         d.next_try_at, d.last_status, d.last_error, d.created_at, d.ended_at
    from webhook_deliveries d
    join webhook_messages m on m.org_id = d.org_id and m.message_id = d.message_id`

/** By id, newest first. */
export async function listDeliveries(
  trx: Trx,
  page: {
    limit: number
    before: string | null
    subscriptionId: string | null
    messageId: string | null
    state: DeliveryState | null
  },
): Promise<Delivery[]> {
  return await trx.query<Delivery>(
    `${SELECT}
      where d.org_id = $1 and ($2::text is null or d.delivery_id < $2)
        and ($3::text is null or d.subscription_id = $3)
        and ($4::text is null or d.message_id = $4) and ($5::text is null or d.state = $5)
      order by d.delivery_id desc limit $6`,
    [trx.scope, page.before, page.subscriptionId, page.messageId, page.state, page.limit],
  )
}

/** One delivery with its attempts, the first one first. Throws `not_found`. */
export async function findDelivery(
  trx: Trx,
  id: string,
): Promise<{ delivery: Delivery; attempts: Attempt[] }> {
  const [delivery] = await trx.query<Delivery>(
    `${SELECT} where d.org_id = $1 and d.delivery_id = $2`,
    [trx.scope, id],
  )
  if (delivery === undefined) {
    throw new Problem('not_found', { detail: 'There is no such webhook delivery.' })
  }
  const attempts = await trx.query<Attempt>(
    `select attempt, outcome, status, duration_ms, error, answer, ended_at
       from webhook_attempts where org_id = $1 and delivery_id = $2 order by attempt limit 100`,
    [trx.scope, id],
  )
  return { delivery, attempts }
}

/** The delivery of a message to a subscription that is on its way. */
export async function liveDelivery(
  trx: Trx,
  messageId: string,
  subscriptionId: string,
): Promise<Delivery | undefined> {
  const [row] = await trx.query<Delivery>(
    `${SELECT}
      where d.org_id = $1 and d.message_id = $2 and d.subscription_id = $3
        and d.state in ('waiting', 'sending')`,
    [trx.scope, messageId, subscriptionId],
  )
  return row
}
