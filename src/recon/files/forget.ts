/** Takes away the bytes of files that nobody needs any more; lines and counts stay. */
import type { Parts } from '../../base/parts.ts'
import { filesWithOldBytes, noteForgotten } from './file-turns.ts'
import { PREVIEW_DAYS } from './files.ts'
import { removeBytes } from './stored.ts'

/** So long whoever doubts a line can have what was sent looked at again. */
export const BYTES_DAYS = 90

/** Gives how many files. */
export async function forgetBytes(
  { db, files }: Pick<Parts, 'db' | 'files'>,
  most: number,
): Promise<number> {
  const days = { previews: PREVIEW_DAYS, ended: BYTES_DAYS }
  const old = await filesWithOldBytes(db, days, most)
  for (const file of old) {
    await removeBytes(files, { storedAs: file.stored_as, pieces: file.pieces })
    await noteForgotten(db, file)
  }
  return old.length
}
