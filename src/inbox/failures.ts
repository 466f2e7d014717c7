/** What failed in processing is kept with its reason and tried again later, until it is dead. */
import { delayAfter, type Backoff } from '../base/backoff.ts'
import type { Trx } from '../base/db.ts'
import { inboxEvents } from '../base/metrics.ts'

export interface Failure {
  event: { event_id: string; gateway: string; attempts: number; attempts_forgiven: number }
  /** The gateway's name of it, where it could be read. */
  type?: string
  reason: string
  /** Trying again cannot help. */
  final: boolean
}

/** From 2 seconds to 2 hours; the last try is about a day after the first. */
const BACKOFF: Backoff = { firstMs: 2000, mostMs: 7_200_000, attemptsMax: 24 }
const REASON_LENGTH_MAX = 1000

/** Postgres has no NUL in text; a reason that quotes one must not break the noting of it. */
function storable(reason: string): string {
  return reason.replaceAll('\0', '').slice(0, REASON_LENGTH_MAX)
}

/** A failed attempt that is noted, and what it left the event as. */
export interface Noted {
  gateway: string
  state: 'dead' | 'failed'
}

/** To be called after the commit: a transaction may be run again. */
export function countNoted(noted: readonly Noted[]): void {
  for (const { gateway, state } of noted) {
    inboxEvents.inc({ gateway, state })
  }
}

/**
 * Notes one more failed attempt of each event, to be counted when it is committed. A stale
 * confirmation is dropped and asked anew; what the gateway told by itself when it was asked for
 * something else stays.
 */
export async function noteFailures(trx: Trx, failures: readonly Failure[]): Promise<Noted[]> {
  if (failures.length === 0) {
    return []
  }
  const rows = failures.map(({ event, type = null, reason, final }) => {
    const attempt = event.attempts + 1
    const delay = final ? null : delayAfter(BACKOFF, attempt - event.attempts_forgiven)
    return { event, type, attempt, delay, reason: storable(reason) }
  })
  const noted = await trx.query<{ event_id: string }>(
    // Event by event: a plan made while few waited would go through all of them for each.
    `update inbox_events e
        set attempts = n.attempt,
            state = case when n.delay_ms is null then 'dead' else 'waiting' end,
            next_try_at = now() + coalesce(n.delay_ms, 0) * interval '1 millisecond',
            first_error = coalesce(e.first_error, n.reason),
            last_error = n.reason,
            event_type = coalesce(left(n.type, 100), e.event_type),
            confirmation = case when e.needs_confirmation then null else e.confirmation end
       from unnest($2::text[], $3::integer[], $4::integer[], $5::text[], $6::text[])
         as n (event_id, attempt, delay_ms, reason, type)
      cross join lateral (
        select ctid as place from inbox_events
         where org_id = $1 and event_id = n.event_id limit 1
      ) at
      where e.ctid = at.place and e.state = 'waiting' and e.attempts = n.attempt - 1
     returning e.event_id`,
    [
      trx.scope,
      rows.map((row) => row.event.event_id),
      rows.map((row) => row.attempt),
      rows.map((row) => row.delay),
      rows.map((row) => row.reason),
      rows.map((row) => row.type),
    ],
  )
  // Where another worker was faster, it is his attempt that counts.
  const own = new Set(noted.map((row) => row.event_id))
  const mine = rows.filter(({ event }) => own.has(event.event_id))
  await trx.query(
    `insert into inbox_attempts (org_id, event_id, attempt, error)
     select $1, n.* from unnest($2::text[], $3::integer[], $4::text[]) as n`,
    [
      trx.scope,
      mine.map((row) => row.event.event_id),
      mine.map((row) => row.attempt),
      mine.map((row) => row.reason),
    ],
  )
  return mine.map(({ event, delay }) => {
    return { gateway: event.gateway, state: delay === null ? 'dead' : 'failed' }
  })
}
