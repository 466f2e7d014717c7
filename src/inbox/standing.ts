/** How the inbox stands, as metrics: what is dead, held or parked, and what waits longest. */
import type { Database } from '../base/db.ts'
import {
  factsParked,
  inboxDead,
  inboxHeld,
  inboxOldestSeconds,
  inboxPauses,
} from '../base/metrics.ts'
import { GATEWAY_NAMES } from '../gateways/fact.ts'
import { LANES } from './stored-event.ts'

const COUNTED = { dead: inboxDead, held: inboxHeld, pauses: inboxPauses, parked: factsParked }

/** Notes it for all organisations together. */
export async function noteStanding(db: Database): Promise<void> {
  const rows = await db.statement<{ what: string; gateway: string; count: number }>(
    `select 'dead' as what, gateway, count(*)::integer as count
       from inbox_events where state = 'dead' group by gateway
      union all
     select 'held', gateway, count(*)::integer
       from inbox_events where held_at is not null group by gateway
      union all
     select 'pauses', gateway, count(*)::integer
       from inbox_pauses where resumed_at is null group by gateway
      union all
     select 'parked', gateway, count(*)::integer from parked_facts group by gateway`,
  )
  for (const [what, gauge] of Object.entries(COUNTED)) {
    for (const gateway of GATEWAY_NAMES) {
      const row = rows.find((one) => one.what === what && one.gateway === gateway)
      gauge.set({ gateway }, row?.count ?? 0)
    }
  }
  const oldest = await db.statement<{ lane: string; oldest: Date }>(
    `select lane, min(received_at) as oldest from inbox_events
      where state = 'waiting' and held_at is null and next_try_at <= now()
        and (not needs_confirmation or confirmation is not null)
      group by lane`,
  )
  const now = Date.now()
  for (const lane of LANES) {
    const since = oldest.find((one) => one.lane === lane)?.oldest.getTime() ?? now
    inboxOldestSeconds.set({ lane }, Math.max(0, (now - since) / 1000))
  }
}
