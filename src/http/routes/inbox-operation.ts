/** /v1/inbox-replays, /v1/inbox-pauses and dismissals: what people do about stored events. */
import { z } from 'zod'
import type { Parts } from '../../base/parts.ts'
import { GATEWAY_NAMES } from '../../gateways/fact.ts'
import { dismiss } from '../../inbox/dismiss.ts'
import { EVENT_STATES, findEvent, type EventFilter } from '../../inbox/events.ts'
import { listPauses, pause, resume } from '../../inbox/pauses.ts'
import {
  askReplay,
  findReplay,
  listReplays,
  REPLAY_MAX,
  SHOWN_MAX,
  tryReplay,
} from '../../inbox/replay.ts'
import { pageOf } from '../answers.ts'
import {
  eventFilter,
  eventView,
  filterOf,
  inboxEvent,
  inboxPause,
  pauseView,
  replay,
  replayView,
} from '../inbox-view.ts'
import { idOfKind, limit } from '../input.ts'
import { line } from '../line.ts'
import { listOf } from '../list.ts'
import { operation, type Operation } from '../operation.ts'
import { ringAfter } from '../ring-after.ts'

const EVENTS_NAMED_MAX = 100

const reason = line(500).meta({ description: 'For whoever asks later why.' })

const eventParams = z.object({ id: idOfKind('evt') })

const replayBody = z.strictObject({
  states: z
    .array(z.enum(EVENT_STATES))
    .min(1, 'must name at least one state')
    .max(EVENT_STATES.length)
    .default(['dead'])
    .meta({ description: 'What was processed before changes nothing when it is replayed.' }),
  ...eventFilter,
  events: z
    .array(idOfKind('evt'))
    .min(1, 'must name at least one event')
    .max(EVENTS_NAMED_MAX, `must name at most ${EVENTS_NAMED_MAX} events`)
    .optional(),
  reason,
  dry_run: z.boolean().default(false).meta({ description: 'Changes nothing and tells how many.' }),
})

const tried = z
  .strictObject({
    total: z.int(),
    first: z.array(inboxEvent).meta({ description: `Up to ${SHOWN_MAX}, first to last.` }),
  })
  .meta({ id: 'InboxReplayTried' })

export function operatingOperations(parts: Parts): Operation[] {
  return [
    replayOneOperation(parts),
    dismissOperation(),
    replayOperation(parts),
    replaysOperation(),
    findReplayOperation(),
    pausesOperation(),
    pauseOperation(),
    resumeOperation(parts),
  ]
}

function replayOneOperation({ bells }: Parts): Operation {
  return operation(
    {
      id: 'replayInboxEvent',
      method: 'post',
      path: '/inbox-events/{id}/replay',
      tag: 'Intake',
      summary: 'Process one event again, whatever its state',
      permission: 'inbox.operate',
      params: eventParams,
      key: 'optional',
      body: z.strictObject({ reason }),
      answers: { 201: { what: 'It waits to be processed.', body: replay } },
      problems: ['limit_reached'],
    },
    {
      queue: 'journal',
      async write(trx, { params: { id }, body, principal, response }) {
        await findEvent(trx, id)
        const asked = { by: principal.subject, reason: body.reason }
        const made = await askReplay(trx, { events: [id] }, asked)
        ringAfter(response, bells, 'confirm-payments')
        ringAfter(response, bells, 'process-inbox')
        return { status: 201, body: replayView(made) }
      },
    },
  )
}

function dismissOperation(): Operation {
  return operation(
    {
      id: 'dismissInboxEvent',
      method: 'post',
      path: '/inbox-events/{id}/dismiss',
      tag: 'Intake',
      summary: 'Settle a dead event: nothing is to come of it, for a reason that is kept',
      permission: 'inbox.operate',
      params: eventParams,
      key: 'optional',
      body: z.strictObject({ reason }),
      answers: { 200: { what: 'Dismissed; it can still be replayed.', body: inboxEvent } },
      problems: ['not_dead'],
    },
    {
      queue: 'journal',
      async write(trx, { params: { id }, body, principal }) {
        const event = await dismiss(trx, id, { by: principal.subject, reason: body.reason })
        return { status: 200, body: eventView(event), before: { state: 'dead' } }
      },
    },
  )
}

