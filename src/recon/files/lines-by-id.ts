/** Lines by their names, `12-345`: each looked up by its key. */
import type { Trx } from '../../base/db.ts'
import type { BankLineRow, SettlementLineRow } from './lines.ts'

export async function settlementLinesById(
  trx: Trx,
  ids: readonly string[],
): Promise<Map<string, SettlementLineRow>> {
  return byName(await linesOf<SettlementLineRow>(trx, 'settlement_lines', ids))
}

export async function bankLinesById(
  trx: Trx,
  ids: readonly string[],
): Promise<Map<string, BankLineRow>> {
  return byName(await linesOf<BankLineRow>(trx, 'bank_lines', ids))
}

async function linesOf<Row extends object>(
  trx: Trx,
  table: 'settlement_lines' | 'bank_lines',
  ids: readonly string[],
): Promise<Row[]> {
  const places = ids.map((id) => id.split('-').map(Number))
  return await trx.query<Row>(
    `select l.*, f.file_id, f.source_id
       from unnest($2::integer[], $3::integer[]) as n (file_no, row_no)
      cross join lateral (
        select * from ${table}
         where file_no = n.file_no and row_no = n.row_no and org_id = $1 limit 1) l
      cross join lateral (
        select file_id, source_id from recon_files
         where file_no = n.file_no and org_id = $1 limit 1) f`,
    [trx.scope, places.map(([file]) => file), places.map(([, row]) => row)],
  )
}

function byName<Row extends { file_no: number; row_no: number }>(
  rows: readonly Row[],
): Map<string, Row> {
  return new Map(rows.map((row) => [`${row.file_no}-${row.row_no}`, row]))
}
