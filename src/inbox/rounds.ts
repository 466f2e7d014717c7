/** Whose turn it is: money before all else, and nobody's flood before another's one event. */
import type { Database } from '../base/db.ts'
import { BATCH_MAX, type Taken, type Turn } from './process.ts'
import { LANES, type Lane } from './stored-event.ts'

interface Due {
  org_id: number
  /** As far as a turn goes. */
  due: number
  oldest: Date
}

export interface Rounds {
  /** The next turn; null where nothing is due. */
  next(): Promise<Turn | null>
  /** That was taken in hand in it. */
  took(turn: Turn, taken: Taken): void
  /** That organisation gets no turn any more, in this lane or in all. */
  leave(orgId: number, lane?: Lane): void
}

/**
 * In each round every organisation may have a batch of events in each lane, and whoever has least
 * to do goes first: one event waits for one batch of another organisation at the most, and who has
 * thousands is not kept from its batch by who keeps coming with few.
 */
export function openRounds(db: Database): Rounds {
  const spent = new Map<string, number>()
  const widest = new Map<string, number>()
  const left = new Set<string>()
  const nameOf = (orgId: number, lane: Lane) => `${lane} ${orgId}`
  return {
    async next() {
      for (const lane of LANES) {
        const all = await dueIn(db, lane)
        const due = all.filter((one) => !left.has(nameOf(one.org_id, lane)))
        const rest = (one: Due) => BATCH_MAX - (spent.get(nameOf(one.org_id, lane)) ?? 0)
        if (due.length > 0 && due.every((one) => rest(one) <= 0)) {
          for (const one of due) {
            spent.delete(nameOf(one.org_id, lane))
          }
        }
        const [first] = due
          .filter((one) => rest(one) > 0)
          .sort((one, other) => one.due - other.due || +one.oldest - +other.oldest)
        if (first !== undefined) {
          const most = widest.get(nameOf(first.org_id, lane)) ?? BATCH_MAX
          return { orgId: first.org_id, lane, limit: Math.min(rest(first), most) }
        }
      }
      return null
    },
    took({ orgId, lane }, { events, isWhole }) {
      const name = nameOf(orgId, lane)
      spent.set(name, (spent.get(name) ?? 0) + events)
      // Where a batch broke and a smaller one went on, the next begins there and not as wide again.
      const went = isWhole ? (widest.get(name) ?? BATCH_MAX) : Math.max(1, events)
      widest.set(name, Math.min(BATCH_MAX, went * 2))
      if (events === 0) {
        // Another worker has them, or will: nothing is gained by asking again at once.
        left.add(name)
      }
    },
    leave(orgId, only) {
      for (const lane of only === undefined ? LANES : [only]) {
        left.add(nameOf(orgId, lane))
      }
    },
  }
}

/**
 * Organisations with events due in a lane. One step in the index from each organisation to the
 * next, and no count beyond a batch: it costs the same however many events wait.
 */
async function dueIn(db: Database, lane: Lane): Promise<Due[]> {
  const ready = `e.state = 'waiting' and e.held_at is null
    and (not e.needs_confirmation or e.confirmation is not null)`
  return await db.statement<Due>(
    `with recursive waiting as (
       (select e.org_id from inbox_events e where ${ready} order by e.org_id limit 1)
        union all
       select (select e.org_id from inbox_events e
                where ${ready} and e.org_id > w.org_id order by e.org_id limit 1)
         from waiting w where w.org_id is not null
     )
     select w.org_id, d.due, d.oldest
       from waiting w
      cross join lateral (
        select count(*)::integer as due, min(b.received_at) as oldest
          from (
            select e.received_at from inbox_events e
             where ${ready} and e.org_id = w.org_id and e.lane = $1 and e.next_try_at <= now()
             order by e.next_try_at, e.event_id limit ${BATCH_MAX}
          ) b
      ) d
      where w.org_id is not null and d.due > 0`,
    [lane],
  )
}
