/** Seals the days that are over; each new root goes into the log, which is a place of its own. */
import { sealNextDay } from '../src/exports/day-seals.ts'
import { organisationsWith } from '../src/inbox/waiting.ts'
import type { Job } from './job.ts'

export const sealDays: Job = {
  name: 'seal-days',
  async run(parts) {
    for (const orgId of await organisationsWith(parts.db, 'seals')) {
      try {
        let seal
        while (!parts.shouldStop() && (seal = await sealNextDay(parts.db, orgId)) !== null) {
          parts.log.info({ orgId, day: seal.day, root: seal.root.toString('hex') }, 'day sealed')
        }
      } catch (error) {
        // One organisation's trouble is not the others'; its day stays due.
        parts.log.error({ err: error, orgId }, 'day not sealed')
      }
    }
  },
}
