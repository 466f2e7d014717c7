/** Derives the books anew from entries and postings and lists whatever does not agree. */
import type { Database } from '../../base/db.ts'
import { FINDINGS_MAX, type Finding } from './finding.ts'
import { verifyAccounts } from './verify-accounts.ts'
import { verifyEntries, type EntriesReport, type OnProgress } from './verify-entries.ts'
import { verifyPeriods } from './verify-periods.ts'

/**
 * Verifies an organisation's whole ledger; `onProgress` hears how many entries are done. Memory
 * stays flat however many there are, and nothing is held for longer than a part takes.
 */
export async function verifyLedger(
  db: Database,
  orgId: number,
  onProgress: OnProgress,
): Promise<EntriesReport> {
  // Side by side: the one part keeps this process busy, the other one Postgres.
  const [entries, ...others] = await Promise.all([
    verifyEntries(db, orgId, onProgress),
    verifyAccounts(db, orgId),
    verifyPeriods(db, orgId),
    verifyRest(db, orgId),
  ])
  return {
    entries: entries.entries,
    findings: [...others.flat(), ...entries.findings],
  }
}

/** Each query gives rows only where something is off. */
const CHECKS: readonly { check: string; sql: string }[] = [
  {
    check: 'numbers',
    sql: `select format('entry %s lies behind the head of the journal', e.entry_no) as detail
            from journal_entries e join journal_heads h using (org_id)
           where e.org_id = $1 and e.entry_no > h.entry_no`,
  },
  {
    check: 'sum of all',
    sql: `select format('%s: debits %s, credits %s', currency, sum(debits), sum(credits)) as detail
            from accounts where org_id = $1
           group by currency having sum(debits) <> sum(credits)`,
  },
  {
    check: 'older days',
    sql: `select format('account %s on %s: not before its newest day', d.account_id, d.effective_on)
                   as detail
            from balance_days d
            left join accounts a on a.org_id = d.org_id and a.account_id = d.account_id
           where d.org_id = $1 and d.effective_on < a.day is not true`,
  },
  {
    check: 'reversal',
    sql: `select format('entry %s is not the exact opposite of entry %s', e.entry_no, e.reverses)
                   as detail
            from journal_entries e
           where e.org_id = $1 and e.reverses is not null
             and array(
               select (p.account_id, p.direction = 'debit', p.amount)::text from postings p
                where p.org_id = $1 and p.entry_no = e.entry_no order by p.line_no)
             is distinct from array(
               select (p.account_id, p.direction = 'credit', p.amount)::text from postings p
                where p.org_id = $1 and p.entry_no = e.reverses order by p.line_no)`,
  },
  {
    check: 'head',
    sql: `select format('posted at %s; its entry %s at %s', h.posted_at, e.entry_no, e.posted_at)
                   as detail
            from journal_heads h join journal_entries e using (org_id, entry_no)
           where h.org_id = $1 and h.posted_at <> e.posted_at`,
  },
  {
    check: 'periods',
    sql: `select format('the head guards days through %s; the periods say %s', guarded_through, due)
                   as detail
            from (
              select h.guarded_through, coalesce(
                       (select (max(p.month) + interval '1 month - 1 day')::date
                          from periods p where p.org_id = $1 and p.state <> 'open'),
                       '-infinity') as due
                from journal_heads h where h.org_id = $1
            ) days
           where guarded_through <> due`,
  },
  {
    check: 'orphans',
    sql: `select format('posting %s of entry %s, account %s: its %s is not there', p.line_no,
                   p.entry_no, p.account_id,
                   case when e.entry_no is null then 'entry' else 'account' end) as detail
            from postings p
            left join journal_entries e on e.org_id = $1 and e.entry_no = p.entry_no
            left join accounts a on a.org_id = $1 and a.account_id = p.account_id
           where p.org_id = $1 and (e.entry_no is null or a.account_id is null)`,
  },
]

async function verifyRest(db: Database, orgId: number): Promise<Finding[]> {
  const findings: Finding[] = []
  for (const { check, sql } of CHECKS) {
    const rows = await db.read(
      orgId,
      async (trx) => await trx.query<{ detail: string }>(`${sql} limit ${FINDINGS_MAX}`, [orgId]),
    )
    findings.push(...rows.map(({ detail }) => ({ check, detail })))
  }
  return findings
}
