/** The worker process: listens to every bell and sweeps; ends in order on SIGTERM. */
import { fileURLToPath } from 'node:url'
import { ConfigError, readConfig } from '../src/base/config.ts'
import { openMailer } from '../src/base/mail.ts'
import { openParts, type Parts } from '../src/base/parts.ts'
import { messageOf } from '../src/base/problem.ts'
import type { JobName, Listener } from '../src/base/queue.ts'
import { endOnSignal, outliveLostConnections } from '../src/base/signals.ts'
import { commitImports } from './commit-imports.ts'
import { confirmPayments } from './confirm-payments.ts'
import { deliverWebhooks } from './deliver-webhooks.ts'
import { forgetOld } from './forget-old.ts'
import { fetchRecon } from './fetch-recon.ts'
import { issueReceiptsJob } from './issue-receipts.ts'
import { runJob, type Job, type JobParts } from './job.ts'
import { loadRecon } from './load-recon.ts'
import { reconcile } from './reconcile.ts'
import { remindRecon } from './remind-recon.ts'
import { linkPeopleAudit } from './link-people-audit.ts'
import { serveMetrics } from './metrics-page.ts'
import { makeExports } from './make-exports.ts'
import { operateInbox } from './operate-inbox.ts'
import { pollGateways } from './poll-gateways.ts'
import { processInbox } from './process-inbox.ts'
import { selfCheckJob } from './self-check.ts'
import { rotateKeysJob } from './rotate-keys.ts'
import { sealDays } from './seal-days.ts'
import { sealInboxBodies } from './seal-inbox-bodies.ts'
import { sendExportEmailsJob } from './send-export-emails.ts'
import { sendInstructions } from './send-instructions.ts'
import { sendInvitationsJob } from './send-invitations.ts'
import { sendReceipts } from './send-receipts.ts'
import { startSweeper } from './sweep.ts'
import { tryRecon } from './try-recon.ts'

const JOBS: Readonly<Record<JobName, Job>> = {
  'confirm-payments': confirmPayments,
  'process-inbox': processInbox,
  'operate-inbox': operateInbox,
  'send-instructions': sendInstructions,
  'commit-imports': commitImports,
  'fetch-recon': fetchRecon,
  'load-recon': loadRecon,
  reconcile,
  'remind-recon': remindRecon,
  'try-recon': tryRecon,
  'issue-receipts': issueReceiptsJob,
  'send-receipts': sendReceipts,
  'send-invitations': sendInvitationsJob,
  'deliver-webhooks': deliverWebhooks,
  'make-exports': makeExports,
  'send-export-emails': sendExportEmailsJob,
  'seal-days': sealDays,
  'self-check': selfCheckJob,
  'link-people-audit': linkPeopleAudit,
  'seal-inbox-bodies': sealInboxBodies,
  'rotate-keys': rotateKeysJob,
  'poll-gateways': pollGateways,
  'forget-old': forgetOld,
}

export interface RunningWorker {
  /** Lets the jobs in hand end, takes no more. */
  close(): Promise<void>
}

/** `names` are the jobs that it listens to; all of them where nothing is said. */
export function startWorker(parts: Parts, names?: readonly JobName[]): RunningWorker {
  let stopping = false
  const mailer = openMailer(parts.config.ses)
  const jobParts: JobParts = { ...parts, mailer, shouldStop: () => stopping }
  const jobs = Object.values(JOBS).filter(({ name }) => names?.includes(name) ?? true)
  const listeners = jobs.map((job): Listener =>
    parts.queues.listen(job.name, async () => await runJob(job, jobParts)),
  )
  const sweeper = startSweeper(parts)
  return {
    async close() {
      stopping = true
      await sweeper.close()
      await Promise.all(listeners.map(async (listener) => await listener.close()))
      mailer.close()
    },
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    const config = readConfig(process.env)
    const { host, workerMetricsPort: port } = config
    const page = port === null ? null : await serveMetrics(host, port)
    const parts = openParts(config, 'bahi worker')
    const worker = startWorker(parts)
    parts.log.info('working')
    outliveLostConnections(parts.log)
    endOnSignal(parts.log, async () => {
      await worker.close()
      await parts.close()
      await page?.close()
    })
  } catch (error) {
    process.stderr.write(`${error instanceof ConfigError ? error.message : messageOf(error)}\n`)
    process.exit(1)
  }
}
