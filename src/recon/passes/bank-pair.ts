/** What a person wants to match at the bank, as far as it is open. */
import type { Trx } from '../../base/db.ts'
import type { BankLine, OpenSettlement } from '../match/bank.ts'
import { lineOf, settlementOf, type LineRow, type SettlementRow } from './bank.ts'
import type { Place } from './matches.ts'

/** A line and settlements that a person wants to match, as far as they are open. */
export async function loadOpenPair(
  trx: Trx,
  { fileNo, rowNo }: Place,
  settlementIds: readonly string[],
): Promise<{ line: BankLine | null; settlements: OpenSettlement[] }> {
  const [line] = await trx.query<LineRow>(
    `select l.file_no, l.row_no, l.repeated, l.booked_on, l.amount, l.currency, l.tokens,
            l.narration
       from recon_open_bank_lines o
       join bank_lines l
         on l.org_id = o.org_id and l.file_no = o.file_no and l.row_no = o.row_no
      where o.org_id = $1 and o.file_no = $2 and o.row_no = $3`,
    [trx.scope, fileNo, rowNo],
  )
  const settlements = await trx.query<SettlementRow>(
    `select s.settlement_id, s.gateway, s.utr, s.amount, s.currency,
            (s.settled_at at time zone 'Asia/Kolkata')::date as settled_on
       from settlements s
      where s.org_id = $1 and s.settlement_id = any($2::text[]) and s.state = 'processed'
        and s.settled_at is not null
        and not exists (
          select from recon_bank_matches m
           where m.settlement_id = s.settlement_id and m.org_id = $1 and m.undone_at is null)
        -- What was given up is in transit no more.
        and not exists (
          select from recon_closed_records c
           where c.record_id = s.settlement_id and c.org_id = $1)
      order by s.settlement_id`,
    [trx.scope, settlementIds],
  )
  return {
    line: line === undefined ? null : lineOf(line),
    settlements: settlements.map(settlementOf),
  }
}
