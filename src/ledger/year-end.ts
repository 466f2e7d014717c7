/** Closes a financial year: posts what brings income and expenses to zero against the funds. */
import type { IsoDate } from '../base/clock.ts'
import type { Trx } from '../base/db.ts'
import { Problem } from '../base/problem.ts'
import { trialBalance } from './balances.ts'
import type { AccountCode } from './core/chart.ts'
import { lastDayFrom, startOf, yearClosed, yearFrom, type YearEndBalance } from './core/year-end.ts'
import { readRestricted, stateOf } from './periods.ts'
import { post } from './post.ts'

export interface ClosedYear {
  year: string
  /** 31 March. */
  lastDay: IsoDate
  /** The entries that were posted now; none where nothing stood on the accounts. */
  entryNos: bigint[]
}

/** Who closes a year, why, and when. */
export interface YearCloser {
  actor: string
  /** 1 to 500 characters. */
  reason: string
  /** In India's calendar. */
  today: IsoDate
}

/**
 * Closes an Indian financial year ("2026-27", April to March) with entries effective on 31 March.
 * Posts the difference where it was closed before and entries came late, and nothing where none
 * did. Posts into a soft-closed March. Needs a SERIALIZABLE transaction, opened with `queue:
 * 'journal'`. Throws `not_found` for what is no year, `period_not_over` before 1 April,
 * `period_order` while an earlier year has income or expenses that are not closed, and what
 * posting refuses: `period_closed` where March is closed hard, `account_closed` and others; nothing
 * is posted then.
 */
export async function closeYear(trx: Trx, year: string, by: YearCloser): Promise<ClosedYear> {
  const start = startOf(year)
  if (start === undefined) {
    const detail = `"${year}" is no financial year; write it as 2026-27.`
    throw new Problem('not_found', { detail, moved: 'no' })
  }
  const lastDay = lastDayFrom(start)
  if (by.today <= lastDay) {
    const detail = `The year ${year} can be closed from the day after ${lastDay} on.`
    throw new Problem('period_not_over', { detail, moved: 'no' })
  }
  const earlier = await firstUnclosedBefore(trx, start)
  if (earlier !== null) {
    const detail = `Close ${yearFrom(earlier)} first: its income and expenses still stand.`
    throw new Problem('period_order', { detail, moved: 'no' })
  }
  const drafts = yearClosed({
    year,
    lastDay,
    balances: await readBalances(trx, lastDay),
    entryNo: await newestEntryNo(trx),
    reason: by.reason,
    actor: by.actor,
    isLate: stateOf(lastDay.slice(0, 7), await readRestricted(trx)) !== 'open',
  })
  const results = await post(trx, drafts, { atomic: true })
  const problems = results.flatMap((one) => (one.status === 'refused' ? [one.problem] : []))
  const [problem] = [...problems.filter(({ code }) => code !== 'batch_refused'), ...problems]
  if (problem !== undefined) {
    throw problem
  }
  const entryNos = results.flatMap((one) => (one.status === 'refused' ? [] : [one.entryNo]))
  return { year, lastDay, entryNos }
}

/** Income and expense accounts with a balance as of that day, over everything posted so far. */
async function readBalances(trx: Trx, lastDay: IsoDate): Promise<YearEndBalance[]> {
  const { lines } = await trialBalance(trx, { asOf: lastDay, knownAt: null })
  return lines
    .filter(({ type }) => type === 'income' || type === 'expense')
    .filter(({ debit, credit }) => debit !== credit)
    .map(({ code, currency, debit, credit }) => ({
      account: code as AccountCode,
      currency,
      debit,
      credit,
    }))
}

async function newestEntryNo(trx: Trx): Promise<bigint> {
  const [head] = await trx.query<{ entry_no: bigint }>(
    'select entry_no from journal_heads where org_id = $1',
    [trx.scope],
  )
  if (head === undefined) {
    throw new Error(`organisation ${trx.scope} has no journal`)
  }
  return head.entry_no
}

/** Where the first financial year before `start` begins at whose end something stood. */
async function firstUnclosedBefore(trx: Trx, start: number): Promise<number | null> {
  const [row] = await trx.query<{ start: number | null }>(
    `select min(start) as start
       from (
         select start, sum(net) over (partition by account_id order by start) as balance
           from (
             select d.account_id,
                    (extract(year from d.effective_on)
                      - case when extract(month from d.effective_on) < 4 then 1 else 0 end
                    )::integer as start,
                    sum(d.debits) - sum(d.credits) as net
               from accounts a
               join account_days d on d.org_id = a.org_id and d.account_id = a.account_id
              where a.org_id = $1 and a.type in ('income', 'expense')
              group by 1, 2
           ) years
          where start < $2
       ) ends
      where balance <> 0`,
    [trx.scope, start],
  )
  return row?.start ?? null
}
