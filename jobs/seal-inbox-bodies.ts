/** Seals the bodies of webhooks that were processed some days ago, organisation by organisation. */
import { sealBodies } from '../src/inbox/bodies.ts'
import { organisationsWith } from '../src/inbox/waiting.ts'
import type { Job } from './job.ts'

export const sealInboxBodies: Job = {
  name: 'seal-inbox-bodies',
  async run({ db, keyring, log, shouldStop }) {
    for (const orgId of await organisationsWith(db, 'inbox_bodies')) {
      try {
        let sealed = 1
        while (sealed > 0 && !shouldStop()) {
          sealed = await sealBodies(db, orgId, keyring)
        }
      } catch (error) {
        // One organisation's trouble is not the others'; its bodies stay due.
        log.error({ err: error, orgId }, 'bodies not sealed')
      }
    }
  },
}
