/** Which organisation somebody means, and whether it is one that may work. */
import type { Database } from '../base/db.ts'

const KNOWN_MS = 60_000
const KNOWN_MAX = 10_000

/** The active organisation with that slug; undefined for none. */
export async function organisationOf(db: Database, slug: string): Promise<number | undefined> {
  const [row] = await db.statement<{ org_id: number }>(
    `select org_id from organisations where slug = $1 and state = 'active'`,
    [slug],
  )
  return row?.org_id
}

/** Whether an organisation exists and is active; believed for a minute once it was. */
export function openOrganisations(db: Database): (orgId: number) => Promise<boolean> {
  const knownUntil = new Map<number, number>()
  return async (orgId) => {
    const now = Date.now()
    if ((knownUntil.get(orgId) ?? 0) > now) {
      return true
    }
    const [row] = await db.statement(
      `select 1 from organisations where org_id = $1 and state = 'active'`,
      [orgId],
    )
    knownUntil.delete(orgId)
    if (row === undefined) {
      return false
    }
    if (knownUntil.size >= KNOWN_MAX) {
      knownUntil.clear()
    }
    knownUntil.set(orgId, now + KNOWN_MS)
    return true
  }
}
