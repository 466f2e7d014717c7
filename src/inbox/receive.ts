/** Takes a webhook in: verified, stored durably, deduplicated; only then may it be answered 200. */
import { sha256 } from '../base/crypto.ts'
import type { Database, Trx } from '../base/db.ts'
import { newId } from '../base/ids.ts'
import { Problem } from '../base/problem.ts'
import type { Bells } from '../base/queue.ts'
import { inSpan, traceContext, type TraceContext } from '../base/tracing.ts'
import type { GatewayName } from '../gateways/fact.ts'
import type { Confirmation, RawWebhook, VerifiedWebhook } from '../gateways/gateway.ts'
import { gateways } from '../gateways/registry.ts'
import { validSecrets, type Endpoint } from './endpoints.ts'
import { laneOf, type Lane } from './stored-event.ts'

export interface Receipt {
  duplicate: boolean
}

export interface Intake {
  /**
   * Stores the call. Throws `bad_signature` unless a secret valid at `now` signed it, and whatever
   * the database throws: then nothing is stored and the gateway has to try again.
   */
  receive(endpoint: Endpoint, webhook: RawWebhook, now: Date): Promise<Receipt>
}

interface Incoming {
  endpoint: Endpoint
  webhook: RawWebhook
  verified: VerifiedWebhook
  needsConfirmation: boolean
  dedupeKey: Buffer
  eventId: string
  receivedAt: Date
  trace: TraceContext | null
  stored(duplicate: boolean): void
  failed(error: unknown): void
}

/** How many calls share one insert at the most. */
const BATCH_MAX = 500
/** More calls than this do not wait for the database: they are told to come again. */
const WAITING_MAX = 5000

export function openIntake(db: Database, bells: Bells): Intake {
  let waiting: Incoming[] = []
  let isInserting = false
  let isGathering = false

  // While an insert runs, the calls that come in gather for the next one: larger ones, one at a
  // time, cost both sides less than two.
  const flush = (): void => {
    isGathering = false
    if (waiting.length > 0 && !isInserting) {
      const batch = waiting.slice(0, BATCH_MAX)
      waiting = waiting.slice(BATCH_MAX)
      isInserting = true
      const links = batch.map(({ trace }) => trace)
      inSpan('store webhooks', { parent: null, links }, async () => await store(db, batch))
        .then(
          (fresh) => {
            for (const { needsConfirmation } of fresh) {
              bells.ring(needsConfirmation ? 'confirm-payments' : 'process-inbox')
            }
          },
          (error: unknown) => {
            for (const call of batch) {
              call.failed(error)
            }
          },
        )
        .finally(() => {
          isInserting = false
          flush()
        })
    }
  }

  return {
    async receive(endpoint, webhook, now) {
      if (waiting.length >= WAITING_MAX) {
        throw new Problem('unavailable', { detail: 'Too many calls wait.', retryAfter: 5 })
      }
      const gateway = gateways[endpoint.gateway]
      const verified = gateway.verify(webhook, endpoint.account, validSecrets(endpoint, now))
      const stored = { ...webhook, signedBy: verified.secretId }
      const needsConfirmation = gateway.needsConfirmation(stored) !== null
      return await new Promise<Receipt>((resolve, reject) => {
        waiting.push({
          endpoint,
          webhook,
          verified,
          needsConfirmation,
          dedupeKey: dedupeKeyOf(webhook, verified),
          eventId: newId('evt', now.getTime()),
          receivedAt: now,
          trace: traceContext(),
          stored: (duplicate) => resolve({ duplicate }),
          failed: reject,
        })
        // Calls read from the sockets in the same turn of the loop share the insert.
        if (!isGathering) {
          isGathering = true
          setImmediate(flush)
        }
      })
    },
  }
}

/**
 * Event id and body together: the id is in no signature, so that a replayed old body under the id
 * of a coming event must not make that event look like a duplicate.
 */
function dedupeKeyOf(webhook: RawWebhook, verified: VerifiedWebhook): Buffer {
  return sha256(Buffer.concat([Buffer.from(`${verified.gatewayEventId ?? ''}\n`), webhook.body]))
}

