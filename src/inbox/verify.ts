/** Checks that intake, donations, receipts and books tell the same story, with nothing stuck. */
import type { Database } from '../base/db.ts'
import { FINDINGS_MAX, type Finding } from '../ledger/checks/finding.ts'
import { INSTRUCTION_CHECKS } from '../instructions/verify.ts'
import { PAYMENT_CHECKS } from '../payments/verify.ts'
import { RESOLUTION_CHECKS } from '../recon/passes/verify.ts'

/** Due for longer than this is stuck: a sweep comes every few seconds. */
const STUCK_MINUTES = 15

/** Each query gives rows only where something is off. */
const CHECKS: readonly { check: string; sql: string }[] = [
  {
    check: 'captured payments',
    sql: `select format('payment %s: captured %s, its entry debits %s', p.gateway_payment_id,
                   p.amount, e.amount) as detail
            from payments p
            left join lateral (
              select sum(l.amount) as amount
                from postings l
               where l.org_id = p.org_id and l.entry_no = p.entry_no and l.direction = 'debit'
            ) e on true
           where p.org_id = $1 and p.state = 'captured' and p.gateway is not null
             and e.amount is distinct from p.amount`,
  },
  {
    check: 'one entry a payment',
    sql: `select format('entry %s belongs to %s payments', entry_no, count(*)) as detail
            from payments where org_id = $1 and entry_no is not null
           group by entry_no having count(*) > 1`,
  },
  {
    check: 'captured facts',
    sql: `select format('fact %s has no captured payment', f.fact_key) as detail
            from facts f
            left join journal_entries e
              on e.org_id = f.org_id and e.idempotency_key = f.fact_key
            left join payments p on p.org_id = e.org_id and p.entry_no = e.entry_no
           where f.org_id = $1 and f.kind = 'payment_captured' and p.payment_id is null`,
  },
  {
    check: 'paid donations',
    sql: `select format('donation %s is paid and has neither a receipt nor a promise of one',
                   d.donation_id) as detail
            from donations d
           where d.org_id = $1 and d.state = 'paid'
             and not exists (select 1 from receipts r
                              where r.org_id = d.org_id and r.donation_id = d.donation_id)
             and payment_gone(d.org_id, d.payment_id) < d.amount
             and not exists (select 1 from outbox o
                              where o.org_id = d.org_id and o.topic = 'issue_receipt'
                                and o.subject = d.donation_id and o.state = 'waiting')
             and not exists (select 1 from offline_payments f
                              where f.org_id = d.org_id and f.donation_id = d.donation_id
                                and f.state = 'returned')`,
  },
  {
    check: 'receipt amounts',
    sql: `select format('receipt %s says %s, the payment %s', r.number, r.amount, p.amount)
                   as detail
            from receipts r join payments p using (org_id, payment_id)
           where r.org_id = $1
             and (r.amount, r.currency, r.entry_no)
                 is distinct from (p.amount, p.currency, p.entry_no)`,
  },
  {
    check: 'receipts that stand',
    sql: `select format('receipt %s stands, and %s of its %s were given back or lost', r.number,
                   payment_gone(r.org_id, r.payment_id), r.amount) as detail
            from receipts r
           where r.org_id = $1 and payment_gone(r.org_id, r.payment_id) >= r.amount
             and not exists (select from receipt_cancellations c
                  where c.org_id = r.org_id and c.receipt_id = r.receipt_id)`,
  },
  {
    check: 'receipt numbers',
    sql: `select format('series %s %s: last number %s, %s receipts, highest %s', s.series, s.year,
                   s.last_serial, count(r.serial), max(r.serial)) as detail
            from receipt_series s
            left join receipts r using (org_id, series, year)
           where s.org_id = $1
           group by s.series, s.year, s.last_serial
          having count(r.serial) <> s.last_serial
              or coalesce(max(r.serial), 0) <> s.last_serial
              or coalesce(min(r.serial), 1) <> 1`,
  },
  {
    check: 'receipt emails',
    sql: `select format('receipt %s has no email', r.number) as detail
            from receipts r
            join donations d using (org_id, donation_id)
            join donors n using (org_id, donor_id)
            left join receipt_emails e using (org_id, receipt_id)
           where r.org_id = $1 and e.email_id is null and n.email is not null`,
  },
  {
    check: 'stuck',
    sql: `select format('%s %s waits since %s', kind, id, due) as detail
            from (
              select org_id, 'event' as kind, event_id as id, next_try_at as due
                from inbox_events where state = 'waiting' and held_at is null
              union all
              select org_id, 'receipt of', subject, next_try_at from outbox where state = 'waiting'
              union all
              select org_id, 'email', email_id, next_try_at
                from receipt_emails
               where state in ('waiting', 'claimed', 'sending')
                 and org_id not in (select o.org_id from organisations o
                                     where 'receipt_emails' = any(o.switched_off))
            ) work
           where org_id = $1 and due < now() - interval '${STUCK_MINUTES} minutes'`,
  },
  {
    check: 'dead',
    sql: `select format('%s %s: %s', kind, id, error) as detail
            from (
              select org_id, 'event' as kind, event_id as id, last_error as error
                from inbox_events where state = 'dead'
              union all
              select org_id, 'receipt of', subject, last_error from outbox where state = 'dead'
              union all
              select org_id, 'email', email_id, last_error from receipt_emails where state = 'dead'
            ) work
           where org_id = $1`,
  },
]

/** What is off between webhooks, payments, receipts and emails of one organisation. */
export async function verifyDonations(db: Database, orgId: number): Promise<Finding[]> {
  return await db.read(orgId, async (trx) => {
    const findings: Finding[] = []
    const checks = [...CHECKS, ...PAYMENT_CHECKS, ...INSTRUCTION_CHECKS, ...RESOLUTION_CHECKS]
    for (const { check, sql } of checks) {
      const rows = await trx.query<{ detail: string }>(`${sql} limit $2`, [orgId, FINDINGS_MAX])
      findings.push(...rows.map(({ detail }) => ({ check, detail })))
    }
    return findings
  })
}

/** What nothing was made of because somebody decided so, the newest first: said, and no fault. */
export async function listAccepted(db: Database, orgId: number): Promise<string[]> {
  return await db.read(orgId, async (trx) => {
    const rows = await trx.query<{ detail: string }>(
      `(select format('event %s (%s) was dismissed on %s by %s: %s', event_id,
                 coalesce(event_type, gateway), (dismissed_at at time zone 'Asia/Kolkata')::date,
                 dismissed_by, dismissed_because) as detail
          from inbox_events where org_id = $1 and state = 'dismissed'
         order by event_id desc limit $2)
        union all
       (select format('%s is paused since %s by %s: %s', concat_ws(' ', gateway, event_type),
                 (paused_at at time zone 'Asia/Kolkata')::date, paused_by, reason)
          from inbox_pauses where org_id = $1 and resumed_at is null
         order by pause_id desc limit $2)`,
      [orgId, FINDINGS_MAX],
    )
    return rows.map(({ detail }) => detail)
  })
}
