/** A transaction that posts, and what its caller hears where the database is lost in the middle. */
import { isConnectionError } from '../../base/database-error.ts'
import type { Database, Trx, WriterQueue } from '../../base/db.ts'
import { Problem } from '../../base/problem.ts'

/**
 * Runs `work` in one SERIALIZABLE transaction among the writers of an organisation's journal.
 * Throws `unavailable` where the connection is lost: moved `no` before COMMIT was sent, because
 * Postgres then undoes all of it, and `unknown` after. `behind` is another queue to stand in first.
 */
export async function inJournal<T>(
  db: Database,
  orgId: number,
  work: (trx: Trx) => Promise<T>,
  behind?: WriterQueue,
): Promise<T> {
  let isEnding = false
  try {
    return await db.transact(
      orgId,
      async (trx) => {
        isEnding = false
        const result = await work(trx)
        isEnding = true
        return result
      },
      { queue: 'journal', ...(behind === undefined ? {} : { behind }) },
    )
  } catch (error) {
    if (!isConnectionError(error)) {
      throw error
    }
    throw new Problem('unavailable', {
      detail: 'The database was lost. Send the same again: it is posted once.',
      moved: isEnding ? 'unknown' : 'no',
      retryAfter: 1,
      cause: error,
    })
  }
}
