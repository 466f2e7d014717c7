/** Months of the books: open, closed to all but who says why, or closed. */
import type { IsoDate } from '../../base/clock.ts'
import type { Trx } from '../../base/db.ts'
import { Problem } from '../../base/problem.ts'
import { LATE_REASON, type Draft } from '../core/entry.ts'

/** From the least closed to the most. */
export const PERIOD_STATES = ['open', 'soft_closed', 'closed'] as const

export type PeriodState = (typeof PERIOD_STATES)[number]

/** A calendar month, YYYY-MM. */
export type Month = string

/** The last month of that state; all before it are as closed or more, whether posted to or not. */
export interface RestrictedPeriod {
  /** Its first day. */
  month: IsoDate
  state: 'soft_closed' | 'closed'
}

/** How far the books of the transaction's organisation are closed: a row a state, two at most. */
export async function readRestricted(trx: Trx): Promise<RestrictedPeriod[]> {
  return await trx.query<RestrictedPeriod>(
    `select max(month) as month, state from periods
      where org_id = $1 and state <> 'open' group by state`,
    [trx.scope],
  )
}

/** A month's state: its own, or that of the next later one that has one. */
export function stateOf(month: Month, restricted: readonly RestrictedPeriod[]): PeriodState {
  const states = restricted.filter((one) => month <= one.month.slice(0, 7)).map((one) => one.state)
  return PERIOD_STATES.findLast((state) => state !== 'open' && states.includes(state)) ?? 'open'
}

/** Why the draft may not be posted into its month; null where it may. */
export function refusalByPeriod(
  draft: Draft,
  restricted: readonly RestrictedPeriod[],
): Problem | null {
  const month = draft.effectiveOn.slice(0, 7)
  const state = stateOf(month, restricted)
  if (state === 'closed') {
    const detail = `${month} is closed; date the entry later, or have the period reopened.`
    return new Problem('period_closed', { detail, moved: 'no' })
  }
  if (state === 'soft_closed' && draft.metadata[LATE_REASON] === undefined) {
    const detail = `${month} is closed except for late entries that give a reason.`
    return new Problem('period_closed', { detail, moved: 'no' })
  }
  return null
}

/** The month's last day; undefined for a text that is no month. */
export function lastDayOf(month: Month): IsoDate | undefined {
  const [, year, number] = /^(\d{4})-(\d{2})$/.exec(month) ?? []
  if (year === undefined || Number(year) < 1 || Number(number) < 1 || Number(number) > 12) {
    return undefined
  }
  const day = new Date(`${month}-01T00:00:00Z`)
  day.setUTCMonth(day.getUTCMonth() + 1, 0)
  return day.toISOString().slice(0, 10)
}

/** One change of a month: who, when, why, and the trial balance at that moment. */
export interface PeriodChange {
  version: number
  state: PeriodState
  reason: string
  actor: string
  changed_at: Date
  /** The newest entry that the trial balance counts. */
  entry_no: bigint
  trial_balance_sha256: Buffer
}

export interface Period {
  month: Month
  state: PeriodState
  /** The newest; null for a month that never changed itself. */
  change: PeriodChange | null
}

/**
 * Months from `through` back to the first that was posted to or changed, newest first, `limit` at
 * most.
 */
export async function listPeriods(
  trx: Trx,
  page: { through: Month; limit: number },
): Promise<Period[]> {
  const restricted = await readRestricted(trx)
  const first = await firstMonth(trx)
  const months: Month[] = []
  for (let month = page.through; months.length < page.limit; month = monthBefore(month)) {
    if (first === null || month < first) {
      break
    }
    months.push(month)
  }
  const changes = await newestChanges(trx, months)
  return months.map((one) => ({
    month: one,
    state: stateOf(one, restricted),
    change: changes.get(one) ?? null,
  }))
}

export async function findPeriod(trx: Trx, month: Month): Promise<Period> {
  const restricted = await readRestricted(trx)
  const changes = await newestChanges(trx, [month])
  return { month, state: stateOf(month, restricted), change: changes.get(month) ?? null }
}

/** The month before; `0000-12` before the first one. */
export function monthBefore(month: Month): Month {
  const count = Number(month.slice(0, 4)) * 12 + Number(month.slice(5)) - 2
  const year = String(Math.floor(count / 12)).padStart(4, '0')
  return `${year}-${String((count % 12) + 1).padStart(2, '0')}`
}

/** The first month with a posting or a change. */
async function firstMonth(trx: Trx): Promise<Month | null> {
  const [row] = await trx.query<{ day: IsoDate | null }>(
    // Account by account: its oldest day is one look at a key.
    `select least(
       (select min(coalesce(older.effective_on, a.day))
          from accounts a
          left join lateral (
            select effective_on from balance_days
             where org_id = a.org_id and account_id = a.account_id
             order by effective_on limit 1
          ) older on true
         where a.org_id = $1 and a.version > 0),
       (select min(month) from periods where org_id = $1)) as day`,
    [trx.scope],
  )
  return row?.day?.slice(0, 7) ?? null
}

async function newestChanges(
  trx: Trx,
  months: readonly Month[],
): Promise<Map<Month, PeriodChange>> {
  const rows = await trx.query<PeriodChange & { month: IsoDate }>(
    `select c.*
       from unnest($2::date[]) as w (month)
      cross join lateral (
        select month, version, state, reason, actor, changed_at, entry_no, trial_balance_sha256
          from period_changes
         where org_id = $1 and month = w.month order by version desc limit 1
      ) c`,
    [trx.scope, months.map((month) => `${month}-01`)],
  )
  return new Map(rows.map(({ month, ...change }) => [month.slice(0, 7), change]))
}

/** The month's changes below `before` (all where null), newest first, `limit` at most. */
export async function listPeriodChanges(
  trx: Trx,
  month: Month,
  page: { limit: number; before: number | null },
): Promise<PeriodChange[]> {
  return await trx.query<PeriodChange>(
    `select version, state, reason, actor, changed_at, entry_no, trial_balance_sha256
       from period_changes
      where org_id = $1 and month = $2 and ($3::integer is null or version < $3)
      order by version desc limit $4`,
    [trx.scope, `${month}-01`, page.before, page.limit],
  )
}

/** The trial balance that a change stored: the text that its hash is of. */
export async function storedTrialBalance(
  trx: Trx,
  month: Month,
  version: number,
): Promise<string | undefined> {
  const [row] = await trx.query<{ trial_balance: string }>(
    `select trial_balance from period_changes where org_id = $1 and month = $2 and version = $3`,
    [trx.scope, `${month}-01`, version],
  )
  return row?.trial_balance
}
