/** /v1/periods: months and their state, closing and reopening; closing of financial years. */
import { z } from 'zod'
import { indianDate } from '../../base/clock.ts'
import { sha256 } from '../../base/crypto.ts'
import type { Database, Trx } from '../../base/db.ts'
import type { Parts } from '../../base/parts.ts'
import { Problem } from '../../base/problem.ts'
import { closePeriod, reopenPeriod, trialBalanceOf } from '../../ledger/closing/period-changes.ts'
import { closeYear } from '../../ledger/closing/year-end.ts'
import {
  findPeriod,
  lastDayOf,
  listPeriodChanges,
  listPeriods,
  monthBefore,
  storedTrialBalance,
  type Month,
} from '../../ledger/periods/periods.ts'
import { pageOf } from '../answers.ts'
import { reason } from '../entry-input.ts'
import { limit } from '../input.ts'
import { listOf } from '../list.ts'
import { monthOpenView } from '../month-open-view.ts'
import { operation, type Operation } from '../operation.ts'
import { MONTH_PATTERN } from '../patterns.ts'
import {
  changedPeriod,
  changedView,
  changeView,
  closedPeriod,
  closedYear,
  closedYearView,
  period,
  periodView,
  periodWithHistory,
} from '../period-view.ts'
import type { Principal } from '../request.ts'

const month = z
  .string()
  .refine((text) => lastDayOf(text) !== undefined, { error: 'must be a month, YYYY-MM' })
  .meta({ pattern: `^${MONTH_PATTERN}$`, examples: ['2026-05'] })

const version = z
  .string()
  .regex(/^[1-9]\d{0,8}$/, 'must be the version of a change')
  .transform(Number)

const params = z.object({ month })

const closeBody = z.strictObject({ state: z.enum(['soft_closed', 'closed']), reason })
const reopenBody = z.strictObject({
  state: z.enum(['open', 'soft_closed']).default('open'),
  reason,
})

const CHANGED = { 200: { what: 'As it is now.', body: changedPeriod } } as const

export function periodOperations({ db }: Parts): Operation[] {
  return [
    listOperation(),
    getOperation(),
    storedOperation(db),
    closeOperation(),
    reopenOperation(),
    closeYearOperation(),
  ]
}

function listOperation(): Operation {
  return operation(
    {
      id: 'listPeriods',
      method: 'get',
      path: '/periods',
      tag: 'Periods',
      summary: 'The months of the books and their state',
      permission: 'books.read',
      query: z.strictObject({ limit, starting_after: month.optional() }),
      answers: { 200: { what: 'By month, downwards from this one.', body: pageOf(period) } },
    },
    {
      async read(trx, { query }) {
        const { limit: most, starting_after: after } = query
        const now = indianDate(new Date()).slice(0, 7)
        const before = after === undefined ? now : monthBefore(after)
        const page = { through: before < now ? before : now, limit: most + 1 }
        return { status: 200, body: listOf(await listPeriods(trx, page), most, periodView) }
      },
    },
  )
}

function getOperation(): Operation {
  return operation(
    {
      id: 'getPeriod',
      method: 'get',
      path: '/periods/{month}',
      tag: 'Periods',
      summary: 'A month, its changes, what is not reconciled, and whether its balances still agree',
      permission: 'books.read',
      params,
      query: z.strictObject({ limit, starting_after: version.optional() }),
      answers: { 200: { what: 'The month; changes newest first.', body: periodWithHistory } },
    },
    {
      async read(trx, { params: { month: asked }, query, principal }) {
        const page = { limit: query.limit + 1, before: query.starting_after ?? null }
        const found = await findPeriod(trx, asked)
        const changes = await listPeriodChanges(trx, asked, page)
        const now = sha256(await trialBalanceOf(trx, asked, null))
        const { change } = found
        const body = {
          ...periodView(found),
          trial_balance_agrees: change === null ? null : now.equals(change.trial_balance_sha256),
          reconciliation: await openFor(principal, trx, asked),
          history: listOf(changes, query.limit, changeView),
        }
        return { status: 200, body }
      },
    },
  )
}

