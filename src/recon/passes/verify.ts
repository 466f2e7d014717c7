/** Checks that resolutions and matches tell the same story as their entries. */

/** Each query gives rows only where something is off; $1 is the organisation. */
export const RESOLUTION_CHECKS: readonly { check: string; sql: string }[] = [
  {
    check: 'resolutions and entries',
    sql: `select format('%s stands, its entry %s was reversed by %s', r.resolution_id, r.entry_no,
                   v.entry_no) as detail
            from recon_resolutions r
            join journal_entries v on v.org_id = r.org_id and v.reverses = r.entry_no
           where r.org_id = $1 and r.state = 'done' and cardinality(r.facts) = 0`,
  },
  {
    check: 'resolutions and exceptions',
    sql: `select format('%s is done, its exception %s is %s', r.resolution_id, r.exception_id,
                   e.state) as detail
            from recon_resolutions r
            join recon_exceptions e on e.org_id = r.org_id and e.exception_id = r.exception_id
           where r.org_id = $1 and (r.state = 'done') and e.state <> 'resolved'
           union all
          select format('%s is resolved, and nothing stands that did it', e.exception_id)
            from recon_exceptions e
           where e.org_id = $1 and e.state = 'resolved'
             -- A person matched or took apart what it was about, or a run booked what was told.
             and not e.detail ? 'ended'
             and not exists (select from journal_entries j
                              where j.org_id = e.org_id
                                and j.entry_no = substring(e.detail ->> 'entry'
                                                           from '^je_([0-9]+)$')::bigint)
             and not exists (select from recon_resolutions r
                              where r.org_id = e.org_id and r.exception_id = e.exception_id
                                and r.state = 'done')`,
  },
  {
    check: 'what resolutions closed',
    sql: `select format('%s is closed by %s, which does not stand', c.what, c.resolution_id)
                   as detail
            from (
              select org_id, record_id as what, resolution_id from recon_closed_records
               union all
              select org_id, format('%s line %s-%s', side, file_no, row_no), resolution_id
                from recon_closed_lines
            ) c
            left join recon_resolutions r
              on r.org_id = c.org_id and r.resolution_id = c.resolution_id
           where c.org_id = $1 and r.state is distinct from 'done'`,
  },
]

/**
 * The same of credits at the bank. A match that the books refused so far has no entry; one that has
 * is as its entry says, and an entry that stands is as its match says.
 */
export const BANK_CHECKS: readonly { check: string; sql: string }[] = [
  {
    check: 'bank matches and entries',
    sql: `select format('bank line %s-%s: its matches come to %s, the line to %s %s, entry %s %s',
                   m.file_no, m.row_no, m.amount, l.amount, l.currency, m.entry_no,
                   case when e.entry_no is null then 'is not there'
                        when v.entry_no is not null then 'was reversed by ' || v.entry_no
                        else 'brings ' || coalesce(p.into, 0) || ' to ' || l.ledger_account
                          || ' and takes ' || coalesce(p.away, 0) || ' out of the transit' end)
                   as detail
            from (
              select file_no, row_no, entry_no, sum(amount)::bigint as amount
                from recon_bank_matches
               where org_id = $1 and undone_at is null and entry_no is not null
               group by file_no, row_no, entry_no
            ) m
            join bank_lines l
              on l.org_id = $1 and l.file_no = m.file_no and l.row_no = m.row_no
            left join journal_entries e
              on e.org_id = $1 and e.entry_no = m.entry_no and e.kind = 'bank_credited'
            left join journal_entries v on v.org_id = $1 and v.reverses = m.entry_no
            left join lateral (
              select sum(o.amount) filter (
                       where a.code = l.ledger_account and o.direction = 'debit') as into,
                     sum(o.amount) filter (
                       where a.code = 'assets:bank:in-transit' and o.direction = 'credit') as away
                from postings o
                join accounts a on a.org_id = o.org_id and a.account_id = o.account_id
               where o.org_id = $1 and o.entry_no = m.entry_no and a.currency = l.currency
            ) p on true
           where e.entry_no is null or v.entry_no is not null
              or (m.amount, p.into, p.away) is distinct from (l.amount, l.amount, l.amount)`,
  },
  {
    check: 'bank entries and matches',
    sql: `select format('entry %s credits the bank, and %s bank lines stand behind it', e.entry_no,
                   coalesce(m.lines, 0)) as detail
            from journal_entries e
            left join (
              select entry_no, count(distinct (file_no, row_no)) as lines from recon_bank_matches
               where org_id = $1 and entry_no is not null and undone_at is null
               group by entry_no
            ) m on m.entry_no = e.entry_no
           where e.org_id = $1 and e.kind = 'bank_credited' and m.lines is distinct from 1
             and not exists (select from journal_entries v
                              where v.org_id = $1 and v.reverses = e.entry_no)`,
  },
  {
    check: 'bank matches taken apart',
    sql: `select format('bank line %s-%s was taken apart, its entry %s by %s', m.file_no, m.row_no,
                   m.entry_no, coalesce('entry ' || m.reversal_no, 'nothing')) as detail
            from recon_bank_matches m
            left join journal_entries v
              on v.org_id = $1 and v.entry_no = m.reversal_no and v.reverses = m.entry_no
           where m.org_id = $1 and m.undone_at is not null and m.entry_no is not null
             and v.entry_no is null`,
  },
]
