/** GET /v1/inbox-events and /v1/rejected-calls: what came in and what became of it. */
import { z } from 'zod'
import { build, type Trx } from '../../base/db.ts'
import { GATEWAY_NAMES, type GatewayName } from '../../gateways/fact.ts'
import type { RejectedCall } from '../../inbox/reject.ts'
import { idText, instant, pageOf, sha256Hex, texts } from '../answers.ts'
import { idOfKind, limit } from '../input.ts'
import { listOf } from '../list.ts'
import { operation, type Operation } from '../operation.ts'

const EVENT_STATES = ['waiting', 'processed', 'ignored', 'dead'] as const

const REASONS = [
  'bad_signature',
  'body_too_large',
  'unreadable',
] as const satisfies readonly RejectedCall['reason'][]

const eventsQuery = z.strictObject({
  limit,
  starting_after: idOfKind('evt').optional(),
  state: z.enum(EVENT_STATES).optional(),
  gateway: z.enum(GATEWAY_NAMES).optional(),
})

const rejectedQuery = z.strictObject({
  limit,
  starting_after: idOfKind('rej').optional(),
})

const inboxEvent = z
  .strictObject({
    id: idText('evt'),
    endpoint: idText('whe'),
    gateway: z.enum(GATEWAY_NAMES),
    gateway_event_id: z.string().nullable(),
    type: z
      .string()
      .nullable()
      .meta({ description: 'The gateway’s name of it; null until it is read.' }),
    state: z.enum(EVENT_STATES),
    received_at: instant,
    duplicates: z.int().meta({ description: 'How often it came again.' }),
    attempts: z.int(),
    next_try_at: instant.nullable(),
    first_error: z.string().nullable(),
    last_error: z.string().nullable(),
    processed_at: instant.nullable(),
  })
  .meta({ id: 'InboxEvent' })

const rejectedCall = z
  .strictObject({
    id: idText('rej'),
    endpoint: idText('whe'),
    gateway: z.enum(GATEWAY_NAMES),
    reason: z.enum(REASONS),
    headers: texts,
    body_bytes: z.int().nullable(),
    body_sha256: sha256Hex.nullable(),
    remote_address: z.string().nullable(),
    received_at: instant,
  })
  .meta({ id: 'RejectedCall' })

interface EventRow {
  event_id: string
  endpoint_id: string
  gateway: GatewayName
  gateway_event_id: string | null
  event_type: string | null
  state: (typeof EVENT_STATES)[number]
  received_at: Date
  attempts: number
  next_try_at: Date
  first_error: string | null
  last_error: string | null
  processed_at: Date | null
  duplicates: number
}

interface RejectedRow {
  rejected_id: string
  endpoint_id: string
  gateway: GatewayName
  reason: RejectedCall['reason']
  headers: Record<string, string>
  body_bytes: number | null
  body_sha256: Buffer | null
  remote_address: string | null
  received_at: Date
}

export function inboxOperations(): Operation[] {
  return [eventsOperation(), rejectedOperation()]
}

function eventsOperation(): Operation {
  return operation(
    {
      id: 'listInboxEvents',
      method: 'get',
      path: '/inbox-events',
      tag: 'Intake',
      summary: 'What the gateways sent and what became of it, newest first',
      permission: 'inbox.read',
      query: eventsQuery,
      answers: { 200: { what: 'By id, downwards.', body: pageOf(inboxEvent) } },
    },
    {
      async read(trx, { query }) {
        const select = events(trx.scope)
        if (query.starting_after !== undefined) {
          select.where('e.event_id', '<', query.starting_after)
        }
        if (query.state !== undefined) {
          select.where('e.state', query.state)
        }
        if (query.gateway !== undefined) {
          select.where('e.gateway', query.gateway)
        }
        const newestFirst = select.orderBy('e.event_id', 'desc').limit(query.limit + 1)
        const rows = await trx.run<EventRow>(newestFirst)
        return { status: 200, body: listOf(rows, query.limit, eventView) }
      },
    },
  )
}

function rejectedOperation(): Operation {
  return operation(
    {
      id: 'listRejectedCalls',
      method: 'get',
      path: '/rejected-calls',
      tag: 'Intake',
      summary: 'Webhook calls that were refused, newest first',
      permission: 'inbox.read',
      query: rejectedQuery,
      answers: { 200: { what: 'By id, downwards.', body: pageOf(rejectedCall) } },
    },
    {
      async read(trx, { query }) {
        const select = build('rejected_calls').where({ org_id: trx.scope })
        if (query.starting_after !== undefined) {
          select.where('rejected_id', '<', query.starting_after)
        }
        const newestFirst = select.orderBy('rejected_id', 'desc').limit(query.limit + 1)
        const rows = await trx.run<RejectedRow>(newestFirst)
        return { status: 200, body: listOf(rows, query.limit, rejectedView) }
      },
    },
  )
}

function events(orgId: Trx['scope']) {
  const repeated = build('inbox_duplicates as d')
    .whereRaw(
      'd.org_id = e.org_id and d.endpoint_id = e.endpoint_id and d.dedupe_key = e.dedupe_key',
    )
    .select(build.raw('count(*)::integer'))
  return build('inbox_events as e')
    .where('e.org_id', orgId)
    .select(
      'e.event_id',
      'e.endpoint_id',
      'e.gateway',
      'e.gateway_event_id',
      'e.event_type',
      'e.state',
      'e.received_at',
      'e.attempts',
      'e.next_try_at',
      'e.first_error',
      'e.last_error',
      'e.processed_at',
    )
    .select(repeated.as('duplicates'))
}

function eventView(row: EventRow): z.input<typeof inboxEvent> {
  return {
    id: row.event_id,
    endpoint: row.endpoint_id,
    gateway: row.gateway,
    gateway_event_id: row.gateway_event_id,
    type: row.event_type,
    state: row.state,
    received_at: row.received_at.toISOString(),
    duplicates: row.duplicates,
    attempts: row.attempts,
    next_try_at: row.state === 'waiting' ? row.next_try_at.toISOString() : null,
    first_error: row.first_error,
    last_error: row.last_error,
    processed_at: row.processed_at?.toISOString() ?? null,
  }
}

function rejectedView(row: RejectedRow): z.input<typeof rejectedCall> {
  return {
    id: row.rejected_id,
    endpoint: row.endpoint_id,
    gateway: row.gateway,
    reason: row.reason,
    headers: row.headers,
    body_bytes: row.body_bytes,
    body_sha256: row.body_sha256?.toString('hex') ?? null,
    remote_address: row.remote_address,
    received_at: row.received_at.toISOString(),
  }
}
