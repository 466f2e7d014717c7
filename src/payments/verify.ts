/** Checks that what gateways did with money, its rows and its entries tell the same story. */

/** Whatever waits for what nobody told of is looked at after this long. */
const PATIENCE = `interval '1 day'`

/** Kinds of facts that have an entry under their own key; fees only where they are above zero. */
const POSTED = `('refund_created', 'refund_processed', 'refund_failed', 'dispute_debited',
  'dispute_credited', 'dispute_lost', 'settled', 'settlement_returned', 'payout_processed',
  'payout_reversed', 'transfer_processed', 'transfer_reversed', 'payment_fee', 'refund_fee')`

/** The key under which a report told the same thing before, and posted it. */
const TOLD_BY_A_LINE = `'line:' || concat_ws(':', f.content->>'gateway', f.content->>'account')
  || case f.kind when 'payment_fee' then ':' || (f.content->>'gatewayPaymentId') || ':fee'
                 when 'refund_fee' then ':' || (f.content->>'gatewayRefundId') || ':fee'
                 when 'settled' then ':' || (f.content->>'gatewaySettlementId') || ':settled' end`

/** Each row that names entries, with the kind that each of them has to be of. */
const STEPS = `
  select org_id, 'refund ' || gateway_refund_id as what, amount, s.kind, s.entry_no
    from refunds cross join lateral (values ('refund_created', created_entry),
      ('refund_processed', processed_entry), ('refund_failed', failed_entry),
      ('refund_returned', returned_entry)) s (kind, entry_no)
  union all
  select org_id, 'settlement ' || gateway_settlement_id, amount, s.kind, s.entry_no
    from settlements cross join lateral (values ('settled', settled_entry),
      ('settlement_returned', returned_entry)) s (kind, entry_no)
  union all
  select org_id, 'payout ' || gateway_payout_id, amount, s.kind, s.entry_no
    from gateway_payouts cross join lateral (values ('payout_processed', processed_entry),
      ('payout_reversed', reversed_entry)) s (kind, entry_no)
  union all
  select org_id, 'transfer ' || gateway_transfer_id, amount, 'transfer_processed', processed_entry
    from gateway_transfers`

/** Each query gives rows only where something is off; $1 is the organisation. */
export const PAYMENT_CHECKS: readonly { check: string; sql: string }[] = [
  {
    check: 'refunds above the capture',
    sql: `select format('payment %s: %s %s captured, %s %s refunded or on its way',
                   r.gateway_payment_id, p.amount, p.currency, sum(r.amount), r.currency) as detail
            from refunds r
            join payments p using (org_id, gateway, account, gateway_payment_id)
           where r.org_id = $1 and r.state in ('created', 'processed') and p.state = 'captured'
           group by r.gateway, r.account, r.gateway_payment_id, p.amount, p.currency, r.currency
          having sum(r.amount) > p.amount or r.currency <> p.currency`,
  },
  {
    check: 'refunds and captures',
    sql: `select format('refund %s is %s, its payment %s is %s', r.gateway_refund_id, r.state,
                   r.gateway_payment_id, coalesce(p.state, 'not known')) as detail
            from refunds r
            left join payments p using (org_id, gateway, account, gateway_payment_id)
           where r.org_id = $1
             and (r.state = 'voided') = (coalesce(p.state, 'none') = 'captured')`,
  },
  {
    check: 'parked facts',
    sql: `select format('%s waits for %s %s since %s', fact_key, needs, needs_id, parked_at)
                   as detail
            from parked_facts where org_id = $1 and parked_at < now() - ${PATIENCE}`,
  },
  {
    check: 'entries of gateways',
    sql: `select format('%s: entry %s is no %s of %s', s.what, s.entry_no, s.kind, s.amount)
                   as detail
            from (${STEPS}) s
            left join journal_entries e using (org_id, entry_no)
           where s.org_id = $1 and s.entry_no is not null
             and (e.kind is distinct from s.kind
                  or not exists (select from postings l
                                  where l.org_id = $1 and l.entry_no = s.entry_no
                                    and l.amount = s.amount))`,
  },
  {
    check: 'facts of gateways',
    sql: `select format('fact %s has no entry', f.fact_key) as detail
            from facts f
           where f.org_id = $1 and f.kind in ${POSTED}
             and (f.kind not in ('payment_fee', 'refund_fee') or f.content->>'fee' <> '0')
             and not exists (select from journal_entries e
                              where e.org_id = $1 and e.idempotency_key = f.fact_key)
             and not exists (select from journal_entries e
                              where e.org_id = $1 and e.idempotency_key = ${TOLD_BY_A_LINE})`,
  },
  {
    check: 'fees of payments',
    sql: `select format('payment %s has fee %s and tax %s, its fact %s and %s',
                   p.gateway_payment_id, p.fee, p.tax, f.content->>'fee', f.content->>'tax')
                   as detail
            from facts f
            left join payments p
              on p.org_id = f.org_id and p.gateway = f.content->>'gateway'
             and p.account = f.content->>'account'
             and p.gateway_payment_id = f.content->>'gatewayPaymentId'
           where f.org_id = $1 and f.kind = 'payment_fee'
             and (p.fee::text, p.tax::text)
                 is distinct from (f.content->>'fee', f.content->>'tax')`,
  },
  {
    check: 'steps without a beginning',
    sql: `select detail
            from (
              select org_id, format('refund %s is %s and was never begun', gateway_refund_id, state)
                       as detail
                from refunds where state <> 'voided' and created_entry is null
              union all
              select org_id, format('refund %s was paid and failed, and is not returned',
                               gateway_refund_id)
                from refunds where state = 'returned' and returned_entry is null
              union all
              select org_id, format('settlement %s came back and was never sent',
                               gateway_settlement_id)
                from settlements where settled_entry is null
              union all
              select org_id, format('payout %s came back and was never paid', gateway_payout_id)
                from gateway_payouts where state = 'reversed' and processed_entry is null
              union all
              select org_id, format('transfer %s: %s of %s came back', gateway_transfer_id,
                               reversed, coalesce(amount::text, 'nothing'))
                from gateway_transfers where reversed > coalesce(amount, 0)
            ) odd
           where org_id = $1`,
  },
  {
    check: 'money of disputes',
    sql: `select format('dispute %s: %s held and %s lost, its facts say %s and %s',
                   d.gateway_dispute_id, d.held, d.lost, coalesce(f.held, 0), coalesce(f.lost, 0))
                   as detail
            from disputes d
            left join (
              select content->>'gateway' as gateway, content->>'account' as account,
                     content->>'gatewayDisputeId' as id,
                     sum(case when kind = 'dispute_debited' then (content->>'amount')::bigint
                              when kind = 'dispute_credited'
                                or content->>'from' = 'debited' then -(content->>'amount')::bigint
                              else 0 end) as held,
                     sum((content->>'amount')::bigint) filter (where kind = 'dispute_lost') as lost
                from facts
               where org_id = $1 and kind like 'dispute_%'
               group by 1, 2, 3
            ) f on f.gateway = d.gateway and f.account = d.account and f.id = d.gateway_dispute_id
           where d.org_id = $1
             and (d.held, d.lost) is distinct from (coalesce(f.held, 0), coalesce(f.lost, 0))`,
  },
  {
    check: 'disputes that ended',
    sql: `select format('dispute %s was %s, and %s of it is still held back', gateway_dispute_id,
                   state, held) as detail
            from disputes
           where org_id = $1 and state <> 'open' and held <> 0
             and greatest(won_at, lost_at) < now() - ${PATIENCE}`,
  },
]
