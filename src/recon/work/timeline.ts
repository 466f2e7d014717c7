/** One exception from its beginning to its end, as it happened; and what is said about it. */
import type { Trx } from '../../base/db.ts'
import { Problem } from '../../base/problem.ts'
import { holdCase, noteEvents } from './cases.ts'

/** Of one exception: a conversation, and no archive. */
const COMMENTS_MAX = 1000

export const HAPPENED = [
  'found',
  'seen',
  'assigned',
  'commented',
  'attached',
  'acknowledged',
  'reminded',
  'expired',
  'resolution_asked',
  'resolution_dropped',
  'resolved',
  'undo_asked',
  'undone',
  'matched',
  'taken_apart',
  'ended',
] as const

export interface Happened {
  /** Where a list goes on. */
  cursor: string
  what: (typeof HAPPENED)[number]
  at: Date
  /** A person, a key, a job, or a run. */
  by: string
  detail: Record<string, unknown>
}

/** What resolutions did with the exception $2; several never do the same at the same instant. */
const RESOLUTIONS = `
       select 900001, 'resolution_asked', r.asked_at, r.asked_by,
              jsonb_build_object('resolution', r.resolution_id, 'action', r.action,
                'reason_code', r.reason_code, 'reason', r.words, 'approval', r.approval_id)
         from recon_resolutions r
        where r.exception_id = $2 and r.org_id = $1 and r.approval_id is not null
        union all
       select 900002, 'resolution_dropped', coalesce(a.decided_at, a.expires_at),
              coalesce(a.decided_by, 'nobody'),
              jsonb_build_object('resolution', r.resolution_id, 'approval', r.approval_id,
                'decision', case when a.state = 'waiting' then 'expired' else a.state end)
         from recon_resolutions r
         join approvals a on a.org_id = r.org_id and a.approval_id = r.approval_id
        where r.exception_id = $2 and r.org_id = $1 and r.done_at is null
          and (a.state <> 'waiting' or a.expires_at <= now())
        union all
       select 900003, 'resolved', r.done_at, r.asked_by,
              jsonb_build_object('resolution', r.resolution_id, 'action', r.action,
                'reason_code', r.reason_code, 'reason', r.words,
                'journal_entry', 'je_' || r.entry_no, 'approval', r.approval_id,
                'approved_by', r.approved_by)
         from recon_resolutions r
        where r.exception_id = $2 and r.org_id = $1 and r.done_at is not null
        union all
       select 900004, 'undo_asked', a.made_at, a.made_by,
              jsonb_build_object('resolution', r.resolution_id, 'approval', a.approval_id)
         from recon_resolutions r
         join approvals a on a.org_id = r.org_id and a.approval_id = r.undo_approval_id
        where r.exception_id = $2 and r.org_id = $1
        union all
       select 900005, 'undone', r.undone_at, r.undone_by,
              jsonb_build_object('resolution', r.resolution_id, 'reason', r.undone_because,
                'journal_entry', 'je_' || r.undo_entry_no, 'approval', r.undo_approval_id,
                'approved_by', a.decided_by)
         from recon_resolutions r
         left join approvals a on a.org_id = r.org_id and a.approval_id = r.undo_approval_id
          and a.state = 'approved'
        where r.exception_id = $2 and r.org_id = $1 and r.undone_at is not null`

/** What persons tied or took apart of what it is about, since it was found; each by its index. */
const MATCHES = `
       select 910000 + row_number() over (order by w.made_at, w.file_no, w.row_no, w.part),
              'matched', w.made_at, w.made_by,
              jsonb_build_object('line', w.file_no || '-' || w.row_no, 'reason', w.because)
         from about e
         join lateral (
           select e.file_no, e.row_no
            union
           select file_no, row_no from recon_matches
            where record_id = e.record_id and reversal = e.reversal and org_id = $1 and whole
              and undone_at is null
            union
           select file_no, row_no from recon_matches
            where record_id = e.record_id and reversal = e.reversal and org_id = $1 and not whole
            union
           select file_no, row_no from recon_bank_matches
            where settlement_id = e.settlement_id and org_id = $1 and undone_at is null
         ) l on true
         join recon_matched_by w
           on w.file_no = l.file_no and w.row_no = l.row_no and w.org_id = $1
        where w.made_at >= e.created_at
        union all
       select 920000 + row_number() over (order by m.undone_at, m.file_no, m.row_no, m.part),
              'taken_apart', m.undone_at, m.undone_by,
              jsonb_build_object('line', m.file_no || '-' || m.row_no, 'from', m.other,
                'reason', m.undone_because, 'journal_entry', 'je_' || m.reversal_no)
         from about e
         join lateral (
           select file_no, row_no, part, record_id as other, undone_at, undone_by,
                  undone_because, null::bigint as reversal_no
             from recon_matches
            where not e.at_bank and file_no = e.file_no and row_no = e.row_no and org_id = $1
            union all
           select file_no, row_no, part, settlement_id, undone_at, undone_by, undone_because,
                  reversal_no
             from recon_bank_matches
            where e.at_bank and file_no = e.file_no and row_no = e.row_no and org_id = $1
         ) m on true
        where m.undone_at >= e.created_at`

