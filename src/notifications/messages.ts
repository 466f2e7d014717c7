/** Messages as they were written, and sending them again: one, or all of a time. */
import type { Trx } from '../base/db.ts'
import { Problem } from '../base/problem.ts'
import { insertDeliveries, liveDelivery, type Delivery } from './deliveries.ts'
import { writeTestMessage } from './outbox/announce.ts'
import { findSubscription } from './subscriptions.ts'

export interface Message {
  message_id: string
  type: string
  subject: string
  data: string
  created_at: Date
  fanned_out_at: Date | null
}

const SELECT =
  'select message_id, type, subject, data, created_at, fanned_out_at from webhook_messages'

/** By id, newest first. */
export async function listMessages(
  trx: Trx,
  page: { limit: number; before: string | null; type: string | null },
): Promise<Message[]> {
  return await trx.query<Message>(
    `${SELECT}
      where org_id = $1 and ($2::text is null or message_id < $2)
        and ($3::text is null or type = $3)
      order by message_id desc limit $4`,
    [trx.scope, page.before, page.type, page.limit],
  )
}

/** Throws `not_found`, or `webhook_disabled` where nothing would be sent. */
async function assertEnabled(trx: Trx, subscriptionId: string): Promise<void> {
  const { state } = await findSubscription(trx, subscriptionId)
  if (state !== 'enabled') {
    throw new Problem('webhook_disabled', { detail: 'Enable the subscription, then send again.' })
  }
}

/**
 * Sends a message to one subscription, again or for the first time, whatever types it wants; where
 * it is on its way there, that delivery is the answer. Throws `not_found`, `webhook_disabled`.
 */
export async function replayMessage(
  trx: Trx,
  messageId: string,
  subscriptionId: string,
): Promise<{ delivery: Delivery; isNew: boolean }> {
  await assertEnabled(trx, subscriptionId)
  const [found] = await trx.query<Message>(`${SELECT} where org_id = $1 and message_id = $2`, [
    trx.scope,
    messageId,
  ])
  if (found === undefined) {
    throw new Problem('not_found', { detail: 'There is no such webhook message.' })
  }
  const orgId = Number(trx.scope)
  const one = { orgId, messageId, subscriptionId, reason: 'replay' } as const
  const isNew = (await insertDeliveries(trx, [one])) === 1
  return { delivery: await written(trx, messageId, subscriptionId), isNew }
}

/** Sends a message that means nothing. Throws `not_found`, `webhook_disabled`. */
export async function sendTest(trx: Trx, subscriptionId: string): Promise<Delivery> {
  await assertEnabled(trx, subscriptionId)
  const messageId = await writeTestMessage(trx, subscriptionId)
  const orgId = Number(trx.scope)
  await insertDeliveries(trx, [{ orgId, messageId, subscriptionId, reason: 'test' }])
  return await written(trx, messageId, subscriptionId)
}

async function written(trx: Trx, messageId: string, subscriptionId: string): Promise<Delivery> {
  const delivery = await liveDelivery(trx, messageId, subscriptionId)
  if (delivery === undefined) {
    throw new Error('a delivery that was just written is not there')
  }
  return delivery
}

export const REPLAYED_MAX = 10_000

export interface Range {
  /** Inclusive. */
  from: Date
  /** Exclusive. */
  to: Date
  /** Those that were never delivered to this subscription, or all of them. */
  only: 'undelivered' | 'all'
  dryRun: boolean
}

/**
 * Sends all messages of a time that the subscription wants; gives how many. What is on its way is
 * not sent twice. Throws `webhook_limit` where more than 10,000 are to be sent or 100,000 to be
 * looked at, `not_found`, `webhook_disabled`.
 */
export async function replayRange(trx: Trx, subscriptionId: string, range: Range): Promise<number> {
  await assertEnabled(trx, subscriptionId)
  const messageIds: string[] = []
  let after: Place | null = { at: range.from, messageId: '' }
  for (let looked = 0; after !== null; looked += LOOKED_AT_TOGETHER) {
    if (looked === LOOKED_AT_MAX) {
      throw tooMany(`More than ${LOOKED_AT_MAX} messages are of that time`)
    }
    const messages = await wantedFrom(trx, subscriptionId, range, after)
    const settled = await settledOf(trx, subscriptionId, range, messages)
    messageIds.push(...messages.map((one) => one.messageId).filter((id) => !settled.has(id)))
    if (messageIds.length > REPLAYED_MAX) {
      throw tooMany(`More than ${REPLAYED_MAX} messages are to be sent`)
    }
    after = messages.length === LOOKED_AT_TOGETHER ? (messages.at(-1) ?? null) : null
  }
  if (range.dryRun) {
    return messageIds.length
  }
  const orgId = Number(trx.scope)
  return await insertDeliveries(
    trx,
    messageIds.map((messageId) => ({ orgId, messageId, subscriptionId, reason: 'replay' })),
  )
}

function tooMany(words: string): Problem {
  return new Problem('webhook_limit', { detail: `${words}; take a shorter time.` })
}

interface Place {
  at: Date
  messageId: string
}

const LOOKED_AT_TOGETHER = 10_000
const LOOKED_AT_MAX = 100_000

/** The next messages of the time, of types that the subscription wants. */
async function wantedFrom(
  trx: Trx,
  subscriptionId: string,
  range: Range,
  after: Place,
): Promise<Place[]> {
  return await trx.query<Place>(
    `select m.message_id as "messageId", m.created_at as at
       from webhook_messages m
      where m.org_id = $1 and (m.created_at, m.message_id) > ($3, $4) and m.created_at < $5
        and m.fanned_out_at is not null
        and m.type = any(array(
          select unnest(event_types) from webhook_subscriptions
           where org_id = $1 and subscription_id = $2))
      order by m.created_at, m.message_id limit $6`,
    [trx.scope, subscriptionId, after.at, after.messageId, range.to, LOOKED_AT_TOGETHER],
  )
}

/** Those of the messages that need not be sent: on their way, or delivered before. */
async function settledOf(
  trx: Trx,
  subscriptionId: string,
  range: Range,
  messages: readonly Place[],
): Promise<Set<string>> {
  // Ids as one array: however the planner does it, it looks at each delivery once.
  const rows = await trx.query<{ message_id: string }>(
    `select message_id from webhook_deliveries
      where org_id = $1 and subscription_id = $2 and message_id = any($3)
        and (state in ('waiting', 'sending') or ($4 and state = 'delivered'))`,
    [trx.scope, subscriptionId, messages.map((one) => one.messageId), range.only === 'undelivered'],
  )
  return new Set(rows.map((row) => row.message_id))
}
