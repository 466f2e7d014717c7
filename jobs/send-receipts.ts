/** Sends issued receipts by email. */
import { deliverReceipts } from '../src/donations/deliver.ts'
import { organisationsWith } from '../src/inbox/waiting.ts'
import type { Job } from './job.ts'

export const sendReceipts: Job = {
  name: 'send-receipts',
  async run(parts) {
    for (const orgId of await organisationsWith(parts.db, 'emails')) {
      while (!parts.shouldStop()) {
        if ((await deliverReceipts(parts, orgId)) === 0) {
          break
        }
      }
      parts.bells.ring('deliver-webhooks')
    }
  },
}
