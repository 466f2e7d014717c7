/** How the reconciliation stands, as metrics: what does not agree, by kind. */
import type { Database } from '../base/db.ts'
import { reconExceptions } from '../base/metrics-gateways.ts'
import { EXCEPTION_KINDS } from './match/kinds.ts'

/** Notes it for all organisations together. */
export async function noteRecon(db: Database): Promise<void> {
  const rows = await db.statement<{ kind: string; count: number }>(
    `select kind, count(*)::integer as count from recon_exceptions
      where state = 'open' group by kind`,
  )
  for (const kind of EXCEPTION_KINDS) {
    reconExceptions.set({ kind }, rows.find((row) => row.kind === kind)?.count ?? 0)
  }
}
