/** Bank lines that are matched, for whoever posts them. */
import type { IsoDate } from '../../base/clock.ts'
import type { Trx } from '../../base/db.ts'
import type { Place } from './matches.ts'

/** A line of a bank statement that is matched, and no entry says so yet. */
export interface Unposted extends Place {
  /** What makes it the same line in another file. */
  rowKey: string
  repeated: number
  /** Counts the matchings of the line that were undone before: the first part of this one. */
  turn: number
  into: string
  bookedOn: IsoDate
  amount: bigint
  currency: string
  settlements: string[]
  /** Minor units that its settlements come to. */
  due: bigint
  /** Every one of its settlements stands as sent. */
  areSent: boolean
}

/** Lines whose matches no entry stands for, in order, from the one after `after`. */
export async function loadUnposted(trx: Trx, after: Place, limit: number): Promise<Unposted[]> {
  return await trx.query<Unposted>(
    `select l.file_no as "fileNo", l.row_no as "rowNo", l.row_key as "rowKey", l.repeated,
            m.turn, l.ledger_account as into, l.booked_on as "bookedOn", l.amount, l.currency,
            m.settlements, m.due,
            not exists (
              select from settlements s
               where s.org_id = $1 and s.settlement_id = any(m.settlements)
                 and s.state <> 'processed') as "areSent"
       from (
         select file_no, row_no, min(part)::integer as turn, sum(amount)::bigint as due,
                array_agg(settlement_id order by settlement_id) as settlements
           from recon_bank_matches
          where org_id = $1 and entry_no is null and undone_at is null
            and (file_no, row_no) > ($2, $3)
          group by file_no, row_no
          order by file_no, row_no limit $4
       ) m
      cross join lateral (
        select * from bank_lines
         where file_no = m.file_no and row_no = m.row_no and org_id = $1 limit 1
      ) l
      order by l.file_no, l.row_no`,
    [trx.scope, after.fileNo, after.rowNo, limit],
  )
}
