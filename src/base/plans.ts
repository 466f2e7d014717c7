/** Plans that connections keep: what statements are called, and for how long a plan is good. */
import type pg from 'pg'

/** A kept plan was made for tables as they were, perhaps empty: no table is read as a whole. */
export const BY_KEYS = ['seqscan', 'bitmapscan', 'hashjoin', 'mergejoin']
  .map((way) => `; set local enable_${way} = off`)
  .join('')

/**
 * Plans are kept for so long: which index a table's size asks for is another one when it has grown,
 * and statistics come late. Planning all of them takes some ten milliseconds.
 */
const PLANS_MS = 5000
const plannedAt = new WeakMap<pg.PoolClient, number>()

/** True where the connection is to throw its plans away now; it counts from then on. */
export function haveOldPlans(client: pg.PoolClient): boolean {
  const now = performance.now()
  const since = plannedAt.get(client)
  if (since !== undefined && now - since < PLANS_MS) {
    return false
  }
  plannedAt.set(client, now)
  return since !== undefined
}

/** As many statements have a name at the most; what comes after them is planned each time. */
const NAMES_MAX = 500
const names = new Map<string, string>()

/** The name under which connections keep the plan of a statement; undefined for one too many. */
export function nameOf(sql: string): string | undefined {
  const known = names.get(sql)
  if (known !== undefined || names.size >= NAMES_MAX) {
    return known
  }
  const name = `planned_${names.size}`
  names.set(sql, name)
  return name
}
