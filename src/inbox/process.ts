/** Drains the inbox: stored events become facts, facts become records, a batch a transaction. */
import { isConnectionError } from '../base/database-error.ts'
import type { Keyring } from '../base/crypto.ts'
import type { Database, Trx } from '../base/db.ts'
import type { Log } from '../base/log.ts'
import { inboxEvents, webhookAgeSeconds } from '../base/metrics.ts'
import { messageOf, Problem } from '../base/problem.ts'
import { together } from '../base/together.ts'
import { inSpans, type TraceContext } from '../base/tracing.ts'
import { recordFacts, type ToldFact } from '../donations/record.ts'
import type { GatewayEvent } from '../gateways/gateway.ts'
import { bodyOf } from './bodies.ts'
import { markDone, unmark, type Done } from './done.ts'
import { countNoted, noteFailures, type Failure, type Noted } from './failures.ts'
import { hold, readPauses, type Pauses } from './pauses.ts'
import { noteSecretsUsed } from './secret-use.ts'
import { isFinal, readEvent, STORED_EVENT, type Lane, type StoredEvent } from './stored-event.ts'

export const BATCH_MAX = 500

export interface ProcessingParts {
  db: Database
  keyring: Keyring
  log: Log
}

/** What one turn of an organisation is about. */
export interface Turn {
  orgId: number
  lane: Lane
  /** Events at the most. */
  limit: number
}

/** What a turn took in hand. */
export interface Taken {
  /** 0 where none was due. */
  events: number
  /** False where the batch broke, and a smaller one went on. */
  isWhole: boolean
}

/** One batch of one lane. Safe to run at any time, by any number of workers at once. */
export async function processTurn(parts: ProcessingParts, turn: Turn): Promise<Taken> {
  const { db, keyring, log } = parts
  let inHand: readonly StoredEvent[] = []
  try {
    const outcome = await db.transact(
      turn.orgId,
      async (trx) => {
        inHand = []
        const [taken, pauses] = await together([takeDue(trx, turn), readPauses(trx)])
        inHand = taken
        return await processEvents(trx, { keyring, pauses }, taken, new Date())
      },
      { queue: 'journal', planOnce: true },
    )
    count(outcome)
    await noteSecretsUsed(db, turn.orgId, inHand, log)
    return { events: inHand.length, isWhole: true }
  } catch (error) {
    if (isConnectionError(error) || (error instanceof Problem && error.code === 'unavailable')) {
      throw error
    }
    const { orgId, limit } = turn
    if (limit > 1) {
      // One of them breaks the whole batch: smaller ones go on until it stands alone.
      log.warn({ err: error, orgId, limit }, 'a batch failed, trying smaller ones')
      const smaller = await processTurn(parts, { ...turn, limit: Math.ceil(limit / 8) })
      return { ...smaller, isWhole: false }
    }
    if (inHand.length === 0) {
      throw error
    }
    log.error({ err: error, orgId }, 'an event failed')
    await setAside(parts, orgId, inHand, messageOf(error))
    return { events: inHand.length, isWhole: false }
  }
}

/**
 * Notes the failure of the event that stood alone, so that the others get their turn. Where another
 * worker was faster with it, another event stands first by now, which has no part in it.
 */
async function setAside(
  { db, keyring }: ProcessingParts,
  orgId: number,
  events: readonly StoredEvent[],
  reason: string,
): Promise<void> {
  const failures = events.map((event) => {
    return { event, ...typeOf(keyring, orgId, event), reason, final: false }
  })
  const noted = await db.transact(orgId, async (trx) => await noteFailures(trx, failures), {
    queue: 'journal',
  })
  countNoted(noted)
}

/** The gateway's name of an event, where it can be read. */
function typeOf(keyring: Keyring, orgId: number, event: StoredEvent): { type?: string } {
  try {
    return { type: readEvent(event, bodyOf(keyring, orgId, event)).type }
  } catch {
    // Its reading may be what breaks the batch, and that is being noted.
    return {}
  }
}

