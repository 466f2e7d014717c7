/** Writes events into the inbox, each once: webhooks as they come in, and what a gateway told. */
import type { Database, Trx } from '../base/db.ts'
import type { TraceContext } from '../base/tracing.ts'
import type { GatewayName } from '../gateways/fact.ts'
import type { Confirmation } from '../gateways/gateway.ts'
import { laneOf, type Lane } from './stored-event.ts'

/** What many webhooks have in common. */
interface Kind {
  orgId: number
  endpointId: string
  gateway: GatewayName
  account: string
  secretId: string | null
  contentType: string
  needsConfirmation: boolean
  lane: Lane
}

/** A webhook that is verified. */
export interface NewEvent extends Kind {
  eventId: string
  gatewayEventId: string | null
  /** 32 bytes: an endpoint's events with the same are one. */
  dedupeKey: Buffer
  body: Buffer
  receivedAt: Date
  trace: TraceContext | null
}

/**
 * Stores those that were not here before, in one statement. Of the same event in one batch the
 * first is new.
 */
export async function storeNew<Event extends NewEvent>(
  db: Database,
  batch: readonly Event[],
): Promise<{ fresh: Event[]; repeated: Event[] }> {
  const { firsts, others } = sorted(batch)
  const rows = await db.prepared<{ event_id: string }>({
    name: 'store_webhooks',
    sql: STORE,
    params: paramsOf(firsts),
  })
  if (rows.length === firsts.length) {
    return { fresh: firsts, repeated: others }
  }
  const stored = new Set(rows.map((row) => row.event_id))
  return {
    fresh: firsts.filter(({ eventId }) => stored.has(eventId)),
    repeated: [...others, ...firsts.filter(({ eventId }) => !stored.has(eventId))],
  }
}

/** Counts deliveries of events that were here before. */
export async function storeRepeated(db: Database, calls: readonly NewEvent[]): Promise<void> {
  await db.prepared({
    name: 'store_repeated_webhooks',
    sql: `insert into inbox_duplicates (org_id, endpoint_id, dedupe_key, received_at)
          select * from unnest($1::integer[], $2::text[], $3::bytea[], $4::timestamptz[])`,
    params: [
      calls.map(({ orgId }) => orgId),
      calls.map(({ endpointId }) => endpointId),
      calls.map(({ dedupeKey }) => dedupeKey),
      calls.map(({ receivedAt }) => receivedAt.toISOString()),
    ],
  })
}

/** In one order, so that two who store the same events wait for each other but never both. */
function sorted<Event extends NewEvent>(
  batch: readonly Event[],
): { firsts: Event[]; others: Event[] } {
  const firsts: Event[] = []
  const others: Event[] = []
  for (const event of batch.toSorted(byKey)) {
    const last = firsts.at(-1)
    const isFirst = last === undefined || byKey(last, event) !== 0
    ;(isFirst ? firsts : others).push(event)
  }
  return { firsts, others }
}

function byKey(one: NewEvent, other: NewEvent): number {
  if (one.endpointId === other.endpointId) {
    return one.dedupeKey.compare(other.dedupeKey)
  }
  return one.endpointId < other.endpointId ? -1 : 1
}

// unnest() stands in the list of columns, because in FROM its rows are gathered first.
const STORE = `
  insert into inbox_events (org_id, event_id, endpoint_id, gateway, account, dedupe_key,
    gateway_event_id, secret_id, content_type, body, needs_confirmation, received_at,
    trace_context, lane)
  select ($1::integer[])[c.kind], c.event_id, ($2::text[])[c.kind], ($3::text[])[c.kind],
         ($4::text[])[c.kind], substring($9::bytea from c.place * 32 - 31 for 32),
         c.gateway_event_id, ($5::text[])[c.kind], ($6::text[])[c.kind],
         substring($15::bytea from c.body_from for c.body_bytes), ($7::boolean[])[c.kind],
         c.received_at, c.trace_context, ($8::text[])[c.kind]
    from (
      select generate_subscripts($10::integer[], 1) as place, unnest($10::integer[]) as kind,
             unnest($11::text[]) as event_id, unnest($12::text[]) as gateway_event_id,
             unnest($13::integer[]) as body_from, unnest($14::integer[]) as body_bytes,
             unnest($16::timestamptz[]) as received_at, unnest($17::text[]) as trace_context
    ) c
  on conflict (org_id, endpoint_id, dedupe_key) do nothing
  returning event_id`

