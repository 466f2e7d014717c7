/** Stored events, their timelines, replays and pauses as the API takes and shows them. */
import { z } from 'zod'
import { GATEWAY_NAMES } from '../gateways/fact.ts'
import { EVENT_STATES, type EventFilter, type InboxEvent } from '../inbox/events.ts'
import type { Pause } from '../inbox/pauses.ts'
import type { Replay } from '../inbox/replay.ts'
import { LANES } from '../inbox/stored-event.ts'
import { TOLD } from '../inbox/told.ts'
import { STEPS, type Timeline } from '../inbox/timeline.ts'
import { idText, instant, sha256Hex } from './answers.ts'
import { entryId } from './entry-view.ts'
import { idOfKind } from './input.ts'
import { line } from './line.ts'

/** RFC 3339 with its zone. */
export const instantAsked = z.iso
  .datetime({ offset: true, error: 'must be an instant, 2026-05-04T18:30:00Z or with an offset' })
  .transform((text) => new Date(text))

/** What both kinds of calls, stored and refused, are narrowed by. */
export const callFilter = {
  gateway: z.enum(GATEWAY_NAMES).optional(),
  endpoint: idOfKind('whe').optional(),
  received_from: instantAsked.optional(),
  received_before: instantAsked.optional(),
}

/** What events are narrowed by beside their state. */
export const eventFilter = {
  ...callFilter,
  type: line(100).optional(),
  lane: z.enum(LANES).optional(),
  told: z.enum(TOLD).optional().meta({ description: 'Only what no webhook told.' }),
  error: line(200).optional().meta({ description: 'A part of the first or the last error.' }),
}

interface AskedFilter {
  gateway?: EventFilter['gateway']
  endpoint?: string | undefined
  received_from?: Date | undefined
  received_before?: Date | undefined
  type?: string | undefined
  lane?: EventFilter['lane']
  told?: EventFilter['told']
  error?: string | undefined
}

export function filterOf(asked: AskedFilter): EventFilter {
  const { gateway, endpoint, type, lane, told, error } = asked
  const { received_from: receivedFrom, received_before: receivedBefore } = asked
  return { gateway, endpoint, type, lane, told, error, receivedFrom, receivedBefore }
}

const eventFields = {
  id: idText('evt'),
  endpoint: idText('whe').nullable().meta({ description: 'Null where no webhook told it.' }),
  told: z.enum(TOLD).nullable().meta({
    description:
      'How we heard of it where no webhook told it: we asked, or found it in the gateway’s list.',
  }),
  gateway: z.enum(GATEWAY_NAMES),
  gateway_event_id: z.string().nullable(),
  type: z
    .string()
    .nullable()
    .meta({ description: 'The gateway’s name of it; null until it is read.' }),
  lane: z.enum(LANES).meta({ description: 'Money goes before everything else.' }),
  state: z.enum(EVENT_STATES),
  received_at: instant,
  duplicates: z.int().meta({ description: 'How often it came again.' }),
  attempts: z.int(),
  next_try_at: instant.nullable().meta({ description: 'Null where nothing tries it, or a pause.' }),
  held_since: instant.nullable().meta({ description: 'It waits for the end of a pause.' }),
  first_error: z.string().nullable(),
  last_error: z.string().nullable(),
  note: z.string().nullable().meta({ description: 'Why nothing, or not all, was taken from it.' }),
  processed_at: instant.nullable(),
  dismissed: z
    .strictObject({ at: instant, by: z.string(), reason: z.string() })
    .nullable()
    .meta({ description: 'Who said of a dead event that nothing is to come of it, and why.' }),
}

export const inboxEvent = z.strictObject(eventFields).meta({ id: 'InboxEvent' })

export const inboxTimeline = z
  .strictObject({
    ...eventFields,
    signed_by: z
      .strictObject({ id: idText('whs'), label: z.string() })
      .nullable()
      .meta({ description: 'Null for a hint, which its gateway does not sign.' }),
    body_bytes: z.int(),
    body_sha256: sha256Hex,
    timeline: z
      .array(
        z.strictObject({
          at: instant,
          what: z.enum(STEPS),
          detail: z.string().nullable(),
          by: z.string().nullable(),
        }),
      )
      .meta({ description: 'First to last; of repetitions, attempts and replays the newest 100.' }),
    facts: z
      .array(
        z.strictObject({
          key: z.string(),
          kind: z.string(),
          state: z.enum(['recorded', 'parked', 'not_recorded']),
          recorded_by: idText('evt').nullable(),
          recorded_at: instant.nullable(),
          journal_entry: idText('je').nullable(),
        }),
      )
      .meta({ description: 'What it tells, whichever event told it first.' }),
    journal_entries: z.array(idText('je')),
    payments: z.array(idText('pmt')),
    receipts: z.array(z.strictObject({ id: idText('rcp'), number: z.string() })),
  })
  .meta({ id: 'InboxEventTimeline' })

