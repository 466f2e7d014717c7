/** Asks gateways about payments whose webhook alone is not to be believed. */
import { confirmDue } from '../src/inbox/confirm.ts'
import { organisationsWith } from '../src/inbox/waiting.ts'
import type { Job } from './job.ts'

export const confirmPayments: Job = {
  name: 'confirm-payments',
  async run(parts) {
    const options = { keyring: parts.keyring, timeoutMs: parts.config.gatewayTimeoutMs }
    for (const orgId of await organisationsWith(parts.db, 'confirmations')) {
      while ((await confirmDue(parts.db, orgId, options)) > 0) {
        parts.bells.ring('process-inbox')
        if (parts.shouldStop()) {
          return
        }
      }
    }
  },
}
