/** Derives the trial balances that closings stored anew, as they were known at that moment. */
import type { IsoDate } from '../../base/clock.ts'
import type { Database, Trx } from '../../base/db.ts'
import { trialBalanceOf } from '../closing/period-changes.ts'
import { FINDINGS_MAX, type Finding } from './finding.ts'

interface StoredChange {
  month: IsoDate
  version: number
  entry_no: bigint
  trial_balance: string
}

/** Change by change, each with a snapshot of its own. */
export async function verifyPeriods(db: Database, orgId: number): Promise<Finding[]> {
  const findings: Finding[] = []
  let last = { month: '-infinity', version: 0 }
  while (findings.length < FINDINGS_MAX) {
    const next = await db.read(orgId, async (trx) => {
      const stored = await changeAfter(trx, last)
      return stored === null ? null : { stored, agrees: await agrees(trx, stored) }
    })
    if (next === null) {
      break
    }
    const { stored } = next
    if (!next.agrees) {
      const which = `${stored.month.slice(0, 7)}, change ${stored.version}`
      const detail = `${which}: not the trial balance of the entries up to ${stored.entry_no}`
      findings.push({ check: 'closed month', detail })
    }
    last = stored
  }
  return findings
}

async function changeAfter(
  trx: Trx,
  last: { month: string; version: number },
): Promise<StoredChange | null> {
  const [row] = await trx.query<StoredChange>(
    `select month, version, entry_no, trial_balance from period_changes
      where org_id = $1 and (month, version) > ($2::date, $3::integer)
      order by month, version limit 1`,
    [trx.scope, last.month, last.version],
  )
  return row ?? null
}

async function agrees(trx: Trx, stored: StoredChange): Promise<boolean> {
  const derived = await trialBalanceOf(trx, stored.month.slice(0, 7), stored.entry_no)
  return derived.toString() === stored.trial_balance
}
