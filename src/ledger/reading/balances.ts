/** Balances on both time axes: sums of days, never of postings. */
import type { IsoDate } from '../../base/clock.ts'
import type { Trx } from '../../base/db.ts'
import type { AccountType } from '../core/chart.ts'

/** A point on the two time axes; null for the end of time and for now. */
export interface PointInTime {
  /** Entries effective on this day or before. */
  asOf: IsoDate | null
  /** Entries posted at this instant or before; a later one than now is now. */
  knownAt: Date | null
}

/** All that was ever posted, as it is known now. */
export const NOW: PointInTime = { asOf: null, knownAt: null }

export interface TrialBalanceLine {
  account_id: number
  code: string
  name: string
  type: AccountType
  currency: string
  /** The balance, on the side where it stands; minor units. */
  debit: bigint
  credit: bigint
}

export interface TrialBalance {
  lines: TrialBalanceLine[]
  /** Per currency; debit and credit are equal, or the books are broken. */
  totals: { currency: string; debit: bigint; credit: bigint }[]
}

/**
 * The number of the last entry posted at that instant or before, 0 before the first; null where
 * that is all there are, or for null. Entries are numbered in the order of their posting, so that
 * it is found by halving. The answer for an instant is final once the transactions that were
 * posting at that instant have ended.
 */
export async function knownThrough(trx: Trx, knownAt: Date | null): Promise<bigint | null> {
  if (knownAt === null) {
    return null
  }
  const [row] = await trx.query<{ through: bigint | null }>(
    // Entry `low` was known (or is 0), entry `high` was not; no row where the newest was.
    `with recursive search (low, high) as (
       select 0::bigint, entry_no from journal_heads where org_id = $1 and posted_at > $2
       union all
       select case when e.posted_at <= $2 then e.entry_no else s.low end,
              case when e.posted_at <= $2 then s.high else e.entry_no end
         from search s
        cross join lateral (
          select entry_no, posted_at from journal_entries
           where org_id = $1 and entry_no = (s.low + s.high) / 2 limit 1
        ) e
        where s.high - s.low > 1
     )
     select max(low) as through from search`,
    [trx.scope, knownAt],
  )
  return row?.through ?? null
}

/**
 * The account's balance on its normal side, minor units, of the entries that were effective and
 * known then; 0 for an account that is not there.
 */
export async function balanceOf(trx: Trx, accountId: number, point: PointInTime): Promise<bigint> {
  const through = await knownThrough(trx, point.knownAt)
  const [balance] = await balancesBefore(trx, accountId, [dayAfter(point.asOf)], through)
  return balance ?? 0n
}

/**
 * The account's balance at the beginning of each of these days (dates, or `infinity`), on its
 * normal side, of the entries up to number `through`, null for all; 0 where it is not there.
 */
export async function balancesBefore(
  trx: Trx,
  accountId: number,
  days: readonly string[],
  through: bigint | null,
): Promise<bigint[]> {
  const rows = await trx.query<{ balance: bigint }>(
    through === null
      ? // What stands in the account's row, less the days from there on: most often few.
        `with days as materialized (
           select effective_on, debits - credits as net from account_days
            where org_id = $1 and account_id = $2
              and effective_on >= (select min(day) from unnest($3::date[]) day)
         )
         select (case a.normal when 'debit' then 1 else -1 end * (a.debits - a.credits - coalesce(
                  (select sum(net) from days where effective_on >= b.day), 0)))::bigint as balance
           from accounts a
          cross join unnest($3::date[]) with ordinality as b (day, n)
          where a.org_id = $1 and a.account_id = $2
          order by b.n`
      : `with days as materialized (
           select d.effective_on, known.day_balance_after as balance
             from account_days d
            cross join lateral (${knownDay('$4')}) known
            where d.org_id = $1 and d.account_id = $2
              and d.effective_on < (select max(day) from unnest($3::date[]) day)
         )
         select coalesce(
                  (select sum(balance) from days where effective_on < b.day), 0)::bigint as balance
           from unnest($3::date[]) with ordinality as b (day, n)
          order by b.n`,
    [trx.scope, accountId, days, ...(through === null ? [] : [through])],
  )
  return days.map((_day, index) => rows[index]?.balance ?? 0n)
}

/** The trial balance of the entries that were effective and known then. */
export async function trialBalance(trx: Trx, point: PointInTime): Promise<TrialBalance> {
  const lines = await linesThrough(trx, point.asOf, await knownThrough(trx, point.knownAt))
  const totals = new Map<string, { currency: string; debit: bigint; credit: bigint }>()
  for (const { currency, debit, credit } of lines) {
    const total = totals.get(currency) ?? { currency, debit: 0n, credit: 0n }
    total.debit += debit
    total.credit += credit
    totals.set(currency, total)
  }
  return { lines, totals: [...totals.values()] }
}

/** A trial balance's lines, of the entries up to number `through`, null for all. */
export async function linesThrough(
  trx: Trx,
  asOf: IsoDate | null,
  through: bigint | null,
): Promise<TrialBalanceLine[]> {
  return await trx.query<TrialBalanceLine>(
    `select a.account_id, a.code, a.name, a.type, a.currency,
            greatest(b.net, 0)::bigint as debit, greatest(-b.net, 0)::bigint as credit
       from accounts a
      cross join lateral (${through === null ? NET : NET_KNOWN}) b
      where a.org_id = $1
      order by a.code, a.currency`,
    [trx.scope, dayAfter(asOf), ...(through === null ? [] : [through])],
  )
}

/**
 * SQL: the last posting of account day `d` among the entries up to number `through`; no row where
 * there is none. By rows of (day, entry) although the day is one: in the order of entries alone a
 * planner may also walk the whole journal backwards, and on a busy account it would.
 */
function knownDay(through: string): string {
  return `select day_balance_after from (
    select p.day_balance_after, p.account_version
      from postings p
     where p.org_id = d.org_id and p.account_id = d.account_id
       and p.effective_on >= d.effective_on
       and (p.effective_on, p.entry_no) <= (d.effective_on, ${through}::bigint)
     order by p.effective_on desc, p.entry_no desc
     fetch first 1 row with ties
  ) entry order by account_version desc limit 1`
}

/** SQL: debits less credits of account `a` before day $2; its row says all where it ends before. */
const NET = `select a.debits - a.credits - case when a.day < $2::date then 0 else coalesce((
    select sum(d.debits - d.credits) from account_days d
     where d.org_id = a.org_id and d.account_id = a.account_id and d.effective_on >= $2::date), 0)
  end as net`

/** SQL: the same of the entries up to number $3. */
const NET_KNOWN = `select case a.normal when 'debit' then 1 else -1 end
       * coalesce(sum(known.day_balance_after), 0) as net
  from account_days d
 cross join lateral (${knownDay('$3')}) known
 where d.org_id = a.org_id and d.account_id = a.account_id and d.effective_on < $2::date`

const DAY_MS = 86_400_000

/** The day after, as Postgres reads dates; after the last one, and after null, is infinity. */
export function dayAfter(day: IsoDate | null): string {
  return day === null || day === '9999-12-31'
    ? 'infinity'
    : new Date(Date.parse(day) + DAY_MS).toISOString().slice(0, 10)
}
