/** Writes what happened into the outbox of webhooks, in the transaction in which it happens. */
import type { Trx } from '../../base/db.ts'
import { newId } from '../../base/ids.ts'
import { TEST_TYPE, type Event } from './events.ts'

/** A subscription that was given up is kept up with for so long, so that it can be replayed to. */
const KEPT_UP_DAYS = 30

const LISTENERS = `select from webhook_subscriptions
  where org_id = $1
    and (state = 'enabled' or disabled_because = 'failures'
         and disabled_at > now() - interval '${KEPT_UP_DAYS} days')`

/**
 * Whether there is anybody to be told: an enabled subscription, or one that was disabled for its
 * failures in the last 30 days.
 */
export async function isHeard(trx: Trx): Promise<boolean> {
  const rows = await trx.query(`${LISTENERS} limit 1`, [trx.scope])
  return rows.length > 0
}

/**
 * Tells of events, once each: what was told before with the same type and subject is not told
 * again. Writes nothing where the organisation has no enabled subscription, nor one that was
 * disabled for its failures in the last 30 days. One round trip; none for no events.
 */
export async function announce(trx: Trx, events: readonly Event[]): Promise<void> {
  if (events.length === 0) {
    return
  }
  await trx.query(
    `insert into webhook_messages (org_id, message_id, type, subject, data)
     select $1, n.*
       from unnest($2::text[], $3::text[], $4::text[], $5::text[]) as n
      where exists (${LISTENERS})
     on conflict (org_id, type, subject) do nothing`,
    [
      trx.scope,
      events.map(() => newId('msg')),
      events.map((event) => event.type),
      events.map((event) => event.subject),
      events.map((event) => JSON.stringify(event.data)),
    ],
  )
}

/** A message for one subscription alone, to try it; gives its id. It is not fanned out. */
export async function writeTestMessage(trx: Trx, subscriptionId: string): Promise<string> {
  const messageId = newId('msg')
  await trx.query(
    `insert into webhook_messages (org_id, message_id, type, subject, data, fanned_out_at)
     values ($1, $2, $3, $2, $4, now())`,
    [trx.scope, messageId, TEST_TYPE, JSON.stringify({ subscription: subscriptionId })],
  )
  return messageId
}
