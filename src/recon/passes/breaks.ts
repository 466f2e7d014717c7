/** Writes down breaks: each is told once, seen again by later runs, and gone with its reason. */
import type { Trx } from '../../base/db.ts'
import { newId } from '../../base/ids.ts'
import type { Break } from '../match/decide.ts'

/** Of one statement. */
const TOGETHER = 5000

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
        -- What is resolved is told again only where it says something else by now.
        where not exists (
          select from recon_exceptions e
           where e.subject = n.subject and e.kind = n.kind and e.org_id = $1
             and e.state = 'resolved' and e.amount = n.amount and e.currency = n.currency
             -- What a match by hand ended is told again once that is taken apart.
             and not e.detail ? 'ended'
             and (e.detail ->> 'told', e.detail ->> 'recorded', e.detail ->> 'resolution')
                 is not distinct from
                 (n.detail ->> 'told', n.detail ->> 'recorded', n.detail ->> 'resolution'))
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

/** Ends these open breaks: a run found that they are something else by now. */
export async function endBreaks(trx: Trx, runNo: number, ids: readonly string[]): Promise<number> {
  const gone = await trx.query(
    `update recon_exceptions set state = 'gone', ended_by_run = $2, ended_at = now()
      where org_id = $1 and exception_id = any($3::text[]) and state = 'open' returning 1`,
    [trx.scope, runNo, ids],
  )
  return gone.length
}

/** Ends open breaks by the entries that were posted for them, which they name from then on. */
export async function resolveBreaks(
  trx: Trx,
  resolved: readonly { exceptionId: string; entryNo: bigint }[],
): Promise<void> {
  await trx.query(
    `update recon_exceptions e
        set state = 'resolved', ended_at = now(),
            detail = e.detail || jsonb_build_object('entry', 'je_' || n.entry_no)
       from unnest($2::text[], $3::bigint[]) as n (exception_id, entry_no)
      where e.org_id = $1 and e.exception_id = n.exception_id and e.state = 'open'`,
    [
      trx.scope,
      resolved.map(({ exceptionId }) => exceptionId),
      resolved.map(({ entryNo }) => entryNo),
    ],
  )
}

/** Ends all open breaks about these things: a person said what they are. */
export async function endBreaksAbout(
  trx: Trx,
  subjects: readonly string[],
  because: string,
): Promise<void> {
  await trx.query(
    `update recon_exceptions e
        set state = 'resolved', ended_at = now(),
            detail = e.detail || jsonb_build_object('ended', $3::text)
       from unnest($2::text[]) as n (subject)
      where e.org_id = $1 and e.subject = n.subject and e.state = 'open'`,
    [trx.scope, subjects, because],
  )
}

/** A break that somebody resolved; false where it was open no more. */
export async function resolveBreak(trx: Trx, exceptionId: string): Promise<boolean> {
  const ended = await trx.query(
    `update recon_exceptions set state = 'resolved', ended_at = now()
      where org_id = $1 and exception_id = $2 and state = 'open' returning 1`,
    [trx.scope, exceptionId],
  )
  return ended.length > 0
}

/**
 * Opens a break again whose resolution was undone. Where a later run told the same anew meanwhile,
 * that one stands, and this one is gone.
 */
export async function reopenBreak(trx: Trx, exceptionId: string): Promise<void> {
  await trx.query(
    `update recon_exceptions e
        set state = case when n.found_by is null then 'open' else 'gone' end,
            ended_by_run = n.found_by,
            ended_at = case when n.found_by is null then null else now() end
       from (select subject, kind from recon_exceptions
              where org_id = $1 and exception_id = $2) o
       left join lateral (
         select found_by from recon_exceptions
          where subject = o.subject and kind = o.kind and org_id = $1 and state = 'open'
       ) n on true
      where e.org_id = $1 and e.exception_id = $2 and e.state = 'resolved'`,
    [trx.scope, exceptionId],
  )
}
