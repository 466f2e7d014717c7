/** Drains the inbox: stored events become facts, facts become records, a batch a transaction. */
import { isConnectionError } from '../base/database-error.ts'
import type { Keyring } from '../base/crypto.ts'
import type { Database, Trx } from '../base/db.ts'
import type { Log } from '../base/log.ts'
import { inboxEvents, webhookAgeSeconds } from '../base/metrics.ts'
import { messageOf, Problem } from '../base/problem.ts'
import { inSpans, type TraceContext } from '../base/tracing.ts'
import { recordFacts, type ToldFact } from '../donations/record.ts'
import type { GatewayName } from '../gateways/fact.ts'
import type { Confirmation, GatewayEvent } from '../gateways/gateway.ts'
import { gateways } from '../gateways/registry.ts'
import { bodyOf, type KeptBody } from './bodies.ts'
import { noteFailures, type Failure } from './failures.ts'

/** A row of the inbox as processing reads it. */
export interface StoredEvent extends KeptBody {
  gateway: GatewayName
  account: string
  content_type: string
  attempts: number
  confirmation: Confirmation | null
  received_at: Date
  trace_context: TraceContext | null
}

/** A time before this, or this long after the event came in, is a fault and no booking date. */
const EARLIEST = new Date('2015-01-01T00:00:00+05:30')
const AHEAD_MS_MAX = 24 * 60 * 60 * 1000
/** Ten thousand crore rupees: above, it is a fault, and sums would leave what JSON can say. */
const AMOUNT_MAX = 10_000_000_000_000n

export const BATCH_MAX = 500

export interface ProcessingParts {
  db: Database
  keyring: Keyring
  log: Log
  /** True from the moment the worker was asked to end. */
  shouldStop(): boolean
}

/**
 * Processes what waits for one organisation until nothing is left that is due; gives how many
 * events it took in hand. Safe to run at any time, by any number of workers at once.
 */
export async function processOrganisation(parts: ProcessingParts, orgId: number): Promise<number> {
  let taken = 0
  for (;;) {
    const batch = await processBatch(parts, orgId, BATCH_MAX)
    taken += batch
    if (batch === 0 || parts.shouldStop()) {
      return taken
    }
  }
}

async function processBatch(parts: ProcessingParts, orgId: number, limit: number): Promise<number> {
  const { db, keyring, log } = parts
  try {
    return await db.transact(
      orgId,
      async (trx) => {
        const events = await takeDue(trx, limit)
        await processEvents(trx, keyring, events, new Date())
        return events.length
      },
      { queue: 'journal' },
    )
  } catch (error) {
    if (isConnectionError(error) || (error instanceof Problem && error.code === 'unavailable')) {
      throw error
    }
    if (limit > 1) {
      // One of them breaks the whole batch: halves go on until it stands alone.
      log.warn({ err: error, orgId, limit }, 'a batch failed, trying smaller ones')
      return await processBatch(parts, orgId, Math.ceil(limit / 8))
    }
    log.error({ err: error, orgId }, 'an event failed')
    return await setAside(db, orgId, error)
  }
}

/** Notes the failure of the one event that stands first, so that the others get their turn. */
async function setAside(db: Database, orgId: number, error: unknown): Promise<number> {
  return await db.transact(
    orgId,
    async (trx) => {
      const events = await takeDue(trx, 1)
      const failures = events.map((event) => ({ event, reason: messageOf(error), final: false }))
      await noteFailures(trx, failures)
      return events.length
    },
    { queue: 'journal' },
  )
}

/** The oldest due events; the journal's queue keeps other workers away from them. */
async function takeDue(trx: Trx, limit: number): Promise<StoredEvent[]> {
  return await trx.query<StoredEvent>(
    `select event_id, gateway, account, content_type, body, body_sealed, attempts, confirmation,
            received_at, trace_context
       from inbox_events
      where org_id = $1 and state = 'waiting' and next_try_at <= now()
        and (not needs_confirmation or confirmation is not null)
      order by next_try_at, event_id
      limit $2`,
    [trx.scope, limit],
  )
}

