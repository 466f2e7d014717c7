/** Finds every kind of row that waits and rings its bell: what makes a lost bell harmless. */
import { isConnectionError } from '../src/base/database-error.ts'
import type { Parts } from '../src/base/parts.ts'
import type { JobName } from '../src/base/queue.ts'
import { noteDead } from '../src/inbox/dead.ts'
import { organisationsToOperate } from '../src/inbox/operate.ts'
import { isPollDue, notePolls } from '../src/inbox/polls/polls.ts'
import { isQuestionDue } from '../src/inbox/polls/questions.ts'
import { isSilenceDue } from '../src/inbox/polls/silence.ts'
import { noteStanding } from '../src/inbox/standing.ts'
import { organisationsWith, type Work } from '../src/inbox/waiting.ts'
import { organisationsWithRule } from '../src/instructions/sending/rule.ts'
import { noteInstructions } from '../src/instructions/standing.ts'
import { organisationsToRotate } from '../src/keys/rotate.ts'
import { noteRecon } from '../src/recon/work/standing.ts'
import { forgetAnswers } from './forget-answers.ts'
import { isTimeToForget } from './forget-old.ts'

export const SWEEP_INTERVAL_MS = 3000

const BELL_OF: Readonly<Record<Work, JobName>> = {
  confirmations: 'confirm-payments',
  events: 'process-inbox',
  instructions: 'send-instructions',
  receipts: 'issue-receipts',
  emails: 'send-receipts',
  invitations: 'send-invitations',
  webhooks: 'deliver-webhooks',
  seals: 'seal-days',
  self_checks: 'self-check',
  people_notes: 'link-people-audit',
  inbox_bodies: 'seal-inbox-bodies',
  offline_imports: 'commit-imports',
  recon_files: 'load-recon',
  recon_runs: 'reconcile',
  recon_trials: 'try-recon',
  recon_fetches: 'fetch-recon',
  recon_turns: 'remind-recon',
  recon_emails: 'remind-recon',
  exports: 'make-exports',
  export_emails: 'send-export-emails',
}

const WORK = Object.keys(BELL_OF).filter((work): work is Work => work in BELL_OF)

export async function sweep(parts: Parts): Promise<void> {
  await forgetAnswers(parts.db)
  for (const work of WORK) {
    if ((await organisationsWith(parts.db, work)).length > 0) {
      parts.bells.ring(BELL_OF[work])
    }
  }
  if ((await organisationsToOperate(parts.db)).length > 0) {
    parts.bells.ring('operate-inbox')
  }
  if ((await organisationsWithRule(parts.db)).length > 0) {
    parts.bells.ring('send-instructions')
  }
  if ((await organisationsToRotate(parts.db, parts.keyring.sealWith)).length > 0) {
    parts.bells.ring('rotate-keys')
  }
  if (await isTimeToPoll(parts)) {
    parts.bells.ring('poll-gateways')
  }
  if (await isTimeToForget(parts.db)) {
    parts.bells.ring('forget-old')
  }
  await noteDead(parts.db)
  await noteStanding(parts.db)
  await noteInstructions(parts.db)
  await notePolls(parts.db)
  await noteRecon(parts.db)
}

async function isTimeToPoll({ db }: Parts): Promise<boolean> {
  return (await isPollDue(db)) || (await isSilenceDue(db)) || (await isQuestionDue(db))
}

export interface Sweeper {
  close(): Promise<void>
}

/** Sweeps at once and at an interval: a plain timer, because a timetable in Redis can be lost. */
export function startSweeper(parts: Parts, intervalMs = SWEEP_INTERVAL_MS): Sweeper {
  let running: Promise<void> | null = null
  const go = () => {
    running ??= sweep(parts)
      .catch((error: unknown) => {
        const level = isConnectionError(error) ? 'warn' : 'error'
        parts.log[level]({ err: error }, 'sweep failed')
      })
      .finally(() => {
        running = null
      })
  }
  go()
  const timer = setInterval(go, intervalMs)
  return {
    async close() {
      clearInterval(timer)
      await running
    },
  }
}
