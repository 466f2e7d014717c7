/** The one writer of matches: a part of a file in one statement, and what was decided singly. */
import { sqlStateOf } from '../../base/database-error.ts'
import type { Trx } from '../../base/db.ts'
import type { Match } from '../match/decide.ts'
import { AGREES } from '../match/kinds.ts'
import { RECORDS } from './known-records.ts'

/** Where a line stands: its file, and its row in it. */
export interface Place {
  fileNo: number
  rowNo: number
}

/** Rows of a file in one transaction: some seconds, and a run that is cut off loses no more. */
export const ROWS_TOGETHER = 200_000

const take = (onConflict: string): string => `
  with lines as materialized (
    select row_no, gateway, account, kind, external_id, settlement_ref, amount, currency, fee,
           tax, net, occurred_on, repeated, utr, settled_on
      from settlement_lines
     where org_id = $1 and file_no = $2 and row_no > $3 and row_no <= $3 + ${ROWS_TOGETHER}
     order by row_no
  ), parts as materialized (
    select exists (
      select from recon_matches where org_id = $1 and not whole and record_id > '' limit 1
    ) as any_part
  ), found as (${RECORDS}
  ), matched as (
    insert into recon_matches (org_id, file_no, row_no, record_id, reversal, whole, amount, run_no,
      rule, agrees, candidates)
    select $1, $2, row_no, record_id, reversal, true, amount, $4, 'id',
           ${AGREES.id | AGREES.amount | AGREES.currency}
             + case when fee is not null and recorded_fee is not null then ${AGREES.fee} else 0 end
             + case when tax is not null and recorded_tax is not null then ${AGREES.tax} else 0 end
             + case when same_day then ${AGREES.day} else 0 end
             + case when net = due then ${AGREES.net} else 0 end,
           1
      from found
     where amount = recorded and amount > 0 and currency = recorded_currency
       and coalesce(fee, 0) = coalesce(recorded_fee, 0) and (fee is null) <= (recorded_fee is null)
       and coalesce(tax, 0) = coalesce(recorded_tax, 0)
       and repeated = 0
       -- Of what comes back of a transfer the gateway keeps its charge.
       and (net = due or record_id like 'trf\\_%')
       -- What was written off stays that: a line that comes after all is a break that says so.
       and (record_id, reversal) not in (
         select c.record_id, c.reversal from recon_closed_records c where c.org_id = $1)
       -- The index keeps a record from two whole lines, and not from a whole one after parts; of
       -- which there are mostly none at all.
       and (not (select any_part from parts) or not exists (
         select from recon_matches p
          where p.record_id = found.record_id and p.reversal = found.reversal and p.org_id = $1
            and not p.whole and p.undone_at is null))
     order by row_no
    ${onConflict}
    returning row_no, record_id, reversal
  ), closed as (
    delete from recon_open_records o using matched m
     where o.record_id = m.record_id and o.reversal = m.reversal and o.org_id = $1
  ), batches as (
    insert into recon_batches as b (org_id, gateway, account, settlement_ref, currency, lines, net,
      run_no, utr_low, utr_high, with_utr, settled_on, first_file, first_row)
    select $1, gateway, account, settlement_ref, currency, count(*), sum(net), $4, min(utr),
           max(utr), count(utr), max(settled_on), $2, min(row_no)
      from lines where settlement_ref is not null and repeated = 0
     group by gateway, account, settlement_ref, currency
    on conflict (settlement_ref, currency, account, gateway, org_id)
    do update set lines = b.lines + excluded.lines, net = b.net + excluded.net,
                  run_no = excluded.run_no, utr_low = least(b.utr_low, excluded.utr_low),
                  utr_high = greatest(b.utr_high, excluded.utr_high),
                  with_utr = b.with_utr + excluded.with_utr,
                  settled_on = greatest(b.settled_on, excluded.settled_on)
  ), left_open as (
    insert into recon_open_lines (org_id, file_no, row_no, run_no)
    select $1, $2, row_no, $4 from lines
     -- Hashed, whatever the planner believes: it takes both for a handful.
     where row_no not in (select row_no from matched)
    returning 1
  )
  select (select count(*)::integer from lines) as seen,
         (select count(*)::integer from matched) as matched,
         (select count(*)::integer from left_open) as open`

const TAKE = take('')
const TAKE_THE_FIRST = take('on conflict do nothing')
const UNIQUE_VIOLATION = '23505'

export interface Taken {
  seen: number
  matched: number
  open: number
}

/**
 * Takes in the rows of a file after `after`, `ROWS_TOGETHER` of them; each is taken in once. Of two
 * lines that name the same record the first is taken. Looking for such before each insert takes a
 * third of the time, so that it is done only where the index found one.
 */
export async function takeLines(
  trx: Trx,
  runNo: number,
  fileNo: number,
  after: number,
): Promise<Taken> {
  const params = [trx.scope, fileNo, after, runNo]
  await trx.query(`set local work_mem = '64MB'`)
  await trx.query('savepoint taking')
  try {
    return takenOf(await trx.query<Taken>(TAKE, params))
  } catch (error) {
    if (sqlStateOf(error) !== UNIQUE_VIOLATION) {
      throw error
    }
    await trx.query('rollback to savepoint taking')
    return takenOf(await trx.query<Taken>(TAKE_THE_FIRST, params))
  }
}

