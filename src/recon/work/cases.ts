/** Exceptions as work: given to somebody, acknowledged, reminded of; the timeline says by whom. */
import type { Trx } from '../../base/db.ts'
import { Problem } from '../../base/problem.ts'

/** What became of one of those that were asked for. */
export const RESULTS = ['done', 'unchanged', 'ended', 'not_overdue', 'unknown'] as const

export interface Result {
  id: string
  result: (typeof RESULTS)[number]
}

export type Event = 'assigned' | 'commented' | 'attached' | 'acknowledged' | 'reminded' | 'expired'

interface Held {
  exception_id: string
  state: string
  overdue: boolean
}

/**
 * Notes an event of each of these, after those that it has. Their cases are held by this
 * transaction, so that numbers follow each other.
 */
export async function noteEvents(
  trx: Trx,
  ids: readonly string[],
  { actor, what, detail }: { actor: string; what: Event; detail: object },
): Promise<void> {
  await trx.query(
    `insert into recon_timeline (org_id, exception_id, event_no, actor, what, detail)
     select $1, n.id,
            coalesce((select t.event_no from recon_timeline t
                       where t.exception_id = n.id and t.org_id = $1
                       order by t.event_no desc limit 1), 0) + 1,
            $3, $4, $5
       from unnest($2::text[]) as n (id)`,
    [trx.scope, ids, actor, what, JSON.stringify(detail)],
  )
}

/**
 * Holds the case until the transaction ends, as changing it would: of two at the same time the
 * second one is run again. Throws `not_found`.
 */
export async function holdCase(trx: Trx, exceptionId: string): Promise<void> {
  const held = await trx.query(
    `update recon_cases set state = state where org_id = $1 and exception_id = $2 returning 1`,
    [trx.scope, exceptionId],
  )
  if (held.length === 0) {
    throw new Problem('not_found', { detail: 'There is no such exception.', moved: 'no' })
  }
}

/** Always in the same order, so that two that want the same cases do not wait for each other. */
async function holdCases(trx: Trx, ids: readonly string[]): Promise<Map<string, Held>> {
  const rows = await trx.query<Held>(
    `select exception_id, state, due_at <= now() as overdue
       from recon_cases
      where org_id = $1 and exception_id = any($2::text[])
      order by exception_id for update`,
    [trx.scope, ids],
  )
  return new Map(rows.map((row) => [row.exception_id, row]))
}

/** Gives open exceptions to a user, or takes them from whoever has them. */
export async function assignCases(
  trx: Trx,
  ids: readonly string[],
  { owner, actor, note }: { owner: string | null; actor: string; note: string | null },
): Promise<Result[]> {
  const held = await holdCases(trx, ids)
  const changed = await trx.query<{ exception_id: string }>(
    `update recon_cases set owner = $3
      where org_id = $1 and exception_id = any($2::text[]) and state = 'open'
        and owner is distinct from $3
     returning exception_id`,
    [trx.scope, [...held.keys()], owner],
  )
  const done = new Set(changed.map((row) => row.exception_id))
  const detail = { owner, ...(note === null ? {} : { note }) }
  await noteEvents(trx, [...done].toSorted(), { actor, what: 'assigned', detail })
  return ids.map((id) => {
    const state = held.get(id)?.state
    return {
      id,
      result:
        state === undefined
          ? 'unknown'
          : state !== 'open'
            ? 'ended'
            : done.has(id)
              ? 'done'
              : 'unchanged',
    }
  })
}

/**
 * Ends the reminders of open exceptions that are overdue, or gives them another day: then they
 * begin again when that has passed.
 */
export async function acknowledgeCases(
  trx: Trx,
  ids: readonly string[],
  { dueAt, actor, note }: { dueAt: Date | null; actor: string; note: string | null },
): Promise<Result[]> {
  const held = await holdCases(trx, ids)
  const changed = await trx.query<{ exception_id: string }>(
    `update recon_cases
        set acknowledged_at = now(), acknowledged_by = $3, reminders = 0,
            due_at = coalesce($4, due_at), next_reminder_at = $4
      where org_id = $1 and exception_id = any($2::text[]) and state = 'open'
        and ($4::timestamptz is not null or due_at <= now() and acknowledged_at is null)
     returning exception_id`,
    [trx.scope, [...held.keys()], actor, dueAt],
  )
  const done = new Set(changed.map((row) => row.exception_id))
  const detail = {
    ...(dueAt === null ? {} : { due_at: dueAt.toISOString() }),
    ...(note === null ? {} : { note }),
  }
  await noteEvents(trx, [...done].toSorted(), { actor, what: 'acknowledged', detail })
  return ids.map((id) => {
    const one = held.get(id)
    return {
      id,
      result:
        one === undefined
          ? 'unknown'
          : one.state !== 'open'
            ? 'ended'
            : done.has(id)
              ? 'done'
              : one.overdue
                ? 'unchanged'
                : 'not_overdue',
    }
  })
}

/** So many in one statement. */
const TOGETHER = 5000
/** In one turn; what is beyond waits for the next one. */
const TURN_MAX = 200_000

