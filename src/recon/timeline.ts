/** One exception from its beginning to its end, as it happened; and what is said about it. */
import type { Trx } from '../base/db.ts'
import { Problem } from '../base/problem.ts'
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

/**
 * What happened to an exception, the first first: what runs did with it, and what is in its own
 * list. Throws `not_found`.
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
        union all
       select 1000001, 'ended', e.ended_at,
              coalesce((select r.run_id from recon_runs r
                         where r.org_id = $1 and r.run_no = e.ended_by_run), 'person'),
              jsonb_build_object('state', e.state)
         from e where e.ended_at is not null
     ), placed as (
       select h.*, floor(extract(epoch from h.at) * 1000)::bigint as ms from happened h
     )
     select ms || '-' || place as cursor, what, at, by, detail from placed
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
