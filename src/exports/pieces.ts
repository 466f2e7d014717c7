/** Files of exports in pieces: where each is kept, and how they are taken away. */
import type { Database } from '../base/db.ts'
import type { Files } from '../base/files.ts'
import type { ExportJob } from './jobs.ts'

/** Where a piece of a file is kept; each attempt writes its own. */
export function pieceKey(
  orgId: number,
  { export_id: exportId, attempts }: Pick<ExportJob, 'export_id' | 'attempts'>,
  piece: number,
): string {
  return `exports/${orgId}/${exportId}/${attempts}-${String(piece).padStart(5, '0')}.part`
}

/** Takes away what attempts left behind: one piece more than they had time to say. */
export async function removePieces(
  files: Files,
  orgId: number,
  { export_id: exportId, attempts, pieces }: Pick<ExportJob, 'export_id' | 'attempts' | 'pieces'>,
): Promise<void> {
  for (let piece = 1; piece <= pieces + 1; piece += 1) {
    await files.remove(pieceKey(orgId, { export_id: exportId, attempts }, piece))
  }
}

/** Forgets files and rows of exports that ended so many days ago; gives how many. */
export async function forgetExports(
  db: Database,
  days: number,
  most: number,
  files: Files,
): Promise<number> {
  const over = await db.statement<
    Pick<ExportJob, 'export_id' | 'attempts' | 'pieces'> & { org_id: number }
  >(
    `select org_id, export_id, attempts, pieces from export_jobs
      where ended_at < now() - make_interval(days => $1) order by ended_at limit $2`,
    [days, most],
  )
  for (const one of over) {
    // Files first: a row without its file is tried again, a file without its row by nobody.
    await removePieces(files, one.org_id, one)
    await db.statement('delete from export_jobs where org_id = $1 and export_id = $2', [
      one.org_id,
      one.export_id,
    ])
  }
  return over.length
}
