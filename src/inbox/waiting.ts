/** Which organisations have work waiting: what the sweep rings for and the workers drain. */
import type { Database } from '../base/db.ts'
import { oldestWaitingSeconds, waiting } from '../base/metrics.ts'
import { CLEAR_DAYS, DONE_SINCE } from './bodies.ts'

export type Work =
  | 'confirmations'
  | 'events'
  | 'instructions'
  | 'receipts'
  | 'emails'
  | 'invitations'
  | 'webhooks'
  | 'seals'
  | 'self_checks'
  | 'people_notes'
  | 'inbox_bodies'
  | 'offline_imports'
  | 'recon_files'
  | 'recon_runs'
  | 'recon_trials'
  | 'recon_fetches'
  | 'recon_turns'
  | 'recon_emails'
  | 'exports'
  | 'export_emails'

const DUE: Readonly<Record<Work, string>> = {
  confirmations: `select org_id, count(*)::integer as due, min(received_at) as oldest
                    from inbox_events
                   where state = 'waiting' and held_at is null and next_try_at <= now()
                     and needs_confirmation and confirmation is null
                   group by org_id`,
  events: `select org_id, count(*)::integer as due, min(received_at) as oldest
             from inbox_events
            where state = 'waiting' and held_at is null and next_try_at <= now()
              and (not needs_confirmation or confirmation is not null)
            group by org_id`,
  instructions: `select org_id, count(*)::integer as due, min(next_try_at) as oldest
                   from instructions
                  where state in ('intended', 'sending', 'accepted') and next_try_at <= now()
                  group by org_id`,
  receipts: `select org_id, count(*)::integer as due, min(created_at) as oldest
               from outbox
              where topic = 'issue_receipt' and state = 'waiting' and next_try_at <= now()
              group by org_id`,
  emails: `select org_id, count(*)::integer as due, min(created_at) as oldest
             from receipt_emails
            where state in ('waiting', 'claimed', 'sending') and next_try_at <= now()
              and org_id not in (select o.org_id from organisations o
                                  where 'receipt_emails' = any(o.switched_off))
            group by org_id`,
  invitations: `select org_id, count(*)::integer as due, min(created_at) as oldest
                  from invitation_emails
                 where state in ('waiting', 'claimed', 'sending') and next_try_at <= now()
                 group by org_id`,
  // Late by how much: a retry that is due in the future does not wait.
  webhooks: `select org_id, sum(due)::integer as due, min(oldest) as oldest
               from (
                 select org_id, count(*) as due, min(created_at) as oldest
                   from webhook_messages where fanned_out_at is null group by org_id
                  union all
                 select d.org_id, count(*), min(d.next_try_at)
                   from webhook_deliveries d
                   join webhook_subscriptions s
                     on s.org_id = d.org_id and s.subscription_id = d.subscription_id
                  where d.state in ('waiting', 'sending') and d.next_try_at <= now()
                    and s.state = 'enabled'
                  group by d.org_id
               ) late
              group by org_id`,
  // Days of India that ended ten minutes ago or longer (src/exports/seal.ts, SETTLE_MINUTES).
  seals: `select org_id, ended - sealed as due,
                 (sealed + 2)::timestamp at time zone 'Asia/Kolkata' as oldest
            from (
              select o.org_id,
                     coalesce(
                       (select max(s.day) from day_seals s where s.org_id = o.org_id),
                       (o.created_at at time zone 'Asia/Kolkata')::date - 1) as sealed,
                     ((now() - interval '10 minutes') at time zone 'Asia/Kolkata')::date - 1
                       as ended
                from organisations o
            ) days
           where sealed < ended`,
  self_checks: `select o.org_id, 1 as due, coalesce(c.due_at, now()) as oldest
                  from organisations o left join self_checks c on c.org_id = o.org_id
                 where c.due_at is null or c.due_at <= now()`,
  people_notes: `select org_id, count(*)::integer as due, min(noted_at) as oldest
                   from people_audit_waiting group by org_id`,
  // Counted up to a thousand each: after an update of the service all that was ever sent is due.
  inbox_bodies: `select o.org_id, b.due, b.oldest + interval '${CLEAR_DAYS} days' as oldest
                   from organisations o
                  cross join lateral (
                    select count(*)::integer as due, min(since) as oldest
                      from (
                        select ${DONE_SINCE} as since from inbox_events e
                         where e.org_id = o.org_id and e.body is not null and e.state <> 'waiting'
                           and ${DONE_SINCE}
                               < now() - interval '${CLEAR_DAYS} days'
                         order by ${DONE_SINCE} limit 1000
                      ) first
                  ) b
                  where b.due > 0`,
  offline_imports: `select org_id, count(*)::integer as due, min(committed_at) as oldest
                      from offline_imports where state = 'committing' group by org_id`,
  recon_runs: `select org_id, count(*)::integer as due, min(asked_at) as oldest
                 from recon_runs where state <> 'done' and next_try_at <= now() group by org_id`,
  // Asked for, or left by a worker that died.
  recon_trials: `select org_id, count(*)::integer as due, min(asked_at) as oldest
                   from recon_trials
                  where state = 'waiting' and next_try_at <= now()
                     or state = 'running' and alive_until <= now()
                  group by org_id`,
  recon_files: `select org_id, count(*)::integer as due, min(next_try_at) as oldest
                  from recon_files
                 where state = 'loading' and next_try_at <= now()
                   and (leased_until is null or leased_until < now())
                 group by org_id`,
  // Asked for, or of today and not begun; from 06:00 on in India (FETCH_HOUR of recon/files/fetch).
  recon_fetches: `select org_id, sum(due)::integer as due, min(oldest) as oldest
                    from (
                      select org_id, count(*) as due, min(next_try_at) as oldest
                        from recon_files
                       where state = 'asked' and next_try_at <= now()
                         and (leased_until is null or leased_until < now())
                       group by org_id
                       union all
                      select s.org_id, count(*), now()
                        from recon_sources s
                        join (select now() at time zone 'Asia/Kolkata' as here) t
                          on extract(hour from t.here) >= 6
                       where s.fetched_daily and s.archived_at is null
                         and (s.fetched_on is null or s.fetched_on < t.here::date)
                       group by s.org_id
                    ) both_kinds
                   group by org_id`,
  // Once an hour while anything is open (src/recon/work/reminders.ts, TURN_MINUTES).
  recon_turns: `select o.org_id, 1 as due, coalesce(t.next_at, now()) as oldest
                  from organisations o left join recon_turns t on t.org_id = o.org_id
                 where (t.next_at is null or t.next_at <= now())
                   and exists (select from recon_cases c
                                where c.org_id = o.org_id and c.state = 'open')`,
  recon_emails: `select org_id, count(*)::integer as due, min(created_at) as oldest
                   from recon_emails
                  where state in ('waiting', 'claimed', 'sending') and next_try_at <= now()
                  group by org_id`,
  // Asked for, left by a worker that died, or due by the calendar.
  exports: `select org_id, count(*)::integer as due, min(since) as oldest
              from (
                select org_id, asked_at as since from export_jobs
                 where state = 'waiting' or state = 'running' and alive_until <= now()
                 union all
                select org_id, next_on::timestamp at time zone 'Asia/Kolkata' from export_schedules
                 where ended_at is null and next_on <= (now() at time zone 'Asia/Kolkata')::date
              ) open
             group by org_id`,
  export_emails: `select org_id, count(*)::integer as due, min(created_at) as oldest
                    from export_emails
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
  const now = Date.now()
  const oldest = rows[0]?.oldest.getTime() ?? now
  oldestWaitingSeconds.set({ kind: work }, Math.max(0, (now - oldest) / 1000))
  return rows.map((row) => row.org_id)
}
