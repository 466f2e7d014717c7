/** Forgets webhooks that are done: deliveries with their attempts, then messages without any. */
import type { Database } from '../base/db.ts'

/**
 * Forgets deliveries that ended so many days ago, the oldest first, and their attempts with them;
 * gives how many. What somebody else has in hand is left for the next time.
 */
export async function forgetDeliveries(db: Database, days: number, most: number): Promise<number> {
  const rows = await db.statement(
    `delete from webhook_deliveries d
      using (select org_id, delivery_id from webhook_deliveries
              where ended_at < now() - make_interval(days => $1)
              order by ended_at limit $2
              for update skip locked) old
      where d.org_id = old.org_id and d.delivery_id = old.delivery_id
     returning 1`,
    [days, most],
  )
  return rows.length
}

/**
 * Forgets messages that were told so many days ago and have no delivery any more; gives how many.
 * One that is on its way, or was sent again since, stays until that is over for as long.
 */
export async function forgetMessages(db: Database, days: number, most: number): Promise<number> {
  const rows = await db.statement(
    `delete from webhook_messages m
      using (select org_id, message_id from webhook_messages n
              where fanned_out_at < now() - make_interval(days => $1)
                and not exists (select from webhook_deliveries d
                                 where d.org_id = n.org_id and d.message_id = n.message_id)
              order by fanned_out_at limit $2
              for update skip locked) old
      where m.org_id = old.org_id and m.message_id = old.message_id
     returning 1`,
    [days, most],
  )
  return rows.length
}
