/** What a database error means: refused by a rule, undone because of others, connection lost. */
import pg from 'pg'

/** The database refused what was to be written: a rule (class 23), or a number too large (22). */
export function isRefusedByDatabase(error: unknown): boolean {
  return /^2[23]/.test(sqlStateOf(error) ?? '')
}

/** The SQLSTATE of a database error, or undefined for any other. */
export function sqlStateOf(error: unknown): string | undefined {
  return error instanceof pg.DatabaseError ? error.code : undefined
}

/** Connection lost or refused, server starting or stopping: what heals by itself later. */
export function isConnectionError(error: unknown): boolean {
  const code = sqlStateOf(error)
  if (code !== undefined) {
    return code.startsWith('08') || code.startsWith('57P') || code === '53300'
  }
  if (!(error instanceof Error)) {
    return false
  }
  const system = 'code' in error && typeof error.code === 'string' ? error.code : ''
  return (
    /^(ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|EHOST)/.test(system) ||
    CONNECTION_LOST.test(error.message) ||
    (error instanceof AggregateError && error.errors.some(isConnectionError))
  )
}

/** How `pg` words it; it gives these no code. */
const CONNECTION_LOST =
  /Connection terminated|timeout exceeded when trying to connect|not queryable|read timeout/i

/** Postgres gave the statement up after its time (SQLSTATE 57014). */
export function isTimedOut(error: unknown): boolean {
  return sqlStateOf(error) === '57014'
}

/** The connection was not even made: nothing was sent. */
export function wasNeverConnected(error: unknown): boolean {
  const text = error instanceof Error ? error.message : ''
  const system = error instanceof Error && 'code' in error ? String(error.code) : ''
  return /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOST)/.test(system) || /trying to connect/.test(text)
}

/**
 * A migration changed what a statement gives that the session has prepared. The driver never
 * prepares it anew, so that only another connection helps.
 */
export function isPlanOutdated(error: unknown): boolean {
  return (
    error instanceof pg.DatabaseError &&
    error.code === '0A000' &&
    error.routine === 'RevalidateCachedQuery'
  )
}
