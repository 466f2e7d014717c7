/** Replays: events that are processed again because somebody asked for it, a part at a time. */
import { build, type Trx } from '../base/db.ts'
import { newId } from '../base/ids.ts'
import { Problem } from '../base/problem.ts'
import { eventsOf, listEvents, type EventFilter, type InboxEvent } from './events.ts'

export interface Replay {
  replay_id: string
  asked_by: string
  asked_at: Date
  reason: string
  filter: EventFilter
  total: number
  done: number
  state: 'running' | 'done'
  ended_at: Date | null
}

/** Events of one replay; more are asked for in parts, by time. */
export const REPLAY_MAX = 100_000
/** Events of one part, and so of a replay that is done at once. */
export const REPLAYED_TOGETHER = 500
/** Events that a dry run shows. */
export const SHOWN_MAX = 20
/** Replays of an organisation that run at a time. */
const RUNNING_MAX = 10
/** While so many events are due, no more are added to them: live ones do not stand behind. */
const DUE_MAX = 2000

const REPLAY = `replay_id, asked_by, asked_at, reason, filter, total, done, state, ended_at`

/** How many events a replay would reach, and the first of them in its order. */
export async function tryReplay(
  trx: Trx,
  filter: EventFilter,
): Promise<{ total: number; first: InboxEvent[] }> {
  const total = await countOf(trx, filter)
  const ids = await idsOf(trx, filter, { after: '', through: null, limit: SHOWN_MAX })
  const first = await listEvents(trx, { events: ids }, { limit: SHOWN_MAX, before: null })
  return { total, first: first.reverse() }
}

/**
 * Asks for a replay and does its first part; the job goes on with the rest. Throws `limit_reached`
 * for more events than 100,000, or more replays than ten at a time.
 */
export async function askReplay(
  trx: Trx,
  filter: EventFilter,
  asked: { by: string; reason: string },
): Promise<Replay> {
  const running = await trx.query(
    `select 1 from inbox_replays where org_id = $1 and state = 'running' limit ${RUNNING_MAX}`,
    [trx.scope],
  )
  if (running.length >= RUNNING_MAX) {
    const detail = `At most ${RUNNING_MAX} replays run at a time; wait until one has ended.`
    throw new Problem('limit_reached', { detail })
  }
  const total = await countOf(trx, filter)
  const [newest] = await trx.query<{ event_id: string }>(
    'select event_id from inbox_events where org_id = $1 order by event_id desc limit 1',
    [trx.scope],
  )
  const replayId = newId('rpl')
  await trx.query(
    `insert into inbox_replays (org_id, replay_id, asked_by, reason, filter, through, total)
     values ($1, $2, $3, $4, $5, $6, $7)`,
    [
      trx.scope,
      replayId,
      asked.by,
      asked.reason,
      JSON.stringify(filter),
      newest?.event_id ?? '',
      total,
    ],
  )
  const through = newest?.event_id ?? ''
  await replayPart(trx, { replay_id: replayId, through, reached: '', filter })
  return await findReplay(trx, replayId)
}

/** Newest first. */
export async function listReplays(
  trx: Trx,
  page: { limit: number; before: string | null },
): Promise<Replay[]> {
  const rows = await trx.query<Replay>(
    `select ${REPLAY} from inbox_replays
      where org_id = $1 and ($2::text is null or replay_id < $2)
      order by replay_id desc limit $3`,
    [trx.scope, page.before, page.limit],
  )
  return rows.map((row) => ({ ...row, filter: restored(row.filter) }))
}

/** Throws `not_found`. */
export async function findReplay(trx: Trx, replayId: string): Promise<Replay> {
  const [row] = await trx.query<Replay>(
    `select ${REPLAY} from inbox_replays where org_id = $1 and replay_id = $2`,
    [trx.scope, replayId],
  )
  if (row === undefined) {
    throw new Problem('not_found', { detail: 'There is no such replay.' })
  }
  return { ...row, filter: restored(row.filter) }
}

