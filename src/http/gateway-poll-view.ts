/** Comparisons with gateways' own lists, and what they found, as the API shows them. */
import { z } from 'zod'
import { GATEWAY_NAMES } from '../gateways/fact.ts'
import { DIFFERENCE_KINDS, type Difference } from '../inbox/polls/differences.ts'
import type { Poll } from '../inbox/polls/polls.ts'
import { LISTS, PASSES, type ListName } from '../inbox/polls/timetable.ts'
import { idText, instant } from './answers.ts'

/** As the API calls the lists. */
export const LIST_NAMES = [
  'payments',
  'refunds',
  'disputes',
  'settlements',
  'settlement_lines',
] as const

const nameOf = (list: ListName): (typeof LIST_NAMES)[number] =>
  list === 'settlementLines' ? 'settlement_lines' : list

/** The list of that name. */
export function listNamed(name: (typeof LIST_NAMES)[number]): ListName {
  return LISTS.find((list) => nameOf(list) === name) ?? 'payments'
}

const count = z.int().min(0)

export const gatewayPoll = z
  .strictObject({
    gateway: z.enum(GATEWAY_NAMES),
    list: z.enum(LIST_NAMES),
    compared_until: instant.meta({
      description: 'What the gateway lists up to then is in our books, or shown as a difference.',
    }),
    state: z
      .enum(['waiting', 'running', 'failing'])
      .meta({ description: 'failing: the gateway did not give the list the last time.' }),
    running: z
      .strictObject({
        pass: z.enum(PASSES).meta({ description: 'deep: once a day, far back.' }),
        began_at: instant,
        reached: instant,
        to: instant,
      })
      .nullable(),
    next_due_at: instant,
    asked: z.strictObject({ from: instant, to: instant, by: z.string() }).nullable(),
    last_ok_at: instant.nullable(),
    last_tried_at: instant.nullable(),
    last_problem: z.string().nullable(),
    failures: count.meta({ description: 'In a row, since the last page that was given.' }),
    seen: count.meta({ description: 'Rows read since ever; overlaps count again.' }),
    missing: count.meta({ description: 'Rows that no webhook had told.' }),
    fed: count.meta({ description: 'Events that the inbox got by it.' }),
    silence: z
      .strictObject({
        heard_at: instant.nullable(),
        usual_seconds: count,
        since: instant.nullable().meta({ description: 'Null unless it is longer than usual.' }),
      })
      .nullable()
      .meta({ description: 'How long the gateway’s webhooks are silent; with payments only.' }),
  })
  .meta({ id: 'GatewayPoll' })

export function pollView(row: Poll): z.input<typeof gatewayPoll> {
  const { pass, pass_began_at: beganAt, pass_to: to, window_from: reached } = row
  const isRunning = pass !== null && beganAt !== null && to !== null && reached !== null
  const { asked_from: askedFrom, asked_to: askedTo, asked_by: askedBy } = row
  return {
    gateway: row.gateway,
    list: nameOf(row.list),
    compared_until: row.compared_until.toISOString(),
    state: row.failures > 0 ? 'failing' : isRunning ? 'running' : 'waiting',
    running: isRunning
      ? {
          pass,
          began_at: beganAt.toISOString(),
          reached: reached.toISOString(),
          to: to.toISOString(),
        }
      : null,
    next_due_at: row.next_due_at.toISOString(),
    asked:
      askedFrom === null || askedTo === null
        ? null
        : { from: askedFrom.toISOString(), to: askedTo.toISOString(), by: askedBy ?? '' },
    last_ok_at: row.last_ok_at?.toISOString() ?? null,
    last_tried_at: row.last_tried_at?.toISOString() ?? null,
    last_problem: row.last_problem,
    failures: row.failures,
    seen: Number(row.seen),
    missing: Number(row.missing),
    fed: Number(row.fed),
    silence:
      row.usual_silence_seconds === null
        ? null
        : {
            heard_at: row.heard_at?.toISOString() ?? null,
            usual_seconds: row.usual_silence_seconds,
            since: row.silent_since?.toISOString() ?? null,
          },
  }
}

export const gatewayDifference = z
  .strictObject({
    id: idText('dif'),
    gateway: z.enum(GATEWAY_NAMES),
    list: z.enum(LIST_NAMES),
    gateway_id: z.string().nullable().meta({ description: 'Null for a row without an id.' }),
    kind: z.enum(DIFFERENCE_KINDS).meta({
      description:
        'money: another amount than recorded. state: less than recorded. unreadable: a row that ' +
        'cannot be read. overdue: unfinished for longer than the gateway’s own limit.',
    }),
    detail: z.string(),
    first_seen_at: instant,
    last_seen_at: instant,
    resolved_at: instant
      .nullable()
      .meta({ description: 'When a later comparison did not find it any more.' }),
  })
  .meta({ id: 'GatewayDifference' })

export function differenceView(row: Difference): z.input<typeof gatewayDifference> {
  return {
    id: row.difference_id,
    gateway: row.gateway,
    list: nameOf(row.list),
    gateway_id: row.gateway_ref === '' ? null : row.gateway_ref,
    kind: row.kind,
    detail: row.detail,
    first_seen_at: row.first_seen_at.toISOString(),
    last_seen_at: row.last_seen_at.toISOString(),
    resolved_at: row.resolved_at?.toISOString() ?? null,
  }
}
