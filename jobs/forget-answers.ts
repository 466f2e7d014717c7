/** Forgets what was answered to requests with an Idempotency-Key, once it was kept long enough. */
import type { Database } from '../src/base/db.ts'

/** The database keeps each for 24 hours whatever is asked of it; an hour more is for clocks. */
const KEPT_HOURS = 25
const TOGETHER = 1000

/** Of all organisations, up to a thousand. */
export async function forgetAnswers(db: Database): Promise<void> {
  await db.statement(
    `delete from kept_answers where ctid = any(array(
       select ctid from kept_answers
        where answered_at < now() - make_interval(hours => $1) limit $2))`,
    [KEPT_HOURS, TOGETHER],
  )
}
