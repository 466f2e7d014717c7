/** The tables that a trial writes to in place of a run's, filled with what stands. */
import type { IsoDate } from '../base/clock.ts'
import type { Trx } from '../base/db.ts'
import { addDays } from './match/days.ts'
import type { SideName } from './passes/records.ts'
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
export async function openTrial(
  trx: Trx,
  trial: Trial,
  files: readonly number[],
): Promise<Run> {
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
  await copyMatches(trx, no, 'true')
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
       join public.settlement_lines l
         on l.org_id = m.org_id and l.file_no = m.file_no and l.row_no = m.row_no
       join public.recon_matches other
         on other.org_id = m.org_id and other.record_id = m.record_id
        and other.reversal = m.reversal and not other.whole and other.undone_at is null
      where m.org_id = $1 and not m.whole and ${BY_RULES}
        and coalesce(l.settled_on, l.occurred_on) between $2 and $3`,
    params,
  )
  // As if the run before had been on the eve of the period: records are looked for from there on.
  await trx.query(
    `insert into pg_temp.recon_runs (org_id, run_no, run_id, rules_version, state, as_of, asked_by,
       ended_at)
     values ($1, $2, 'before', 0, 'done', $3, 'trial', now())`,
    [trx.scope, no - 1, addDays(from, -1)],
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
  await copyMatches(trx, no, NOT_IN_HAND)
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

/** What the lines in hand name, as far as our books know it. */
const NAMED = `
  select p.payment_id as record_id from lines l
    join payments p on p.org_id = $1 and p.gateway = l.gateway and p.account = l.account
     and p.gateway_payment_id = l.external_id
   where l.kind = 'payment'
   union
  select r.refund_id from lines l
    join refunds r on r.org_id = $1 and r.gateway = l.gateway and r.account = l.account
     and r.gateway_refund_id = l.external_id
   where l.kind in ('refund', 'refund_reversal')
   union
  select t.transfer_id from lines l
    join gateway_transfers t on t.org_id = $1 and t.gateway = l.gateway and t.account = l.account
     and t.gateway_transfer_id = l.external_id
   where l.kind in ('transfer', 'transfer_reversal')
   union
  select d.dispute_id from lines l
    join disputes d on d.org_id = $1 and d.gateway = l.gateway and d.account = l.account
     and d.gateway_dispute_id = l.external_id
   where l.kind in ('dispute', 'dispute_reversal')`

/**
 * Of the matches that stand only those that a run asks for: of records that it looks through, and
 * of what the lines in hand name.
 */
async function copyMatches(trx: Trx, no: number, which: string): Promise<void> {
  const first = await firstIds(trx, no)
  for (const [prefix, side] of Object.entries(SIDES_BY_PREFIX)) {
    for (const part of ['m.whole', 'not m.whole']) {
      await trx.query(
        `insert into pg_temp.recon_matches
         select m.* from public.recon_matches m
          where m.org_id = $1 and m.undone_at is null and ${part}
            and m.record_id > $2 and m.record_id < $3 and ${which}
         on conflict do nothing`,
        [trx.scope, first[side] === '' ? `${prefix}_` : first[side], `${prefix}_${'z'.repeat(30)}`],
      )
    }
  }
  await trx.query(
    `insert into pg_temp.recon_matches
     with lines as (
       select l.gateway, l.account, l.kind, l.external_id
         from pg_temp.recon_run_files f
         join settlement_lines l on l.org_id = f.org_id and l.file_no = f.file_no
        where f.org_id = $1 and f.run_no = $2
        union all
       select l.gateway, l.account, l.kind, l.external_id
         from pg_temp.recon_open_lines o
         join settlement_lines l
           on l.org_id = o.org_id and l.file_no = o.file_no and l.row_no = o.row_no
     ), named as (${NAMED}
     )
     select m.* from named n
       join public.recon_matches m on m.record_id = n.record_id and m.org_id = $1
      where m.undone_at is null and ${which}
     on conflict do nothing`,
    [trx.scope, no],
  )
}

/** And those of payments of the same orders: one asks whether a record was paid twice. */
export async function copyMatchesOfOrders(trx: Trx, trial: Trial): Promise<void> {
  await trx.query(
    `insert into pg_temp.recon_matches
     select m.* from pg_temp.recon_open_records o
       join donations d on d.org_id = $1 and d.gateway = o.gateway and d.order_ref = o.order_ref
       join public.recon_matches m on m.org_id = $1 and m.record_id = d.payment_id
      where o.org_id = $1 and o.kind = 'payment' and m.whole and m.undone_at is null
        and ${trial.what === 'run' ? 'true' : NOT_IN_HAND}
     on conflict do nothing`,
    [trx.scope],
  )
}
