/** Makes exports in the background: piece by piece into sealed files, so that memory stays flat. */
import { isConnectionError } from '../base/database-error.ts'
import type { Database } from '../base/db.ts'
import type { Files } from '../base/files.ts'
import type { Log } from '../base/log.ts'
import { exportsMade } from '../base/metrics.ts'
import { Problem } from '../base/problem.ts'
import {
  ALIVE_MS,
  claimExport,
  endExport,
  sayAlive,
  type Ending,
  type ExportJob,
  type Progress,
} from './jobs.ts'
import { pieceKey, removePieces } from './pieces.ts'
import { Disagreement, makeExport } from './make.ts'

/** A piece is sealed, and opened again, as a whole. */
const PIECE_BYTES = 4 * 1024 * 1024

export interface ExportParts {
  db: Database
  files: Files
  log: Log
  shouldStop(): boolean
}

/** Makes an organisation's next export; false where there is none to make. */
export async function makeNextExport(parts: ExportParts, orgId: number): Promise<boolean> {
  const { db, files, log } = parts
  const job = await claimExport(db, orgId)
  if (job === null) {
    return false
  }
  // What an attempt left that ended with its worker.
  await removePieces(files, orgId, { ...job, attempts: job.attempts - 1 })
  const progress: Progress = { rows: 0, bytes: 0, pieces: 0 }
  const ending = await made(parts, orgId, job, progress).catch((error: unknown): Ending => {
    log.error({ err: error, exportId: job.export_id }, 'an export could not be made')
    return endingOf(error)
  })
  const isEnded = ending !== null && (await endExport(db, orgId, job, ending))
  if (!isEnded || ending.state !== 'done') {
    // Cancelled, lost to another worker, or of no use.
    await removePieces(files, orgId, { ...job, pieces: progress.pieces })
  }
  exportsMade.inc({ outcome: isEnded ? ending.state : 'cancelled' })
  return ending?.state !== 'later'
}

/** Null where the export is not this worker's any more. */
async function made(
  { db, files, shouldStop }: ExportParts,
  orgId: number,
  job: ExportJob,
  progress: Progress,
): Promise<Ending | null> {
  const heart = openHeart(async () => await sayAlive(db, orgId, job, progress))
  const pieces = makeExport(db, orgId, job, job.through, (rows) => {
    progress.rows = rows
  })
  let gathered: Buffer[] = []
  let size = 0
  const keep = async (): Promise<void> => {
    progress.pieces += 1
    await files.put(pieceKey(orgId, job, progress.pieces), Buffer.concat(gathered))
    progress.bytes += size
    gathered = []
    size = 0
  }
  try {
    for (;;) {
      const next = await pieces.next()
      if (next.done === true) {
        await keep()
        return { state: 'done', manifest: next.value, pieces: progress.pieces }
      }
      gathered.push(next.value)
      size += next.value.length
      if (size >= PIECE_BYTES) {
        await keep()
        await heart.beat()
      }
      if (heart.isLost()) {
        return null
      }
      if (shouldStop()) {
        return { state: 'later' }
      }
    }
  } finally {
    heart.stop()
  }
}

/** Says again and again that this worker lives, until it hears that the export is not its own. */
function openHeart(say: () => Promise<boolean>) {
  let isLost = false
  let beating: Promise<void> | null = null
  const beat = async (): Promise<void> => {
    beating ??= say()
      .then((isMine) => {
        isLost ||= !isMine
      })
      .finally(() => {
        beating = null
      })
    await beating
  }
  const timer = setInterval(() => {
    // Where the database is away the work finds out by itself.
    beat().catch(() => undefined)
  }, ALIVE_MS / 6)
  return { beat, isLost: () => isLost, stop: () => clearInterval(timer) }
}

function endingOf(error: unknown): Ending {
  if (error instanceof Disagreement) {
    return { state: 'failed', failure: error.message, manifest: error.manifest }
  }
  if (error instanceof Problem && error.status < 500) {
    return { state: 'failed', failure: error.message, manifest: null }
  }
  if (isConnectionError(error) || error instanceof Problem) {
    return { state: 'later' }
  }
  return { state: 'failed', failure: 'Something failed on our side.', manifest: null }
}
