/** Forgets what is over for long enough, in small steps: webhooks, sessions, invitations, files. */
import { forgetCalls } from '../src/base/call-log.ts'
import type { Database } from '../src/base/db.ts'
import type { Files } from '../src/base/files.ts'
import { rowsForgotten } from '../src/base/metrics.ts'
import { EXPORT_DAYS } from '../src/exports/jobs.ts'
import { forgetExports } from '../src/exports/pieces.ts'
import { forgetInvitationEmails, forgetInvitations } from '../src/identity/forget-invitations.ts'
import { forgetSessions } from '../src/identity/sessions.ts'
import { forgetDeliveries, forgetMessages } from '../src/notifications/forget.ts'
import { forgetPreviews } from '../src/offline/import-records.ts'
import { PREVIEW_DAYS } from '../src/offline/imports.ts'
import { forgetBytes } from '../src/recon/files/forget.ts'
import { forgetTrials, TRIAL_DAYS } from '../src/recon/trials/trials.ts'
import type { Job } from './job.ts'

/**
 * Days after its end. Webhooks: as long as a receiver's quarter, so that whoever finds a gap when
 * he closes it can have it sent again; the database keeps them as long, whoever would forget them.
 * The others hold addresses and browsers of people, which are of use only while somebody looks into
 * a sign-in of the last month: who did what stands in the audit of people.
 */
export const KEPT_DAYS = {
  webhooks: 90,
  calls: 90,
  sessions: 30,
  invitations: 30,
  previews: PREVIEW_DAYS,
  exports: EXPORT_DAYS,
  trials: TRIAL_DAYS,
} as const

/** One statement's: far below its limit of five seconds, and no lock is held for long. */
const TOGETHER = 1000
/** Of each kind in one run, so that a run ends; the next one goes on. */
const STEPS_MAX = 50
/** How often somebody looks, whichever worker it is. */
const EVERY_MINUTES = 10

/** Forgets up to so many rows that ended so many days ago; gives how many. */
type Forget = (db: Database, days: number, most: number, files: Files) => Promise<number>

/** Deliveries before their messages, which stay while one is left. */
const KINDS: readonly { kind: string; days: number; forget: Forget }[] = [
  { kind: 'webhook_deliveries', days: KEPT_DAYS.webhooks, forget: forgetDeliveries },
  { kind: 'webhook_messages', days: KEPT_DAYS.webhooks, forget: forgetMessages },
  { kind: 'gateway_calls', days: KEPT_DAYS.calls, forget: forgetCalls },
  { kind: 'sessions', days: KEPT_DAYS.sessions, forget: forgetSessions },
  { kind: 'invitations', days: KEPT_DAYS.invitations, forget: forgetInvitations },
  { kind: 'invitation_emails', days: KEPT_DAYS.invitations, forget: forgetInvitationEmails },
  { kind: 'offline_previews', days: KEPT_DAYS.previews, forget: forgetPreviews },
  { kind: 'exports', days: KEPT_DAYS.exports, forget: forgetExports },
  { kind: 'recon_trials', days: KEPT_DAYS.trials, forget: forgetTrials },
]

/** Whether nobody has looked for ten minutes. */
export async function isTimeToForget(db: Database): Promise<boolean> {
  const rows = await db.statement(
    'select 1 from forgetting where begun_at <= now() - make_interval(mins => $1)',
    [EVERY_MINUTES],
  )
  return rows.length > 0
}

export const forgetOld: Job = {
  name: 'forget-old',
  async run({ db, files, log, shouldStop }) {
    const mine = await db.statement(
      `update forgetting set begun_at = now()
        where begun_at <= now() - make_interval(mins => $1) returning 1`,
      [EVERY_MINUTES],
    )
    if (mine.length === 0) {
      return
    }
    const bytesOf = await forgetBytes({ db, files }, TOGETHER)
    rowsForgotten.inc({ kind: 'recon_bytes' }, bytesOf)
    for (const { kind, days, forget } of KINDS) {
      for (let step = 0; step < STEPS_MAX && !shouldStop(); step += 1) {
        const forgotten = await forget(db, days, TOGETHER, files)
        rowsForgotten.inc({ kind }, forgotten)
        if (forgotten > 0) {
          log.info({ kind, forgotten }, 'rows forgotten')
        }
        if (forgotten < TOGETHER) {
          break
        }
      }
    }
  },
}
