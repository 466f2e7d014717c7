/** What a person wants to match, as far as it is open; and that it was a person. */
import type { Trx } from '../../base/db.ts'
import type { Line, OpenRecord } from '../match/decide.ts'
import type { RecordKind } from '../match/kinds.ts'
import type { Place } from './matches.ts'
import { LINE, lineOf, type LineRow } from './residual.ts'

/** A record with what it is. */
export interface OpenRecordOf extends OpenRecord {
  kind: RecordKind
  gateway: string
  account: string
}

/** Those of these lines that are open, in the order of their places. */
export async function loadOpenLines(trx: Trx, places: readonly Place[]): Promise<Line[]> {
  const rows = await trx.query<LineRow>(
    `select ${LINE}
       from unnest($2::integer[], $3::integer[]) as w (file_no, row_no)
       join recon_open_lines o
         on o.org_id = $1 and o.file_no = w.file_no and o.row_no = w.row_no
       join settlement_lines l
         on l.org_id = $1 and l.file_no = w.file_no and l.row_no = w.row_no
      order by l.file_no, l.row_no`,
    [trx.scope, places.map(({ fileNo }) => fileNo), places.map(({ rowNo }) => rowNo)],
  )
  return rows.map(lineOf)
}

/** Those of these records that are open, on either side of their coming back. */
export async function loadOpenRecords(trx: Trx, ids: readonly string[]): Promise<OpenRecordOf[]> {
  return await trx.query<OpenRecordOf>(
    `select record_id as "recordId", reversal, kind, gateway, account,
            external_id as "externalId", order_ref as "orderRef", amount, fee, tax, currency,
            occurred_on as "occurredOn"
       from recon_open_records
      where org_id = $1 and record_id = any($2::text[])
      order by record_id, reversal`,
    [trx.scope, ids],
  )
}

/** The number of the newest run; null where there was none. */
export async function newestRun(trx: Trx): Promise<number | null> {
  const [run] = await trx.query<{ run_no: number | null }>(
    'select max(run_no) as run_no from recon_runs where org_id = $1',
    [trx.scope],
  )
  return run?.run_no ?? null
}

/** Notes who matched what stands at these places, and why. */
export async function noteMatchedBy(
  trx: Trx,
  places: readonly Place[],
  { by, because }: { by: string; because: string },
): Promise<void> {
  await trx.query(
    `insert into recon_matched_by (org_id, file_no, row_no, part, made_by, because)
     select $1, w.file_no, w.row_no, m.part, $4, $5
       from unnest($2::integer[], $3::integer[]) as w (file_no, row_no)
      cross join lateral (
        select min(part) as part from (
          select part from recon_matches
           where org_id = $1 and file_no = w.file_no and row_no = w.row_no and undone_at is null
           union all
          select part from recon_bank_matches
           where org_id = $1 and file_no = w.file_no and row_no = w.row_no and undone_at is null
        ) p
      ) m`,
    [trx.scope, places.map(({ fileNo }) => fileNo), places.map(({ rowNo }) => rowNo), by, because],
  )
}