/** The oldest due events; the journal's queue keeps other workers away from them. */
async function takeDue(trx: Trx, { lane, limit }: Turn): Promise<StoredEvent[]> {
  return await trx.query<StoredEvent>(
    `select ${STORED_EVENT}
       from inbox_events e
      where e.org_id = $1 and e.lane = $2 and e.state = 'waiting' and e.held_at is null
        and (not e.needs_confirmation or e.confirmation is not null) and e.next_try_at <= now()
      order by e.next_try_at, e.event_id
      limit $3`,
    [trx.scope, lane, limit],
  )
}

/** What became of a batch, to be counted when it is committed. */
interface Outcome {
  done: readonly Done[]
  noted: readonly Noted[]
  now: Date
}

/** Each event goes on in the trace of its webhook, beside the batch's own. */
async function processEvents(
  trx: Trx,
  means: { keyring: Keyring; pauses: Pauses },
  events: readonly StoredEvent[],
  now: Date,
): Promise<Outcome> {
  const parts = events.map(({ event_id: key, gateway, trace_context: parent }) => ({
    key,
    parent,
    attributes: { 'bahi.event': key, 'bahi.gateway': gateway },
  }))
  return await inSpans('process event', parts, async (traceOf) => {
    return await recordEvents(trx, means, events, { now, traceOf })
  })
}

async function recordEvents(
  trx: Trx,
  { keyring, pauses }: { keyring: Keyring; pauses: Pauses },
  events: readonly StoredEvent[],
  { now, traceOf }: { now: Date; traceOf: (eventId: string) => TraceContext | null },
): Promise<Outcome> {
  const failures: Failure[] = []
  const bytesOf = (event: StoredEvent) => bodyOf(keyring, trx.scope, event)
  const read = readAll({ events, pauses, bytesOf }, failures)
  await hold(trx, read.held)
  const told = read.ready.flatMap(({ event, result }): ToldFact[] =>
    result.facts.map((fact) => ({
      eventId: event.event_id,
      trace: traceOf(event.event_id),
      fact,
    })),
  )
  const done = read.ready.map(({ event, result }): Done => {
    const state = result.facts.length === 0 ? 'ignored' : 'processed'
    return { event, type: result.type, state, note: result.note ?? null }
  })
  // Postgres marks them while what comes of them is worked out here; few are taken back.
  const [outcomes] = await together([recordFacts(trx, told, now), markDone(trx, done, now)])
  const refused = new Set<Done>()
  for (const one of done) {
    const { event, type } = one
    const problem = outcomes.get(event.event_id) ?? null
    if (problem !== null) {
      refused.add(one)
      failures.push({ event, type, reason: problem.message, final: isFinal(event, problem) })
    }
  }
  const [, noted] = await together([unmark(trx, [...refused]), noteFailures(trx, failures)])
  return { done: done.filter((one) => !refused.has(one)), noted, now }
}

function count({ done, noted, now }: Outcome): void {
  countNoted(noted)
  for (const { event, state } of done) {
    inboxEvents.inc({ gateway: event.gateway, state })
    // What was replayed is as old as it is for another reason.
    if (event.attempts_forgiven === 0) {
      const age = (now.getTime() - event.received_at.getTime()) / 1000
      webhookAgeSeconds.observe({ gateway: event.gateway }, Math.max(0, age))
    }
  }
}

interface Read {
  ready: { event: StoredEvent; result: GatewayEvent }[]
  /** They wait for the end of a pause. */
  held: { event: StoredEvent; type: string | null }[]
}

/** Reads each event unless it is paused; what cannot be read goes to the failures. */
function readAll(
  {
    events,
    pauses,
    bytesOf,
  }: {
    events: readonly StoredEvent[]
    pauses: Pauses
    bytesOf(event: StoredEvent): Buffer
  },
  failures: Failure[],
): Read {
  const read: Read = { ready: [], held: [] }
  for (const event of events) {
    if (pauses.has(event.gateway, null)) {
      read.held.push({ event, type: null })
      continue
    }
    try {
      const result = readEvent(event, bytesOf(event))
      if (pauses.has(event.gateway, result.type)) {
        read.held.push({ event, type: result.type })
      } else {
        read.ready.push({ event, result })
      }
    } catch (error) {
      if (!(error instanceof Problem)) {
        throw error
      }
      failures.push({ event, reason: error.message, final: isFinal(event, error) })
    }
  }
  return read
}
