/** Stored events as people look for them: by state, gateway, type, endpoint, error and time. */
import type { Knex } from 'knex'
import { build, type Trx } from '../base/db.ts'
import { idsFrom } from '../base/ids.ts'
import { Problem } from '../base/problem.ts'
import type { GatewayName } from '../gateways/fact.ts'
import type { Lane } from './stored-event.ts'
import type { HowTold } from './told.ts'

export const EVENT_STATES = ['waiting', 'processed', 'ignored', 'dead', 'dismissed'] as const

export type EventState = (typeof EVENT_STATES)[number]

export interface InboxEvent {
  event_id: string
  endpoint_id: string
  gateway: GatewayName
  gateway_event_id: string | null
  /** How we heard of it where no webhook told it. */
  told: HowTold | null
  event_type: string | null
  lane: Lane
  state: EventState
  received_at: Date
  attempts: number
  next_try_at: Date
  held_at: Date | null
  first_error: string | null
  last_error: string | null
  note: string | null
  processed_at: Date | null
  dismissed_at: Date | null
  dismissed_by: string | null
  dismissed_because: string | null
  duplicates: number
}

/** What events are asked for; all of it has to be so, and what is left out may be anything. */
export interface EventFilter {
  states?: readonly EventState[] | undefined
  gateway?: GatewayName | undefined
  type?: string | undefined
  endpoint?: string | undefined
  lane?: Lane | undefined
  told?: HowTold | undefined
  /** Whether it waits for the end of a pause. */
  held?: boolean | undefined
  /** A part of its first or last error, in capitals or not. */
  error?: string | undefined
  receivedFrom?: Date | undefined
  receivedBefore?: Date | undefined
  events?: readonly string[] | undefined
}

/** An id is made of the same clock as the time of receipt, a little earlier or later. */
const CLOCK_SLACK_MS = 60 * 60 * 1000

const COLUMNS = [
  'event_id',
  'endpoint_id',
  'gateway',
  'gateway_event_id',
  'told',
  'event_type',
  'lane',
  'state',
  'received_at',
  'attempts',
  'next_try_at',
  'held_at',
  'first_error',
  'last_error',
  'note',
  'processed_at',
  'dismissed_at',
  'dismissed_by',
  'dismissed_because',
] as const

/** Newest first, from after an id on. */
export async function listEvents(
  trx: Trx,
  filter: EventFilter,
  page: { limit: number; before: string | null },
): Promise<InboxEvent[]> {
  const repeated = build('inbox_duplicates as d')
    .whereRaw(
      'd.org_id = e.org_id and d.endpoint_id = e.endpoint_id and d.dedupe_key = e.dedupe_key',
    )
    .select(build.raw('count(*)::integer'))
  const select = eventsOf(trx, filter)
    .select(COLUMNS.map((name) => `e.${name}`))
    .select(repeated.as('duplicates'))
    .orderBy('e.event_id', 'desc')
    .limit(page.limit)
  if (page.before !== null) {
    select.where('e.event_id', '<', page.before)
  }
  return await trx.run<InboxEvent>(select)
}

/** Throws `not_found`. */
export async function findEvent(trx: Trx, eventId: string): Promise<InboxEvent> {
  const [found] = await listEvents(trx, { events: [eventId] }, { limit: 1, before: null })
  if (found === undefined) {
    throw new Problem('not_found', { detail: 'There is no such event.' })
  }
  return found
}

/** The events of a filter, as a query to be finished. */
export function eventsOf(trx: Trx, filter: EventFilter): Knex.QueryBuilder {
  const select = build('inbox_events as e').where('e.org_id', trx.scope)
  if (filter.states !== undefined) {
    select.whereIn('e.state', [...filter.states])
  }
  for (const [column, value] of [
    ['e.gateway', filter.gateway],
    ['e.event_type', filter.type],
    ['e.endpoint_id', filter.endpoint],
    ['e.lane', filter.lane],
    ['e.told', filter.told],
  ] as const) {
    if (value !== undefined) {
      select.where(column, value)
    }
  }
  if (filter.held !== undefined) {
    select.whereRaw(filter.held ? 'e.held_at is not null' : 'e.held_at is null')
  }
  if (filter.error !== undefined) {
    select.whereRaw(
      `(strpos(lower(e.last_error), lower(?)) > 0 or strpos(lower(e.first_error), lower(?)) > 0)`,
      [filter.error, filter.error],
    )
  }
  withinTimes(select, filter)
  if (filter.events !== undefined) {
    select.whereRaw('e.event_id = any(?::text[])', [[...filter.events]])
  }
  return select
}

/** The primary key narrows the times first, because there is no index by time of receipt. */
function withinTimes(select: Knex.QueryBuilder, filter: EventFilter): void {
  const { receivedFrom: from, receivedBefore: before } = filter
  if (from !== undefined) {
    const first = idsFrom('evt', Math.max(0, from.getTime() - CLOCK_SLACK_MS))
    select.where('e.received_at', '>=', from).where('e.event_id', '>=', first)
  }
  if (before !== undefined) {
    const last = idsFrom('evt', Math.max(0, before.getTime() + CLOCK_SLACK_MS))
    select.where('e.received_at', '<', before).where('e.event_id', '<', last)
  }
}