/**
 * Does one more part of the oldest replay that runs; gives how many events that were, null where
 * there is nothing to do now: no replay runs, or enough events are due as it is.
 */
export async function continueReplay(trx: Trx): Promise<number | null> {
  const [running] = await trx.query<Running>(
    `select replay_id, through, reached, filter from inbox_replays
      where org_id = $1 and state = 'running' order by replay_id limit 1`,
    [trx.scope],
  )
  if (running === undefined || (await dueNow(trx)) >= DUE_MAX) {
    return null
  }
  return await replayPart(trx, { ...running, filter: restored(running.filter) })
}

async function dueNow(trx: Trx): Promise<number> {
  const rows = await trx.query(
    `select 1 from inbox_events
      where org_id = $1 and state = 'waiting' and held_at is null and next_try_at <= now()
        and (not needs_confirmation or confirmation is not null)
      limit ${DUE_MAX}`,
    [trx.scope],
  )
  return rows.length
}

interface Running {
  replay_id: string
  through: string
  reached: string
  filter: EventFilter
}

/** A filter as it comes out of the database: its instants are text there. */
function restored(filter: EventFilter): EventFilter {
  const { receivedFrom: from, receivedBefore: before } = filter
  return {
    ...filter,
    receivedFrom: from === undefined ? undefined : new Date(from),
    receivedBefore: before === undefined ? undefined : new Date(before),
  }
}

/** Lets the next events of the filter wait anew, with all their attempts before them. */
async function replayPart(trx: Trx, running: Running): Promise<number> {
  const ids = await idsOf(trx, running.filter, {
    after: running.reached,
    through: running.through,
    limit: REPLAYED_TOGETHER,
  })
  await trx.query(
    `insert into inbox_replayed (org_id, event_id, replay_id, state_before, processed_before)
     select e.org_id, e.event_id, $3, e.state, e.processed_at
       from unnest($2::text[]) as n (event_id)
       join inbox_events e on e.org_id = $1 and e.event_id = n.event_id`,
    [trx.scope, ids, running.replay_id],
  )
  await trx.query(
    `update inbox_events
        set state = 'waiting', next_try_at = now(), attempts_forgiven = attempts,
            processed_at = null, note = null
      where org_id = $1 and event_id = any($2::text[])`,
    [trx.scope, ids],
  )
  await trx.query(
    `update inbox_replays
        set done = done + $3, reached = $4, state = $5,
            ended_at = case when $5 = 'done' then now() end
      where org_id = $1 and replay_id = $2`,
    [
      trx.scope,
      running.replay_id,
      ids.length,
      ids.at(-1) ?? running.reached,
      ids.length < REPLAYED_TOGETHER ? 'done' : 'running',
    ],
  )
  return ids.length
}

/** Ids of the filter's events in the order of their coming. */
async function idsOf(
  trx: Trx,
  filter: EventFilter,
  part: { after: string; through: string | null; limit: number },
): Promise<string[]> {
  const select = eventsOf(trx, filter)
    .select('e.event_id')
    .where('e.event_id', '>', part.after)
    .orderBy('e.event_id')
    .limit(part.limit)
  if (part.through !== null) {
    select.where('e.event_id', '<=', part.through)
  }
  const rows = await trx.run<{ event_id: string }>(select)
  return rows.map((row) => row.event_id)
}

async function countOf(trx: Trx, filter: EventFilter): Promise<number> {
  const some = eventsOf(trx, filter)
    .select('e.event_id')
    .limit(REPLAY_MAX + 1)
  const counted = build.select(build.raw('count(*)::integer as total')).from(some.as('some'))
  const [row] = await trx.run<{ total: number }>(counted)
  const total = row?.total ?? 0
  if (total > REPLAY_MAX) {
    const detail = `More than ${REPLAY_MAX} events are meant; narrow the filter, by time for one.`
    throw new Problem('limit_reached', { detail })
  }
  return total
}
