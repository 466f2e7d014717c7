/** Issues the receipts that paid donations were promised. */
import { issueReceipts } from '../src/donations/receipts.ts'
import { organisationsWith } from '../src/inbox/waiting.ts'
import type { Job } from './job.ts'

export const issueReceiptsJob: Job = {
  name: 'issue-receipts',
  async run(parts) {
    for (const orgId of await organisationsWith(parts.db, 'receipts')) {
      while (!parts.shouldStop()) {
        if ((await issueReceipts(parts.db, orgId, parts.keyring, new Date())) === 0) {
          break
        }
        parts.bells.ring('send-receipts')
        parts.bells.ring('deliver-webhooks')
      }
    }
  },
}
