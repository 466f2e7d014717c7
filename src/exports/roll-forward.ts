/** Open items of each gateway in a period: what was open, came, was settled, and is open now. */
import type { IsoDate } from '../base/clock.ts'
import type { Books } from './books.ts'

/** Signed minor units as they stand with the gateway: what it owes us is positive. */
export interface Moved {
  gateway: string
  kind: string
  currency: string
  opening_count: number
  opening: bigint
  fresh_count: number
  fresh: bigint
  cleared_count: number
  cleared: bigint
  closing_count: number
  closing: bigint
}

const DAY = (column: string) => `(${column} at time zone 'Asia/Kolkata')::date`

/** Records that move a gateway's balance, each on its day. */
const RECORDS = `
  select payment_id as record_id, false as reversal, 'payment' as kind, gateway, currency, amount,
         ${DAY('captured_at')} as day
    from payments where org_id = $1 and state = 'captured' and gateway is not null
   union all
  select refund_id, false, 'refund', gateway, currency, -amount, ${DAY('processed_at')}
    from refunds
   where org_id = $1 and state in ('processed', 'returned') and processed_at is not null
   union all
  select refund_id, true, 'refund', gateway, currency, amount,
         ${DAY('coalesce(failed_at, processed_at)')}
    from refunds where org_id = $1 and state = 'returned'
   union all
  select transfer_id, false, 'transfer', gateway, currency, -amount, ${DAY('processed_at')}
    from gateway_transfers
   where org_id = $1 and processed_entry is not null and amount is not null
   union all
  select dispute_id, false, 'dispute', gateway, currency, -amount, ${DAY('began_at')}
    from disputes where org_id = $1 and (held <> 0 or lost > 0)`

/** A record is cleared on the day on which the last line that tells of it was settled. */
export async function rollForward(
  books: Books,
  { from, to }: { from: IsoDate | null; to: IsoDate },
): Promise<Moved[]> {
  return await books.db.read(
    books.orgId,
    async (trx) =>
      await trx.query<Moved>(
        `with items as (
           select r.gateway, r.kind, r.currency, r.amount, r.day,
                  case when m.day is not null then greatest(r.day, m.day) end as cleared_on
             from (${RECORDS}) r
             left join lateral (
               select max(coalesce(l.settled_on, l.occurred_on, r.day)) as day
                 from (
                   (select file_no, row_no from recon_matches
                     where record_id = r.record_id and reversal = r.reversal and org_id = $1
                       and whole and undone_at is null limit 1)
                    union all
                   (select file_no, row_no from recon_matches
                     where record_id = r.record_id and reversal = r.reversal and org_id = $1
                       and not whole and undone_at is null limit 1000)
                 ) told
                cross join lateral (
                  select settled_on, occurred_on from settlement_lines
                   where file_no = told.file_no and row_no = told.row_no and org_id = $1 limit 1
                ) l
             ) m on m.day is not null
            where r.day <= $3::date
         ), sides as (
           select gateway, kind, currency, amount,
                  day < $2::date and (cleared_on is null or cleared_on >= $2::date) as is_opening,
                  day >= $2::date as is_fresh,
                  coalesce(cleared_on between $2::date and $3::date, false) as is_cleared,
                  cleared_on is null or cleared_on > $3::date as is_closing
             from items
         )
         select gateway, kind, currency,
                ${sumOf('opening')}, ${sumOf('fresh')}, ${sumOf('cleared')}, ${sumOf('closing')}
           from sides
          where is_opening or is_fresh or is_cleared or is_closing
          group by gateway, kind, currency order by gateway, kind, currency`,
        [books.orgId, from ?? '0001-01-01', to],
      ),
  )
}

function sumOf(name: string): string {
  return `count(*) filter (where is_${name})::integer as ${name}_count,
    coalesce(sum(amount) filter (where is_${name}), 0)::bigint as ${name}`
}
