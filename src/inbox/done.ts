/** Marks events as processed, or as telling nothing; takes it back where something was refused. */
import type { Trx } from '../base/db.ts'
import type { StoredEvent } from './stored-event.ts'

export interface Done {
  event: StoredEvent
  type: string
  state: 'processed' | 'ignored'
  /** What a person should know of it. */
  note: string | null
}

const NOTE_LENGTH_MAX = 1000

export async function markDone(trx: Trx, done: readonly Done[], now: Date): Promise<void> {
  if (done.length === 0) {
    return
  }
  await trx.query(
    `update inbox_events e
        set state = n.state, event_type = n.type, attempts = e.attempts + 1, processed_at = $6,
            note = n.note
       from unnest($2::text[], $3::text[], $4::text[], $5::text[])
         as n (event_id, state, type, note)
      cross join lateral (
        select ctid as place from inbox_events
         where org_id = $1 and event_id = n.event_id limit 1
      ) at
      where e.ctid = at.place`,
    [
      trx.scope,
      done.map(({ event }) => event.event_id),
      done.map(({ state }) => state),
      done.map(({ type }) => type.slice(0, 100)),
      done.map(({ note }) => note?.slice(0, NOTE_LENGTH_MAX) ?? null),
      now,
    ],
  )
}

/** In the transaction that marked them: they wait as they did before, all attempts counted. */
export async function unmark(trx: Trx, refused: readonly Done[]): Promise<void> {
  if (refused.length === 0) {
    return
  }
  await trx.query(
    `update inbox_events e
        set state = 'waiting', attempts = e.attempts - 1, processed_at = null, note = null
       from unnest($2::text[]) as n (event_id)
      cross join lateral (
        select ctid as place from inbox_events
         where org_id = $1 and event_id = n.event_id limit 1
      ) at
      where e.ctid = at.place`,
    [trx.scope, refused.map(({ event }) => event.event_id)],
  )
}