/** One statement for the batch; gives those of it that are new. */
async function store(db: Database, batch: readonly Incoming[]): Promise<Incoming[]> {
  const rows = await db.prepared<{ event_id: string }>({
    name: 'store_webhooks',
    sql: STORE,
    params: paramsOf(batch),
  })
  const fresh = new Set(rows.map((row) => row.event_id))
  for (const call of batch) {
    call.stored(!fresh.has(call.eventId))
  }
  return batch.filter((call) => fresh.has(call.eventId))
}

// In one order, so that two inserts of the same events wait for each other but never both.
const STORE = `
  with incoming as materialized (
    select k.*, c.event_id, c.gateway_event_id,
           substring($9::bytea from c.place::integer * 32 - 31 for 32) as dedupe_key,
           c.body_from, c.body_bytes, c.received_at, c.trace_context, c.place
      from unnest($10::integer[], $11::text[], $12::text[], $13::integer[], $14::integer[],
                  $15::timestamptz[], $16::text[])
           with ordinality
           as c (kind, event_id, gateway_event_id, body_from, body_bytes, received_at,
                 trace_context, place)
      join unnest($1::integer[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[],
                  $7::boolean[], $8::text[])
           with ordinality
           as k (org_id, endpoint_id, gateway, account, secret_id, content_type,
                 needs_confirmation, lane, number)
        on k.number = c.kind
  ), fresh as (
    insert into inbox_events (org_id, event_id, endpoint_id, gateway, account, dedupe_key,
      gateway_event_id, secret_id, content_type, body, needs_confirmation, received_at,
      trace_context, lane)
    select distinct on (org_id, endpoint_id, dedupe_key)
           org_id, event_id, endpoint_id, gateway, account, dedupe_key, gateway_event_id, secret_id,
           content_type, substring($17::bytea from body_from for body_bytes), needs_confirmation,
           received_at, trace_context, lane
      from incoming order by org_id, endpoint_id, dedupe_key, place
    on conflict (org_id, endpoint_id, dedupe_key) do nothing
    returning event_id
  ), repeated as (
    insert into inbox_duplicates (org_id, endpoint_id, dedupe_key, received_at)
    select org_id, endpoint_id, dedupe_key, received_at
      from incoming where event_id not in (select event_id from fresh)
  )
  select event_id from fresh`

/** What many calls of a batch have in common; sent once, as building arrays takes Node's time. */
interface Kind {
  endpoint: Endpoint
  secretId: string | null
  contentType: string
  needsConfirmation: boolean
  lane: Lane
}

function paramsOf(batch: readonly Incoming[]): unknown[] {
  const kinds = new Map<string, { number: number; kind: Kind }>()
  const numbers = batch.map((call) => {
    const { endpoint, webhook, verified, needsConfirmation } = call
    const { contentType } = webhook
    const lane = laneOf(endpoint.gateway, webhook.body)
    const secretId = verified.secretId
    const key = `${endpoint.endpointId} ${secretId} ${needsConfirmation} ${lane} ${contentType}`
    let known = kinds.get(key)
    if (known === undefined) {
      const kind = { endpoint, secretId, contentType, needsConfirmation, lane }
      known = { number: kinds.size + 1, kind }
      kinds.set(key, known)
    }
    return known.number
  })
  let from = 1
  const bodiesFrom = batch.map((call) => {
    from += call.webhook.body.length
    return from - call.webhook.body.length
  })
  const all = [...kinds.values()].map(({ kind }) => kind)
  return [
    all.map(({ endpoint }) => endpoint.orgId),
    all.map(({ endpoint }) => endpoint.endpointId),
    all.map(({ endpoint }) => endpoint.gateway),
    all.map(({ endpoint }) => endpoint.account),
    all.map(({ secretId }) => secretId),
    all.map(({ contentType }) => contentType),
    all.map(({ needsConfirmation }) => needsConfirmation),
    all.map(({ lane }) => lane),
    // Bytes in an array travel as text of twice their length; in a row they are themselves.
    Buffer.concat(batch.map((call) => call.dedupeKey)),
    numbers,
    batch.map((call) => call.eventId),
    batch.map((call) => call.verified.gatewayEventId),
    bodiesFrom,
    batch.map((call) => call.webhook.body.length),
    batch.map((call) => call.receivedAt.toISOString()),
    batch.map((call) => call.trace),
    Buffer.concat(batch.map((call) => call.webhook.body)),
  ]
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
