/** Closes and reopens months, each time with the trial balance of that moment and its hash. */
import { encodeFields, type Field } from '../../audit/chain.ts'
import type { IsoDate } from '../../base/clock.ts'
import { sha256 } from '../../base/crypto.ts'
import type { Trx } from '../../base/db.ts'
import { Problem, type ProblemCode } from '../../base/problem.ts'
import { announce } from '../../notifications/outbox/announce.ts'
import { linesThrough, type TrialBalanceLine } from '../reading/balances.ts'
import {
  findPeriod,
  lastDayOf,
  PERIOD_STATES,
  readRestricted,
  stateOf,
  type Month,
  type Period,
  type PeriodState,
} from '../periods/periods.ts'

export interface ChangeOfPeriod<State extends PeriodState> {
  month: Month
  state: State
  /** Why, 1 to 500 characters. */
  reason: string
  actor: string
  /** In India's calendar. */
  today: IsoDate
}

export interface ChangedPeriod {
  period: Period
  /** False where the month was in that state already: nothing was written then. */
  changed: boolean
}

/**
 * Closes a month, softly or hard, in the order of months: its trial balance is stored and, once
 * closed, cannot change, because nothing is posted into it or before it any more. Needs a
 * SERIALIZABLE transaction, opened with `queue: 'journal'`. A month that is in that state already
 * stays as it is. Throws `period_not_over` before the month has ended in India, `period_order`
 * while an earlier month with postings is less closed, `period_closed` for a soft closing of a
 * closed month (moved: no).
 */
export async function closePeriod(
  trx: Trx,
  change: ChangeOfPeriod<'soft_closed' | 'closed'>,
): Promise<ChangedPeriod> {
  const { month, state } = change
  const lastDay = lastDayOrNotFound(month)
  if (change.today <= lastDay) {
    throw refusal('period_not_over', `${month} can be closed from the day after ${lastDay} on.`)
  }
  const before = stateOf(month, await readRestricted(trx))
  if (before === state) {
    return { period: await findPeriod(trx, month), changed: false }
  }
  if (before === 'closed') {
    throw refusal('period_closed', `${month} is closed; reopen it with the state soft_closed.`)
  }
  const blocking = await earlierLessClosed(trx, month, state)
  if (blocking !== null) {
    const detail = `${blocking} was posted to and is not closed so far; close it first.`
    throw refusal('period_order', detail)
  }
  return await write(trx, change, 'period.closed')
}

/**
 * Opens a closed month, for all or (soft_closed) for late entries with a reason. In the reverse
 * order of months: the trial balance of a later closed month counts on this one. A month that is
 * in that state already stays as it is. Needs a transaction as `closePeriod` does. Throws
 * `period_order` while a later month is more closed, `invalid_request` where reopening would close
 * the month (moved: no).
 */
export async function reopenPeriod(
  trx: Trx,
  change: ChangeOfPeriod<'open' | 'soft_closed'>,
): Promise<ChangedPeriod> {
  const { month, state } = change
  lastDayOrNotFound(month)
  const before = stateOf(month, await readRestricted(trx))
  if (before === state) {
    return { period: await findPeriod(trx, month), changed: false }
  }
  if (before === 'open') {
    throw refusal('invalid_request', `${month} is open; close it to have it soft_closed.`)
  }
  const blocking = await laterMoreClosed(trx, month, state)
  if (blocking !== null) {
    const detail = `${blocking} comes later and is more closed; reopen it first.`
    throw refusal('period_order', detail)
  }
  return await write(trx, change, 'period.reopened')
}

/**
 * A trial balance as bytes that are the same for the same balances: code, currency, debit, credit
 * of each account that has a balance, in the order of codes. Accounts without one and names are
 * left out, so that what is opened or renamed later changes nothing.
 */
