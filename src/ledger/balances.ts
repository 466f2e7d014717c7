/** Trial balance and account statement; as of a day they are sums of days, never of postings. */
import type { IsoDate } from '../base/clock.ts'
import type { Trx } from '../base/db.ts'
import type { AccountType, Direction } from './core/chart.ts'

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

/** The trial balance at the end of `asOf`, of all entries where it is null. */
export async function trialBalance(trx: Trx, asOf: IsoDate | null): Promise<TrialBalance> {
  const lines = await trx.query<TrialBalanceLine>(
    `select account_id, code, name, type, currency,
            greatest(net, 0)::bigint as debit, greatest(-net, 0)::bigint as credit
       from (
         select a.account_id, a.code, a.name, a.type, a.currency,
                (coalesce(sum(d.debits), 0) - coalesce(sum(d.credits), 0))::bigint as net
           from accounts a
           left join balance_days d
             on d.org_id = a.org_id and d.account_id = a.account_id
            and ($2::date is null or d.effective_on <= $2)
          where a.org_id = $1
          group by a.org_id, a.account_id
       ) balances
      order by code, currency`,
    [trx.scope, asOf],
  )
  const totals = new Map<string, { currency: string; debit: bigint; credit: bigint }>()
  for (const { currency, debit, credit } of lines) {
    const total = totals.get(currency) ?? { currency, debit: 0n, credit: 0n }
    totals.set(currency, {
      currency,
      debit: total.debit + debit,
      credit: total.credit + credit,
    })
  }
  return { lines, totals: [...totals.values()] }
}

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
  normal: Direction
  from: IsoDate
  to: IsoDate
  limit: number
  /** The last line of the page before. */
  after: { effectiveOn: IsoDate; entryNo: bigint; lineNo: number } | null
}

/** One page of an account's statement, by effective day and then in the order of posting. */
export async function statement(trx: Trx, query: StatementQuery): Promise<StatementPage> {
  const { accountId, normal, from, to } = query
  const opening = await balanceBefore(trx, accountId, normal, from)
  const closing = opening + (await movement(trx, { accountId, normal, from, to }))
  const after = query.after ?? { effectiveOn: '0001-01-01', entryNo: 0n, lineNo: 0 }
  const rows = await trx.query<Omit<StatementLine, 'balance'>>(
    `select p.entry_no, p.line_no, p.effective_on, e.posted_at, e.kind, e.description,
            p.direction, p.amount
       from postings p
       join journal_entries e on e.org_id = p.org_id and e.entry_no = p.entry_no
      where p.org_id = $1 and p.account_id = $2
        and p.effective_on between $3 and $4
        and (p.effective_on, p.entry_no, p.line_no) > ($5::date, $6::bigint, $7::smallint)
      order by p.effective_on, p.entry_no, p.line_no
      limit $8`,
    [trx.scope, accountId, from, to, after.effectiveOn, after.entryNo, after.lineNo, query.limit],
  )
  let running =
    query.after === null ? opening : await balanceThrough(trx, query, opening, query.after)
  const lines = rows.map((row) => {
    running += row.direction === normal ? row.amount : -row.amount
    return { ...row, balance: running }
  })
  return { opening, closing, lines }
}

/** The sum of whole days before `day`. */
async function balanceBefore(
  trx: Trx,
  accountId: number,
  normal: Direction,
  day: IsoDate,
): Promise<bigint> {
  const [row] = await trx.query<{ net: bigint }>(
    `select (coalesce(sum(debits), 0) - coalesce(sum(credits), 0))::bigint as net
       from balance_days where org_id = $1 and account_id = $2 and effective_on < $3`,
    [trx.scope, accountId, day],
  )
  return onNormalSide(row?.net ?? 0n, normal)
}

async function movement(
  trx: Trx,
  query: { accountId: number; normal: Direction; from: IsoDate; to: IsoDate },
): Promise<bigint> {
  const [row] = await trx.query<{ net: bigint }>(
    `select (coalesce(sum(debits), 0) - coalesce(sum(credits), 0))::bigint as net
       from balance_days
      where org_id = $1 and account_id = $2 and effective_on between $3 and $4`,
    [trx.scope, query.accountId, query.from, query.to],
  )
  return onNormalSide(row?.net ?? 0n, query.normal)
}

/** Whole days before the page's first day from the days' sums, that day's lines one by one. */
async function balanceThrough(
  trx: Trx,
  query: StatementQuery,
  opening: bigint,
  after: { effectiveOn: IsoDate; entryNo: bigint; lineNo: number },
): Promise<bigint> {
  if (after.effectiveOn < query.from) {
    return opening
  }
  const before = await balanceBefore(trx, query.accountId, query.normal, after.effectiveOn)
  const [row] = await trx.query<{ net: bigint }>(
    `select coalesce(sum(case direction when 'debit' then amount else -amount end), 0)::bigint
              as net
       from postings
      where org_id = $1 and account_id = $2 and effective_on = $3
        and (entry_no, line_no) <= ($4::bigint, $5::smallint)`,
    [trx.scope, query.accountId, after.effectiveOn, after.entryNo, after.lineNo],
  )
  return before + onNormalSide(row?.net ?? 0n, query.normal)
}

function onNormalSide(net: bigint, normal: Direction): bigint {
  return normal === 'debit' ? net : -net
}
