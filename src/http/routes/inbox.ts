/** GET /v1/inbox-events and /v1/rejected-calls: what came in and what became of it. */
import { Router } from 'express'
import { z } from 'zod'
import { build } from '../../base/db.ts'
import { isId } from '../../base/ids.ts'
import type { Parts } from '../../base/parts.ts'
import { GATEWAY_NAMES } from '../../gateways/fact.ts'
import { allow, principalOf } from '../auth.ts'
import { limit, queryOf } from '../input.ts'
import { listOf } from '../list.ts'

const eventsQuery = z.strictObject({
  limit,
  starting_after: z
    .string()
    .refine((text) => isId('evt', text), { error: 'must be an event id' })
    .optional(),
  state: z.enum(['waiting', 'processed', 'ignored', 'dead']).optional(),
  gateway: z.enum(GATEWAY_NAMES).optional(),
})

const rejectedQuery = z.strictObject({
  limit,
  starting_after: z
    .string()
    .refine((text) => isId('rej', text), { error: 'must be an id of a rejected call' })
    .optional(),
})

interface EventRow {
  event_id: string
  endpoint_id: string
  gateway: string
  gateway_event_id: string | null
  event_type: string | null
  state: string
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
  gateway: string
  reason: string
  headers: Record<string, string>
  body_bytes: number | null
  body_sha256: Buffer | null
  remote_address: string | null
  received_at: Date
}

export function inboxRoutes(parts: Parts): Router {
  const routes = Router()
  const readers = allow('finance', 'auditor', 'admin')

  routes.get('/inbox-events', readers, async (request, response) => {
    const asked = queryOf(request, eventsQuery)
    const { orgId } = principalOf(request)
    const rows = await parts.db.read(orgId, async (trx) => {
      const repeated = build('inbox_duplicates as d')
        .whereRaw(
          'd.org_id = e.org_id and d.endpoint_id = e.endpoint_id and d.dedupe_key = e.dedupe_key',
        )
        .select(build.raw('count(*)::integer'))
      const select = build('inbox_events as e')
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
      if (asked.starting_after !== undefined) {
        select.where('e.event_id', '<', asked.starting_after)
      }
      if (asked.state !== undefined) {
        select.where('e.state', asked.state)
      }
      if (asked.gateway !== undefined) {
        select.where('e.gateway', asked.gateway)
      }
      return await trx.run<EventRow>(select.orderBy('e.event_id', 'desc').limit(asked.limit + 1))
    })
    response.json(listOf(rows, asked.limit, eventView))
  })

  routes.get('/rejected-calls', readers, async (request, response) => {
    const asked = queryOf(request, rejectedQuery)
    const { orgId } = principalOf(request)
    const rows = await parts.db.read(orgId, async (trx) => {
      const select = build('rejected_calls').where({ org_id: orgId })
      if (asked.starting_after !== undefined) {
        select.where('rejected_id', '<', asked.starting_after)
      }
      return await trx.run<RejectedRow>(
        select.orderBy('rejected_id', 'desc').limit(asked.limit + 1),
      )
    })
    response.json(listOf(rows, asked.limit, rejectedView))
  })
  return routes
}

function eventView(row: EventRow): object {
  return {
    id: row.event_id,
    endpoint: row.endpoint_id,
    gateway: row.gateway,
    gateway_event_id: row.gateway_event_id,
    type: row.event_type,
    state: row.state,
    received_at: row.received_at,
    duplicates: row.duplicates,
    attempts: row.attempts,
    next_try_at: row.state === 'waiting' ? row.next_try_at : null,
    first_error: row.first_error,
    last_error: row.last_error,
    processed_at: row.processed_at,
  }
}

function rejectedView(row: RejectedRow): object {
  return {
    id: row.rejected_id,
    endpoint: row.endpoint_id,
    gateway: row.gateway,
    reason: row.reason,
    headers: row.headers,
    body_bytes: row.body_bytes,
    body_sha256: row.body_sha256?.toString('hex') ?? null,
    remote_address: row.remote_address,
    received_at: row.received_at,
  }
}
