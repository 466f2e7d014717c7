/** Checks that instructions, what gateways say of them, and the books tell the same story. */

/** Each query gives rows only where something is off; $1 is the organisation. */
export const INSTRUCTION_CHECKS: readonly { check: string; sql: string }[] = [
  {
    check: 'instructions of which nobody knows',
    sql: `select format('%s %s of %s %s under %s: look at the gateway, then settle it (%s)', kind,
                   instruction_id, amount, currency, reference, last_problem) as detail
            from instructions where org_id = $1 and state = 'unknown'`,
  },
  {
    check: 'instructions on their way',
    sql: `select format('%s %s is %s since %s', kind, instruction_id, state,
                   coalesce(first_sent_at, asked_at)) as detail
            from instructions
           where org_id = $1 and (
             state in ('intended', 'sending') and asked_at < now() - interval '2 days'
             or state = 'accepted' and first_sent_at < now() - interval '30 days')`,
  },
  {
    check: 'instructions and their steps',
    sql: `select format('%s is %s, its steps end with %s', i.instruction_id, i.state, s.what)
                   as detail
            from instructions i
            left join lateral (
              select what from instruction_steps s
               where s.org_id = i.org_id and s.instruction_id = i.instruction_id
                 and s.what <> 'asked'
               order by step desc limit 1
            ) s on true
           where i.org_id = $1 and s.what is distinct from i.state`,
  },
  {
    check: 'one movement an instruction',
    sql: `select format('%s %s has %s refunds or payouts', i.kind, i.instruction_id, count(*))
                   as detail
            from instructions i
            join (
              select org_id, gateway, account, reference from refunds
              union all
              select org_id, gateway, account, reference from gateway_payouts
            ) m using (org_id, gateway, account, reference)
           where i.org_id = $1
           group by i.kind, i.instruction_id having count(*) > 1`,
  },
  {
    check: 'payouts and what they are for',
    sql: `select format('payout %s is borne by %s, it was asked for %s', p.gateway_payout_id,
                   p.paid_for, i.paid_for) as detail
            from instructions i
            join gateway_payouts p using (org_id, gateway, account, reference, amount)
           where i.org_id = $1 and i.kind = 'payout' and p.paid_for <> i.paid_for`,
  },
]
