/** What a job is: woken by its bell, it drains what waits in Postgres. */
import type { Parts } from '../src/base/parts.ts'
import type { Mailer } from '../src/base/mail.ts'
import type { JobName } from '../src/base/queue.ts'

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
