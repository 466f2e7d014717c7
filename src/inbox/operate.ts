/** What people asked of the inbox and takes more than one transaction: replays and drains. */
import type { Database } from '../base/db.ts'
import { drain } from './pauses.ts'
import { continueReplay } from './replay.ts'

/** Organisations with a replay that runs, or a pause that has ended and is not drained. */
export async function organisationsToOperate(db: Database): Promise<number[]> {
  const rows = await db.statement<{ org_id: number }>(
    `select org_id from inbox_replays where state = 'running'
      union
     select org_id from inbox_pauses where resumed_at is not null and drained_at is null`,
  )
  return rows.map((row) => row.org_id)
}

/**
 * Goes on with it until nothing is left to do now; `onProgress` hears of each part that is
 * committed. Safe to run at any time, by any number of workers at once.
 */
export async function operate(
  db: Database,
  orgId: number,
  how: { shouldStop: () => boolean; onProgress: () => void },
): Promise<void> {
  // Among the journal's writers, so that nothing is held for a pause that has just ended.
  const queue = { queue: 'journal' } as const
  for (const part of [drain, continueReplay]) {
    for (let done = await db.transact(orgId, part, queue); ;) {
      how.onProgress()
      if (done === null || how.shouldStop()) {
        break
      }
      done = await db.transact(orgId, part, queue)
    }
  }
}
