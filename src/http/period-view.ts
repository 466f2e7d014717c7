/** Months of the books and financial years as answers show them. */
import { z } from 'zod'
import type { ChangedPeriod } from '../ledger/closing/period-changes.ts'
import type { ClosedYear } from '../ledger/closing/year-end.ts'
import { PERIOD_STATES, type Period, type PeriodChange } from '../ledger/periods/periods.ts'
import { day, idText, instant, pageOf, sha256Hex } from './answers.ts'
import { entryId } from './entry-view.ts'
import { monthOpen } from './month-open-view.ts'
import { MONTH_PATTERN } from './patterns.ts'

export const periodChange = z
  .strictObject({
    version: z.int(),
    state: z.enum(PERIOD_STATES),
    reason: z.string(),
    actor: z.string(),
    changed_at: instant,
    journal_entry: idText('je', 'The newest that its trial balance counts.').nullable(),
    trial_balance_sha256: sha256Hex,
  })
  .meta({ id: 'PeriodChange' })

export const period = z
  .strictObject({
    month: z.string().meta({ pattern: `^${MONTH_PATTERN}$` }),
    state: z.enum(PERIOD_STATES),
    last_change: periodChange.nullable(),
  })
  .meta({ id: 'Period' })

export const periodWithHistory = z
  .strictObject({
    ...period.shape,
    trial_balance_agrees: z.boolean().nullable(),
    reconciliation: monthOpen,
    history: pageOf(periodChange),
  })
  .meta({ id: 'PeriodWithHistory' })

export const changedPeriod = z
  .strictObject({ ...period.shape, changed: z.boolean() })
  .meta({ id: 'ChangedPeriod' })

export const closedPeriod = z
  .strictObject({ ...changedPeriod.shape, reconciliation: monthOpen })
  .meta({ id: 'ClosedPeriod' })

export const closedYear = z
  .strictObject({
    financial_year: z.string(),
    closed_as_of: day,
    journal_entries: z.array(idText('je')),
    changed: z.boolean(),
  })
  .meta({ id: 'ClosedYear' })

export function changedView({
  period: one,
  changed,
}: ChangedPeriod): z.input<typeof changedPeriod> {
  return { ...periodView(one), changed }
}

export function periodView({ month: of, state, change }: Period): z.input<typeof period> {
  return { month: of, state, last_change: change === null ? null : changeView(change) }
}

export function changeView(change: PeriodChange): z.input<typeof periodChange> {
  return {
    version: change.version,
    state: change.state,
    reason: change.reason,
    actor: change.actor,
    changed_at: change.changed_at.toISOString(),
    journal_entry: change.entry_no === 0n ? null : entryId(change.entry_no),
    trial_balance_sha256: change.trial_balance_sha256.toString('hex'),
  }
}

export function closedYearView(closed: ClosedYear): z.input<typeof closedYear> {
  return {
    financial_year: closed.year,
    closed_as_of: closed.lastDay,
    journal_entries: closed.entryNos.map(entryId),
    changed: closed.changed,
  }
}
