/** What the reconciliation of a month still leaves open: to be known by whoever closes it. */
import type { IsoDate } from '../../base/clock.ts'
import type { Trx } from '../../base/db.ts'

export interface OpenSum {
  currency: string
  count: number
  /** Minor units. */
  amount: bigint
}

export interface MonthOpen {
  /** The last run that ended; null where nothing was ever reconciled. */
  lastRun: { runId: string; asOf: IsoDate } | null
  exceptions: OpenSum[]
  /** Exceptions since days before. */
  earlier: number
  /** Records that no line told of, as they add to the clearing accounts; fees are not taken off. */
  clearing: OpenSum[]
  /** Settlements that no credit at the bank told of. */
  inTransit: OpenSum[]
}

/** What happened, or counts as open, from the first to the last of these days; by currency. */
export async function openOfMonth(
  trx: Trx,
  days: { from: IsoDate; to: IsoDate },
): Promise<MonthOpen> {
  const [last] = await trx.query<{ run_id: string; as_of: IsoDate }>(
    `select run_id, as_of from recon_runs
      where org_id = $1 and state = 'done' order by run_no desc limit 1`,
    [trx.scope],
  )
  const between = [trx.scope, days.from, days.to]
  const [earlier] = await trx.query<{ count: number }>(
    `select count(*)::integer as count from recon_cases
      where org_id = $1 and state = 'open' and since < $2`,
    [trx.scope, days.from],
  )
  const sums = 'currency, count(*)::integer as count, sum(amount)::bigint as amount'
  return {
    lastRun: last === undefined ? null : { runId: last.run_id, asOf: last.as_of },
    earlier: earlier?.count ?? 0,
    exceptions: await trx.query<OpenSum>(
      `select currency, count(*)::integer as count, sum(abs(amount))::bigint as amount
         from recon_cases
        where org_id = $1 and state = 'open' and since between $2 and $3
        group by currency order by currency`,
      between,
    ),
    clearing: await trx.query<OpenSum>(
      `select ${sums}
         from (select currency, case when (kind = 'payment') = reversal then -amount
                                     else amount end as amount
                 from recon_open_records
                where org_id = $1 and occurred_on between $2 and $3) o
        group by currency order by currency`,
      between,
    ),
    inTransit: await trx.query<OpenSum>(
      `select ${sums}
         from settlements s
        where s.org_id = $1 and s.state = 'processed'
          and s.settled_at >= $2::timestamp at time zone 'Asia/Kolkata'
          and s.settled_at < ($3::date + 1)::timestamp at time zone 'Asia/Kolkata'
          and not exists (
            select from recon_bank_matches m
             where m.settlement_id = s.settlement_id and m.org_id = $1 and m.undone_at is null)
          and not exists (
            select from recon_closed_records c
             where c.record_id = s.settlement_id and c.org_id = $1)
        group by currency order by currency`,
      between,
    ),
  }
}
