/** Loads the file that a worker has taken: its bytes into lines, in one transaction. */
import { isConnectionError } from '../../base/database-error.ts'
import type { Parts } from '../../base/parts.ts'
import { messageOf, Problem } from '../../base/problem.ts'
import { findFile, holdLoading } from './files.ts'
import { noteFailed, noteLoaded, renewFile, type TakenFile } from './file-turns.ts'
import { loadBytes, type Reading } from './read-file.ts'
import { findSource, mappingOf } from './sources-of-lines.ts'
import { Unreadable } from '../sources/reading.ts'
import { BytesGone, readBytes } from './stored.ts'
import { noteTally } from './tallies.ts'

type LoadParts = Pick<Parts, 'db' | 'files' | 'log'>

/** How often whoever waits is told how far it is, and the lease renewed. */
const PROGRESS_MS = 1000

/** Days are fetched as the gateway's API writes them, whatever the source's files look like. */
const AS_FETCHED = { format: 'json', mapping: {} } as const

/** Throws only where Postgres cannot be reached; all else is noted with the file. */
export async function loadTaken(parts: LoadParts, taken: TakenFile): Promise<void> {
  try {
    await load(parts, taken)
  } catch (error) {
    if (isConnectionError(error)) {
      throw error
    }
    const isFinal = error instanceof Unreadable || error instanceof BytesGone
    const isSaid = isFinal || error instanceof Problem
    if (!isSaid) {
      const { org_id: orgId, file_id: fileId } = taken
      parts.log.error({ err: error, orgId, fileId }, 'a file was not loaded')
    }
    const problem = isSaid ? messageOf(error) : 'Something failed on our side; see the log.'
    await noteFailed(parts.db, taken, { problem, isFinal, retryAfter: 0 })
  }
}

async function load({ db, files }: LoadParts, taken: TakenFile): Promise<void> {
  let lastSaid = Date.now()
  const say = async (lines: number): Promise<void> => {
    if (Date.now() - lastSaid >= PROGRESS_MS) {
      lastSaid = Date.now()
      await renewFile(db, taken, lines)
    }
  }
  await db.bulk(taken.org_id, async (trx) => {
    await holdLoading(trx)
    const file = await findFile(trx, taken.file_id)
    if (file.state !== 'loading' || file.stored_as === null) {
      return
    }
    const source = await findSource(trx, file.source_id)
    const set = await mappingOf(trx, file.source_id, file.mapping_version)
    const reading: Reading = { source, ...(file.fetched_day === null ? set : AS_FETCHED) }
    const bytes = readBytes(files, { storedAs: file.stored_as, pieces: file.pieces })
    const { tally, loaded } = await loadBytes(trx, file.file_no, reading, bytes, say)
    await noteTally(trx, taken.file_id, tally)
    await noteLoaded(trx, taken, loaded)
  })
}
