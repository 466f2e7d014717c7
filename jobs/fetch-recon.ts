/** Fetches days of settlement lines from the gateways: those asked for, and each day's own. */
import { organisationsWith } from '../src/inbox/waiting.ts'
import { askForToday, fetchTaken } from '../src/recon/files/fetch.ts'
import { takeFile } from '../src/recon/files/file-turns.ts'
import type { Job } from './job.ts'

export const fetchRecon: Job = {
  name: 'fetch-recon',
  async run(parts) {
    const { db, bells, shouldStop } = parts
    for (const orgId of await organisationsWith(db, 'recon_fetches')) {
      await askForToday(db, orgId, new Date())
    }
    while (!shouldStop()) {
      const taken = await takeFile(db, 'asked')
      if (taken === null) {
        return
      }
      await fetchTaken(parts, taken)
      bells.ring('load-recon')
    }
  },
}