function replayOperation({ bells }: Parts): Operation {
  return operation(
    {
      id: 'replayInboxEvents',
      method: 'post',
      path: '/inbox-replays',
      tag: 'Intake',
      summary: 'Process the events of a filter again, or see with dry_run which those are',
      permission: 'inbox.operate',
      key: 'optional',
      body: replayBody,
      answers: {
        200: { what: 'A dry run: nothing was changed.', body: tried },
        201: { what: `Up to ${REPLAY_MAX} events, part by part.`, body: replay },
      },
      problems: ['limit_reached'],
    },
    {
      queue: 'journal',
      async write(trx, { body, principal, response }) {
        const { dry_run: isDry, reason: why, states, events, ...rest } = body
        const filter: EventFilter = { ...filterOf(rest), states, events }
        if (isDry) {
          const { total, first } = await tryReplay(trx, filter)
          return { status: 200, body: { total, first: first.map(eventView) }, audited: null }
        }
        const made = await askReplay(trx, filter, { by: principal.subject, reason: why })
        for (const job of ['operate-inbox', 'confirm-payments', 'process-inbox'] as const) {
          ringAfter(response, bells, job)
        }
        return { status: 201, body: replayView(made) }
      },
    },
  )
}

function replaysOperation(): Operation {
  return operation(
    {
      id: 'listInboxReplays',
      method: 'get',
      path: '/inbox-replays',
      tag: 'Intake',
      summary: 'What was replayed, by whom, how far it is, newest first',
      permission: 'inbox.read',
      query: z.strictObject({ limit, starting_after: idOfKind('rpl').optional() }),
      answers: { 200: { what: 'By id, downwards.', body: pageOf(replay) } },
    },
    {
      async read(trx, { query }) {
        const page = { limit: query.limit + 1, before: query.starting_after ?? null }
        const rows = await listReplays(trx, page)
        return { status: 200, body: listOf(rows, query.limit, replayView) }
      },
    },
  )
}

function findReplayOperation(): Operation {
  return operation(
    {
      id: 'getInboxReplay',
      method: 'get',
      path: '/inbox-replays/{id}',
      tag: 'Intake',
      summary: 'One replay and how far it is',
      permission: 'inbox.read',
      params: z.object({ id: idOfKind('rpl') }),
      answers: { 200: { what: 'As it is now.', body: replay } },
    },
    {
      async read(trx, { params: { id } }) {
        return { status: 200, body: replayView(await findReplay(trx, id)) }
      },
    },
  )
}

function pausesOperation(): Operation {
  return operation(
    {
      id: 'listInboxPauses',
      method: 'get',
      path: '/inbox-pauses',
      tag: 'Intake',
      summary: 'Gateways and types of events that wait, and how many events wait there',
      permission: 'inbox.read',
      query: z.strictObject({
        limit,
        starting_after: idOfKind('pau').optional(),
        state: z.enum(['paused', 'resumed']).optional(),
      }),
      answers: { 200: { what: 'By id, downwards.', body: pageOf(inboxPause) } },
    },
    {
      async read(trx, { query }) {
        const rows = await listPauses(trx, {
          limit: query.limit + 1,
          before: query.starting_after ?? null,
          active: query.state === undefined ? null : query.state === 'paused',
        })
        return { status: 200, body: listOf(rows, query.limit, pauseView) }
      },
    },
  )
}

function pauseOperation(): Operation {
  return operation(
    {
      id: 'pauseInbox',
      method: 'post',
      path: '/inbox-pauses',
      tag: 'Intake',
      summary:
        'Let the events of a gateway, or one type of them, wait; they are taken in all the same',
      permission: 'inbox.operate',
      key: 'optional',
      body: z.strictObject({
        gateway: z.enum(GATEWAY_NAMES),
        type: line(100).optional().meta({ description: 'All of the gateway’s where left out.' }),
        reason,
      }),
      answers: {
        200: { what: 'It was paused already.', body: inboxPause },
        201: { what: 'Paused from now on.', body: inboxPause },
      },
      problems: ['limit_reached'],
    },
    {
      queue: 'journal',
      async write(trx, { body, principal }) {
        const { gateway, type = null, reason: why } = body
        const made = await pause(trx, { gateway, type, reason: why, by: principal.subject })
        const answer = pauseView(made.pause)
        return made.isNew
          ? { status: 201, body: answer }
          : { status: 200, body: answer, audited: null }
      },
    },
  )
}

function resumeOperation({ bells }: Parts): Operation {
  return operation(
    {
      id: 'resumeInbox',
      method: 'post',
      path: '/inbox-pauses/{id}/resume',
      tag: 'Intake',
      summary: 'End a pause; what waited follows in the order in which it came',
      permission: 'inbox.operate',
      params: z.object({ id: idOfKind('pau') }),
      answers: { 200: { what: 'As it is now.', body: inboxPause } },
    },
    {
      queue: 'journal',
      async write(trx, { params: { id }, principal, response }) {
        const ended = await resume(trx, id, principal.subject)
        ringAfter(response, bells, 'operate-inbox')
        const answer = { status: 200, body: pauseView(ended.pause) } as const
        return ended.isNew ? answer : { ...answer, audited: null }
      },
    },
  )
}
