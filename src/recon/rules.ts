/** The organisation's rules of matching, kept version by version. */
import type { Trx } from '../base/db.ts'
import { DEFAULT_RULES, type Rules } from './match/rules.ts'

/** The version of the rules that hold where nobody made any. */
const DEFAULT_VERSION = 0

interface Kept {
  tolerance: { below: string; above: string; basisPoints: string }
  window: Rules['window']
  dueAfter: number
  bankWindow: Rules['bankWindow']
  holidays: string[]
  subset: Rules['subset']
}

/** The newest rules, or those of a version. */
export async function rulesOf(
  trx: Trx,
  version?: number,
): Promise<{ version: number; rules: Rules }> {
  const [row] = await trx.query<{ version: number; rules: Kept }>(
    `select version, rules from recon_rules
      where org_id = $1 and ($2::integer is null or version = $2)
      order by version desc limit 1`,
    [trx.scope, version ?? null],
  )
  if (row === undefined) {
    return { version: DEFAULT_VERSION, rules: DEFAULT_RULES }
  }
  const { below, above, basisPoints } = row.rules.tolerance
  return {
    version: row.version,
    rules: {
      ...row.rules,
      tolerance: {
        below: BigInt(below),
        above: BigInt(above),
        basisPoints: BigInt(basisPoints),
      },
    },
  }
}
