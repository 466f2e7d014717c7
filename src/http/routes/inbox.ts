/** GET /v1/inbox-events and /v1/rejected-calls: what came in and what became of it. */
import { z } from 'zod'
import type { Parts } from '../../base/parts.ts'
import { build } from '../../base/db.ts'
import { GATEWAY_NAMES, type GatewayName } from '../../gateways/fact.ts'
import { EVENT_STATES, listEvents } from '../../inbox/events.ts'
import type { RejectedCall } from '../../inbox/reject.ts'
import { timelineOf } from '../../inbox/timeline.ts'
import { idText, instant, pageOf, sha256Hex, texts } from '../answers.ts'
import {
  callFilter,
  eventFilter,
  eventView,
  filterOf,
  inboxEvent,
  inboxTimeline,
  timelineView,
} from '../inbox-view.ts'
import { idOfKind, limit } from '../input.ts'
import { line } from '../line.ts'
import { listOf } from '../list.ts'
import { operation, type Operation } from '../operation.ts'

const REASONS = [
  'bad_signature',
  'body_too_large',
  'unreadable',
] as const satisfies readonly RejectedCall['reason'][]

const eventsQuery = z.strictObject({
  limit,
  starting_after: idOfKind('evt').optional(),
  state: z.enum(EVENT_STATES).optional(),
  held: z
    .enum(['true', 'false'])
    .optional()
    .meta({ description: 'Whether it waits for the end of a pause.' }),
  ...eventFilter,
})

const rejectedQuery = z.strictObject({
  limit,
  starting_after: idOfKind('rej').optional(),
  reason: z.enum(REASONS).optional(),
  remote_address: line(100).optional(),
  ...callFilter,
})

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

export function inboxOperations(parts: Parts): Operation[] {
  return [eventsOperation(), eventOperation(parts), rejectedOperation()]
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
        const filter = {
          ...filterOf(query),
          states: query.state === undefined ? undefined : [query.state],
          held: query.held === undefined ? undefined : query.held === 'true',
        }
        const page = { limit: query.limit + 1, before: query.starting_after ?? null }
        const rows = await listEvents(trx, filter, page)
        return { status: 200, body: listOf(rows, query.limit, eventView) }
      },
    },
  )
}

function eventOperation({ keyring }: Parts): Operation {
  return operation(
    {
      id: 'getInboxEvent',
      method: 'get',
      path: '/inbox-events/{id}',
      tag: 'Intake',
      summary: 'One event, what it tells, and all that was done with it',
      permission: 'inbox.read',
      params: z.object({ id: idOfKind('evt') }),
      answers: { 200: { what: 'From its receipt to the donor’s.', body: inboxTimeline } },
    },
    {
      async read(trx, { params: { id } }) {
        return { status: 200, body: timelineView(await timelineOf(trx, keyring, id)) }
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
        for (const [column, value] of [
          ['reason', query.reason],
          ['gateway', query.gateway],
          ['endpoint_id', query.endpoint],
          ['remote_address', query.remote_address],
        ] as const) {
          if (value !== undefined) {
            select.where(column, value)
          }
        }
        for (const [sign, value, column] of [
          ['<', query.starting_after, 'rejected_id'],
          ['>=', query.received_from, 'received_at'],
          ['<', query.received_before, 'received_at'],
        ] as const) {
          if (value !== undefined) {
            select.where(column, sign, value)
          }
        }
        const newestFirst = select.orderBy('rejected_id', 'desc').limit(query.limit + 1)
        const rows = await trx.run<RejectedRow>(newestFirst)
        return { status: 200, body: listOf(rows, query.limit, rejectedView) }
      },
    },
  )
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
