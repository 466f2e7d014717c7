/** What nothing tries any more, counted for whoever is to look at it. */
import type { Database } from '../base/db.ts'
import { deadRows, emailRows } from '../base/metrics.ts'

const ENDED = ['refused', 'unconfirmed', 'dead'] as const

/** Notes in the metrics how many events, promised receipts and emails ended without success. */
export async function noteDead(db: Database): Promise<void> {
  const rows = await db.statement<{ kind: string; state: string; count: number }>(
    `select 'events' as kind, 'dead' as state, count(*)::integer as count
       from inbox_events where state = 'dead'
     union all
     select 'receipts', 'dead', count(*)::integer from outbox where state = 'dead'
     union all
     select 'emails', e.state, count(*)::integer
       from receipt_emails e where e.state in ('refused', 'unconfirmed', 'dead') group by e.state`,
  )
  const countOf = (kind: string, state: string): number =>
    rows.find((row) => row.kind === kind && row.state === state)?.count ?? 0
  for (const kind of ['events', 'receipts', 'emails']) {
    deadRows.set({ kind }, countOf(kind, 'dead'))
  }
  for (const state of ENDED) {
    emailRows.set({ state }, countOf('emails', state))
  }
}
