/** What resolutions close: it is open no more, and no run looks at it until they are undone. */
import type { Trx } from '../../base/db.ts'
import { reopenBankLines } from './bank.ts'
import { reopenLines } from './matches.ts'
import { refreshCharges, reopenClosedRecords } from './records.ts'

/** Lines, records and settlements that a resolution ends. */
export interface Closing {
  lines: readonly { fileNo: number; rowNo: number }[]
  bankLines: readonly { fileNo: number; rowNo: number }[]
  records: readonly { recordId: string; reversal: boolean }[]
  /** Whose credit at the bank nobody waits for any more. */
  settlements: readonly string[]
}

export const NOTHING: Closing = { lines: [], bankLines: [], records: [], settlements: [] }

/** Takes what is open of it out, under the resolution's name. */
export async function close(trx: Trx, resolutionId: string, closing: Closing): Promise<void> {
  const sides = [
    ['gateway', 'recon_open_lines', closing.lines],
    ['bank', 'recon_open_bank_lines', closing.bankLines],
  ] as const
  for (const [side, table, lines] of sides) {
    await trx.query(
      `with gone as (
         delete from ${table} o using unnest($3::integer[], $4::integer[]) as w (file_no, row_no)
          where o.org_id = $1 and o.file_no = w.file_no and o.row_no = w.row_no
         returning o.file_no, o.row_no, o.run_no
       )
       insert into recon_closed_lines (org_id, side, file_no, row_no, run_no, resolution_id)
       select $1, $5, file_no, row_no, run_no, $2 from gone`,
      [
        trx.scope,
        resolutionId,
        lines.map(({ fileNo }) => fileNo),
        lines.map(({ rowNo }) => rowNo),
        side,
      ],
    )
  }
  // As it was given up, with its charge, so that another one that comes is known for news.
  await refreshCharges(
    trx,
    closing.records.map(({ recordId }) => recordId),
  )
  await closeRecords(trx, resolutionId, closing)
}

const COLUMNS = `org_id, record_id, reversal, kind, gateway, account, external_id, payment_ref,
  order_ref, bank_reference, amount, fee, tax, currency, occurred_on, run_no`

async function closeRecords(
  trx: Trx,
  resolutionId: string,
  { records, settlements }: Closing,
): Promise<void> {
  await trx.query(
    `with gone as (
       delete from recon_open_records o
         using unnest($3::text[], $4::boolean[]) as w (record_id, reversal)
        where o.org_id = $1 and o.record_id = w.record_id and o.reversal = w.reversal
       returning o.*
     ), credits as (
       select s.org_id, s.settlement_id, false, 'settlement', s.gateway, s.account,
              s.gateway_settlement_id, null::text, null::text, s.utr, s.amount, null::bigint,
              null::bigint, s.currency, (s.settled_at at time zone 'Asia/Kolkata')::date, 0
         from settlements s where s.org_id = $1 and s.settlement_id = any($5::text[])
     )
     insert into recon_closed_records (${COLUMNS}, resolution_id)
     select ${COLUMNS}, $2 from gone
      union all
     select *, $2 from credits
     on conflict do nothing`,
    [
      trx.scope,
      resolutionId,
      records.map(({ recordId }) => recordId),
      records.map(({ reversal }) => reversal),
      settlements,
    ],
  )
}

/** Puts back what the resolution took out. */
export async function reopen(trx: Trx, resolutionId: string): Promise<void> {
  await reopenLines(trx, resolutionId)
  await reopenBankLines(trx, resolutionId)
  await reopenClosedRecords(trx, resolutionId)
  for (const table of ['recon_closed_lines', 'recon_closed_records']) {
    await trx.query(`delete from ${table} where org_id = $1 and resolution_id = $2`, [
      trx.scope,
      resolutionId,
    ])
  }
}
