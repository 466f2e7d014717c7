/** Files that belong to an exception: sealed, known by their bytes, never removed. */
import type { Trx } from '../../base/db.ts'
import { newId } from '../../base/ids.ts'
import { Problem } from '../../base/problem.ts'
import type { AttachedMedia } from './attached-media.ts'
import { holdCase, noteEvents } from './cases.ts'
import type { Received } from '../files/stored.ts'

export const ATTACHMENT_BYTES_MAX = 10 * 1024 * 1024
/** Of one exception. */
export const ATTACHMENTS_MAX = 20

export interface Attachment {
  attachment_id: string
  exception_id: string
  name: string
  media: AttachedMedia
  bytes: number
  sha256: Buffer
  stored_as: string
  pieces: number
  added_by: string
  added_at: Date
}

const COLUMNS = `attachment_id, exception_id, name, media, bytes, sha256, stored_as, pieces,
  added_by, added_at`

/**
 * Keeps what was stored; the one that was there before where the exception has these bytes already
 * (the caller removes what he stored then). Throws `not_found`, `limit_reached`.
 */
export async function addAttachment(
  trx: Trx,
  exceptionId: string,
  file: { name: string; media: AttachedMedia; received: Received; actor: string },
): Promise<Attachment> {
  await holdCase(trx, exceptionId)
  const those = await listAttachments(trx, exceptionId)
  const { name, media, received, actor } = file
  const same = those.find(({ sha256 }) => sha256.equals(received.sha256))
  if (same !== undefined) {
    return same
  }
  if (those.length >= ATTACHMENTS_MAX) {
    const detail = `An exception has at most ${ATTACHMENTS_MAX} files.`
    throw new Problem('limit_reached', { detail, moved: 'no' })
  }
  const [made] = await trx.query<Attachment>(
    `insert into recon_attachments (org_id, attachment_id, exception_id, name, media, bytes,
       sha256, stored_as, pieces, added_by)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
     returning ${COLUMNS}`,
    [
      trx.scope,
      newId('att'),
      exceptionId,
      name,
      media,
      received.bytes,
      received.sha256,
      received.storedAs,
      received.pieces,
      actor,
    ],
  )
  if (made === undefined) {
    throw new Error('an attachment that was written is not there')
  }
  const detail = {
    attachment: made.attachment_id,
    name,
    sha256: received.sha256.toString('hex'),
  }
  await noteEvents(trx, [exceptionId], { actor, what: 'attached', detail })
  return made
}

/** All of an exception, in the order in which they came. */
export async function listAttachments(trx: Trx, exceptionId: string): Promise<Attachment[]> {
  return await trx.query<Attachment>(
    `select ${COLUMNS} from recon_attachments
      where org_id = $1 and exception_id = $2 order by attachment_id limit ${ATTACHMENTS_MAX}`,
    [trx.scope, exceptionId],
  )
}

/** Throws `not_found`. */
export async function findAttachment(trx: Trx, attachmentId: string): Promise<Attachment> {
  const [row] = await trx.query<Attachment>(
    `select ${COLUMNS} from recon_attachments where org_id = $1 and attachment_id = $2`,
    [trx.scope, attachmentId],
  )
  if (row === undefined) {
    throw new Problem('not_found', { detail: 'There is no such file.' })
  }
  return row
}
