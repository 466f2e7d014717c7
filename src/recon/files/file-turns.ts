/** Files in the hands of workers: taken, renewed, fetched, loaded, failed, forgotten. */
import type { Database, Trx } from '../../base/db.ts'
import { newId } from '../../base/ids.ts'
import { Problem } from '../../base/problem.ts'
import type { Received } from './stored.ts'

/** A worker's file, its own until `LEASE_MINUTES` after it last said that it works. */
export interface TakenFile {
  org_id: number
  file_id: string
  lease: string
  tries: number
}

const LEASE_MINUTES = 10
const TRIES_MAX = 20

/** The file in that state that is due for longest, of whatever organisation; null where none is. */
export async function takeFile(
  db: Database,
  state: 'asked' | 'loading',
): Promise<TakenFile | null> {
  const [taken] = await db.statement<TakenFile>(
    `update recon_files f
        set lease = $2, leased_until = now() + interval '${LEASE_MINUTES} minutes',
            tries = f.tries + 1
      where (f.org_id, f.file_id) = (
        select w.org_id, w.file_id from recon_files w
         where w.state = $1 and w.next_try_at <= now()
           and (w.leased_until is null or w.leased_until < now())
         order by w.next_try_at, w.org_id, w.file_id limit 1
           for update skip locked)
     returning f.org_id, f.file_id, f.lease, f.tries`,
    [state, newId('obx')],
  )
  return taken ?? null
}

/** Says that it is worked on, and how far. Throws `unavailable` where another worker has it. */
export async function renewFile(db: Database, taken: TakenFile, done: number): Promise<void> {
  const mine = await db.statement(
    `update recon_files
        set done = $4, leased_until = now() + interval '${LEASE_MINUTES} minutes'
      where org_id = $1 and file_id = $2 and lease = $3 returning 1`,
    [taken.org_id, taken.file_id, taken.lease, done],
  )
  if (mine.length === 0) {
    throw takenOver()
  }
}

export function takenOver(): Problem {
  return new Problem('unavailable', { detail: 'Another worker has the file by now.' })
}

/** What was fetched lies there now, to be loaded. Throws as `renewFile`. */
export async function noteFetched(trx: Trx, taken: TakenFile, received: Received): Promise<void> {
  const mine = await trx.query(
    `update recon_files
        set state = 'loading', sha256 = $4, bytes = $5, stored_as = $6, pieces = $7, tries = 0,
            lease = null, leased_until = null, next_try_at = now(), problem = null
      where org_id = $1 and file_id = $2 and lease = $3 and state = 'asked' returning 1`,
    [
      trx.scope,
      taken.file_id,
      taken.lease,
      received.sha256,
      received.bytes,
      received.storedAs,
      received.pieces,
    ],
  )
  if (mine.length === 0) {
    throw takenOver()
  }
}

/** In the transaction that wrote its lines. Throws as `renewFile`. */
export async function noteLoaded(
  trx: Trx,
  taken: TakenFile,
  { fresh, known }: { fresh: number; known: number },
): Promise<void> {
  const mine = await trx.query(
    `update recon_files
        set state = 'loaded', fresh = $4, known = $5, done = lines, ended_at = now(),
            problem = null, lease = null, leased_until = null
      where org_id = $1 and file_id = $2 and lease = $3 and state = 'loading' returning 1`,
    [trx.scope, taken.file_id, taken.lease, fresh, known],
  )
  if (mine.length === 0) {
    throw takenOver()
  }
}

/** It did not work: again later, twice as long each time, or never where `isFinal`. */
export async function noteFailed(
  db: Database,
  taken: TakenFile,
  failed: { problem: string; isFinal: boolean; retryAfter: number },
): Promise<void> {
  const isFinal = failed.isFinal || taken.tries >= TRIES_MAX
  const wait = Math.max(failed.retryAfter, Math.min(3600, 5 * 2 ** Math.min(taken.tries, 12)))
  await db.statement(
    `update recon_files
        set problem = left($4, 1000), lease = null, leased_until = null,
            next_try_at = now() + make_interval(secs => $5),
            state = case when $6 then 'refused' else state end,
            ended_at = case when $6 then now() end
      where org_id = $1 and file_id = $2 and lease = $3`,
    [taken.org_id, taken.file_id, taken.lease, failed.problem, wait, isFinal],
  )
}

export interface OldBytes {
  org_id: number
  file_id: string
  stored_as: string
  pieces: number
}

/** Files whose bytes are kept for long enough: never loaded, or ended. */
export async function filesWithOldBytes(
  db: Database,
  days: { previews: number; ended: number },
  most: number,
): Promise<OldBytes[]> {
  return await db.statement<OldBytes>(
    `select org_id, file_id, stored_as, pieces from recon_files
      where stored_as is not null
        and (state = 'previewed' and made_at < now() - make_interval(days => $1)
          or state in ('loaded', 'refused') and ended_at < now() - make_interval(days => $2))
      order by made_at limit $3`,
    [days.previews, days.ended, most],
  )
}

/** After its bytes are gone; a file that was never loaded is forgotten with them. */
export async function noteForgotten(db: Database, file: OldBytes): Promise<void> {
  await db.statement(
    `update recon_files
        set stored_as = null, pieces = 0, preview = null,
            state = case when state = 'previewed' then 'forgotten' else state end,
            ended_at = coalesce(ended_at, now())
      where org_id = $1 and file_id = $2 and stored_as = $3`,
    [file.org_id, file.file_id, file.stored_as],
  )
}
