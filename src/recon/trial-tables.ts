/** The tables that a trial writes to in place of a run's, filled with what stands. */
import type { IsoDate } from '../base/clock.ts'
import type { Trx } from '../base/db.ts'
import { SIDES, type SideName } from './passes/records.ts'
import { firstIds, NOTHING, type Run } from './runs.ts'
import type { Trial } from './trials.ts'

/** Another run is going on: what stands now is half of it. */
export class Unsettled extends Error {
  override name = 'Unsettled'
}

/**
 * Opens the tables of a trial and fills them: of the next run over `files`, or of a period as if
 * no rule had matched any of it. From then on the transaction can write nothing that stays:
 * Postgres refuses it. Throws `Unsettled`.
 */
export async function openTrial(trx: Trx, trial: Trial, files: readonly number[]): Promise<Run> {
  const going = await trx.query(
    `select 1 from recon_runs where org_id = $1 and state in ('waiting', 'running') limit 1`,
    [trx.scope],
  )
  if (going.length > 0) {
    throw new Unsettled('a run is going on')
  }
  const [next] = await trx.query<{ no: number }>(
    `select coalesce(max(run_no), 0) + 1 as no from recon_runs where org_id = $1`,
    [trx.scope],
  )
  const no = next?.no ?? 1
  await trx.query('select recon_open_trial($1, $2)', [trial.first_day, trial.last_day])
  // What stands on the tables of the session can be written from here on, and nothing else.
  await trx.query('set transaction read only')
  // What a person took apart no run puts together again.
  await trx.query(
    `insert into pg_temp.recon_matches
     select * from public.recon_matches where org_id = $1 and undone_at is not null`,
    [trx.scope],
  )
  await trx.query(
    `insert into pg_temp.recon_bank_matches
     select * from public.recon_bank_matches where org_id = $1 and undone_at is not null`,
    [trx.scope],
  )
  if (trial.first_day === null || trial.last_day === null) {
    await fillForRun(trx, no, files)
  } else {
    await fillForPeriod(trx, no, { from: trial.first_day, to: trial.last_day })
  }
  return {
    no,
    asOf: trial.as_of,
    step: 'lines',
    progress: { ...NOTHING },
    rules: trial.rules,
  }
}

async function fillForRun(trx: Trx, no: number, files: readonly number[]): Promise<void> {
  await trx.query(
    `insert into pg_temp.recon_runs
     select * from public.recon_runs where org_id = $1 and state = 'done'`,
    [trx.scope],
  )
  await trx.query(
    `insert into pg_temp.recon_run_files (org_id, file_no, run_no)
     select $1, file_no, $2 from unnest($3::integer[]) as f (file_no)`,
    [trx.scope, no, files],
  )
  await trx.query(
    `insert into pg_temp.recon_open_lines select * from public.recon_open_lines where org_id = $1`,
    [trx.scope],
  )
  await trx.query(
    `insert into pg_temp.recon_open_bank_lines
     select * from public.recon_open_bank_lines where org_id = $1`,
    [trx.scope],
  )
  await trx.query(
    `insert into pg_temp.recon_batches select * from public.recon_batches where org_id = $1`,
    [trx.scope],
  )
  await trx.query(
    `insert into pg_temp.recon_bank_matches
     select * from public.recon_bank_matches where org_id = $1 and undone_at is null`,
    [trx.scope],
  )
  await trx.query(
    `insert into pg_temp.recon_exceptions
     select * from public.recon_exceptions where org_id = $1 and state = 'open'`,
    [trx.scope],
  )
  await copyOpenRecords(trx)
  await copyMatchesSince(trx, no)
  await copyMatchesNamed(trx, no, 'true')
}

async function copyOpenRecords(trx: Trx): Promise<void> {
  await trx.query(
    `insert into pg_temp.recon_open_records
     select * from public.recon_open_records where org_id = $1`,
    [trx.scope],
  )
}

interface Period {
  from: IsoDate
  to: IsoDate
}

