/** Does the runs of the reconciliation that somebody asked for, part by part. */
import { isConnectionError } from '../src/base/database-error.ts'
import { messageOf } from '../src/base/problem.ts'
import { organisationsWith } from '../src/inbox/waiting.ts'
import { goOn } from '../src/recon/run.ts'
import { noteTrouble } from '../src/recon/runs.ts'
import type { Job } from './job.ts'

export const reconcile: Job = {
  name: 'reconcile',
  async run({ db, log, shouldStop }) {
    for (const orgId of await organisationsWith(db, 'recon_runs')) {
      try {
        while (!shouldStop() && (await goOn(db, orgId))) {
          // A part is a transaction: others' runs and an end of the worker come in between.
        }
      } catch (error) {
        if (isConnectionError(error)) {
          throw error
        }
        log.error({ err: error, orgId }, 'a part of a reconciliation failed')
        await noteTrouble(db, orgId, messageOf(error))
      }
    }
  },
}
