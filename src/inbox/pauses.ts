/** Pauses: a gateway, or one type of its events, that is taken in and processed later. */
import type { Trx } from '../base/db.ts'
import { newId } from '../base/ids.ts'
import { Problem } from '../base/problem.ts'
import type { GatewayName } from '../gateways/fact.ts'

export interface Pause {
  pause_id: string
  gateway: GatewayName
  /** Null: all of the gateway's events. */
  event_type: string | null
  reason: string
  paused_by: string
  paused_at: Date
  resumed_by: string | null
  resumed_at: Date | null
  /** When the last event that had waited for it was let go. */
  drained_at: Date | null
  /** Events that wait for it, as far as anybody counts. */
  held: number
}

/** What is paused in one organisation. */
export interface Pauses {
  /** With a type also where the whole gateway is; null asks for the whole gateway. */
  has(gateway: GatewayName, type: string | null): boolean
}

/** Pauses of an organisation at a time. */
const PAUSES_MAX = 50
/** Held events are counted up to here. */
export const HELD_COUNT_MAX = 10_000
/** Events let go in one transaction. */
const DRAINED_TOGETHER = 1000

const HELD = `(select count(*)::integer from (
    select 1 from inbox_events e
     where e.org_id = p.org_id and e.gateway = p.gateway and e.held_at is not null
       and (p.event_type is null or e.event_type = p.event_type)
       and p.drained_at is null
     limit ${HELD_COUNT_MAX}) waiting)`

const PAUSE = `p.pause_id, p.gateway, p.event_type, p.reason, p.paused_by, p.paused_at,
  p.resumed_by, p.resumed_at, p.drained_at, ${HELD} as held`

/** What is paused now. */
export async function readPauses(trx: Trx): Promise<Pauses> {
  const rows = await trx.query<{ gateway: GatewayName; event_type: string | null }>(
    `select gateway, event_type from inbox_pauses
      where org_id = $1 and resumed_at is null limit ${PAUSES_MAX}`,
    [trx.scope],
  )
  const paused = new Set(rows.map((row) => keyOf(row.gateway, row.event_type)))
  return {
    has: (gateway, type) =>
      paused.has(keyOf(gateway, null)) || (type !== null && paused.has(keyOf(gateway, type))),
  }
}

function keyOf(gateway: GatewayName, type: string | null): string {
  return `${gateway} ${type ?? ''}`
}

/** Puts events aside until their pause ends; where the type is known, it is noted. */
export async function hold(
  trx: Trx,
  held: readonly { event: { event_id: string }; type: string | null }[],
): Promise<void> {
  if (held.length === 0) {
    return
  }
  await trx.query(
    // Event by event: a plan made while few waited would go through all of them for each.
    `update inbox_events e
        set held_at = now(), event_type = coalesce(left(n.type, 100), e.event_type)
       from unnest($2::text[], $3::text[]) as n (event_id, type)
      cross join lateral (
        select ctid as place from inbox_events
         where org_id = $1 and event_id = n.event_id limit 1
      ) at
      where e.ctid = at.place and e.state = 'waiting' and e.held_at is null`,
    [trx.scope, held.map(({ event }) => event.event_id), held.map(({ type }) => type)],
  )
}

/** Newest first, those that have ended too. */
export async function listPauses(
  trx: Trx,
  page: { limit: number; before: string | null; active: boolean | null },
): Promise<Pause[]> {
  return await trx.query<Pause>(
    `select ${PAUSE} from inbox_pauses p
      where p.org_id = $1 and ($2::text is null or p.pause_id < $2)
        and ($3::boolean is null or (p.resumed_at is null) = $3)
      order by p.pause_id desc limit $4`,
    [trx.scope, page.before, page.active, page.limit],
  )
}

export interface NewPause {
  gateway: GatewayName
  type: string | null
  reason: string
  by: string
}

/**
 * Pauses from now on; what is paused already stays as it is, with `isNew` false. Throws
 * `limit_reached` above 50 pauses at a time.
 */
export async function pause(trx: Trx, asked: NewPause): Promise<{ pause: Pause; isNew: boolean }> {
  const active = await trx.query<{ pause_id: string; gateway: string; event_type: string | null }>(
    `select pause_id, gateway, event_type from inbox_pauses
      where org_id = $1 and resumed_at is null limit ${PAUSES_MAX}`,
    [trx.scope],
  )
  const there = active.find((one) => one.gateway === asked.gateway && one.event_type === asked.type)
  if (there !== undefined) {
    return { pause: await findPause(trx, there.pause_id), isNew: false }
  }
  if (active.length >= PAUSES_MAX) {
    const detail = `At most ${PAUSES_MAX} pauses last at a time; end one, or pause the gateway.`
    throw new Problem('limit_reached', { detail })
  }
  const pauseId = newId('pau')
  await trx.query(
    `insert into inbox_pauses (org_id, pause_id, gateway, event_type, reason, paused_by)
     values ($1, $2, $3, $4, $5, $6)`,
    [trx.scope, pauseId, asked.gateway, asked.type, asked.reason, asked.by],
  )
  return { pause: await findPause(trx, pauseId), isNew: true }
}

/** Ends a pause; its events follow in the order in which they came. Throws `not_found`. */
export async function resume(
  trx: Trx,
  pauseId: string,
  by: string,
): Promise<{ pause: Pause; isNew: boolean }> {
  await findPause(trx, pauseId)
  const ended = await trx.query(
    `update inbox_pauses set resumed_at = now(), resumed_by = $3
      where org_id = $1 and pause_id = $2 and resumed_at is null returning 1`,
    [trx.scope, pauseId, by],
  )
  return { pause: await findPause(trx, pauseId), isNew: ended.length > 0 }
}

async function findPause(trx: Trx, pauseId: string): Promise<Pause> {
  const [row] = await trx.query<Pause>(
    `select ${PAUSE} from inbox_pauses p where p.org_id = $1 and p.pause_id = $2`,
    [trx.scope, pauseId],
  )
  if (row === undefined) {
    throw new Problem('not_found', { detail: 'There is no such pause.' })
  }
  return row
}

/**
 * Lets go of up to a thousand events of pauses that have ended, the oldest first, unless another
 * pause still holds them; gives how many those were, null where no pause is left to be drained.
 */
export async function drain(trx: Trx): Promise<number | null> {
  const [ended] = await trx.query<{ pause_id: string }>(
    `select pause_id from inbox_pauses
      where org_id = $1 and resumed_at is not null and drained_at is null
      order by pause_id limit 1`,
    [trx.scope],
  )
  if (ended === undefined) {
    return null
  }
  const freed = await trx.query(
    `update inbox_events set held_at = null
      where org_id = $1 and event_id in (
        select e.event_id
          from inbox_pauses p
          join inbox_events e on e.org_id = p.org_id and e.gateway = p.gateway
           and (p.event_type is null or e.event_type = p.event_type)
         where p.org_id = $1 and p.pause_id = $2 and e.held_at is not null
           and not exists (
             select 1 from inbox_pauses other
              where other.org_id = e.org_id and other.gateway = e.gateway
                and other.resumed_at is null
                and (other.event_type is null or other.event_type = e.event_type))
         order by e.event_id limit ${DRAINED_TOGETHER})
      returning 1`,
    [trx.scope, ended.pause_id],
  )
  if (freed.length < DRAINED_TOGETHER) {
    await trx.query(
      'update inbox_pauses set drained_at = now() where org_id = $1 and pause_id = $2',
      [trx.scope, ended.pause_id],
    )
  }
  return freed.length
}
