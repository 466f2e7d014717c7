/** Asks gateways about payments whose webhook alone is not to be believed. */
import { confirmDue } from '../src/inbox/confirm.ts'
import { organisationsWith } from '../src/inbox/waiting.ts'
import type { Job } from './job.ts'

export const confirmPayments: Job = {
  name: 'confirm-payments',
  async run(parts) {
    const options = { keyring: parts.keyring, out: parts.out }
    // Round by round, so that no organisation waits until another has asked about all of its own.
    for (let asked = 1; asked > 0;) {
      asked = 0
      for (const orgId of await organisationsWith(parts.db, 'confirmations')) {
        asked += await confirmDue(parts.db, orgId, options)
        parts.bells.ring('process-inbox')
        if (parts.shouldStop()) {
          return
        }
      }
    }
  },
}