export function encodeTrialBalance(asOf: IsoDate, lines: readonly TrialBalanceLine[]): Buffer {
  const fields: Field[] = [['as_of', asOf]]
  const kept = lines
    .filter(({ debit, credit }) => debit !== credit)
    .sort((one, other) => compare(one.code, other.code) || compare(one.currency, other.currency))
  for (const { code, currency, debit, credit } of kept) {
    fields.push(
      ['account', code],
      ['currency', currency],
      ['debit', debit.toString()],
      ['credit', credit.toString()],
    )
  }
  return encodeFields('bahi/trial-balance/1', fields)
}

/**
 * The trial balance at the month's end, as bytes: of the entries up to number `through`, null for
 * everything posted so far.
 */
export async function trialBalanceOf(
  trx: Trx,
  month: Month,
  through: bigint | null,
): Promise<Buffer> {
  const lastDay = lastDayOrNotFound(month)
  return encodeTrialBalance(lastDay, await linesThrough(trx, lastDay, through))
}

function compare(one: string, other: string): number {
  return one < other ? -1 : Number(one > other)
}

function lastDayOrNotFound(month: Month): IsoDate {
  const lastDay = lastDayOf(month)
  if (lastDay === undefined) {
    throw refusal('not_found', `"${month}" is no month; write YYYY-MM.`)
  }
  return lastDay
}

function refusal(code: ProblemCode, detail: string): Problem {
  return new Problem(code, { detail, moved: 'no' })
}

/** The earliest month before this one that is less closed and was posted to, or opened again. */
async function earlierLessClosed(
  trx: Trx,
  month: Month,
  state: 'soft_closed' | 'closed',
): Promise<Month | null> {
  const states = PERIOD_STATES.slice(PERIOD_STATES.indexOf(state))
  const [row] = await trx.query<{ day: IsoDate | null }>(
    `with closed as (
       select coalesce(max(month) + interval '1 month', '-infinity')::date as until
         from periods where org_id = $1 and state = any($3)
     )
     select least(
       (select min(d.effective_on)
          from closed
          join accounts a on a.org_id = $1
         cross join lateral (
           select effective_on from account_days
            where org_id = a.org_id and account_id = a.account_id
              and effective_on >= closed.until and effective_on < $2
            order by effective_on limit 1
         ) d),
       (select min(p.month) from closed join periods p on p.month >= closed.until
         where p.org_id = $1 and p.month < $2)) as day`,
    [trx.scope, `${month}-01`, states],
  )
  return row?.day?.slice(0, 7) ?? null
}

async function laterMoreClosed(
  trx: Trx,
  month: Month,
  state: 'open' | 'soft_closed',
): Promise<Month | null> {
  const states = PERIOD_STATES.slice(PERIOD_STATES.indexOf(state) + 1)
  const [row] = await trx.query<{ month: IsoDate | null }>(
    `select max(month) as month from periods
      where org_id = $1 and month > $2 and state = any($3)`,
    [trx.scope, `${month}-01`, states],
  )
  return row?.month?.slice(0, 7) ?? null
}

async function write(
  trx: Trx,
  change: ChangeOfPeriod<PeriodState>,
  type: 'period.closed' | 'period.reopened',
): Promise<ChangedPeriod> {
  const text = await trialBalanceOf(trx, change.month, null)
  const firstDay = `${change.month}-01`
  const [row] = await trx.query<{ version: number }>(
    `insert into periods (org_id, month, state, version) values ($1, $2, $3, 1)
     on conflict (org_id, month)
       do update set state = excluded.state, version = periods.version + 1
     returning version`,
    [trx.scope, firstDay, change.state],
  )
  await trx.query(
    `insert into period_changes (org_id, month, version, state, reason, actor, entry_no,
       trial_balance, trial_balance_sha256)
     select $1, $2, $3, $4, $5, $6, entry_no, $7, $8 from journal_heads where org_id = $1`,
    [
      trx.scope,
      firstDay,
      row?.version,
      change.state,
      change.reason,
      change.actor,
      text.toString(),
      sha256(text),
    ],
  )
  if (row !== undefined) {
    const { month, state } = change
    const data = { month, state, version: row.version }
    await announce(trx, [{ type, subject: `${month}/${row.version}`, data }])
  }
  return { period: await findPeriod(trx, change.month), changed: true }
}
