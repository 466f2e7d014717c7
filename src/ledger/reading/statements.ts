/** An account's statement: what moved it, by effective day, with the balance after each line. */
import type { IsoDate } from '../../base/clock.ts'
import type { Trx } from '../../base/db.ts'
import { balancesBefore, dayAfter, knownThrough } from './balances.ts'
import type { Direction } from '../core/chart.ts'

export interface StatementLine {
  entry_no: bigint
  line_no: number
  effective_on: IsoDate
  posted_at: Date
  kind: string
  description: string
  direction: Direction
  amount: bigint
  /** The account's balance after this line in the order of the statement. */
  balance: bigint
}

export interface StatementPage {
  /** Balance at the end of the day before `from`, on the account's normal side. */
  opening: bigint
  /** Balance at the end of `to`. */
  closing: bigint
  lines: StatementLine[]
}

export interface StatementQuery {
  accountId: number
  from: IsoDate
  to: IsoDate
  /** As if only the entries posted at this instant or before were there; null for now. */
  knownAt: Date | null
  limit: number
  /** The last line of the page before. */
  after: { effectiveOn: IsoDate; entryNo: bigint; lineNo: number } | null
}

type Row = Omit<StatementLine, 'balance'> & { day_balance_after: bigint }

/** One page of an account's statement, by effective day and then in the order of posting. */
export async function statement(trx: Trx, query: StatementQuery): Promise<StatementPage> {
  return await statementThrough(trx, query, await knownThrough(trx, query.knownAt))
}

/** The same of the entries up to number `through`, null for all. */
export async function statementThrough(
  trx: Trx,
  query: Omit<StatementQuery, 'knownAt'>,
  through: bigint | null,
): Promise<StatementPage> {
  const rows = await readRows(trx, query, through)
  const firstDay = rows[0]?.effective_on ?? query.from
  const [opening = 0n, closing = 0n, beforeFirst = 0n] = await balancesBefore(
    trx,
    query.accountId,
    [query.from, dayAfter(query.to), firstDay],
    through,
  )
  return { opening, closing, lines: withBalances(rows, beforeFirst) }
}

/** `beforeFirst` is the balance before the first line's day; each posting knows its day's. */
function withBalances(rows: readonly Row[], beforeFirst: bigint): StatementLine[] {
  let day = rows[0]?.effective_on
  let beforeDay = beforeFirst
  let balance = beforeFirst
  return rows.map(({ day_balance_after: ofDay, ...row }) => {
    if (row.effective_on !== day) {
      day = row.effective_on
      beforeDay = balance
    }
    balance = beforeDay + ofDay
    return { ...row, balance }
  })
}

/** Every entry's number is below it. */
const ALL_ENTRIES = 2n ** 63n - 1n

/**
 * Day by day, because entries that were not known yet may stand between one day's known ones and
 * the next day's, any number of them. A page of n lines after a cursor spans n + 1 days at most.
 */
async function readRows(
  trx: Trx,
  query: Omit<StatementQuery, 'knownAt'>,
  through: bigint | null,
): Promise<Row[]> {
  const isResumed = query.after !== null && query.after.effectiveOn >= query.from
  const start = isResumed ? query.after : null
  return await trx.query<Row>(
    `select page.*, e.posted_at, e.kind, e.description
       from (
         select d.effective_on, p.entry_no, p.line_no, p.direction, p.amount, p.day_balance_after
           from (
             select d.effective_on,
                    case when d.effective_on = $3 then $5::bigint else 0 end as entry_no,
                    case when d.effective_on = $3 then $6::smallint else 0 end as line_no
               from account_days d
              cross join lateral (
                select from postings p
                 where p.org_id = $1 and p.account_id = $2 and p.effective_on >= d.effective_on
                   and (p.effective_on, p.entry_no) <= (d.effective_on, $7::bigint)
                 order by p.effective_on, p.entry_no limit 1
              ) known
              where d.org_id = $1 and d.account_id = $2 and d.effective_on between $3 and $4
              order by d.effective_on limit $8 + 1
           ) d
          cross join lateral (
            select p.entry_no, p.line_no, p.direction, p.amount, p.day_balance_after
              from postings p
             where p.org_id = $1 and p.account_id = $2
               and (p.effective_on, p.entry_no, p.line_no)
                 > (d.effective_on, d.entry_no, d.line_no)
               and (p.effective_on, p.entry_no) <= (d.effective_on, $7::bigint)
             order by p.effective_on, p.entry_no, p.line_no limit $8
          ) p
          order by d.effective_on, p.entry_no, p.line_no limit $8
       ) page
      cross join lateral (
        select posted_at, kind, description from journal_entries
         where org_id = $1 and entry_no = page.entry_no limit 1
      ) e
      order by page.effective_on, page.entry_no, page.line_no`,
    [
      trx.scope,
      query.accountId,
      start?.effectiveOn ?? query.from,
      query.to,
      start?.entryNo ?? 0n,
      start?.lineNo ?? 0,
      through ?? ALL_ENTRIES,
      query.limit,
    ],
  )
}
