/** A period in a trial: its lines and credits as if no rule had matched them. */
import type { IsoDate } from '../../base/clock.ts'
import type { Trx } from '../../base/db.ts'
import { SIDES } from '../passes/records.ts'
import type { Run } from '../runs.ts'
import { copyMatchesNamed, copyOpenRecords, fill, NOT_IN_HAND } from './fill.ts'

interface Period {
  from: IsoDate
  to: IsoDate
}

const BY_RULES = `m.undone_at is null and m.rule <> 'person'`

export async function fillForPeriod(trx: Trx, no: number, { from, to }: Period): Promise<void> {
  const params = [trx.scope, from, to]
  // What a person matched stays, whatever the rules.
  await fill(
    trx,
    'recon_trial_kept',
    `     select distinct file_no, row_no from public.recon_matches
      where org_id = $1 and rule = 'person' and undone_at is null`,
    [trx.scope],
  )
  // Beside the period: lines that are open, and parts of what other parts in the period tell of.
  await fill(
    trx,
    'recon_trial_lines',
    `     select file_no, row_no from public.recon_open_lines where org_id = $1
      union
     select other.file_no, other.row_no
       from public.recon_matches m
      cross join lateral (
        select coalesce(settled_on, occurred_on) as day from public.settlement_lines
         where org_id = $1 and file_no = m.file_no and row_no = m.row_no limit 1
      ) l
      cross join lateral (
        select file_no, row_no from public.recon_matches
         where org_id = $1 and record_id = m.record_id and reversal = m.reversal and not whole
           and undone_at is null limit 1000
      ) other
      where m.org_id = $1 and not m.whole and ${BY_RULES} and l.day between $2 and $3`,
    params,
  )
  await fill(
    trx,
    'recon_run_files (org_id, file_no, run_no)',
    `     select $1, t.file_no, $2
       from public.recon_run_files t
       left join recon_files f on f.org_id = t.org_id and f.file_no = t.file_no
      where t.org_id = $1
        and coalesce(f.first_day <= $4::date and f.last_day >= $3::date, true)
        and exists (select from settlement_lines l
                     where l.org_id = $1 and l.file_no = t.file_no)`,
    [trx.scope, no, from, to],
  )
  await fill(
    trx,
    'recon_open_lines',
    `     select o.org_id, o.file_no, o.row_no, $2
       from (select $1::integer as org_id, file_no, row_no from pg_temp.recon_trial_lines) o
      where not exists (select from pg_temp.recon_run_files f where f.file_no = o.file_no)
        and (o.file_no, o.row_no) not in (select file_no, row_no from pg_temp.recon_trial_kept)`,
    [trx.scope, no - 1],
  )
  await fillBankForPeriod(trx, no, { from, to })
  await copyOpenRecords(trx)
  await copyMatchesNamed(trx, no, NOT_IN_HAND)
  await fill(
    trx,
    'recon_exceptions',
    `     select e.* from public.recon_exceptions e
      where e.org_id = $1 and e.state = 'open' and e.stays
        and exists (select from pg_temp.recon_trial_kept k
                     where e.subject = 'line ' || k.file_no || ' ' || k.row_no)`,
    [trx.scope],
  )
}

/** Credits of the period are open, beside those that are; their matches by rules are not there. */
async function fillBankForPeriod(trx: Trx, no: number, { from, to }: Period): Promise<void> {
  await fill(
    trx,
    'recon_bank_matches',
    `     select m.* from public.recon_bank_matches m
       join public.bank_lines l
         on l.org_id = m.org_id and l.file_no = m.file_no and l.row_no = m.row_no
      where m.org_id = $1 and m.undone_at is null
        and (m.rule = 'person' or not l.booked_on between $2 and $3)`,
    [trx.scope, from, to],
  )
  await fill(
    trx,
    'recon_open_bank_lines',
    `     select org_id, file_no, row_no, $4 from (
       select org_id, file_no, row_no from public.recon_open_bank_lines where org_id = $1
        union
       select l.org_id, l.file_no, l.row_no
         from public.bank_lines l
         join public.recon_run_files t on t.org_id = l.org_id and t.file_no = l.file_no
        where l.org_id = $1 and l.amount > 0 and l.booked_on between $2 and $3
     ) o
      where not exists (select from pg_temp.recon_bank_matches m
                         where m.org_id = o.org_id and m.file_no = o.file_no
                           and m.row_no = o.row_no)`,
    [trx.scope, from, to, no - 1],
  )
}

/** In a period: the records that its lines were matched with, and that no line tells of now. */
export async function openReleased(trx: Trx, run: Run): Promise<void> {
  await fill(
    trx,
    'recon_trial_records',
    `     select distinct m.record_id, m.reversal
       from (select file_no from pg_temp.recon_run_files where run_no = $2
              union
             select file_no from pg_temp.recon_trial_lines) f
      cross join lateral (
        select m.* from public.recon_matches m
         where m.org_id = $1 and m.file_no = f.file_no and ${BY_RULES}
           and not ${NOT_IN_HAND}
        offset 0
      ) m
      where not exists (
              select from pg_temp.recon_matches n
               where n.record_id = m.record_id and n.reversal = m.reversal and n.whole
                 and n.undone_at is null and n.org_id = $1)
        and not exists (
              select from pg_temp.recon_matches n
               where n.record_id = m.record_id and n.reversal = m.reversal and not n.whole
                 and n.org_id = $1)`,
    [trx.scope, run.no],
  )
  for (const side of Object.values(SIDES)) {
    await fill(
      trx,
      `recon_open_records (org_id, record_id, reversal, kind, gateway, account,
         external_id, payment_ref, order_ref, bank_reference, amount, fee, tax, currency,
         occurred_on, run_no)`,
      `       select $1, r.*, $2 from pg_temp.recon_trial_records o
        cross join lateral (
          select ${side.id} as record_id, ${side.columns} from ${side.table}
           where org_id = $1 and ${side.id} = o.record_id and (${side.where}) limit 1
        ) r
        where r.reversal = o.reversal`,
      [trx.scope, run.no],
    )
  }
}