/** Each event goes on in the trace of its webhook, beside the batch's own. */
async function processEvents(
  trx: Trx,
  keyring: Keyring,
  events: readonly StoredEvent[],
  now: Date,
): Promise<void> {
  const parts = events.map(({ event_id: key, gateway, trace_context: parent }) => ({
    key,
    parent,
    attributes: { 'bahi.event': key, 'bahi.gateway': gateway },
  }))
  await inSpans('process event', parts, async (traceOf) => {
    await recordEvents(trx, keyring, events, { now, traceOf })
  })
}

async function recordEvents(
  trx: Trx,
  keyring: Keyring,
  events: readonly StoredEvent[],
  { now, traceOf }: { now: Date; traceOf: (eventId: string) => TraceContext | null },
): Promise<void> {
  const failures: Failure[] = []
  const read: { event: StoredEvent; result: GatewayEvent }[] = []
  for (const event of events) {
    try {
      read.push({ event, result: readEvent(event, bodyOf(keyring, trx.scope, event)) })
    } catch (error) {
      if (!(error instanceof Problem)) {
        throw error
      }
      failures.push({ event, reason: error.message, final: isFinal(event, error) })
    }
  }
  const told = read.flatMap(({ event, result }): ToldFact[] =>
    result.facts.map((fact) => ({
      eventId: event.event_id,
      trace: traceOf(event.event_id),
      fact,
    })),
  )
  const outcomes = await recordFacts(trx, told, now)
  const done: { event: StoredEvent; type: string; state: 'processed' | 'ignored' }[] = []
  for (const { event, result } of read) {
    const problem = outcomes.get(event.event_id) ?? null
    if (problem !== null) {
      failures.push({ event, reason: problem.message, final: isFinal(event, problem) })
    } else {
      const state = result.facts.length === 0 ? 'ignored' : 'processed'
      done.push({ event, type: result.type, state })
    }
  }
  await markDone(trx, done, now)
  await noteFailures(trx, failures)
  for (const { event, state } of done) {
    inboxEvents.inc({ gateway: event.gateway, state })
    const age = (now.getTime() - event.received_at.getTime()) / 1000
    webhookAgeSeconds.observe({ gateway: event.gateway }, Math.max(0, age))
  }
}

function readEvent(event: StoredEvent, body: Buffer): GatewayEvent {
  const result = gateways[event.gateway].read(
    { body, contentType: event.content_type, headers: {} },
    event.account,
    event.confirmation,
  )
  for (const { key, occurredAt, amount } of result.facts) {
    if (amount > AMOUNT_MAX) {
      throw new Problem('malformed_event', { detail: `${key} is about ${amount} minor units.` })
    }
    const ahead = occurredAt.getTime() - event.received_at.getTime()
    if (occurredAt < EARLIEST || ahead > AHEAD_MS_MAX) {
      throw new Problem('malformed_event', {
        detail: `${key} is dated ${occurredAt.toISOString()}, which cannot be booked.`,
      })
    }
  }
  return result
}

/**
 * Bytes that cannot be read and facts that contradict each other do not get better by waiting;
 * what the gateway confirmed otherwise may, so it is asked again.
 */
function isFinal(event: StoredEvent, problem: Problem): boolean {
  return (
    problem.code === 'idempotency_conflict' ||
    (problem.code === 'malformed_event' && event.confirmation === null)
  )
}

async function markDone(
  trx: Trx,
  done: readonly { event: StoredEvent; type: string; state: string }[],
  now: Date,
): Promise<void> {
  if (done.length === 0) {
    return
  }
  await trx.query(
    `update inbox_events e
        set state = n.state, event_type = n.type, attempts = e.attempts + 1, processed_at = $5
       from unnest($2::text[], $3::text[], $4::text[]) as n (event_id, state, type)
      where e.org_id = $1 and e.event_id = n.event_id`,
    [
      trx.scope,
      done.map(({ event }) => event.event_id),
      done.map(({ state }) => state),
      done.map(({ type }) => type.slice(0, 100)),
      now,
    ],
  )
}