const ACTOR = 'job:remind-recon'

/** Does something with all of them, so many at a time. */
async function inParts(
  ids: readonly string[],
  work: (part: readonly string[]) => Promise<void>,
): Promise<void> {
  for (let from = 0; from < ids.length; from += TOGETHER) {
    await work(ids.slice(from, from + TOGETHER))
  }
}

async function idsWhere(trx: Trx, sql: string, params: readonly unknown[]): Promise<string[]> {
  const rows = await trx.query<{ exception_id: string }>(sql, [trx.scope, TURN_MAX, ...params])
  return rows.map((row) => row.exception_id).toSorted()
}

/** Who left, or may not do it any more, has nothing. */
export async function releaseLeft(trx: Trx, roles: readonly string[]): Promise<void> {
  const ids = await idsWhere(
    trx,
    `select c.exception_id
       from users u
      cross join lateral (
        select exception_id from recon_cases
         where org_id = $1 and state = 'open' and owner = u.user_id limit $2) c
      where u.org_id = $1 and (u.state <> 'active' or u.role <> all($3::text[]))
      limit $2`,
    [roles],
  )
  const detail = { owner: null, note: 'The owner may not do it any more.' }
  await inParts(ids, async (part) => {
    await trx.query(
      `update recon_cases c set owner = null
         from unnest($2::text[]) as n (id)
        where c.exception_id = n.id and c.org_id = $1`,
      [trx.scope, part],
    )
    await noteEvents(trx, part, { actor: ACTOR, what: 'assigned', detail })
  })
}

/** What age has made worse is so now. */
export async function raiseSeverities(trx: Trx): Promise<void> {
  const ids = await idsWhere(
    trx,
    `select exception_id from recon_cases
      where org_id = $1 and state = 'open' and rises_at <= now() order by rises_at limit $2`,
    [],
  )
  await inParts(ids, async (part) => {
    await trx.query(
      `update recon_cases c
          set severity = least(c.severity, d.severity), rises_at = d.rises_at
         from unnest($2::text[]) as n (id)
        cross join lateral (
          select * from recon_cases x where x.exception_id = n.id and x.org_id = $1 limit 1) o
        cross join lateral recon_work_policy($1) p
        cross join lateral recon_due(p.policy -> 'due', o.amount, o.currency, o.since, now()) d
        where c.exception_id = n.id and c.org_id = $1 and c.state = 'open'`,
      [trx.scope, part],
    )
  })
}

export interface Reminded {
  exception_id: string
  owner: string | null
  reminders: number
  expired: boolean
}

/** Open exceptions whose reminder is due, those first that wait for longest. */
export async function dueReminders(trx: Trx): Promise<string[]> {
  return await idsWhere(
    trx,
    `select exception_id from recon_cases
      where org_id = $1 and state = 'open' and next_reminder_at <= now()
      order by next_reminder_at limit $2`,
    [],
  )
}

/**
 * Counts a reminder of each that is due still: it comes again after the interval until it was told
 * of so many times. What nobody would hear of, because it has no owner and the organisation no
 * address, is looked at again later and not counted. Gives those that are to be told of.
 */
export async function countReminders(
  trx: Trx,
  ids: readonly string[],
  how: { isOn: boolean; everyHours: number; times: number; hasAddresses: boolean },
): Promise<Reminded[]> {
  const reminded: Reminded[] = []
  await inParts(ids, async (part) => {
    const rows = await trx.query<Reminded & { told: boolean }>(
      `update recon_cases c
          set reminders = c.reminders + t.told::integer,
              acknowledged_at = null, acknowledged_by = null,
              next_reminder_at = case when t.told and c.reminders + 1 >= $4 then null
                                      else now() + make_interval(hours => $3) end
         from unnest($2::text[]) as n (id)
        cross join lateral (
          select ($6 and (x.owner is not null or $5)) as told
            from recon_cases x where x.exception_id = n.id and x.org_id = $1 limit 1) t
        where c.exception_id = n.id and c.org_id = $1 and c.state = 'open'
          and c.next_reminder_at <= now()
       returning c.exception_id, c.owner, c.reminders, t.told,
                 c.next_reminder_at is null as expired`,
      [trx.scope, part, how.everyHours, how.times, how.hasAddresses, how.isOn],
    )
    for (const { told, ...one } of rows) {
      if (told) {
        reminded.push(one)
      }
    }
  })
  return reminded
}

/** Notes that somebody was told of these, and, of those that expired, that it was the last time. */
export async function noteReminders(
  trx: Trx,
  ids: readonly string[],
  {
    time,
    owner,
    addresses,
    expired,
  }: {
    time: number
    owner: string | null
    addresses: readonly string[]
    expired: boolean
  },
): Promise<void> {
  await inParts(ids, async (part) => {
    const detail = { time, owner, addresses }
    await noteEvents(trx, part, { actor: ACTOR, what: 'reminded', detail })
    if (expired) {
      await noteEvents(trx, part, { actor: ACTOR, what: 'expired', detail: { times: time } })
    }
  })
}
