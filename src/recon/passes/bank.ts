/** The bank's side: open credits and open settlements, taken in hand together. */
import type { Trx } from '../../base/db.ts'
import type { BankDecided, BankLine, BankMatch, OpenSettlement } from '../match/bank.ts'
import { decideBank } from '../match/bank.ts'
import { pairOf } from '../match/bank-break.ts'
import type { Rules } from '../match/rules.ts'
import type { Place } from './matches.ts'
import { normalReference } from '../sources/line.ts'

/** Of each side in one run; what is beyond waits for the next one. */
const OPEN_MAX = 50_000
const TOGETHER = 5000

/** How the gateways are called in the narrations of banks. */
const NAMES: readonly (readonly [gateway: string, name: RegExp])[] = [
  ['razorpay', /razorpay|\brzp/i],
  ['payu', /payu/i],
  ['stripe', /stripe/i],
]

/** The credits of the files that this run took in are open until they are matched. */
export async function openBankLines(trx: Trx, runNo: number): Promise<void> {
  await trx.query(
    `insert into recon_open_bank_lines (org_id, file_no, row_no, run_no)
     select l.org_id, l.file_no, l.row_no, $2
       from recon_run_files f
       join bank_lines l on l.org_id = f.org_id and l.file_no = f.file_no
      where f.org_id = $1 and f.run_no = $2 and l.amount > 0
     on conflict do nothing`,
    [trx.scope, runNo],
  )
}

export interface LineRow {
  file_no: number
  row_no: number
  repeated: number
  booked_on: string
  amount: bigint
  currency: string
  tokens: string[]
  narration: string
}

export interface SettlementRow {
  settlement_id: string
  gateway: string
  utr: string | null
  amount: bigint
  currency: string
  settled_on: string
}

/** What is decided on all that is open at the bank. */
export async function decideOpen(trx: Trx, rules: Rules): Promise<BankDecided> {
  const lines = await trx.query<LineRow>(
    `select l.file_no, l.row_no, l.repeated, l.booked_on, l.amount, l.currency, l.tokens,
            l.narration
       from recon_open_bank_lines o
       join bank_lines l
         on l.org_id = o.org_id and l.file_no = o.file_no and l.row_no = o.row_no
      where o.org_id = $1
      order by l.booked_on, l.file_no, l.row_no limit $2`,
    [trx.scope, OPEN_MAX],
  )
  const settlements = await trx.query<SettlementRow>(
    `select s.settlement_id, s.gateway, s.utr, s.amount, s.currency,
            (s.settled_at at time zone 'Asia/Kolkata')::date as settled_on
       from settlements s
      where s.org_id = $1 and s.state = 'processed' and s.settled_at is not null
        and not exists (
          select from recon_bank_matches m
           where m.settlement_id = s.settlement_id and m.org_id = $1 and m.undone_at is null)
        and s.settlement_id not in (
          select c.record_id from recon_closed_records c where c.org_id = $1)
      order by s.settlement_id limit $2`,
    [trx.scope, OPEN_MAX],
  )
  // A credit that names what came before is a second one, and no news; or what was given up.
  const before = await trx.query<SettlementRow & { resolution: string | null }>(
    `select s.settlement_id, s.gateway, s.utr, s.amount, s.currency,
            (s.settled_at at time zone 'Asia/Kolkata')::date as settled_on,
            c.resolution_id as resolution
       from settlements s
       left join recon_bank_matches m
         on m.settlement_id = s.settlement_id and m.org_id = $1 and m.undone_at is null
       left join recon_closed_records c on c.record_id = s.settlement_id and c.org_id = $1
      where s.org_id = $1 and s.utr_plain = any($2::text[])
        and (m.settlement_id is not null or c.record_id is not null)
      order by s.settlement_id limit $3`,
    [trx.scope, lines.flatMap(({ tokens }) => tokens), OPEN_MAX],
  )
  const [covered] = await trx.query<{ until: string | null }>(
    `select max(booked_on) as until from bank_lines where org_id = $1`,
    [trx.scope],
  )
  const undone = await trx.query<{ file_no: number; row_no: number; settlement_id: string }>(
    `select distinct m.file_no, m.row_no, m.settlement_id
       from recon_bank_matches m
       join recon_open_bank_lines o
         on o.org_id = m.org_id and o.file_no = m.file_no and o.row_no = m.row_no
      where m.org_id = $1 and m.undone_at is not null`,
    [trx.scope],
  )
  const apart = new Set(
    undone.map((one) => pairOf({ fileNo: one.file_no, rowNo: one.row_no }, one.settlement_id)),
  )
  return decideBank(lines.map(lineOf), settlements.map(settlementOf), {
    before: before.map((row) => ({ ...settlementOf(row), resolution: row.resolution })),
    apart,
    rules,
    until: covered?.until ?? null,
  })
}

export function lineOf(row: LineRow): BankLine {
  return {
    fileNo: row.file_no,
    rowNo: row.row_no,
    repeated: row.repeated,
    bookedOn: row.booked_on,
    amount: row.amount,
    currency: row.currency,
    tokens: row.tokens,
    gateways: NAMES.filter(([, name]) => name.test(row.narration)).map(([gateway]) => gateway),
  }
}

