/** How instructions stand, as metrics: what waits for consent, for an answer, for a person. */
import type { Database } from '../base/db.ts'
import { instructionsWaiting } from '../base/metrics-gateways.ts'
import { KINDS } from './instruction.ts'

const WAITING = ['proposed', 'sending', 'unknown'] as const

/** Notes it for all organisations together. */
export async function noteInstructions(db: Database): Promise<void> {
  const rows = await db.statement<{ kind: string; state: string; count: number }>(
    `select kind, state, count(*)::integer as count from instructions
      where state in ('proposed', 'sending', 'unknown')
      group by kind, state`,
  )
  for (const kind of KINDS) {
    for (const state of WAITING) {
      const row = rows.find((one) => one.kind === kind && one.state === state)
      instructionsWaiting.set({ kind, state }, row?.count ?? 0)
    }
  }
}
