/** /v1/periods: months and their state, closing and reopening; closing of financial years. */
import { Router } from 'express'
import { z } from 'zod'
import { indianDate } from '../../base/clock.ts'
import { sha256 } from '../../base/crypto.ts'
import type { Parts } from '../../base/parts.ts'
import { Problem } from '../../base/problem.ts'
import { inJournal } from '../../ledger/posting/in-journal.ts'
import {
  closePeriod,
  reopenPeriod,
  trialBalanceOf,
  type ChangedPeriod,
} from '../../ledger/closing/period-changes.ts'
import {
  findPeriod,
  lastDayOf,
  listPeriodChanges,
  listPeriods,
  monthBefore,
  storedTrialBalance,
  type Month,
  type Period,
  type PeriodChange,
} from '../../ledger/periods/periods.ts'
import { closeYear } from '../../ledger/closing/year-end.ts'
import { allow, principalOf } from '../auth.ts'
import { bodyOf, limit, queryOf } from '../input.ts'
import { line } from '../line.ts'
import { listOf } from '../list.ts'

const listQuery = z.strictObject({
  limit,
  starting_after: z
    .string()
    .refine((text) => lastDayOf(text) !== undefined, { error: 'must be a month, YYYY-MM' })
    .optional(),
})

const oneQuery = z.strictObject({
  limit,
  starting_after: z
    .string()
    .regex(/^[1-9]\d{0,8}$/, 'must be the version of a change')
    .transform(Number)
    .optional(),
})

const reason = line(500)
const closeBody = z.strictObject({ state: z.enum(['soft_closed', 'closed']), reason })
const reopenBody = z.strictObject({
  state: z.enum(['open', 'soft_closed']).default('open'),
  reason,
})
const yearBody = z.strictObject({ reason })

const readers = allow('finance', 'auditor', 'admin')

export function periodRoutes(parts: Parts): Router {
  const routes = Router()
  readingRoutes(parts, routes)

  routes.post('/periods/:month/close', allow('finance', 'admin'), async (request, response) => {
    const { subject, orgId, role } = principalOf(request)
    const month = monthOf(request.params['month'])
    const asked = bodyOf(request, closeBody)
    if (asked.state === 'closed' && role !== 'admin') {
      const detail = `The role ${role} may close softly; closing for everybody takes admin.`
      throw new Problem('forbidden', { detail, moved: 'no' })
    }
    const change = { month, ...asked, actor: subject, today: indianDate(new Date()) }
    const changed = await inJournal(parts.db, orgId, async (trx) => await closePeriod(trx, change))
    response.json(changedView(changed))
  })

  routes.post('/periods/:month/reopen', allow('admin'), async (request, response) => {
    const { subject, orgId } = principalOf(request)
    const month = monthOf(request.params['month'])
    const asked = bodyOf(request, reopenBody)
    const change = { month, ...asked, actor: subject, today: indianDate(new Date()) }
    const changed = await inJournal(parts.db, orgId, async (trx) => await reopenPeriod(trx, change))
    response.json(changedView(changed))
  })

  routes.post('/financial-years/:year/close', allow('admin'), async (request, response) => {
    const { subject, orgId } = principalOf(request)
    const asked = bodyOf(request, yearBody)
    const by = { actor: subject, reason: asked.reason, today: indianDate(new Date()) }
    const closed = await inJournal(
      parts.db,
      orgId,
      async (trx) => await closeYear(trx, String(request.params['year']), by),
    )
    response.json({
      financial_year: closed.year,
      closed_as_of: closed.lastDay,
      journal_entries: closed.entryNos.map((entryNo) => `je_${entryNo}`),
      changed: closed.changed,
    })
  })
  return routes
}

function readingRoutes(parts: Parts, routes: Router): void {
  routes.get('/periods', readers, async (request, response) => {
    const asked = queryOf(request, listQuery)
    const now = indianDate(new Date()).slice(0, 7)
    const before = asked.starting_after === undefined ? now : monthBefore(asked.starting_after)
    const periods = await parts.db.read(
      principalOf(request).orgId,
      async (trx) =>
        await listPeriods(trx, { through: before < now ? before : now, limit: asked.limit + 1 }),
    )
    response.json(listOf(periods, asked.limit, periodView))
  })

  routes.get('/periods/:month', readers, async (request, response) => {
    const month = monthOf(request.params['month'])
    const asked = queryOf(request, oneQuery)
    const page = { limit: asked.limit + 1, before: asked.starting_after ?? null }
    const found = await parts.db.read(principalOf(request).orgId, async (trx) => ({
      period: await findPeriod(trx, month),
      changes: await listPeriodChanges(trx, month, page),
      now: sha256(await trialBalanceOf(trx, month, null)),
    }))
    const { change } = found.period
    response.json({
      ...periodView(found.period),
      trial_balance_agrees: change === null ? null : found.now.equals(change.trial_balance_sha256),
      history: listOf(found.changes, asked.limit, changeView),
    })
  })

  routes.get('/periods/:month/history/:version', readers, async (request, response) => {
    const month = monthOf(request.params['month'])
    const version = oneQuery.shape.starting_after.safeParse(request.params['version']).data
    const text = await parts.db.read(
      principalOf(request).orgId,
      async (trx) => await storedTrialBalance(trx, month, version ?? 0),
    )
    if (text === undefined) {
      throw new Problem('not_found', { detail: `${month} has no such change.` })
    }
    response.type('text/plain').send(text)
  })
}

/** The month in a path; anything else names nothing. */
function monthOf(text: unknown): Month {
  if (typeof text !== 'string' || lastDayOf(text) === undefined) {
    throw new Problem('not_found', { detail: 'There is no such month; write YYYY-MM.' })
  }
  return text
}

function changedView({ period, changed }: ChangedPeriod): object {
  return { ...periodView(period), changed }
}

function periodView({ month, state, change }: Period): object {
  return { month, state, last_change: change === null ? null : changeView(change) }
}

function changeView(change: PeriodChange): object {
  return {
    version: change.version,
    state: change.state,
    reason: change.reason,
    actor: change.actor,
    changed_at: change.changed_at,
    journal_entry: change.entry_no === 0n ? null : `je_${change.entry_no}`,
    trial_balance_sha256: change.trial_balance_sha256.toString('hex'),
  }
}
