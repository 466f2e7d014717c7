/** What a file came to, and the faults in it: one writer, whether it was looked at or loaded. */
import type { Trx } from '../../base/db.ts'
import type { Fault } from '../sources/reading.ts'
import type { Tally } from '../sources/tally.ts'

/** Writes what was counted, and the faults in place of those that were there. */
export async function noteTally(trx: Trx, fileId: string, tally: Tally): Promise<void> {
  const totals = tally.totals.map((total) => ({
    ...total,
    credits: String(total.credits),
    debits: String(total.debits),
    fees: String(total.fees),
    taxes: String(total.taxes),
  }))
  await trx.query(
    `update recon_files
        set lines = $3, skipped = $4, refused = $5, faults = $6, first_day = $7, last_day = $8,
            totals = $9
      where org_id = $1 and file_id = $2`,
    [
      trx.scope,
      fileId,
      tally.lines,
      tally.skipped,
      tally.refused,
      tally.faultCount,
      tally.firstDay,
      tally.lastDay,
      JSON.stringify(totals),
    ],
  )
  await trx.query('delete from recon_file_faults where org_id = $1 and file_id = $2', [
    trx.scope,
    fileId,
  ])
  await trx.query(
    `insert into recon_file_faults (org_id, file_id, fault_no, row_no, in_column, reason)
     select $1, $2, n.place, n.row_no, left(n.in_column, 200), left(n.reason, 500)
       from unnest($3::integer[], $4::text[], $5::text[])
              with ordinality as n (row_no, in_column, reason, place)`,
    [
      trx.scope,
      fileId,
      tally.faults.map(({ row }) => row),
      tally.faults.map(({ column }) => column),
      tally.faults.map(({ reason }) => reason.toWellFormed()),
    ],
  )
}

export interface FaultRow extends Fault {
  fault_no: number
}

/** In the order in which they were met. */
export async function listFaults(
  trx: Trx,
  fileId: string,
  page: { limit: number; after: number },
): Promise<FaultRow[]> {
  return await trx.query<FaultRow>(
    `select fault_no, row_no as row, in_column as "column", reason from recon_file_faults
      where org_id = $1 and file_id = $2 and fault_no > $3 order by fault_no limit $4`,
    [trx.scope, fileId, page.after, page.limit],
  )
}
