/** Writes down what was decided: matches, what is no longer open, and breaks that are told once. */
import type { Trx } from '../../base/db.ts'
import { newId } from '../../base/ids.ts'
import type { Break, Match } from '../match/decide.ts'

/** Of one statement. */
const TOGETHER = 5000

/**
 * Matches of lines with records; both are no longer open. A record that another line was matched
 * with meanwhile stays with that one, and the line stays open.
 */
export async function writeMatches(
  trx: Trx,
  runNo: number,
  matches: readonly Match[],
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
                  where m.file_no = n.file_no and m.row_no = n.row_no and m.org_id = $1),
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
        part.map(({ line }) => line.fileNo),
        part.map(({ line }) => line.rowNo),
        part.map(({ record }) => record.recordId),
        part.map(({ record }) => record.reversal),
        part.map(({ whole }) => whole),
        part.map(({ line }) => line.amount),
        part.map(({ rule }) => rule),
        part.map(({ agrees }) => agrees),
        part.map(({ candidates }) => candidates),
      ],
    )
    written += rows.length
  }
  return written
}

/** Breaks of a run; one that is known is seen again, with what it says now. */
export async function writeBreaks(
  trx: Trx,
  run: { no: number; asOf: string },
  breaks: readonly Break[],
): Promise<void> {
  for (let from = 0; from < breaks.length; from += TOGETHER) {
    const part = breaks.slice(from, from + TOGETHER)
    await trx.query(
      `insert into recon_exceptions (org_id, exception_id, kind, subject, amount, currency, detail,
         since, found_by, seen_by, stays)
       select distinct on (n.subject, n.kind) $1, n.id, n.kind, n.subject, n.amount, n.currency,
              n.detail, coalesce(n.since, $3::date), $2, $2, n.stays
         from unnest($4::text[], $5::text[], $6::text[], $7::bigint[], $8::text[], $9::jsonb[],
                     $10::date[], $11::boolean[])
           as n (id, kind, subject, amount, currency, detail, since, stays)
        order by n.subject, n.kind, n.id
       on conflict (subject, kind, org_id) where state = 'open'
       do update set seen_by = excluded.seen_by, amount = excluded.amount,
                     detail = excluded.detail`,
      [
        trx.scope,
        run.no,
        run.asOf,
        part.map(() => newId('exc')),
        part.map(({ kind }) => kind),
        part.map(({ subject }) => subject),
        part.map(({ amount }) => amount),
        part.map(({ currency }) => currency),
        part.map(({ detail }) => JSON.stringify(detail, textOfBigint)),
        part.map(({ since }) => since),
        part.map(({ stays }) => stays),
      ],
    )
  }
}

function textOfBigint(_name: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value
}

/** What this run did not find again is gone, unless it belongs to a match. */
export async function endOldBreaks(trx: Trx, runNo: number): Promise<number> {
  const gone = await trx.query(
    `update recon_exceptions
        set state = 'gone', ended_by_run = $2, ended_at = now()
      where org_id = $1 and state = 'open' and not stays and seen_by < $2
      returning 1`,
    [trx.scope, runNo],
  )
  return gone.length
}
