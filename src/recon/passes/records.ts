/** The other side: records of ours that no line has told of yet, carried until one does. */
import type { IsoDate } from '../../base/clock.ts'
import type { Trx } from '../../base/db.ts'
import { chargeNow } from './live-charges.ts'

/** Records in one transaction. */
export const RECORDS_TOGETHER = 200_000

interface Side {
  /** The id's column and its table. */
  id: string
  table: string
  /** The columns of `recon_open_records` after its id, and which rows have them. */
  columns: string
  where: string
}

const DAY = (column: string) => `(${column} at time zone 'Asia/Kolkata')::date`

/** Where records come from, in the order in which they are looked through. */
export const SIDES = {
  payments: {
    id: 'payment_id',
    table: 'payments',
    columns: `false as reversal, 'payment' as kind, gateway, account,
      gateway_payment_id as external_id, null as payment_ref, order_ref, bank_reference, amount,
      fee, tax, currency, ${DAY('captured_at')} as occurred_on`,
    where: `state = 'captured' and gateway is not null`,
  },
  refunds: {
    id: 'refund_id',
    table: 'refunds',
    columns: `false as reversal, 'refund' as kind, gateway, account,
      gateway_refund_id as external_id, gateway_payment_id as payment_ref, null as order_ref,
      bank_reference, amount, fee, tax, currency, ${DAY('processed_at')} as occurred_on`,
    where: `state in ('processed', 'returned') and processed_at is not null`,
  },
  refunds_back: {
    id: 'refund_id',
    table: 'refunds',
    columns: `true as reversal, 'refund' as kind, gateway, account,
      gateway_refund_id as external_id, gateway_payment_id as payment_ref, null as order_ref,
      null as bank_reference, amount, null::bigint as fee, null::bigint as tax, currency,
      ${DAY('coalesce(failed_at, processed_at)')} as occurred_on`,
    where: `state = 'returned'`,
  },
  transfers: {
    id: 'transfer_id',
    table: 'gateway_transfers',
    columns: `false as reversal, 'transfer' as kind, gateway, account,
      gateway_transfer_id as external_id, source as payment_ref, null as order_ref,
      null as bank_reference, amount, fee, tax, currency, ${DAY('processed_at')} as occurred_on`,
    where: `processed_entry is not null and amount is not null`,
  },
  disputes: {
    id: 'dispute_id',
    table: 'disputes',
    columns: `false as reversal, 'dispute' as kind, gateway, account,
      gateway_dispute_id as external_id, gateway_payment_id as payment_ref, null as order_ref,
      null as bank_reference, amount, null::bigint as fee, null::bigint as tax, currency,
      ${DAY('began_at')} as occurred_on`,
    where: `held <> 0 or lost > 0`,
  },
} as const satisfies Readonly<Record<string, Side>>

export type SideName = keyof typeof SIDES

export interface Looked {
  /** The last id that was looked at; null where there are no more. */
  last: string | null
  seen: number
  open: number
}

/**
 * Carries the records of a part of a table that happened by `asOf` and that no line told of. What
 * is carried already is left as it is.
 */
