/** Which organisations have work waiting: what the sweep rings for and the workers drain. */
import type { Database } from '../base/db.ts'
import { oldestWaitingSeconds, waiting } from '../base/metrics.ts'

export type Work = 'confirmations' | 'events' | 'receipts' | 'emails'

const DUE: Readonly<Record<Work, string>> = {
  confirmations: `select org_id, count(*)::integer as due, min(received_at) as oldest
                    from inbox_events
                   where state = 'waiting' and next_try_at <= now()
                     and needs_confirmation and confirmation is null
                   group by org_id`,
  events: `select org_id, count(*)::integer as due, min(received_at) as oldest
             from inbox_events
            where state = 'waiting' and next_try_at <= now()
              and (not needs_confirmation or confirmation is not null)
            group by org_id`,
  receipts: `select org_id, count(*)::integer as due, min(created_at) as oldest
               from outbox
              where topic = 'issue_receipt' and state = 'waiting' and next_try_at <= now()
              group by org_id`,
  emails: `select org_id, count(*)::integer as due, min(created_at) as oldest
             from receipt_emails
            where state in ('waiting', 'claimed', 'sending') and next_try_at <= now()
            group by org_id`,
}

/** Organisations with due work of that kind, the longest waiting first; notes it in the metrics. */
export async function organisationsWith(db: Database, work: Work): Promise<number[]> {
  const rows = await db.statement<{ org_id: number; due: number; oldest: Date }>(
    `${DUE[work]} order by oldest`,
  )
  waiting.set(
    { kind: work },
    rows.reduce((sum, row) => sum + row.due, 0),
  )
  const oldest = rows[0]?.oldest.getTime() ?? Date.now()
  oldestWaitingSeconds.set({ kind: work }, Math.max(0, (Date.now() - oldest) / 1000))
  return rows.map((row) => row.org_id)
}
