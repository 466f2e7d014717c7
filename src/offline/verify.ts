/** Checks that money that came past the gateways, its donations and its entries agree. */
import type { Database } from '../base/db.ts'
import { FINDINGS_MAX, type Finding } from '../ledger/checks/finding.ts'

/** A file of five thousand rows takes a minute. */
const STUCK_MINUTES = 15

/** Each step that a row names, with the kind of its entry and the account that has the amount. */
const STEPS = `
  select f.org_id, f.offline_id, f.amount, s.kind, s.entry_no
    from offline_payments f
   cross join lateral (values
     (case f.channel when 'cheque' then 'cheque_received' else 'donation_received' end,
      f.received_entry),
     ('cheque_realised', f.realised_entry),
     (case f.state when 'returned' then 'cheque_returned' else 'cheque_bounced' end,
      f.bounced_entry)) s (kind, entry_no)
   where s.entry_no is not null`

/** Each query gives rows only where something is off; $1 is the organisation. */
export const OFFLINE_CHECKS: readonly { check: string; sql: string }[] = [
  {
    check: 'entries of offline payments',
    sql: `select format('%s: entry %s is no %s of %s', s.offline_id, s.entry_no, s.kind, s.amount)
                   as detail
            from (${STEPS}) s
            left join journal_entries e using (org_id, entry_no)
           where s.org_id = $1
             and (e.kind is distinct from s.kind
                  or e.metadata ->> 'offline_payment_id' is distinct from s.offline_id
                  or not exists (select from postings l
                                  where l.org_id = $1 and l.entry_no = s.entry_no
                                    and l.amount = s.amount))`,
  },
  {
    check: 'offline payments of entries',
    sql: `select format('entry %s, a %s, belongs to no offline payment', e.entry_no, e.kind)
                   as detail
            from journal_entries e
           where e.org_id = $1
             and e.kind in ('donation_received', 'cheque_received', 'cheque_realised',
                   'cheque_bounced', 'cheque_returned')
             and not exists (select from offline_payments f
                              where f.org_id = $1
                                and f.offline_id = e.metadata ->> 'offline_payment_id'
                                and e.entry_no in (f.received_entry, f.realised_entry,
                                      f.bounced_entry))`,
  },
  {
    check: 'donations of offline payments',
    sql: `select format('%s is %s, its donation %s is %s', f.offline_id, f.state, d.donation_id,
                   d.state) as detail
            from offline_payments f join donations d using (org_id, donation_id)
           where f.org_id = $1
             and (d.state <> case f.state when 'received' then 'open' when 'bounced' then 'closed'
                               else 'paid' end
                  or (d.amount, d.currency) is distinct from (f.amount, f.currency)
                  or d.payment_id is distinct from f.payment_id
                  or d.gateway is not null)`,
  },
  {
    check: 'payments past the gateways',
    sql: `select format('payment %s of %s has no offline payment of that', p.payment_id, p.amount)
                   as detail
            from payments p
            left join offline_payments f using (org_id, payment_id)
           where p.org_id = $1 and p.gateway is null
             and (p.amount, p.currency, p.entry_no) is distinct from
                 (f.amount, f.currency, coalesce(f.realised_entry, f.received_entry))`,
  },
  {
    check: 'booked twice',
    sql: `select format('%s has the bank reference %s of %s, which came through %s', f.offline_id,
                   f.reference, p.payment_id, p.gateway) as detail
            from offline_payments f
            join payments p on p.bank_reference = f.reference and p.org_id = f.org_id
           where f.org_id = $1 and f.channel in ('upi', 'bank_transfer')
             and p.gateway is not null and p.state = 'captured'`,
  },
  {
    check: 'receipts of cheques',
    sql: `select format('%s came back on %s, and a receipt is still promised', f.offline_id,
                   f.bounced_on) as detail
            from offline_payments f
            join outbox o on o.org_id = f.org_id and o.topic = 'issue_receipt'
                         and o.subject = f.donation_id and o.state <> 'done'
           where f.org_id = $1 and f.state in ('bounced', 'returned')`,
  },
  {
    check: 'receipts of returned cheques',
    sql: `select format('receipt %s stands, and its cheque came back on %s: %s', r.number,
                   f.bounced_on, f.bounce_reason) as detail
            from offline_payments f
            join receipts r on r.org_id = f.org_id and r.donation_id = f.donation_id
            left join receipt_cancellations c on c.org_id = r.org_id and c.receipt_id = r.receipt_id
           where f.org_id = $1 and f.state = 'returned' and c.receipt_id is null`,
  },
  {
    check: 'imports stuck',
    sql: `select format('import %s is being recorded since %s', import_id, committed_at) as detail
            from offline_imports
           where org_id = $1 and state = 'committing'
             and committed_at < now() - interval '${STUCK_MINUTES} minutes'`,
  },
]

/** What is off between offline payments, donations and entries of one organisation. */
export async function verifyOffline(db: Database, orgId: number): Promise<Finding[]> {
  return await db.read(orgId, async (trx) => {
    const findings: Finding[] = []
    for (const { check, sql } of OFFLINE_CHECKS) {
      const rows = await trx.query<{ detail: string }>(`${sql} limit $2`, [orgId, FINDINGS_MAX])
      findings.push(...rows.map(({ detail }) => ({ check, detail })))
    }
    return findings
  })
}