function storedOperation(db: Database): Operation {
  return operation(
    {
      id: 'getPeriodTrialBalance',
      method: 'get',
      path: '/periods/{month}/history/{version}',
      tag: 'Periods',
      summary: 'The trial balance that a change of a month stored',
      permission: 'books.read',
      params: z.object({ month, version }),
      answers: { 200: { what: 'The text that its hash is of.', body: { media: 'text/plain' } } },
    },
    {
      async handle({ params: asked, principal, response }) {
        const text = await db.read(
          principal.orgId,
          async (trx) => await storedTrialBalance(trx, asked.month, asked.version),
        )
        if (text === undefined) {
          throw new Problem('not_found', { detail: `${asked.month} has no such change.` })
        }
        response.type('text/plain').send(text)
        return null
      },
    },
  )
}

function closeOperation(): Operation {
  return operation(
    {
      id: 'closePeriod',
      method: 'post',
      path: '/periods/{month}/close',
      tag: 'Periods',
      summary: 'Close a month, to all but late entries with a reason (soft_closed) or to everybody',
      permission: 'periods.close',
      params,
      key: 'optional',
      body: closeBody,
      answers: {
        200: {
          what: 'As it is now, and what its reconciliation leaves open.',
          body: closedPeriod,
        },
      },
      problems: ['period_not_over', 'period_order', 'period_closed'],
    },
    {
      queue: 'journal',
      async write(trx, { params: asked, body, principal }) {
        const { subject, role, permissions } = principal
        if (body.state === 'closed' && !permissions.has('periods.close_hard')) {
          const detail = `The role ${role} may close softly; closing for everybody takes admin.`
          throw new Problem('forbidden', { detail, moved: 'no' })
        }
        const { state } = await findPeriod(trx, asked.month)
        const change = { ...asked, ...body, actor: subject, today: indianDate(new Date()) }
        const view = changedView(await closePeriod(trx, change))
        // Told and not held against anybody: whether it may stay open is for people to say.
        const reconciliation = await openFor(principal, trx, asked.month)
        return { status: 200, body: { ...view, reconciliation }, before: { state } }
      },
    },
  )
}

/** Null for a key that may not see what is reconciled. */
async function openFor({ permissions }: Principal, trx: Trx, of: Month) {
  return permissions.has('recon.read') ? await monthOpenView(trx, of) : null
}

function reopenOperation(): Operation {
  return operation(
    {
      id: 'reopenPeriod',
      method: 'post',
      path: '/periods/{month}/reopen',
      tag: 'Periods',
      summary: 'Reopen a month, for all or for late entries with a reason',
      permission: 'periods.reopen',
      params,
      key: 'optional',
      body: reopenBody,
      answers: CHANGED,
      problems: ['period_order'],
    },
    {
      queue: 'journal',
      async write(trx, { params: asked, body, principal: { subject } }) {
        const { state } = await findPeriod(trx, asked.month)
        const change = { ...asked, ...body, actor: subject, today: indianDate(new Date()) }
        const view = changedView(await reopenPeriod(trx, change))
        return { status: 200, body: view, before: { state } }
      },
    },
  )
}

function closeYearOperation(): Operation {
  return operation(
    {
      id: 'closeFinancialYear',
      method: 'post',
      path: '/financial-years/{year}/close',
      tag: 'Periods',
      summary: 'Close a financial year: bring income and expenses to zero against the funds',
      permission: 'years.close',
      params: z.object({
        year: z.string().meta({ pattern: String.raw`^\d{4}-\d{2}$`, examples: ['2026-27'] }),
      }),
      key: 'optional',
      body: z.strictObject({ reason }),
      answers: { 200: { what: 'The entries that close it, oldest first.', body: closedYear } },
      problems: [
        'period_not_over',
        'period_order',
        'period_closed',
        'unknown_account',
        'account_closed',
        'account_frozen',
        'invalid_entry',
        'balance_below_floor',
      ],
    },
    {
      queue: 'journal',
      async write(trx, { params: { year }, body, principal: { subject } }) {
        const by = { actor: subject, reason: body.reason, today: indianDate(new Date()) }
        return { status: 200, body: closedYearView(await closeYear(trx, year, by)) }
      },
    },
  )
}