function paramsOf(batch: readonly NewEvent[]): unknown[] {
  const { kinds, numbers } = kindsOf(batch)
  let from = 1
  const bodiesFrom = batch.map(({ body }) => {
    from += body.length
    return from - body.length
  })
  return [
    kinds.map(({ orgId }) => orgId),
    kinds.map(({ endpointId }) => endpointId),
    kinds.map(({ gateway }) => gateway),
    kinds.map(({ account }) => account),
    kinds.map(({ secretId }) => secretId),
    kinds.map(({ contentType }) => contentType),
    kinds.map(({ needsConfirmation }) => needsConfirmation),
    kinds.map(({ lane }) => lane),
    // Bytes in an array travel as text of twice their length; in a row they are themselves.
    Buffer.concat(batch.map(({ dedupeKey }) => dedupeKey)),
    numbers,
    batch.map(({ eventId }) => eventId),
    batch.map(({ gatewayEventId }) => gatewayEventId),
    bodiesFrom,
    batch.map(({ body }) => body.length),
    Buffer.concat(batch.map(({ body }) => body)),
    batch.map(({ receivedAt }) => receivedAt.toISOString()),
    batch.map(({ trace }) => trace),
  ]
}

/** The kinds of a batch and each event's, from 1: sent once, as building arrays takes time. */
function kindsOf(batch: readonly NewEvent[]): { kinds: Kind[]; numbers: number[] } {
  const known = new Map<string, number>()
  const kinds: Kind[] = []
  const numbers = batch.map((event) => {
    const { endpointId, secretId, needsConfirmation, lane, contentType } = event
    const key = `${endpointId} ${secretId} ${needsConfirmation} ${lane} ${contentType}`
    const number = known.get(key) ?? kinds.push(event)
    known.set(key, number)
    return number
  })
  return { kinds, numbers }
}

/** An event that no webhook brought. */
export interface ToldRow {
  eventId: string
  dedupeKey: Buffer
  contentType: string
  body: Buffer
  receivedAt: Date
  needsConfirmation: boolean
  confirmation: Confirmation | null
}

/** Stands in place of an endpoint, so that what was told is deduplicated among itself. */
const TOLD_ENDPOINT = 'told'

/** Stores what a gateway told when it was asked; gives how many of the events are new. */
export async function insertTold(
  trx: Trx,
  of: { gateway: GatewayName; account: string; how: string; trace: TraceContext | null },
  rows: readonly ToldRow[],
): Promise<number> {
  const fresh = await trx.query(
    `insert into inbox_events (org_id, endpoint_id, gateway, account, told, trace_context, event_id,
       dedupe_key, content_type, body, received_at, needs_confirmation, confirmation, lane,
       confirmed_at)
     select $1, '${TOLD_ENDPOINT}', $2, $3, $4, $5, n.*,
            case when n.confirmation is not null then n.received_at end
       from unnest($6::text[], $7::bytea[], $8::text[], $9::bytea[], $10::timestamptz[],
                   $11::boolean[], $12::jsonb[], $13::text[])
         as n (event_id, dedupe_key, content_type, body, received_at, needs_confirmation,
               confirmation, lane)
     on conflict (org_id, endpoint_id, dedupe_key) do nothing
     returning 1`,
    [
      trx.scope,
      of.gateway,
      of.account,
      of.how,
      of.trace,
      rows.map((row) => row.eventId),
      rows.map((row) => row.dedupeKey),
      rows.map((row) => row.contentType),
      rows.map((row) => row.body),
      rows.map((row) => row.receivedAt),
      rows.map((row) => row.needsConfirmation),
      rows.map((row) => (row.confirmation === null ? null : JSON.stringify(row.confirmation))),
      rows.map((row) => laneOf(of.gateway, row.body)),
    ],
  )
  return fresh.length
}