/** What an exception is about, by the name that it has. */
const ABOUT = `
       select created_at, word = 'bank' as at_bank,
              case when word in ('line', 'bank') then first::integer end as file_no,
              case when word in ('line', 'bank') then second::integer end as row_no,
              case word when 'record' then first end as record_id, second = 'back' as reversal,
              case word when 'credit' then second end as settlement_id
         from (
           select created_at, split_part(subject, ' ', 1) as word,
                  split_part(subject, ' ', 2) as first, split_part(subject, ' ', 3) as second
             from e
         ) named`

/**
 * What happened to an exception, the first first: what runs and resolutions did with it, what
 * persons tied of it, and what is in its own list. Throws `not_found`.
 */
export async function listTimeline(
  trx: Trx,
  exceptionId: string,
  { limit, after }: { limit: number; after: { ms: number; place: number } | null },
): Promise<Happened[]> {
  const known = await trx.query(
    `select 1 from recon_exceptions where org_id = $1 and exception_id = $2`,
    [trx.scope, exceptionId],
  )
  if (known.length === 0) {
    throw new Problem('not_found', { detail: 'There is no such exception.' })
  }
  return await trx.query<Happened>(
    `with e as (
       select * from recon_exceptions where org_id = $1 and exception_id = $2
     ), about as (${ABOUT}
     ), happened as (
       select 0 as place, 'found' as what, e.created_at as at,
              coalesce((select r.run_id from recon_runs r
                         where r.org_id = $1 and r.run_no = e.found_by), 'run') as by,
              '{}'::jsonb as detail
         from e
        union all
       select 1000000, 'seen', coalesce(r.ended_at, r.began_at, r.asked_at), r.run_id, '{}'::jsonb
         from e join recon_runs r on r.org_id = $1 and r.run_no = e.seen_by
        where e.seen_by > e.found_by
        union all
       select t.event_no, t.what, t.at, t.actor, t.detail
         from recon_timeline t where t.org_id = $1 and t.exception_id = $2
        union all${RESOLUTIONS}
        union all${MATCHES}
        union all
       select 1000001, 'ended', e.ended_at,
              coalesce((select r.run_id from recon_runs r
                         where r.org_id = $1 and r.run_no = e.ended_by_run), 'person'),
              jsonb_build_object('state', e.state, 'journal_entry', e.detail ->> 'entry',
                'because', e.detail ->> 'ended')
         from e where e.ended_at is not null
     ), placed as (
       select h.*, floor(extract(epoch from h.at) * 1000)::bigint as ms from happened h
     )
     select ms || '-' || place as cursor, what, at, by, jsonb_strip_nulls(detail) as detail
       from placed
      where $3::bigint is null or (ms, place) > ($3, $4)
      order by ms, place limit $5`,
    [trx.scope, exceptionId, after?.ms ?? null, after?.place ?? null, limit],
  )
}

/** Says something about an exception, open or not. Throws `not_found`, `limit_reached`. */
export async function addComment(
  trx: Trx,
  exceptionId: string,
  { text, actor }: { text: string; actor: string },
): Promise<Happened> {
  await holdCase(trx, exceptionId)
  const [row] = await trx.query<{ count: number }>(
    `select count(*)::integer as count from recon_timeline
      where org_id = $1 and exception_id = $2 and what = 'commented'`,
    [trx.scope, exceptionId],
  )
  if ((row?.count ?? 0) >= COMMENTS_MAX) {
    const detail = `An exception has at most ${COMMENTS_MAX} comments.`
    throw new Problem('limit_reached', { detail, moved: 'no' })
  }
  await noteEvents(trx, [exceptionId], { actor, what: 'commented', detail: { text } })
  const [said] = await trx.query<Happened>(
    `select floor(extract(epoch from at) * 1000)::bigint || '-' || event_no as cursor, what, at,
            actor as by, detail
       from recon_timeline where org_id = $1 and exception_id = $2
      order by event_no desc limit 1`,
    [trx.scope, exceptionId],
  )
  if (said === undefined) {
    throw new Error('a comment that was written is not there')
  }
  return said
}
