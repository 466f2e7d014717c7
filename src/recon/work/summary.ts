/** Open exceptions summed up by kind, currency, severity and age, from one snapshot. */
import type { Trx } from '../../base/db.ts'
import type { ExceptionKind } from '../match/kinds.ts'

/** How long something has been open: as a day's work counts it, and as a month's end does. */
export const AGES = ['under_24_hours', '1_to_3_days', '3_to_7_days', 'over_7_days'] as const
export const MONTH_END_AGES = ['0_to_30', '31_to_60', '61_to_90', 'over_90'] as const

export interface SumRow {
  kind: ExceptionKind
  currency: string
  severity: number
  /** Places in `AGES` and `MONTH_END_AGES`. */
  age: number
  month_end_age: number
  count: number
  /** Minor units. */
  amount: bigint
  overdue: number
  unowned: number
}

/** One statement: whatever runs meanwhile, the sums belong together. */
export async function sumOpen(trx: Trx): Promise<{ at: Date; rows: SumRow[] }> {
  const rows = await trx.query<SumRow & { at: Date }>(
    `with days as materialized (
       -- By day first: a hundred thousand exceptions began on a few hundred days.
       select kind, currency, severity, since, count(*)::integer as count,
              sum(abs(amount)) as amount,
              (count(*) filter (where due_at <= now()))::integer as overdue,
              (count(*) filter (where owner is null))::integer as unowned
         from recon_cases
        where org_id = $1 and state = 'open'
        group by kind, currency, severity, since
     ), aged as (
       select d.*, now() - d.since::timestamp at time zone 'Asia/Kolkata' as age from days d
     )
     select now() as at, kind, currency, severity,
            case when age < interval '24 hours' then 0 when age < interval '72 hours' then 1
                 when age < interval '168 hours' then 2 else 3 end as age,
            case when age < interval '31 days' then 0 when age < interval '61 days' then 1
                 when age < interval '91 days' then 2 else 3 end as month_end_age,
            sum(count)::integer as count, sum(amount)::bigint as amount,
            sum(overdue)::integer as overdue, sum(unowned)::integer as unowned
       from aged group by 2, 3, 4, 5, 6 order by 2, 3, 4, 5, 6`,
    [trx.scope],
  )
  return { at: rows[0]?.at ?? new Date(), rows }
}
