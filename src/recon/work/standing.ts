/** How the reconciliation stands, as metrics: what does not agree, by kind, and what is overdue. */
import type { Database } from '../../base/db.ts'
import { reconExceptions, reconOverdue } from '../../base/metrics-gateways.ts'
import { EXCEPTION_KINDS } from '../match/kinds.ts'
import { SEVERITIES } from './policy.ts'

/** Notes it for all organisations together. */
export async function noteRecon(db: Database): Promise<void> {
  const rows = await db.statement<{ kind: string; count: number }>(
    `select kind, count(*)::integer as count from recon_exceptions
      where state = 'open' group by kind`,
  )
  for (const kind of EXCEPTION_KINDS) {
    reconExceptions.set({ kind }, rows.find((row) => row.kind === kind)?.count ?? 0)
  }
  const overdue = await db.statement<{ severity: number; count: number }>(
    `select severity, count(*)::integer as count from recon_cases
      where state = 'open' and due_at <= now() group by severity`,
  )
  for (const [place, severity] of SEVERITIES.entries()) {
    const count = overdue.find((row) => row.severity === place)?.count ?? 0
    reconOverdue.set({ severity }, count)
  }
}
