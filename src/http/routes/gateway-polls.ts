/** /v1/gateway-polls and /v1/gateway-differences: how complete our books are without webhooks. */
import { z } from 'zod'
import type { Parts } from '../../base/parts.ts'
import { GATEWAY_NAMES } from '../../gateways/fact.ts'
import { DIFFERENCE_KINDS, listDifferences } from '../../inbox/polls/differences.ts'
import { askForPoll, listPolls } from '../../inbox/polls/polls.ts'
import { pageOf } from '../answers.ts'
import {
  differenceView,
  gatewayDifference,
  gatewayPoll,
  LIST_NAMES,
  listNamed,
  pollView,
} from '../gateway-poll-view.ts'
import { idOfKind, isoDate, limit } from '../input.ts'
import { listOf } from '../list.ts'
import { operation, type Operation } from '../operation.ts'
import { ringAfter } from '../ring-after.ts'

const RANGE_DAYS_MAX = 31
const DAY_MS = 24 * 60 * 60 * 1000

const polls = z.strictObject({ data: z.array(gatewayPoll) })

const runBody = z
  .strictObject({
    list: z.enum(LIST_NAMES).optional().meta({ description: 'All lists where left out.' }),
    from: isoDate.optional().meta({
      description:
        `With \`to\`: compare these days in India, up to ${RANGE_DAYS_MAX}, even from before the ` +
        'account was set up; what our books lack is taken in.',
    }),
    to: isoDate.optional(),
  })
  .refine(({ from, to }) => (from === undefined) === (to === undefined), {
    error: 'from and to go together',
    path: ['to'],
  })
  .refine(({ from, to }) => from === undefined || to === undefined || from <= to, {
    error: 'must not be before from',
    path: ['to'],
  })
  .refine(({ from, to }) => daysOf(from, to) <= RANGE_DAYS_MAX, {
    error: `must be at most ${RANGE_DAYS_MAX} days from from`,
    path: ['to'],
  })
  .refine(({ from }) => from === undefined || midnight(from).getTime() <= Date.now(), {
    error: 'must not be in the future',
    path: ['from'],
  })

function midnight(day: string): Date {
  return new Date(`${day}T00:00:00+05:30`)
}

function daysOf(from: string | undefined, to: string | undefined): number {
  return from === undefined || to === undefined
    ? 0
    : (midnight(to).getTime() - midnight(from).getTime()) / DAY_MS + 1
}

export function gatewayPollOperations(parts: Parts): Operation[] {
  return [listOperation(), runOperation(parts), differencesOperation()]
}

function listOperation(): Operation {
  return operation(
    {
      id: 'listGatewayPolls',
      method: 'get',
      path: '/gateway-polls',
      tag: 'Intake',
      summary:
        'Up to when our books were compared with the gateways’ own lists, and what came of it',
      permission: 'inbox.read',
      query: z.strictObject({ gateway: z.enum(GATEWAY_NAMES).optional() }),
      answers: { 200: { what: 'One a list that the gateway has.', body: polls } },
    },
    {
      async read(trx, { query }) {
        const rows = await listPolls(trx, query.gateway ?? null)
        return { status: 200, body: { data: rows.map(pollView) } }
      },
    },
  )
}

function runOperation({ bells }: Parts): Operation {
  return operation(
    {
      id: 'runGatewayPoll',
      method: 'post',
      path: '/gateway-polls/{gateway}/run',
      tag: 'Intake',
      summary: 'Compare a gateway’s lists now, or those of a few days in which something is missed',
      permission: 'inbox.operate',
      params: z.object({ gateway: z.enum(GATEWAY_NAMES) }),
      key: 'optional',
      body: runBody,
      answers: { 202: { what: 'They are compared as soon as a worker is free.', body: polls } },
      problems: ['limit_reached'],
    },
    {
      queue: null,
      async write(trx, { params: { gateway }, body, principal, response }) {
        const { list, from, to } = body
        const rows = await askForPoll(trx, {
          gateway,
          list: list === undefined ? null : listNamed(list),
          range:
            from === undefined || to === undefined
              ? null
              : { from: midnight(from), to: new Date(midnight(to).getTime() + DAY_MS) },
          by: principal.subject,
        })
        ringAfter(response, bells, 'poll-gateways')
        return { status: 202, body: { data: rows.map(pollView) } }
      },
    },
  )
}

function differencesOperation(): Operation {
  return operation(
    {
      id: 'listGatewayDifferences',
      method: 'get',
      path: '/gateway-differences',
      tag: 'Intake',
      summary: 'Where a gateway’s lists and our books say different things, newest first',
      permission: 'inbox.read',
      query: z.strictObject({
        limit,
        starting_after: idOfKind('dif').optional(),
        gateway: z.enum(GATEWAY_NAMES).optional(),
        kind: z.enum(DIFFERENCE_KINDS).optional(),
        state: z.enum(['open', 'resolved']).optional(),
      }),
      answers: { 200: { what: 'By id, downwards.', body: pageOf(gatewayDifference) } },
    },
    {
      async read(trx, { query }) {
        const rows = await listDifferences(trx, {
          gateway: query.gateway ?? null,
          kind: query.kind ?? null,
          open: query.state === undefined ? null : query.state === 'open',
          before: query.starting_after ?? null,
          limit: query.limit + 1,
        })
        return { status: 200, body: listOf(rows, query.limit, differenceView) }
      },
    },
  )
}