function takenOf([taken]: readonly Taken[]): Taken {
  return taken ?? { seen: 0, matched: 0, open: 0 }
}

/** Opens the lines again that a resolution closed. */
export async function reopenLines(trx: Trx, resolutionId: string): Promise<void> {
  await trx.query(
    `insert into recon_open_lines (org_id, file_no, row_no, run_no)
     select org_id, file_no, row_no, run_no from recon_closed_lines
      where org_id = $1 and resolution_id = $2 and side = 'gateway'
     on conflict do nothing`,
    [trx.scope, resolutionId],
  )
}

/** Matches that a run decided on. Gives how many were written, as `write` says. */
export async function writeMatches(
  trx: Trx,
  runNo: number,
  matches: readonly Match[],
): Promise<number> {
  return await write(
    trx,
    runNo,
    matches.map(({ line, record, ...how }) => ({
      ...how,
      fileNo: line.fileNo,
      rowNo: line.rowNo,
      record,
      amount: line.amount,
    })),
  )
}

/** What a person says that a line tells of. */
export interface MatchByHand extends Place {
  record: { recordId: string; reversal: boolean }
  whole: boolean
  /** Minor units of the line that tell of the record. */
  amount: bigint
  agrees: number
}

/** Matches that a person makes. Gives how many were written, as `write` says. */
export async function writeByHand(
  trx: Trx,
  runNo: number,
  matches: readonly MatchByHand[],
): Promise<number> {
  const all = matches.map((one) => ({ ...one, rule: 'person' as const, candidates: 1 }))
  return await write(trx, runNo, all)
}

/** Of one statement. */
const TOGETHER = 5000

/**
 * Writes matches of lines with records; both are no longer open. A record that another line was
 * matched with meanwhile stays with that one, and the line stays open.
 */
async function write(
  trx: Trx,
  runNo: number,
  matches: readonly (MatchByHand & Pick<Match, 'rule' | 'candidates'>)[],
): Promise<number> {
  let written = 0
  for (let from = 0; from < matches.length; from += TOGETHER) {
    const part = matches.slice(from, from + TOGETHER)
    const rows = await trx.query(
      `with matched as (
         insert into recon_matches (org_id, file_no, row_no, part, record_id, reversal, whole,
           amount, run_no, rule, agrees, candidates)
         select $1, n.file_no, n.row_no,
                (select count(*) from recon_matches m
                  where m.file_no = n.file_no and m.row_no = n.row_no and m.org_id = $1)
                  + row_number() over (partition by n.file_no, n.row_no order by n.record_id) - 1,
                n.record_id, n.reversal, n.whole, n.amount, $2, n.rule, n.agrees, n.candidates
           from unnest($3::integer[], $4::integer[], $5::text[], $6::boolean[], $7::boolean[],
                       $8::bigint[], $9::text[], $10::smallint[], $11::smallint[])
             as n (file_no, row_no, record_id, reversal, whole, amount, rule, agrees, candidates)
         on conflict do nothing
         returning file_no, row_no, record_id, reversal
       ), lines as (
         delete from recon_open_lines o using matched m
          where o.org_id = $1 and o.file_no = m.file_no and o.row_no = m.row_no
       ), records as (
         delete from recon_open_records o using matched m
          where o.org_id = $1 and o.record_id = m.record_id and o.reversal = m.reversal
       )
       select 1 from matched`,
      [
        trx.scope,
        runNo,
        part.map(({ fileNo }) => fileNo),
        part.map(({ rowNo }) => rowNo),
        part.map(({ record }) => record.recordId),
        part.map(({ record }) => record.reversal),
        part.map(({ whole }) => whole),
        part.map(({ amount }) => amount),
        part.map(({ rule }) => rule),
        part.map(({ agrees }) => agrees),
        part.map(({ candidates }) => candidates),
      ],
    )
    written += rows.length
  }
  return written
}

export interface Undone extends Place {
  recordId: string
  reversal: boolean
}

/**
 * Takes a line apart from all that it is matched with, and the other lines that tell of the same
 * record in parts: one part alone would prove nothing. The lines are open again.
 */
export async function undoMatches(
  trx: Trx,
  { fileNo, rowNo }: Place,
  how: { by: string; because: string; runNo: number },
): Promise<Undone[]> {
  return await trx.query<Undone>(
    `with named as materialized (
       select record_id, reversal, whole from recon_matches
        where org_id = $1 and file_no = $2 and row_no = $3 and undone_at is null
     ), undone as (
       update recon_matches m
          set undone_at = now(), undone_by = $4, undone_because = $5
         from named n
        where m.org_id = $1 and m.record_id = n.record_id and m.reversal = n.reversal
          and m.whole = n.whole and m.undone_at is null
       returning m.file_no, m.row_no, m.record_id, m.reversal
     ), lines as (
       insert into recon_open_lines (org_id, file_no, row_no, run_no)
       select distinct $1::integer, file_no, row_no, $6::integer from undone
       on conflict do nothing
     )
     select file_no as "fileNo", row_no as "rowNo", record_id as "recordId", reversal
       from undone order by file_no, row_no, record_id`,
    [trx.scope, fileNo, rowNo, how.by, how.because, how.runNo],
  )
}
