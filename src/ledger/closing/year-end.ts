/** Closes a financial year: posts what brings income and expenses to zero against the funds. */
import type { IsoDate } from '../../base/clock.ts'
import type { Trx } from '../../base/db.ts'
import { Problem } from '../../base/problem.ts'
import { announce } from '../../notifications/outbox/announce.ts'
import { trialBalance } from '../reading/balances.ts'
import { templateOf, type AccountCode } from '../core/chart.ts'
import type { Draft } from '../core/entry.ts'
import {
  closingKeys,
  fundOf,
  lastDayFrom,
  startOf,
  yearClosed,
  yearFrom,
  type YearEndBalance,
} from '../core/year-end.ts'
import { readRestricted, stateOf } from '../periods/periods.ts'
import { post } from '../posting/post.ts'
import { firstUnclosed } from '../periods/year-ends.ts'

export interface ClosedYear {
  year: string
  /** 31 March. */
  lastDay: IsoDate
  /**
   * All entries that close the year, oldest first, whenever they were posted; the newest
   * `CLOSINGS_MAX` of them. None where nothing ever stood on the accounts.
   */
  entryNos: bigint[]
  /** True where some of them were posted now. */
  changed: boolean
}

/** No year is closed so often; a list is bounded all the same. */
export const CLOSINGS_MAX = 1000

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
 * did: asked again it gives the same entries. Posts into a soft-closed March. Needs a SERIALIZABLE
 * transaction, opened with `queue: 'journal'`. Throws `not_found` for what is no year,
 * `period_not_over` before 1 April, `period_order` while an earlier year has income or expenses
 * that are not closed, `unknown_account` where restricted income has no fund to go to, and what
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
  const earlier = await firstUnclosed(trx, { before: start })
  if (earlier !== null) {
    const detail = `Close ${yearFrom(earlier.start)} first: its income and expenses still stand.`
    throw new Problem('period_order', { detail, moved: 'no' })
  }
  const balances = await readBalances(trx, lastDay)
  await assertFunds(trx, balances)
  const drafts = yearClosed({
    year,
    lastDay,
    balances,
    entryNo: await newestEntryNo(trx),
    reason: by.reason,
    actor: by.actor,
    isLate: stateOf(lastDay.slice(0, 7), await readRestricted(trx)) !== 'open',
  })
  await postAll(trx, drafts)
  const entryNos = await readClosings(trx, year)
  const newest = entryNos.at(-1)
  if (drafts.length > 0 && newest !== undefined) {
    const data = { financial_year: year, newest_journal_entry: `je_${newest}` }
    const subject = `${year}/${newest}`
    await announce(trx, [{ type: 'financial_year.closed', subject, data }])
  }
  return { year, lastDay, entryNos, changed: drafts.length > 0 }
}

async function postAll(trx: Trx, drafts: readonly Draft[]): Promise<void> {
  const results = await post(trx, drafts, { atomic: true })
  const problems = results.flatMap((one) => (one.status === 'refused' ? [one.problem] : []))
  const [problem] = [...problems.filter(({ code }) => code !== 'batch_refused'), ...problems]
  if (problem?.code === 'account_closed') {
    const detail = `${problem.message} Reopen it, close the year, and close the account after that.`
    throw new Problem(problem.code, { ...problem.extras, detail })
  }
  if (problem !== undefined) {
    throw problem
  }
}

/** Throws `unknown_account` where a fund is not there and the chart has no template for it. */
async function assertFunds(trx: Trx, balances: readonly YearEndBalance[]): Promise<void> {
  const asked = balances
    .map(({ account, currency }) => ({ account, currency, fund: fundOf(account) }))
    .filter(({ fund, currency }) => templateOf(fund, currency) === undefined)
  const [missing] = await trx.query<{ account: string; currency: string; fund: string }>(
    `select w.account, w.currency, w.fund
       from unnest($2::text[], $3::text[], $4::text[]) as w (account, currency, fund)
       left join lateral (
         select account_id from accounts
          where org_id = $1 and code = w.fund and currency = w.currency limit 1
       ) a on true
      where a.account_id is null
      order by w.account collate "C", w.currency limit 1`,
    [
      trx.scope,
      asked.map(({ account }) => account),
      asked.map(({ currency }) => currency),
      asked.map(({ fund }) => fund),
    ],
  )
  if (missing !== undefined) {
    const { account, currency, fund } = missing
    const detail =
      `${account} is restricted income, and there is no account ${fund} in ${currency} that it ` +
      'could go to: open that account, then close the year again.'
    throw new Problem('unknown_account', { detail, moved: 'no' })
  }
}

/** The entries that close a year, by their keys. */
async function readClosings(trx: Trx, year: string): Promise<bigint[]> {
  const keys = closingKeys(year)
  const rows = await trx.query<{ entry_no: bigint }>(
    // The fence keeps a planner without statistics from walking the journal by number.
    `select entry_no
       from (
         select entry_no from journal_entries
          where idempotency_key >= $2 and idempotency_key < $3 and org_id = $1
         offset 0
       ) closings
      order by entry_no desc limit $4`,
    // A semicolon is what follows a colon.
    [trx.scope, keys, keys.replace(/:$/, ';'), CLOSINGS_MAX],
  )
  return rows.map((row) => row.entry_no).reverse()
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