export function settlementOf(row: SettlementRow): OpenSettlement {
  return {
    settlementId: row.settlement_id,
    gateway: row.gateway,
    utr: row.utr === null ? null : normalReference(row.utr),
    amount: row.amount,
    currency: row.currency,
    settledOn: row.settled_on,
  }
}

/** Matches of credits with settlements; neither is open any more. */
export async function writeBankMatches(
  trx: Trx,
  runNo: number,
  matches: readonly BankMatch[],
): Promise<number> {
  let written = 0
  for (let from = 0; from < matches.length; from += TOGETHER) {
    const part = matches.slice(from, from + TOGETHER)
    const rows = await trx.query(
      `with matched as (
         insert into recon_bank_matches (org_id, file_no, row_no, part, settlement_id, amount,
           run_no, rule, agrees, candidates)
         select $1, n.file_no, n.row_no,
                (select count(*) from recon_bank_matches m
                  where m.file_no = n.file_no and m.row_no = n.row_no and m.org_id = $1)
                  + row_number() over (partition by n.file_no, n.row_no order by n.settlement_id)
                  - 1,
                n.settlement_id, n.amount, $2, n.rule, n.agrees, n.candidates
           from unnest($3::integer[], $4::integer[], $5::text[], $6::bigint[], $7::text[],
                       $8::smallint[], $9::smallint[])
             as n (file_no, row_no, settlement_id, amount, rule, agrees, candidates)
         on conflict do nothing
         returning file_no, row_no
       ), lines as (
         delete from recon_open_bank_lines o using matched m
          where o.org_id = $1 and o.file_no = m.file_no and o.row_no = m.row_no
       )
       select 1 from matched`,
      [
        trx.scope,
        runNo,
        part.map(({ line }) => line.fileNo),
        part.map(({ line }) => line.rowNo),
        part.map(({ settlement }) => settlement.settlementId),
        part.map(({ settlement }) => settlement.amount),
        part.map(({ rule }) => rule),
        part.map(({ agrees }) => agrees),
        part.map(({ candidates }) => candidates),
      ],
    )
    written += rows.length
  }
  return written
}

/** Notes the entries that lines were posted by. */
export async function noteCredits(
  trx: Trx,
  posted: readonly (Place & { entryNo: bigint })[],
): Promise<void> {
  await trx.query(
    `update recon_bank_matches m
        set entry_no = n.entry_no
       from unnest($2::integer[], $3::integer[], $4::bigint[]) as n (file_no, row_no, entry_no)
      where m.org_id = $1 and m.file_no = n.file_no and m.row_no = n.row_no
        and m.undone_at is null and m.entry_no is null`,
    [
      trx.scope,
      posted.map(({ fileNo }) => fileNo),
      posted.map(({ rowNo }) => rowNo),
      posted.map(({ entryNo }) => entryNo),
    ],
  )
}

/** The live matches of a line of a bank statement. */
export async function bankMatchesOf(
  trx: Trx,
  { fileNo, rowNo }: Place,
): Promise<{ settlement_id: string; entry_no: bigint | null }[]> {
  return await trx.query(
    `select settlement_id, entry_no from recon_bank_matches
      where org_id = $1 and file_no = $2 and row_no = $3 and undone_at is null
      order by part`,
    [trx.scope, fileNo, rowNo],
  )
}

/**
 * Takes apart what somebody reversed the entry of: what is in transit again is open again. As with
 * an undo, only a person ties it together after that.
 */
export async function undoReversed(trx: Trx, runNo: number): Promise<void> {
  await trx.query(
    `with undone as (
       update recon_bank_matches m
          set undone_at = now(), undone_by = r.actor, undone_because = 'its entry was reversed',
              reversal_no = r.entry_no
         from journal_entries r
        where m.org_id = $1 and m.undone_at is null and r.org_id = $1 and r.reverses = m.entry_no
       returning m.file_no, m.row_no
     )
     insert into recon_open_bank_lines (org_id, file_no, row_no, run_no)
     select distinct $1::integer, file_no, row_no, $2::integer from undone
     on conflict do nothing`,
    [trx.scope, runNo],
  )
}

/** Takes a line and its settlements apart: both are open again. */
export async function undoBankMatches(
  trx: Trx,
  { fileNo, rowNo }: Place,
  how: { by: string; because: string; reversalNo: bigint | null; runNo: number },
): Promise<void> {
  await trx.query(
    `with undone as (
       update recon_bank_matches
          set undone_at = now(), undone_by = $4, undone_because = $5,
              reversal_no = case when entry_no is not null then $6::bigint end
        where org_id = $1 and file_no = $2 and row_no = $3 and undone_at is null
       returning 1
     )
     insert into recon_open_bank_lines (org_id, file_no, row_no, run_no)
     select $1, $2, $3, $7 where exists (select from undone)
     on conflict do nothing`,
    [trx.scope, fileNo, rowNo, how.by, how.because, how.reversalNo, how.runNo],
  )
}

/** Opens the credits again that a resolution closed. */
export async function reopenBankLines(trx: Trx, resolutionId: string): Promise<void> {
  await trx.query(
    `insert into recon_open_bank_lines (org_id, file_no, row_no, run_no)
     select org_id, file_no, row_no, run_no from recon_closed_lines
      where org_id = $1 and resolution_id = $2 and side = 'bank'
     on conflict do nothing`,
    [trx.scope, resolutionId],
  )
}