/** Of a match that stands: its line is not decided on again. */
const NOT_IN_HAND = `not exists (
  select from settlement_lines l
   where l.org_id = m.org_id and l.file_no = m.file_no and l.row_no = m.row_no)`
const BY_RULES = `m.undone_at is null and m.rule <> 'person'`

async function fillForPeriod(trx: Trx, no: number, { from, to }: Period): Promise<void> {
  const params = [trx.scope, from, to]
  // What a person matched stays, whatever the rules.
  await trx.query(
    `insert into pg_temp.recon_trial_kept
     select distinct file_no, row_no from public.recon_matches
      where org_id = $1 and rule = 'person' and undone_at is null`,
    [trx.scope],
  )
  // Beside the period: lines that are open, and parts of what other parts in the period tell of.
  await trx.query(
    `insert into pg_temp.recon_trial_lines
     select file_no, row_no from public.recon_open_lines where org_id = $1
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
  await trx.query(
    `insert into pg_temp.recon_run_files (org_id, file_no, run_no)
     select $1, t.file_no, $2
       from public.recon_run_files t
       left join recon_files f on f.org_id = t.org_id and f.file_no = t.file_no
      where t.org_id = $1
        and coalesce(f.first_day <= $4::date and f.last_day >= $3::date, true)
        and exists (select from settlement_lines l
                     where l.org_id = $1 and l.file_no = t.file_no)`,
    [trx.scope, no, from, to],
  )
  await trx.query(
    `insert into pg_temp.recon_open_lines
     select o.org_id, o.file_no, o.row_no, $2
       from (select $1::integer as org_id, file_no, row_no from pg_temp.recon_trial_lines) o
      where not exists (select from pg_temp.recon_run_files f where f.file_no = o.file_no)
        and (o.file_no, o.row_no) not in (select file_no, row_no from pg_temp.recon_trial_kept)`,
    [trx.scope, no - 1],
  )
  await fillBankForPeriod(trx, no, { from, to })
  await copyOpenRecords(trx)
  await copyMatchesNamed(trx, no, NOT_IN_HAND)
  await trx.query(
    `insert into pg_temp.recon_exceptions
     select e.* from public.recon_exceptions e
      where e.org_id = $1 and e.state = 'open' and e.stays
        and exists (select from pg_temp.recon_trial_kept k
                     where e.subject = 'line ' || k.file_no || ' ' || k.row_no)`,
    [trx.scope],
  )
}

/** Credits of the period are open, beside those that are; their matches by rules are not there. */
async function fillBankForPeriod(trx: Trx, no: number, { from, to }: Period): Promise<void> {
  await trx.query(
    `insert into pg_temp.recon_bank_matches
     select m.* from public.recon_bank_matches m
       join public.bank_lines l
         on l.org_id = m.org_id and l.file_no = m.file_no and l.row_no = m.row_no
      where m.org_id = $1 and m.undone_at is null
        and (m.rule = 'person' or not l.booked_on between $2 and $3)`,
    [trx.scope, from, to],
  )
  await trx.query(
    `insert into pg_temp.recon_open_bank_lines
     select org_id, file_no, row_no, $4 from (
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

const SIDES_BY_PREFIX = {
  pmt: 'payments',
  rfd: 'refunds',
  trf: 'transfers',
  dsp: 'disputes',
} as const satisfies Readonly<Record<string, SideName>>

/** What the lines in hand name, as far as our books know it: as many as they are, key by key. */
const NAMED = `
  select p.payment_id as record_id from lines l
   cross join lateral (
     select payment_id from payments
      where org_id = $1 and gateway = l.gateway and account = l.account
        and gateway_payment_id = l.external_id limit 1
   ) p
   where l.kind = 'payment'
   union
  select r.refund_id from lines l
   cross join lateral (
     select refund_id from refunds
      where org_id = $1 and gateway = l.gateway and account = l.account
        and gateway_refund_id = l.external_id limit 1
   ) r
   where l.kind in ('refund', 'refund_reversal')
   union
  select t.transfer_id from lines l
   cross join lateral (
     select transfer_id from gateway_transfers
      where org_id = $1 and gateway = l.gateway and account = l.account
        and gateway_transfer_id = l.external_id limit 1
   ) t
   where l.kind in ('transfer', 'transfer_reversal')
   union
  select d.dispute_id from lines l
   cross join lateral (
     select dispute_id from disputes
      where org_id = $1 and gateway = l.gateway and account = l.account
        and gateway_dispute_id = l.external_id limit 1
   ) d
   where l.kind in ('dispute', 'dispute_reversal')`

/** Of the matches that stand a run asks for those of records that it looks through. */
async function copyMatchesSince(trx: Trx, no: number): Promise<void> {
  const first = await firstIds(trx, no)
  for (const [prefix, side] of Object.entries(SIDES_BY_PREFIX)) {
    for (const part of ['m.whole', 'not m.whole']) {
      await trx.query(
        `insert into pg_temp.recon_matches
         select m.* from public.recon_matches m
          where m.org_id = $1 and m.undone_at is null and ${part}
            and m.record_id > $2 and m.record_id < $3
         on conflict do nothing`,
        [trx.scope, first[side] === '' ? `${prefix}_` : first[side], `${prefix}_${'z'.repeat(30)}`],
      )
    }
  }
}

/** And for those of what the lines in hand name. */
async function copyMatchesNamed(trx: Trx, no: number, which: string): Promise<void> {
  await trx.query(
    `insert into pg_temp.recon_matches
     with lines as (
       select l.gateway, l.account, l.kind, l.external_id
         from pg_temp.recon_run_files f
        cross join lateral (
          select gateway, account, kind, external_id from settlement_lines
           where org_id = f.org_id and file_no = f.file_no offset 0
        ) l
        where f.org_id = $1 and f.run_no = $2
        union all
       select l.gateway, l.account, l.kind, l.external_id
         from pg_temp.recon_open_lines o
        cross join lateral (
          select gateway, account, kind, external_id from settlement_lines
           where org_id = o.org_id and file_no = o.file_no and row_no = o.row_no limit 1
        ) l
     ), named as (${NAMED}
     )
     select m.* from named n
      cross join lateral (
        (select * from public.recon_matches
          where record_id = n.record_id and org_id = $1 and undone_at is null and whole limit 2)
         union all
        (select * from public.recon_matches
          where record_id = n.record_id and org_id = $1 and undone_at is null and not whole
          limit 1000)
      ) m
      where ${which}
     on conflict do nothing`,
    [trx.scope, no],
  )
}

/** And those of payments of the same orders: one asks whether a record was paid twice. */
export async function copyMatchesOfOrders(trx: Trx, trial: Trial): Promise<void> {
  await trx.query(
    `insert into pg_temp.recon_matches
     select m.* from pg_temp.recon_open_records o
      cross join lateral (
        select payment_id from donations
         where org_id = $1 and gateway = o.gateway and order_ref = o.order_ref limit 10
      ) d
      cross join lateral (
        select * from public.recon_matches
         where org_id = $1 and record_id = d.payment_id and whole and undone_at is null limit 2
      ) m
      where o.org_id = $1 and o.kind = 'payment'
        and ${trial.what === 'run' ? 'true' : NOT_IN_HAND}
     on conflict do nothing`,
    [trx.scope],
  )
}

/** In a period: the records that its lines were matched with, and that no line tells of now. */
export async function openReleased(trx: Trx, run: Run): Promise<void> {
  await trx.query(
    `insert into pg_temp.recon_trial_records
     select distinct m.record_id, m.reversal
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
    await trx.query(
      `insert into pg_temp.recon_open_records (org_id, record_id, reversal, kind, gateway, account,
         external_id, payment_ref, order_ref, bank_reference, amount, fee, tax, currency,
         occurred_on, run_no)
       select $1, r.*, $2 from pg_temp.recon_trial_records o
        cross join lateral (
          select ${side.id} as record_id, ${side.columns} from ${side.table}
           where org_id = $1 and ${side.id} = o.record_id and (${side.where}) limit 1
        ) r
        where r.reversal = o.reversal
       on conflict do nothing`,
      [trx.scope, run.no],
    )
  }
}