export function eventView(row: InboxEvent): z.input<typeof inboxEvent> {
  const isDue = row.state === 'waiting' && row.held_at === null
  return {
    id: row.event_id,
    endpoint: row.told === null ? row.endpoint_id : null,
    told: row.told,
    gateway: row.gateway,
    gateway_event_id: row.gateway_event_id,
    type: row.event_type,
    lane: row.lane,
    state: row.state,
    received_at: row.received_at.toISOString(),
    duplicates: row.duplicates,
    attempts: row.attempts,
    next_try_at: isDue ? row.next_try_at.toISOString() : null,
    held_since: row.held_at?.toISOString() ?? null,
    first_error: row.first_error,
    last_error: row.last_error,
    note: row.note,
    processed_at: row.processed_at?.toISOString() ?? null,
    dismissed:
      row.dismissed_at === null
        ? null
        : {
            at: row.dismissed_at.toISOString(),
            by: row.dismissed_by ?? '',
            reason: row.dismissed_because ?? '',
          },
  }
}

export function timelineView(one: Timeline): z.input<typeof inboxTimeline> {
  return {
    ...eventView(one.event),
    signed_by:
      one.signedBy === null ? null : { id: one.signedBy.secretId, label: one.signedBy.label },
    body_bytes: one.bodyBytes,
    body_sha256: one.bodySha256.toString('hex'),
    timeline: one.steps.map((step) => ({ ...step, at: step.at.toISOString() })),
    facts: one.facts.map((fact) => ({
      key: fact.key,
      kind: fact.kind,
      state: fact.state,
      recorded_by: fact.recordedBy,
      recorded_at: fact.recordedAt?.toISOString() ?? null,
      journal_entry: fact.entryNo === null ? null : entryId(fact.entryNo),
    })),
    journal_entries: one.entries.map(entryId),
    payments: one.payments,
    receipts: one.receipts.map(({ receiptId: id, number }) => ({ id, number })),
  }
}

export const replay = z
  .strictObject({
    id: idText('rpl'),
    asked_by: z.string(),
    asked_at: instant,
    reason: z.string(),
    filter: z.record(z.string(), z.unknown()).meta({ description: 'What was asked for.' }),
    total: z.int().meta({ description: 'Events of the filter when it was asked for.' }),
    done: z.int().meta({ description: 'Events that wait to be processed again, or were.' }),
    state: z.enum(['running', 'done']),
    ended_at: instant.nullable(),
  })
  .meta({ id: 'InboxReplay' })

export function replayView(one: Replay): z.input<typeof replay> {
  const { states, events, receivedFrom, receivedBefore, held: _held, ...rest } = one.filter
  const filter = {
    ...rest,
    states,
    events,
    received_from: receivedFrom?.toISOString(),
    received_before: receivedBefore?.toISOString(),
  }
  return {
    id: one.replay_id,
    asked_by: one.asked_by,
    asked_at: one.asked_at.toISOString(),
    reason: one.reason,
    filter: Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined)),
    total: one.total,
    done: one.done,
    state: one.state,
    ended_at: one.ended_at?.toISOString() ?? null,
  }
}

export const inboxPause = z
  .strictObject({
    id: idText('pau'),
    gateway: z.enum(GATEWAY_NAMES),
    type: z.string().nullable().meta({ description: 'Null: all events of the gateway.' }),
    reason: z.string(),
    paused_by: z.string(),
    paused_at: instant,
    resumed_by: z.string().nullable(),
    resumed_at: instant.nullable(),
    drained_at: instant
      .nullable()
      .meta({ description: 'When the last event that had waited for it was let go.' }),
    held: z.int().meta({ description: 'Events that wait for it; counted up to 10,000.' }),
  })
  .meta({ id: 'InboxPause' })

export function pauseView(one: Pause): z.input<typeof inboxPause> {
  return {
    id: one.pause_id,
    gateway: one.gateway,
    type: one.event_type,
    reason: one.reason,
    paused_by: one.paused_by,
    paused_at: one.paused_at.toISOString(),
    resumed_by: one.resumed_by,
    resumed_at: one.resumed_at?.toISOString() ?? null,
    drained_at: one.drained_at?.toISOString() ?? null,
    held: one.held,
  }
}
