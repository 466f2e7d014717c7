/** Turns stored events into records, organisation by organisation. */
import { processOrganisation } from '../src/inbox/process.ts'
import { organisationsWith } from '../src/inbox/waiting.ts'
import type { Job } from './job.ts'

export const processInbox: Job = {
  name: 'process-inbox',
  async run(parts) {
    for (const orgId of await organisationsWith(parts.db, 'events')) {
      if (parts.shouldStop()) {
        return
      }
      await processOrganisation(parts, orgId)
      parts.bells.ring('issue-receipts')
      parts.bells.ring('deliver-webhooks')
    }
  },
}
