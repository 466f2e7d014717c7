/** GET /v1/gateway-calls and /v1/gateway-breakers: what was asked of gateways, and what is not. */
import { z } from 'zod'
import { BREAKER_STATES } from '../../base/breakers.ts'
import { CALL_OUTCOMES } from '../../base/call-log.ts'
import {
  findCall,
  listCalls,
  saidBreakers,
  type MadeCall,
  type SaidBreaker,
} from '../../gateways/call-history.ts'
import { GATEWAY_NAMES } from '../../gateways/fact.ts'
import { idText, instant, pageOf } from '../answers.ts'
import { instantAsked } from '../inbox-view.ts'
import { idOfKind, limit } from '../input.ts'
import { line } from '../line.ts'
import { listOf } from '../list.ts'
import { operation, type Operation } from '../operation.ts'

const LEFT_OUT =
  'JSON in which … stands for what is not written down: secrets, whatever tells of a person, and ' +
  'members that nobody has looked at yet. Cut after 4000 characters.'

const callFields = {
  id: idText('gcl'),
  gateway: z.string(),
  operation: z.string().meta({ examples: ['createOrder', 'refund'] }),
  attempt: z.int().meta({ description: '2 and more repeat the same call.' }),
  method: z.enum(['GET', 'POST']),
  path: z.string(),
  status: z.int().nullable().meta({ description: 'Of HTTP; null where there was no answer.' }),
  outcome: z.enum(CALL_OUTCOMES),
  error: z.string().nullable(),
  moved: z
    .enum(['yes', 'no', 'unknown'])
    .nullable()
    .meta({ description: 'Of a call that failed: whether it moved money.' }),
  begun_at: instant,
  took_ms: z.int(),
  idempotency_key: z.string().nullable(),
  gateway_request_id: z
    .string()
    .nullable()
    .meta({ description: 'The gateway’s name of the request, for its support.' }),
}

const call = z.strictObject(callFields).meta({ id: 'GatewayCall' })

const wholeCall = z
  .strictObject({
    ...callFields,
    request: z.string().nullable().meta({ description: LEFT_OUT }),
    answer: z.string().nullable().meta({ description: LEFT_OUT }),
  })
  .meta({ id: 'WholeGatewayCall' })

const breakerState = z.enum(BREAKER_STATES)

const breaker = z
  .strictObject({
    gateway: z.string(),
    operation: z.string(),
    state: breakerState.meta({
      description: 'The worst of the processes’: open, nothing is asked; half_open, one call is.',
    }),
    processes: z.array(
      z.strictObject({
        process: z.string(),
        state: breakerState,
        since: instant,
        probe_at: instant
          .nullable()
          .meta({ description: 'When the next call is let through; null where all are.' }),
        said_at: instant,
      }),
    ),
  })
  .meta({ id: 'GatewayBreaker' })

export function gatewayCallOperations(): Operation[] {
  return [callsOperation(), callOperation(), breakersOperation()]
}

function callsOperation(): Operation {
  return operation(
    {
      id: 'listGatewayCalls',
      method: 'get',
      path: '/gateway-calls',
      tag: 'Gateways',
      summary: 'Calls that were made to gateways in the last 90 days, newest first',
      permission: 'inbox.read',
      query: z.strictObject({
        limit,
        starting_after: idOfKind('gcl').optional(),
        gateway: z.enum(GATEWAY_NAMES).optional(),
        operation: line(60).optional(),
        outcome: z.enum(CALL_OUTCOMES).optional(),
        begun_from: instantAsked.optional(),
        begun_before: instantAsked.optional(),
      }),
      answers: { 200: { what: 'By id, downwards.', body: pageOf(call) } },
    },
    {
      async read(trx, { query }) {
        const { gateway, operation: of, outcome } = query
        const { begun_from: begunFrom, begun_before: begunBefore } = query
        const filter = { gateway, operation: of, outcome, begunFrom, begunBefore }
        const page = { limit: query.limit + 1, before: query.starting_after ?? null }
        const rows = await listCalls(trx, filter, page)
        return { status: 200, body: listOf(rows, query.limit, callView) }
      },
    },
  )
}

function callOperation(): Operation {
  return operation(
    {
      id: 'getGatewayCall',
      method: 'get',
      path: '/gateway-calls/{id}',
      tag: 'Gateways',
      summary: 'One call and what was said in it, without secrets and personal data',
      permission: 'inbox.read',
      params: z.object({ id: idOfKind('gcl') }),
      answers: { 200: { what: 'As it was made.', body: wholeCall } },
    },
    {
      async read(trx, { params: { id } }) {
        const found = await findCall(trx, id)
        const { request, answer } = found
        return { status: 200, body: { ...callView(found), request, answer } }
      },
    },
  )
}

function breakersOperation(): Operation {
  return operation(
    {
      id: 'listGatewayBreakers',
      method: 'get',
      path: '/gateway-breakers',
      tag: 'Gateways',
      summary: 'Which operations of gateways are not asked for now, because they failed too often',
      permission: 'inbox.read',
      answers: {
        200: {
          what: 'By gateway and operation, as each process said last, within three minutes.',
          body: pageOf(breaker),
        },
      },
    },
    {
      async read(trx) {
        const said = await saidBreakers(trx)
        const groups = Map.groupBy(said, (one) => `${one.gateway} ${one.operation}`)
        const data = [...groups.values()].map(breakerView)
        return { status: 200, body: { data, has_more: false } }
      },
    },
  )
}

function callView(made: MadeCall): z.input<typeof call> {
  const { call_id: id, begun_at: begunAt } = made
  return {
    id,
    gateway: made.gateway,
    operation: made.operation,
    attempt: made.attempt,
    method: made.method,
    path: made.path,
    status: made.status,
    outcome: made.outcome,
    error: made.error,
    moved: made.moved,
    begun_at: begunAt.toISOString(),
    took_ms: made.took_ms,
    idempotency_key: made.idempotency_key,
    gateway_request_id: made.gateway_request_id,
  }
}

function breakerView(said: readonly SaidBreaker[]): z.input<typeof breaker> {
  const worst = Math.max(...said.map(({ state }) => BREAKER_STATES.indexOf(state)))
  return {
    gateway: said[0]?.gateway ?? '',
    operation: said[0]?.operation ?? '',
    state: BREAKER_STATES[worst] ?? 'closed',
    processes: said.map((one) => ({
      process: one.process,
      state: one.state,
      since: one.since.toISOString(),
      probe_at: one.probe_at?.toISOString() ?? null,
      said_at: one.said_at.toISOString(),
    })),
  }
}
