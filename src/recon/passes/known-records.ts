/** SQL: what lines of a file name, as our books have it. */

/** Payments are many and joined as suits their number; the others are looked up by key. */
export const RECORDS = `
    select l.row_no, l.repeated,
           r.payment_id as record_id, false as reversal, l.amount, l.currency, l.fee,
           l.tax, l.net, l.amount - coalesce(l.fee, 0) as due, r.amount as recorded,
           r.currency as recorded_currency, r.fee as recorded_fee, r.tax as recorded_tax,
           r.occurred_on = l.occurred_on as same_day
      from lines l
      join (
        select payment_id, gateway, account, gateway_payment_id, amount, currency, fee, tax,
               (captured_at at time zone 'Asia/Kolkata')::date as occurred_on
          from payments where org_id = $1 and state = 'captured'
      ) r on r.gateway_payment_id = l.external_id and r.gateway = l.gateway
         and r.account = l.account
     where l.kind = 'payment' and l.net >= 0
     union all
    select l.row_no, l.repeated,
           r.refund_id, l.kind = 'refund_reversal', l.amount, l.currency, l.fee, l.tax,
           l.net, case l.kind when 'refund' then -l.amount - coalesce(l.fee, 0) else l.amount end,
           r.amount, r.currency, r.fee, r.tax, r.occurred_on = l.occurred_on
      from lines l
     cross join lateral (
       select refund_id, amount, currency, state, fee, tax,
              (processed_at at time zone 'Asia/Kolkata')::date as occurred_on
         from refunds
        where gateway_refund_id = l.external_id and account = l.account and gateway = l.gateway
          and org_id = $1 and state in ('processed', 'returned')
        limit 1
     ) r
     where l.kind in ('refund', 'refund_reversal')
       and (l.kind = 'refund' and l.net <= 0
            or l.kind = 'refund_reversal' and l.net >= 0 and r.state = 'returned')
     union all
    select l.row_no, l.repeated,
           r.transfer_id, l.kind = 'transfer_reversal', l.amount, l.currency, l.fee,
           l.tax, l.net,
           case l.kind when 'transfer' then -l.amount - coalesce(l.fee, 0) else l.amount end,
           case l.kind when 'transfer' then r.amount else r.reversed end, r.currency,
           case l.kind when 'transfer' then r.fee end, case l.kind when 'transfer' then r.tax end,
           r.occurred_on = l.occurred_on
      from lines l
     cross join lateral (
       select transfer_id, amount, reversed, currency, fee, tax,
              (processed_at at time zone 'Asia/Kolkata')::date as occurred_on
         from gateway_transfers
        where gateway_transfer_id = l.external_id and account = l.account
          and gateway = l.gateway and org_id = $1 and processed_entry is not null
        limit 1
     ) r
     where l.kind = 'transfer' and l.net <= 0 or l.kind = 'transfer_reversal' and l.net >= 0
     union all
    select l.row_no, l.repeated,
           r.dispute_id, l.kind = 'dispute_reversal', l.amount, l.currency, l.fee, l.tax,
           l.net, case l.kind when 'dispute' then -l.amount - coalesce(l.fee, 0) else l.net end,
           r.amount, r.currency, null, null, r.occurred_on = l.occurred_on
      from lines l
     cross join lateral (
       select dispute_id, amount, currency, state, held, lost,
              (began_at at time zone 'Asia/Kolkata')::date as occurred_on
         from disputes
        where gateway_dispute_id = l.external_id and account = l.account
          and gateway = l.gateway and org_id = $1
        limit 1
     ) r
     where l.kind in ('dispute', 'dispute_reversal')
       and (l.kind = 'dispute' and l.net <= 0 and (r.held <> 0 or r.lost > 0 or r.state = 'won')
            or l.kind = 'dispute_reversal' and l.net >= 0 and r.state = 'won')`
