/** Which organisation somebody means, and whether it is one that may work. */
import type { Database } from '../base/db.ts'

/** The active organisation with that slug; undefined for none. */
export async function organisationOf(db: Database, slug: string): Promise<number | undefined> {
  const [row] = await db.statement<{ org_id: number }>(
    `select org_id from organisations where slug = $1 and state = 'active'`,
    [slug],
  )
  return row?.org_id
}

/**
 * Whether an organisation exists and is active, asked anew each time, so that nobody comes in after
 * it was suspended; those who come together share the question.
 */
export function openOrganisations(db: Database): (orgId: number) => Promise<boolean> {
  const asking = new Map<number, Promise<boolean>>()
  const ask = async (orgId: number): Promise<boolean> => {
    const rows = await db.prepared({
      name: 'organisation_is_active',
      sql: `select 1 from organisations where org_id = $1 and state = 'active'`,
      params: [orgId],
    })
    return rows.length > 0
  }
  return async (orgId) => {
    const begun = asking.get(orgId)
    if (begun !== undefined) {
      return await begun
    }
    const asked = ask(orgId).finally(() => asking.delete(orgId))
    asking.set(orgId, asked)
    return await asked
  }
}
