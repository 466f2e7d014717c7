/** The list of exceptions as work: narrowed and put in order by indexes, and summed up by age. */
import type { Knex } from 'knex'
import type { IsoDate } from '../../base/clock.ts'
import { build, type Trx } from '../../base/db.ts'
import { Problem } from '../../base/problem.ts'
import { EXCEPTION_COLUMNS, EXCEPTION_STATES, type ExceptionRow } from '../found.ts'
import type { ExceptionKind } from '../match/kinds.ts'
import { SEVERITIES, type Severity } from './policy.ts'

export interface WorkRow extends ExceptionRow {
  gateway: string | null
  severity: number
  due_at: Date
  overdue: boolean
  owner: string | null
  owner_name: string | null
  owner_active: boolean | null
  acknowledged_at: Date | null
  acknowledged_by: string | null
  reminders: number
}

/** What a list is narrowed by; what is undefined narrows nothing. Minor units. */
export interface WorkFilter {
  kinds?: readonly ExceptionKind[] | undefined
  state?: ExceptionRow['state'] | undefined
  subject?: string | undefined
  /** Null: nobody's. */
  owner?: string | null | undefined
  severities?: readonly Severity[] | undefined
  overdue?: boolean | undefined
  gateway?: string | undefined
  currency?: string | undefined
  amountFrom?: bigint | undefined
  amountTo?: bigint | undefined
  sinceFrom?: IsoDate | undefined
  sinceTo?: IsoDate | undefined
}

export const SORTS = ['newest', 'due'] as const

/** Where a list goes on; a row whose due date has moved meanwhile does not move the list. */
export interface WorkPlace {
  dueMs: number
  id: string
}

const COLUMNS = `${EXCEPTION_COLUMNS}, c.gateway, c.severity, c.due_at,
  c.state = 'open' and c.due_at <= now() as overdue, c.owner, c.acknowledged_at, c.acknowledged_by,
  c.reminders, u.name as owner_name, u.state = 'active' as owner_active`

/** One value as such, so that an index by it gives its rows in the order that is asked for. */
function oneOf(
  select: Knex.QueryBuilder,
  column: string,
  type: 'text' | 'smallint',
  values: readonly string[] | readonly number[] | undefined,
): void {
  const [first] = values ?? []
  if (values?.length === 1 && first !== undefined) {
    select.where(column, first)
  } else if (values !== undefined) {
    select.whereRaw(`${column} = any(?::${type}[])`, [[...values].map(String)])
  }
}

function casesOf(trx: Trx, filter: WorkFilter) {
  const { state, owner, kinds, severities, overdue } = filter
  const select = build('recon_cases as c').where('c.org_id', trx.scope)
  const equal = {
    gateway: filter.gateway,
    currency: filter.currency,
    ...(owner === null ? {} : { owner }),
  }
  for (const [column, value] of Object.entries(equal)) {
    if (value !== undefined) {
      select.where(`c.${column}`, value)
    }
  }
  if (owner === null) {
    select.whereNull('c.owner')
  }
  const isNarrowed = Object.entries(filter).some(([, value]) => value !== undefined)
  // The indexes begin with the state.
  oneOf(
    select,
    'c.state',
    'text',
    state === undefined ? (isNarrowed ? EXCEPTION_STATES : undefined) : [state],
  )
  oneOf(select, 'c.kind', 'text', kinds)
  oneOf(
    select,
    'c.severity',
    'smallint',
    severities?.map((one) => SEVERITIES.indexOf(one)),
  )
  if (overdue !== undefined) {
    select.whereRaw(overdue ? `c.due_at <= now()` : `c.due_at > now()`)
  }
  for (const [column, sign, value] of [
    ['amount', '>=', filter.amountFrom?.toString()],
    ['amount', '<=', filter.amountTo?.toString()],
    ['since', '>=', filter.sinceFrom],
    ['since', '<=', filter.sinceTo],
  ] as const) {
    if (value !== undefined) {
      select.where(`c.${column}`, sign, value)
    }
  }
  if (filter.subject !== undefined) {
    // Found by its own index.
    select.whereRaw(
      `c.exception_id in (select s.exception_id from recon_exceptions s
                           where s.org_id = ? and s.subject = ?)`,
      [trx.scope, filter.subject],
    )
  }
  return select
}

/** The newest first, or what is due first. */
export async function listWork(
  trx: Trx,
  filter: WorkFilter,
  page: { limit: number; sort: (typeof SORTS)[number]; after: WorkPlace | null },
): Promise<WorkRow[]> {
  const { sort, after } = page
  const select = casesOf(trx, filter).select('c.*').limit(page.limit)
  if (sort === 'due') {
    select.orderBy([{ column: 'c.due_at' }, { column: 'c.exception_id' }])
    if (after !== null) {
      const due = new Date(after.dueMs).toISOString()
      select.whereRaw('(c.due_at, c.exception_id) > (?::timestamptz, ?)', [due, after.id])
    }
  } else {
    select.orderBy('c.exception_id', 'desc')
    if (after !== null) {
      select.where('c.exception_id', '<', after.id)
    }
  }
  return await trx.run<WorkRow>(behind(trx, select, sort))
}

/** The cases of a page with what they are about. */
function behind(
  trx: Trx,
  page: ReturnType<typeof casesOf>,
  sort: (typeof SORTS)[number] = 'newest',
) {
  const order = sort === 'due' ? 'c.due_at, c.exception_id' : 'c.exception_id desc'
  return build
    .select(build.raw(COLUMNS))
    .from(page.as('c'))
    .joinRaw(
      `cross join lateral (
         select * from recon_exceptions x
          where x.exception_id = c.exception_id and x.org_id = c.org_id limit 1) e
       left join lateral (
         select name, state from users x
          where x.org_id = c.org_id and x.user_id = c.owner limit 1) u on true`,
    )
    .where('c.org_id', trx.scope)
    .orderByRaw(order)
}

/** Throws `not_found`. */
export async function findWork(trx: Trx, exceptionId: string): Promise<WorkRow> {
  const page = build('recon_cases as c')
    .where({ 'c.org_id': trx.scope, 'c.exception_id': exceptionId })
    .select('c.*')
  const [row] = await trx.run<WorkRow>(behind(trx, page))
  if (row === undefined) {
    throw new Problem('not_found', { detail: 'There is no such exception.' })
  }
  return row
}

/**
 * The ids of all that a filter fits, the oldest first. Problem `precondition_failed` where they are
 * not as many as the caller saw.
 */
export async function idsOfWork(trx: Trx, filter: WorkFilter, expected: number): Promise<string[]> {
  const rows = await trx.run<{ exception_id: string }>(
    casesOf(trx, filter)
      .select('c.exception_id')
      .orderBy('c.exception_id')
      .limit(expected + 1),
  )
  if (rows.length !== expected) {
    const found = rows.length > expected ? `more than ${expected}` : String(rows.length)
    const detail = `The filter fits ${found} exceptions, not ${expected}: look at the list again.`
    throw new Problem('precondition_failed', { detail, moved: 'no' })
  }
  return rows.map((row) => row.exception_id)
}
