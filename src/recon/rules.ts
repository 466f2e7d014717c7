/** The organisation's rules of matching, kept version by version. */
import type { Trx } from '../base/db.ts'
import { DEFAULT_RULES, type Rules } from './match/rules.ts'

/** The version of the rules that hold where nobody made any. */
const DEFAULT_VERSION = 0

/** Rules as they are stored: amounts as text. */
export interface Kept {
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
  return { version: row.version, rules: rulesOfKept(row.rules) }
}

export function rulesOfKept(kept: Kept): Rules {
  const { below, above, basisPoints } = kept.tolerance
  return {
    ...kept,
    tolerance: {
      below: BigInt(below),
      above: BigInt(above),
      basisPoints: BigInt(basisPoints),
    },
  }
}

export function keptOf(rules: Rules): Kept {
  const { below, above, basisPoints } = rules.tolerance
  return {
    tolerance: { below: `${below}`, above: `${above}`, basisPoints: `${basisPoints}` },
    window: rules.window,
    dueAfter: rules.dueAfter,
    bankWindow: rules.bankWindow,
    holidays: [...rules.holidays],
    subset: rules.subset,
  }
}

/** Makes a new version of the rules; gives its number. */
export async function addRules(
  trx: Trx,
  rules: Rules,
  by: { actor: string; reason: string },
): Promise<number> {
  const [made] = await trx.query<{ version: number }>(
    `insert into recon_rules (org_id, version, rules, made_by, reason)
     select $1, coalesce(max(version), 0) + 1, $2, $3, $4 from recon_rules where org_id = $1
     returning version`,
    [trx.scope, JSON.stringify(keptOf(rules)), by.actor, by.reason],
  )
  return made?.version ?? DEFAULT_VERSION
}