export async function carryRecords(
  trx: Trx,
  runNo: number,
  side: SideName,
  { after, asOf }: { after: string; asOf: IsoDate },
): Promise<Looked> {
  const { id, table, columns, where } = SIDES[side]
  // Hashed, whatever the planner believes of tables that it never looked at.
  await trx.query(`set local enable_nestloop = off; set local work_mem = '64MB'`)
  const [looked] = await trx.query<Looked>(
    `with part as materialized (
       select ${id} as record_id from ${table}
        where org_id = $1 and ${id} > $2 order by ${id} limit ${RECORDS_TOGETHER}
     ), records as (
       select ${id} as record_id, ${columns} from ${table}
        where org_id = $1 and ${id} > $2 and ${id} <= (select max(record_id) from part)
          and (${where})
     ), told as materialized (
       select record_id, reversal from recon_matches
        where org_id = $1 and undone_at is null and whole
          and record_id > $2 and record_id <= (select max(record_id) from part)
        union all
       select record_id, reversal from recon_matches
        where org_id = $1 and undone_at is null and not whole
          and record_id > $2 and record_id <= (select max(record_id) from part)
     ), open as (
       insert into recon_open_records (org_id, record_id, reversal, kind, gateway, account,
         external_id, payment_ref, order_ref, bank_reference, amount, fee, tax, currency,
         occurred_on, run_no)
       select $1, r.*, $4 from records r
         left join told on told.record_id = r.record_id and told.reversal = r.reversal
        where r.occurred_on <= $3::date and told.record_id is null
          -- Hashed, and no join: that would be taken for one which leaves nothing.
          and (r.record_id, r.reversal) not in (
            select c.record_id, c.reversal from recon_closed_records c where c.org_id = $1)
       on conflict do nothing
       returning 1
     )
     select (select max(record_id) from part) as last,
            (select count(*)::integer from part) as seen,
            (select count(*)::integer from open) as open`,
    [trx.scope, after, asOf, runNo],
  )
  await trx.query('set local enable_nestloop = on')
  return looked ?? { last: null, seen: 0, open: 0 }
}

/**
 * Takes from our books what gateways told of charges since the records were carried: of these, or
 * of all of them.
 */
export async function refreshCharges(trx: Trx, ids: readonly string[] | null): Promise<void> {
  await trx.query(
    `update recon_open_records o
        set fee = n.fee, tax = n.tax
       from (
         select w.record_id, r.fee, r.tax from recon_open_records w
          cross join lateral (${chargeNow('w.record_id')} limit 1) r
          where w.org_id = $1 and not w.reversal
            and ($2::text[] is null or w.record_id = any($2::text[]))
            and (w.fee, w.tax) is distinct from (r.fee, r.tax)
       ) n
      where o.org_id = $1 and o.record_id = n.record_id and not o.reversal`,
    [trx.scope, ids],
  )
}

/** Whose ids begin so. */
const PREFIX_OF: Readonly<Record<SideName, string>> = {
  payments: 'pmt_',
  refunds: 'rfd_',
  refunds_back: 'rfd_',
  transfers: 'trf_',
  disputes: 'dsp_',
}

/** Carries these records again, whose lines a person took from them. */
export async function reopenRecords(
  trx: Trx,
  runNo: number,
  records: readonly { recordId: string; reversal: boolean }[],
): Promise<void> {
  for (const [name, { id, table, columns, where }] of Object.entries(SIDES)) {
    const ids = records
      .filter(({ recordId, reversal }) => {
        const isBack = name === 'refunds_back'
        return recordId.startsWith(PREFIX_OF[name as SideName]) && reversal === isBack
      })
      .map(({ recordId }) => recordId)
    if (ids.length > 0) {
      await trx.query(
        `insert into recon_open_records (org_id, record_id, reversal, kind, gateway, account,
           external_id, payment_ref, order_ref, bank_reference, amount, fee, tax, currency,
           occurred_on, run_no)
         select $1, r.*, $3
           from (select ${id} as record_id, ${columns} from ${table}
                  where org_id = $1 and ${id} = any($2::text[]) and (${where})) r
         on conflict do nothing`,
        [trx.scope, ids, runNo],
      )
    }
  }
}

/** Opens the records again that a resolution closed; whatever else it closed is told anew. */
export async function reopenClosedRecords(trx: Trx, resolutionId: string): Promise<void> {
  await trx.query(
    `insert into recon_open_records (org_id, record_id, reversal, kind, gateway, account,
       external_id, payment_ref, order_ref, bank_reference, amount, fee, tax, currency,
       occurred_on, run_no)
     select org_id, record_id, reversal, kind, gateway, account, external_id, payment_ref,
            order_ref, bank_reference, amount, fee, tax, currency, occurred_on, run_no
       from recon_closed_records
      where org_id = $1 and resolution_id = $2 and kind <> 'settlement'
     on conflict do nothing`,
    [trx.scope, resolutionId],
  )
}
