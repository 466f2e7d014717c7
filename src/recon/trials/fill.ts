/** What fills the tables of a trial: their one writer, and the copies that both kinds take. */
import type { Trx } from '../../base/db.ts'
import type { SideName } from '../passes/records.ts'
import { firstIds } from '../runs.ts'
import type { Trial } from './trials.ts'

/** Puts rows into a table of the session; what is there already stays. */
export async function fill(
  trx: Trx,
  table: string,
  rows: string,
  params: readonly unknown[],
): Promise<void> {
  await trx.query(`insert into pg_temp.${table} ${rows} on conflict do nothing`, params)
}

/** Of a match that stands: its line is not decided on again. */
export const NOT_IN_HAND = `not exists (
  select from settlement_lines l
   where l.org_id = m.org_id and l.file_no = m.file_no and l.row_no = m.row_no)`

export async function copyOpenRecords(trx: Trx): Promise<void> {
  await fill(
    trx,
    'recon_open_records',
    `     select * from public.recon_open_records where org_id = $1`,
    [trx.scope],
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
export async function copyMatchesSince(trx: Trx, no: number): Promise<void> {
  const first = await firstIds(trx, no)
  for (const [prefix, side] of Object.entries(SIDES_BY_PREFIX)) {
    for (const part of ['m.whole', 'not m.whole']) {
      await fill(
        trx,
        'recon_matches',
        `         select m.* from public.recon_matches m
          where m.org_id = $1 and m.undone_at is null and ${part}
            and m.record_id > $2 and m.record_id < $3`,
        [trx.scope, first[side] === '' ? `${prefix}_` : first[side], `${prefix}_${'z'.repeat(30)}`],
      )
    }
  }
}

/** And for those of what the lines in hand name. */
export async function copyMatchesNamed(trx: Trx, no: number, which: string): Promise<void> {
  await fill(
    trx,
    'recon_matches',
    `     with lines as (
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
      where ${which}`,
    [trx.scope, no],
  )
}

/** And those of payments of the same orders: one asks whether a record was paid twice. */
export async function copyMatchesOfOrders(trx: Trx, trial: Trial): Promise<void> {
  await fill(
    trx,
    'recon_matches',
    `     select m.* from pg_temp.recon_open_records o
      cross join lateral (
        select payment_id from donations
         where org_id = $1 and gateway = o.gateway and order_ref = o.order_ref limit 10
      ) d
      cross join lateral (
        select * from public.recon_matches
         where org_id = $1 and record_id = d.payment_id and whole and undone_at is null limit 2
      ) m
      where o.org_id = $1 and o.kind = 'payment'
        and ${trial.what === 'run' ? 'true' : NOT_IN_HAND}`,
    [trx.scope],
  )
}
