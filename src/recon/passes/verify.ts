/** Checks that resolutions, their entries and what they closed tell the same story. */

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
             -- A match by hand ended it, or an entry for what only the reports tell.
             and not e.detail ? 'ended'
             and not exists (select from journal_entries j
                              where j.org_id = e.org_id
                                and j.entry_no = substr(e.detail ->> 'entry', 4)::bigint)
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
