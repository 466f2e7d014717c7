/** What stands and what a trial found, as SQL by the same names, so that both can be compared. */
import type { Trx } from '../../base/db.ts'
import type { Trial } from './trials.ts'

export const DAY = 'coalesce(l.settled_on, l.occurred_on)'

/** Its parts as SQL: what belongs to the trial, before and after, by the same names. */
export interface Sides {
  /** Lines and credits in question, `l`. */
  lines: string
  credits: string
  /** Matches that stand and would be, of these lines, `m`; the run's number is $2. */
  before: string
  after: string
  exceptionsBefore: string
  exceptionsAfter: string
}

export function sidesOf({ what }: Trial): Sides {
  return what === 'run' ? SIDES_OF_RUN : SIDES_OF_RULES
}

const LINES_OF_FILES = `select l.file_no, l.row_no
    from pg_temp.recon_run_files f
   cross join lateral (
     select file_no, row_no, ${DAY} as day from settlement_lines l
      where l.org_id = $1 and l.file_no = f.file_no offset 0
   ) l`

const SIDES_OF_RUN: Sides = {
  lines: `(${LINES_OF_FILES} where f.run_no = $2
            union all
           select l.* from public.recon_open_lines o
            cross join lateral (
              select file_no, row_no from settlement_lines
               where org_id = $1 and file_no = o.file_no and row_no = o.row_no limit 1
            ) l
            where o.org_id = $1)`,
  credits: `(select l.* from bank_lines l
               join pg_temp.recon_run_files f on f.org_id = l.org_id and f.file_no = l.file_no
              where l.org_id = $1 and f.run_no = $2 and l.amount > 0
              union all
             select l.* from public.recon_open_bank_lines o
               join bank_lines l
                 on l.org_id = o.org_id and l.file_no = o.file_no and l.row_no = o.row_no
              where o.org_id = $1)`,
  before: 'm.org_id = $1 and false',
  after: 'm.org_id = $1 and m.run_no = $2',
  exceptionsBefore: `select * from public.recon_exceptions e
                      where e.org_id = $1 and state = 'open'`,
  exceptionsAfter: `select * from pg_temp.recon_exceptions e
                     where e.org_id = $1 and state = 'open'`,
}

/** Of what is beside the period only that is looked at which bears on it; no change is told. */
const IN_PERIOD = `e.subject not like 'settlement %'
  and case when e.subject like 'line %' then exists (
             select from settlement_lines l
              where l.org_id = $1 and l.file_no = split_part(e.subject, ' ', 2)::integer
                and l.row_no = split_part(e.subject, ' ', 3)::integer
                and ${DAY} between $3 and $4)
           else e.since between $3 and $4 end`

const SIDES_OF_RULES: Sides = {
  lines: `(${LINES_OF_FILES} where f.run_no = $2 and l.day between $3 and $4)`,
  credits: `(select l.* from bank_lines l
               join public.recon_run_files f on f.org_id = l.org_id and f.file_no = l.file_no
              where l.org_id = $1 and l.amount > 0 and l.booked_on between $3 and $4
                and $2::integer is not null
                and not exists (select from pg_temp.recon_bank_matches m
                                 where m.org_id = l.org_id and m.file_no = l.file_no
                                   and m.row_no = l.row_no and m.rule = 'person'))`,
  before: `m.org_id = $1 and m.undone_at is null and m.rule <> 'person'`,
  after: `m.org_id = $1 and m.run_no = $2`,
  // What a person has resolved is no news where it is found again.
  exceptionsBefore: `select distinct on (e.subject, e.kind) * from public.recon_exceptions e
                      where e.org_id = $1 and state in ('open', 'resolved') and ${IN_PERIOD}
                      order by e.subject, e.kind, e.exception_id`,
  exceptionsAfter: `select * from pg_temp.recon_exceptions e
                     where e.org_id = $1 and state = 'open' and ${IN_PERIOD}`,
}

export function paramsOf(trx: Trx, trial: Trial, runNo: number): unknown[] {
  const period = trial.what === 'run' ? [] : [trial.first_day, trial.last_day]
  return [trx.scope, runNo, ...period]
}
