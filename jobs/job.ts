/** What a job is: woken by its bell, it drains what waits in Postgres. */
import { jobSeconds } from '../src/base/metrics.ts'
import type { Parts } from '../src/base/parts.ts'
import type { Mailer } from '../src/base/mail.ts'
import type { JobName } from '../src/base/queue.ts'
import { inSpan } from '../src/base/tracing.ts'

export interface JobParts extends Parts {
  mailer: Mailer
  /** True from the moment the worker was asked to end: finish what is in hand, take no more. */
  shouldStop(): boolean
}

export interface Job {
  readonly name: JobName
  /** Safe to repeat and to run beside itself. */
  run(parts: JobParts): Promise<void>
}

/** Runs a job once, in a trace of its own and on the clock. */
export async function runJob(job: Job, parts: JobParts): Promise<void> {
  const stopClock = jobSeconds.startTimer({ job: job.name })
  let outcome = 'failed'
  try {
    await inSpan(`job ${job.name}`, { parent: null }, async () => await job.run(parts))
    outcome = 'done'
  } finally {
    stopClock({ outcome })
  }
}
