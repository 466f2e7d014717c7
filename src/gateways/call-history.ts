/** Calls that were made to gateways, and the breakers in their way, as people look for them. */
import type { BreakerState } from '../base/breakers.ts'
import type { CallOutcome } from '../base/call-log.ts'
import { build, type Trx } from '../base/db.ts'
import { idsFrom } from '../base/ids.ts'
import { Problem } from '../base/problem.ts'

export interface MadeCall {
  call_id: string
  gateway: string
  operation: string
  attempt: number
  method: 'GET' | 'POST'
  path: string
  status: number | null
  outcome: CallOutcome
  error: string | null
  moved: 'yes' | 'no' | 'unknown' | null
  begun_at: Date
  took_ms: number
  idempotency_key: string | null
  gateway_request_id: string | null
}

/** With what was said, as far as it was written down. */
export interface WholeCall extends MadeCall {
  request: string | null
  answer: string | null
}

/** All of it has to be so; what is left out may be anything. */
export interface CallFilter {
  gateway?: string | undefined
  operation?: string | undefined
  outcome?: CallOutcome | undefined
  begunFrom?: Date | undefined
  begunBefore?: Date | undefined
}

const COLUMNS = [
  'call_id',
  'gateway',
  'operation',
  'attempt',
  'method',
  'path',
  'status',
  'outcome',
  'error',
  'moved',
  'begun_at',
  'took_ms',
  'idempotency_key',
  'gateway_request_id',
]

/** Newest first, from after an id on. */
export async function listCalls(
  trx: Trx,
  filter: CallFilter,
  page: { limit: number; before: string | null },
): Promise<MadeCall[]> {
  const select = build('gateway_calls').where('org_id', trx.scope).select(COLUMNS)
  for (const [column, value] of [
    ['gateway', filter.gateway],
    ['operation', filter.operation],
    ['outcome', filter.outcome],
  ] as const) {
    if (value !== undefined) {
      select.where(column, value)
    }
  }
  if (filter.outcome !== undefined && filter.outcome !== 'answered') {
    // The words of the index of calls that failed.
    select.whereRaw(`outcome <> 'answered'`)
  }
  // An id begins with the time at which the call did, so that the primary key finds the range.
  if (filter.begunFrom !== undefined) {
    select.where('call_id', '>=', idsFrom('gcl', Math.max(0, filter.begunFrom.getTime())))
  }
  if (filter.begunBefore !== undefined) {
    select.where('call_id', '<', idsFrom('gcl', Math.max(0, filter.begunBefore.getTime())))
  }
  if (page.before !== null) {
    select.where('call_id', '<', page.before)
  }
  return await trx.run<MadeCall>(select.orderBy('call_id', 'desc').limit(page.limit))
}

/** Throws `not_found`. */
export async function findCall(trx: Trx, callId: string): Promise<WholeCall> {
  const [call] = await trx.query<WholeCall>(
    `select ${COLUMNS.join(', ')}, request, answer from gateway_calls
      where org_id = $1 and call_id = $2`,
    [trx.scope, callId],
  )
  if (call === undefined) {
    throw new Problem('not_found', { detail: 'There is no such call.' })
  }
  return call
}

export interface SaidBreaker {
  process: string
  gateway: string
  operation: string
  state: BreakerState
  since: Date
  probe_at: Date | null
  said_at: Date
}

/** Of a few gateways, a dozen operations and some processes. */
const BREAKERS_MAX = 2000

/** What each process that lives said last of its breakers, by gateway and operation. */
export async function saidBreakers(trx: Trx): Promise<SaidBreaker[]> {
  return await trx.query<SaidBreaker>(
    `select process, gateway, operation, state, since, probe_at, said_at from gateway_breakers
      where expires_at > now() order by gateway, operation, process limit $1`,
    [BREAKERS_MAX],
  )
}
