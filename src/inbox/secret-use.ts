/** Notes when each webhook secret signed something last, away from the intake and once a minute. */
import { isConnectionError } from '../base/database-error.ts'
import type { Database } from '../base/db.ts'
import type { Log } from '../base/log.ts'
import { markSecretsUsed } from '../organisations/webhook-endpoints.ts'

/** Notes the secrets that signed these events; never throws, because nothing rests on it. */
export async function noteSecretsUsed(
  db: Database,
  orgId: number,
  events: readonly { secret_id: string | null; received_at: Date }[],
  log: Log,
): Promise<void> {
  const newest = new Map<string, Date>()
  for (const { secret_id: secretId, received_at: at } of events) {
    const before = secretId === null ? at : newest.get(secretId)
    if (secretId !== null && (before === undefined || before < at)) {
      newest.set(secretId, at)
    }
  }
  if (newest.size === 0) {
    return
  }
  try {
    await markSecretsUsed(db, orgId, newest)
  } catch (error) {
    const level = isConnectionError(error) ? 'warn' : 'error'
    log[level]({ err: error, orgId }, 'the use of a webhook secret was not noted')
  }
}
