/** Seals anew what lies on disk in pieces: statements, attachments, trials and exports. */
import { pieceKey as pieceOfExport } from '../exports/pieces.ts'
import { pieceKey } from '../recon/files/stored.ts'
import type { RotationParts } from './parts.ts'

interface StoredRow {
  id: string
  pieces: number
  /** Below which name its pieces lie; an export's follows from its attempts. */
  stored_as: string | null
  attempts: number
}

interface StoredFiles {
  table: string
  id: string
  storedAs: string
  attempts: string
}

const IN_PIECES = { storedAs: 'stored_as', attempts: '0' }

/** Every table whose rows have bytes on disk; a receipt's PDF is made anew from its document. */
export const STORED_FILES: readonly StoredFiles[] = [
  { table: 'recon_attachments', id: 'attachment_id', ...IN_PIECES },
  { table: 'recon_files', id: 'file_id', ...IN_PIECES },
  { table: 'recon_trials', id: 'trial_id', ...IN_PIECES },
  { table: 'export_jobs', id: 'export_id', storedAs: 'null', attempts: 'attempts' },
]

const ROWS_TOGETHER = 100

export interface ResealedFiles {
  resealed: number
  /** Pieces that could not be opened, or were not looked at because the worker is to end. */
  left: bigint
}

/**
 * Looks at the key of every piece that an organisation has on disk, and seals with the newest what
 * another one sealed. What is there counts and not what a row says: a process that had not yet
 * heard of the new key may have stored it.
 */
export async function resealFiles(parts: RotationParts, orgId: number): Promise<ResealedFiles> {
  const done: ResealedFiles = { resealed: 0, left: 0n }
  for (const stored of STORED_FILES) {
    for (let after = ''; ;) {
      const rows = await nextRows(parts, orgId, stored, after)
      for (const row of rows) {
        await resealRow(parts, orgId, stored, row, done)
      }
      const last = rows.at(-1)
      if (last === undefined) {
        break
      }
      after = last.id
    }
  }
  return done
}

async function nextRows(
  { db }: RotationParts,
  orgId: number,
  { table, id, storedAs, attempts }: StoredFiles,
  after: string,
): Promise<StoredRow[]> {
  return await db.read(
    orgId,
    async (trx) =>
      await trx.query<StoredRow>(
        `select ${id} as id, pieces, ${storedAs} as stored_as, ${attempts} as attempts
           from ${table}
          where org_id = $1 and ${id} > $2 and pieces > 0 order by ${id} limit $3`,
        [orgId, after, ROWS_TOGETHER],
      ),
  )
}

async function resealRow(
  parts: RotationParts,
  orgId: number,
  { table }: StoredFiles,
  row: StoredRow,
  done: ResealedFiles,
): Promise<void> {
  const { id, pieces, stored_as: storedAs, attempts } = row
  for (let number = 1; number <= pieces; number += 1) {
    if (parts.shouldStop()) {
      // Else a rotation that was cut short would be noted as one that left nothing.
      done.left += BigInt(pieces - number + 1)
      return
    }
    const piece =
      storedAs === null
        ? pieceOfExport(orgId, { export_id: id, attempts }, number)
        : pieceKey(storedAs, number)
    try {
      done.resealed += (await resealPiece(parts, piece)) ? 1 : 0
    } catch (error) {
      done.left += 1n
      parts.log.error({ err: error, orgId, table, row: id, piece: number }, 'piece not sealed anew')
    }
  }
}

/** False where there was nothing to do. Throws where it cannot be opened, or written. */
async function resealPiece({ files, keyring }: RotationParts, piece: string): Promise<boolean> {
  const keyId = await files.sealedWith(piece)
  if (keyId === undefined || keyId === keyring.sealWith) {
    return false
  }
  const bytes = await files.get(piece)
  if (bytes !== undefined) {
    return await files.replace(piece, bytes)
  }
  if ((await files.sealedWith(piece)) === undefined) {
    return false
  }
  throw new Error(`not opened; it is sealed with "${keyId}"`)
}
