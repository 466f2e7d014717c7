/** Lines as they are looked at: those of an organisation's files, newest file first. */
import type { IsoDate } from '../../base/clock.ts'
import { build, type Trx } from '../../base/db.ts'
import type { LineKind } from '../sources/line.ts'

export interface SettlementLineRow {
  file_no: number
  row_no: number
  file_id: string
  source_id: string
  repeated: number
  gateway: string
  account: string
  kind: LineKind
  told_kind: string | null
  external_id: string | null
  payment_ref: string | null
  order_ref: string | null
  settlement_ref: string | null
  utr: string | null
  amount: bigint
  fee: bigint | null
  tax: bigint | null
  net: bigint
  currency: string
  occurred_on: IsoDate | null
  settled_on: IsoDate | null
}

export interface BankLineRow {
  file_no: number
  row_no: number
  file_id: string
  source_id: string
  repeated: number
  ledger_account: string
  booked_on: IsoDate
  value_on: IsoDate | null
  amount: bigint
  currency: string
  balance_after: bigint | null
  reference: string | null
  narration: string
  tokens: string[]
}

/** What both lists can be narrowed by. */
export interface LineFilter {
  sourceId: string | null
  fileId: string | null
  from: IsoDate | null
  to: IsoDate | null
  amount: bigint | null
}

/** A line's name; a list goes on below it. */
export interface LinePlace {
  fileNo: number
  rowNo: number
}

export async function listSettlementLines(
  trx: Trx,
  filter: LineFilter & {
    settlementRef: string | null
    utr: string | null
    kind: LineKind | null
  },
  page: { limit: number; after: LinePlace | null },
): Promise<SettlementLineRow[]> {
  const select = linesOf(trx, 'settlement_lines', 'settled_on', filter, page)
  for (const [column, value] of [
    ['l.settlement_ref', filter.settlementRef],
    ['l.utr', filter.utr],
    ['l.kind', filter.kind],
  ] as const) {
    if (value !== null) {
      select.where(column, value)
    }
  }
  return await trx.run<SettlementLineRow>(select)
}

export async function listBankLines(
  trx: Trx,
  filter: LineFilter & { token: string | null },
  page: { limit: number; after: LinePlace | null },
): Promise<BankLineRow[]> {
  const select = linesOf(trx, 'bank_lines', 'booked_on', filter, page)
  if (filter.token !== null) {
    select.whereRaw('l.tokens @> array[?]::text[]', [filter.token])
  }
  return await trx.run<BankLineRow>(select)
}

/** In the order of the files, the newest first, and in each in the order of its rows. */
function linesOf(
  trx: Trx,
  table: 'settlement_lines' | 'bank_lines',
  day: 'settled_on' | 'booked_on',
  filter: LineFilter,
  { limit, after }: { limit: number; after: LinePlace | null },
) {
  const select = build(`${table} as l`)
    .join('recon_files as f', (on) => on.on('f.org_id', 'l.org_id').on('f.file_no', 'l.file_no'))
    .where('l.org_id', trx.scope)
    .select('l.*', 'f.file_id', 'f.source_id')
    .orderBy([{ column: 'l.file_no', order: 'desc' }, { column: 'l.row_no' }])
    .limit(limit)
  if (filter.sourceId !== null) {
    select.where('f.source_id', filter.sourceId)
  }
  if (filter.fileId !== null) {
    select.where('f.file_id', filter.fileId)
  }
  if (filter.from !== null) {
    select.where(`l.${day}`, '>=', filter.from)
  }
  if (filter.to !== null) {
    select.where(`l.${day}`, '<=', filter.to)
  }
  if (filter.amount !== null) {
    select.where('l.amount', filter.amount.toString())
  }
  if (after !== null) {
    const { fileNo, rowNo } = after
    select.whereRaw('(l.file_no < ? or l.file_no = ? and l.row_no > ?)', [fileNo, fileNo, rowNo])
  }
  return select
}
