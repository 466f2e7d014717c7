/** Dismissing: a person says of a dead event that nothing is to come of it, and why. */
import type { Trx } from '../base/db.ts'
import { Problem } from '../base/problem.ts'
import { findEvent, type InboxEvent } from './events.ts'

/** Throws `not_found`, and `not_dead` where something may still come of it. */
export async function dismiss(
  trx: Trx,
  eventId: string,
  asked: { by: string; reason: string },
): Promise<InboxEvent> {
  const event = await findEvent(trx, eventId)
  if (event.state !== 'dead') {
    const detail = `The event is ${event.state}; only one that nothing tries any more is dismissed.`
    throw new Problem('not_dead', { detail })
  }
  await trx.query(
    `update inbox_events
        set state = 'dismissed', dismissed_at = now(), dismissed_by = $3, dismissed_because = $4
      where org_id = $1 and event_id = $2`,
    [trx.scope, eventId, asked.by, asked.reason],
  )
  return await findEvent(trx, eventId)
}
