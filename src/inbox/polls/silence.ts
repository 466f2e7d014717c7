/** How long a gateway's webhooks are silent as a rule, and what follows when it is longer. */
import type { Database, Trx } from '../../base/db.ts'
import { idsFrom } from '../../base/ids.ts'
import { gatewaySilences } from '../../base/metrics-gateways.ts'
import type { GatewayName } from '../../gateways/fact.ts'
import type { Poll } from './polls.ts'
import { DAY_MS } from './timetable.ts'

/** What was heard in the last fortnight, at most so much of it, says what is usual. */
const LOOK_BACK_MS = 14 * DAY_MS
const EVENTS_MAX = 5000
/** With fewer pauses between webhooks than this nobody knows what is usual. */
const GAPS_MIN = 20
const SHORTEST_SECONDS = 5 * 60
const LONGEST_SECONDS = 6 * 60 * 60
/** Pauses that began within so many hours of the last one's time of day are of its kind. */
const HOURS_ALIKE = 1

export interface Heard {
  /** The last webhook; null where there was none for a fortnight. */
  at: Date | null
  /** Of a hundred pauses ninety-nine are shorter than this. */
  usualSeconds: number
}

interface Row {
  heard_at: Date | null
  gaps: number
  usual: number | null
  gaps_alike: number
  usual_alike: number | null
}

/**
 * When the gateway's webhooks were heard last and how long they are silent as a rule, by the time
 * of day where enough is known: a small organisation sleeps at night. What polls found was not
 * heard.
 */
export async function heardOf(trx: Trx, gateway: GatewayName, now: Date): Promise<Heard> {
  const [row] = await trx.query<Row>(
    `with recent as (
       select gateway, told, received_at from inbox_events
        where org_id = $1 and event_id >= $3 order by event_id desc limit ${EVENTS_MAX}
     ), heard as (
       select received_at,
              lead(received_at) over (order by received_at) - received_at as gap,
              extract(hour from received_at at time zone 'Asia/Kolkata')::integer as hour
         from recent where gateway = $2 and told is null
     ), last as (
       select max(received_at) as at,
              extract(hour from max(received_at) at time zone 'Asia/Kolkata')::integer as hour
         from heard
     ), alike as (
       select h.gap from heard h, last l
        where least(abs(h.hour - l.hour), 24 - abs(h.hour - l.hour)) <= ${HOURS_ALIKE}
     )
     select (select at from last) as heard_at,
            (select count(gap)::integer from heard) as gaps,
            (select extract(epoch from percentile_cont(0.99) within group (order by gap))::float8
               from heard) as usual,
            (select count(gap)::integer from alike) as gaps_alike,
            (select extract(epoch from percentile_cont(0.99) within group (order by gap))::float8
               from alike) as usual_alike`,
    [trx.scope, gateway, idsFrom('evt', now.getTime() - LOOK_BACK_MS)],
  )
  return { at: row?.heard_at ?? null, usualSeconds: usualOf(row) }
}

function usualOf(row: Row | undefined): number {
  const enough = (gaps: number | undefined): boolean => (gaps ?? 0) >= GAPS_MIN
  const told = enough(row?.gaps_alike)
    ? row?.usual_alike
    : enough(row?.gaps)
      ? row?.usual
      : LONGEST_SECONDS
  return Math.round(Math.min(Math.max(told ?? 0, SHORTEST_SECONDS), LONGEST_SECONDS))
}

/** Notes, with the lease on its payments, how long the gateway may be silent from now on. */
export async function noteHeard(trx: Trx, poll: Poll, now: Date): Promise<void> {
  const { at, usualSeconds } = await heardOf(trx, poll.gateway, now)
  // Of who was never heard, nobody knows a silence; and one silence is noticed once.
  const isOver = at !== null && (poll.silent_since === null || at > poll.silent_since)
  const dueAt = isOver ? new Date(at.getTime() + usualSeconds * 1000) : null
  const isSilent = at !== null && !isOver
  await trx.query(
    `update gateway_polls
        set usual_silence_seconds = $4, heard_at = $5, silence_due_at = $6,
            silent_since = case when $7 then silent_since end
      where org_id = $1 and gateway = $2 and list = $3`,
    [trx.scope, poll.gateway, poll.list, usualSeconds, at, dueAt, isSilent],
  )
}

interface Due {
  org_id: number
  gateway: GatewayName
}

/** Organisations whose webhooks may be silent for longer than usual. */
async function silencesDue(db: Database): Promise<Due[]> {
  return await db.statement<Due>(
    `select org_id, gateway from gateway_polls
      where silence_due_at <= now() order by silence_due_at limit 1000`,
  )
}

export async function isSilenceDue(db: Database): Promise<boolean> {
  const rows = await db.statement(
    'select 1 from gateway_polls where silence_due_at <= now() limit 1',
  )
  return rows.length > 0
}

/** Lets all lists of a gateway be compared at once where its webhooks are silent for too long. */
export async function watchSilence(db: Database): Promise<void> {
  for (const { org_id: orgId, gateway } of await silencesDue(db)) {
    const isSilent = await db.transact(
      orgId,
      async (trx) => await lookForSilence(trx, gateway, new Date()),
      { isolation: 'read committed' },
    )
    if (isSilent) {
      gatewaySilences.inc({ gateway })
    }
  }
}

async function lookForSilence(trx: Trx, gateway: GatewayName, now: Date): Promise<boolean> {
  const { at, usualSeconds } = await heardOf(trx, gateway, now)
  const dueAt = at === null ? null : new Date(at.getTime() + usualSeconds * 1000)
  if (dueAt !== null && dueAt > now) {
    await trx.query(
      `update gateway_polls set heard_at = $3, usual_silence_seconds = $4, silence_due_at = $5
        where org_id = $1 and gateway = $2 and silence_due_at is not null`,
      [trx.scope, gateway, at, usualSeconds, dueAt],
    )
    return false
  }
  const noticed = await trx.query(
    `update gateway_polls
        set silence_due_at = null, silent_since = coalesce($3, heard_at, now())
      where org_id = $1 and gateway = $2 and silence_due_at <= now() returning 1`,
    [trx.scope, gateway, at],
  )
  if (noticed.length > 0) {
    await trx.query(
      `update gateway_polls set next_due_at = now()
        where org_id = $1 and gateway = $2 and next_due_at > now() and failures = 0`,
      [trx.scope, gateway],
    )
  }
  return noticed.length > 0
}
