/** Records of ours that no line tells of: late, or missing. */
import type { IsoDate } from '../../base/clock.ts'
import type { Trx } from '../../base/db.ts'
import type { Break } from '../match/decide.ts'
import { addBusinessDays } from '../match/days.ts'
import type { Rules } from '../match/rules.ts'

const TOGETHER = 5000

/** Up to where was looked. */
export interface After {
  recordId: string
  reversal: boolean
}

export const FROM_THE_FIRST: After = { recordId: '', reversal: false }

interface LateRow {
  record_id: string
  reversal: boolean
  external_id: string
  order_ref: string | null
  amount: bigint
  currency: string
  occurred_on: IsoDate
  is_paid_twice: boolean
}

/**
 * Breaks for open records that were due by `asOf`, from the one after `after`; what a line is
 * already held against is not missing as well. Where another payment of the same order and amount
 * was settled, ours is taken twice rather than theirs left out.
 */
export async function loadLate(
  trx: Trx,
  { asOf, rules, after }: { asOf: IsoDate; rules: Rules; after: After },
): Promise<{ breaks: Break[]; last: After | null }> {
  const dueBy = addBusinessDays(asOf, -rules.dueAfter, new Set(rules.holidays))
  const rows = await trx.query<LateRow>(
    `with held as materialized (
       select s.gateway, s.account, s.external_id
         from recon_open_lines l
        cross join lateral (
          select gateway, account, external_id from settlement_lines
           where file_no = l.file_no and row_no = l.row_no and org_id = $1
           limit 1
        ) s
        where l.org_id = $1
     )
     select o.record_id, o.reversal, o.external_id, o.order_ref, o.amount, o.currency,
            o.occurred_on,
            o.kind = 'payment' and o.order_ref is not null and exists (
              select from donations d
                join payments p on p.org_id = d.org_id and p.payment_id = d.payment_id
                join recon_matches m on m.record_id = p.payment_id and m.org_id = $1
                 and not m.reversal and m.whole and m.undone_at is null
               where d.org_id = $1 and d.gateway = o.gateway and d.order_ref = o.order_ref
                 and p.payment_id <> o.record_id and p.amount = o.amount) as is_paid_twice
       from recon_open_records o
      where o.org_id = $1 and o.occurred_on < $2::date and (o.record_id, o.reversal) > ($3, $4)
        and not exists (
          select from held h
           where h.external_id = o.external_id and h.gateway = o.gateway
             and h.account = o.account)
      order by o.record_id, o.reversal
      limit ${TOGETHER}`,
    [trx.scope, dueBy, after.recordId, after.reversal],
  )
  const last = rows.at(-1)
  return {
    breaks: rows.map((row) => ({
      kind: row.is_paid_twice ? 'duplicate_internal' : 'missing_external',
      subject: `record ${row.record_id}${row.reversal ? ' back' : ''}`,
      amount: row.amount,
      currency: row.currency,
      since: row.occurred_on,
      detail: { id: row.external_id, order: row.order_ref },
      stays: false,
    })),
    last:
      last === undefined || rows.length < TOGETHER
        ? null
        : { recordId: last.record_id, reversal: last.reversal },
  }
}
