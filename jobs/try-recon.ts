/** Does the trials of the reconciliation that somebody asked for. */
import { organisationsWith } from '../src/inbox/waiting.ts'
import { doNextTrial } from '../src/recon/trials/rehearse.ts'
import type { Job } from './job.ts'

export const tryRecon: Job = {
  name: 'try-recon',
  async run(parts) {
    for (const orgId of await organisationsWith(parts.db, 'recon_trials')) {
      while (!parts.shouldStop() && (await doNextTrial(parts, orgId))) {
        // Another one of the organisation may wait.
      }
    }
  },
}
