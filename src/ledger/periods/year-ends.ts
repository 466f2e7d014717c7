/** What income and expense accounts stood at when financial years ended. */
import type { Trx } from '../../base/db.ts'

/** An account's balance at the end of a financial year. */
export interface YearEnd {
  /** The calendar year in which the financial year begins. */
  start: number
  /** Debits less credits, minor units. */
  net: bigint
}

/**
 * The first financial year at whose end an income or expense account did not stand at zero; null
 * where each of them did at each end. Of one account, or of all where none is named; of years
 * before `before`, or of all years, those to come too.
 */
export async function firstUnclosed(
  trx: Trx,
  where: { accountId?: number; before?: number },
): Promise<YearEnd | null> {
  const [row] = await trx.query<YearEnd>(
    `select start, net
       from (
         select start, (sum(net) over (partition by account_id order by start))::bigint as net
           from (
             select d.account_id,
                    (extract(year from d.effective_on)
                      - case when extract(month from d.effective_on) < 4 then 1 else 0 end
                    )::integer as start,
                    sum(d.debits) - sum(d.credits) as net
               from accounts a
               join account_days d on d.org_id = a.org_id and d.account_id = a.account_id
              where a.org_id = $1 and a.type in ('income', 'expense')
                and ($2::integer is null or a.account_id = $2)
              group by 1, 2
           ) years
          where $3::integer is null or start < $3
       ) ends
      where net <> 0
      order by start limit 1`,
    [trx.scope, where.accountId ?? null, where.before ?? null],
  )
  return row ?? null
}
