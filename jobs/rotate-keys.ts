/** Seals rows of older data keys with the newest one, organisation by organisation. */
import { rowsUnderOldKeys } from '../src/base/metrics.ts'
import { organisationsToRotate, rotateKeys } from '../src/keys/rotate.ts'
import { unknownKeys } from '../src/keys/unknown-keys.ts'
import type { Job } from './job.ts'

export const rotateKeysJob: Job = {
  name: 'rotate-keys',
  async run(parts) {
    const { db, keyring, log, shouldStop } = parts
    const due = await organisationsToRotate(db, keyring.sealWith)
    let unseen = due.length
    for (const orgId of due) {
      if (shouldStop()) {
        break
      }
      try {
        await rotateKeys(parts, orgId)
        unseen -= 1
      } catch (error) {
        // One organisation's trouble is not the others'; its rows stay due.
        log.error({ err: error, orgId }, 'keys not rotated')
      }
    }
    await unknownKeys(db, keyring)
    const [row] = await db.statement<{ rows: bigint }>(
      'select coalesce(sum(rows_left), 0)::bigint as rows from key_rotations where key_id = $1',
      [keyring.sealWith],
    )
    // Whoever was not looked at has something left, for all that is known.
    rowsUnderOldKeys.set(Number(row?.rows ?? 0n) + unseen)
  },
}
