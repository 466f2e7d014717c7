/** Derives each account's balances, newest day and days anew from its postings. */
import type { Database, Trx } from '../../base/db.ts'
import { FINDINGS_MAX, type Finding } from './finding.ts'

/** Accounts are looked at together until they have so many postings; one at least. */
const POSTINGS_TOGETHER = 500_000
const ACCOUNTS_TOGETHER = 5000

/** A snapshot a group of accounts, so that posting goes on undisturbed meanwhile. */
export async function verifyAccounts(db: Database, orgId: number): Promise<Finding[]> {
  const findings: Finding[] = []
  for (let first = 1; findings.length < FINDINGS_MAX;) {
    const next = await db.read(orgId, async (trx) => {
      const group = await nextGroup(trx, first)
      if (group !== null) {
        for (const { check, sql } of CHECKS) {
          const rows = await trx.query<{ detail: string }>(`${sql} limit ${FINDINGS_MAX}`, [
            orgId,
            group.first,
            group.last,
          ])
          findings.push(...rows.map(({ detail }) => ({ check, detail })))
        }
      }
      return group
    })
    if (next === null) {
      break
    }
    first = next.last + 1
  }
  return findings
}

/** Ids of the next accounts; of postings and days that belong to no account as well. */
async function nextGroup(trx: Trx, first: number): Promise<{ first: number; last: number } | null> {
  const [row] = await trx.query<{ last: number | null }>(
    `select max(account_id) as last
       from (
         select account_id, sum(version) over (order by account_id) - version as before
           from (
             select account_id, version from accounts
              where org_id = $1 and account_id >= $2 order by account_id limit $3
           ) next
       ) running
      where before < $4`,
    [trx.scope, first, ACCOUNTS_TOGETHER, POSTINGS_TOGETHER],
  )
  return row?.last === null || row === undefined ? null : { first, last: row.last }
}

/** Each query gives rows only where something is off. */
const CHECKS: readonly { check: string; sql: string }[] = [
  {
    check: 'account balance',
    sql: `select format('account %s: stored %s debit, %s credit, %s lines; postings say %s, %s, %s',
                   a.code, a.debits, a.credits, a.version, p.debits, p.credits, p.n) as detail
            from accounts a
            left join (
              select account_id, count(*) as n,
                     coalesce(sum(amount) filter (where direction = 'debit'), 0) as debits,
                     coalesce(sum(amount) filter (where direction = 'credit'), 0) as credits
                from postings where org_id = $1 and account_id between $2 and $3
               group by account_id
            ) p on p.account_id = a.account_id
           where a.org_id = $1 and a.account_id between $2 and $3
             and (a.debits, a.credits, a.version)
                 is distinct from
                 (coalesce(p.debits, 0), coalesce(p.credits, 0), coalesce(p.n, 0))`,
  },
  {
    check: 'running balance',
    sql: `select format('account %s: posting %s of entry %s does not continue the one before',
                   account_id, line_no, entry_no) as detail
            from (
              select p.account_id, p.entry_no, p.line_no, p.account_version, p.balance_after,
                     lag(p.balance_after, 1, 0::bigint) over own
                       + case when p.direction = a.normal then p.amount else -p.amount end as due,
                     row_number() over own as place
                from postings p
                join accounts a on a.org_id = p.org_id and a.account_id = p.account_id
               where p.org_id = $1 and p.account_id between $2 and $3
              window own as (partition by p.account_id order by p.account_version)
            ) lines
           where due <> balance_after or place <> account_version`,
  },
  {
    check: 'running balance of a day',
    sql: `select format('account %s on %s: posting %s of entry %s does not continue the one before',
                   account_id, effective_on, line_no, entry_no) as detail
            from (
              select p.account_id, p.effective_on, p.entry_no, p.line_no, p.day_balance_after,
                     lag(p.day_balance_after, 1, 0::bigint) over own
                       + case when p.direction = a.normal then p.amount else -p.amount end as due
                from postings p
                join accounts a on a.org_id = p.org_id and a.account_id = p.account_id
               where p.org_id = $1 and p.account_id between $2 and $3
              window own as (partition by p.account_id, p.effective_on order by p.account_version)
            ) lines
           where due <> day_balance_after`,
  },
  {
    check: 'day balance',
    sql: `select format('account %s on %s: day and postings differ', account_id, effective_on)
                   as detail
            from (
              select account_id, effective_on, debits, credits
                from account_days where org_id = $1 and account_id between $2 and $3
            ) d
            full join (
              select account_id, effective_on,
                     coalesce(sum(amount) filter (where direction = 'debit'), 0)::bigint as debits,
                     coalesce(sum(amount) filter (where direction = 'credit'), 0)::bigint as credits
                from postings where org_id = $1 and account_id between $2 and $3
               group by account_id, effective_on
            ) p using (account_id, effective_on)
           where (d.debits, d.credits) is distinct from (p.debits, p.credits)`,
  },
  {
    check: 'newest day',
    sql: `select format('account %s: stored %s; postings say %s', a.code, a.day, p.newest) as detail
            from accounts a
            cross join lateral (
              select max(effective_on) as newest from postings
               where org_id = $1 and account_id = a.account_id
            ) p
           where a.org_id = $1 and a.account_id between $2 and $3
             and a.day <> coalesce(p.newest, '0001-01-01')`,
  },
]
