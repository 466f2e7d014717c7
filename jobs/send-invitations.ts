/** Sends invitations by email. */
import { sendInvitations } from '../src/identity/send-invitations.ts'
import { organisationsWith } from '../src/inbox/waiting.ts'
import type { Job } from './job.ts'

export const sendInvitationsJob: Job = {
  name: 'send-invitations',
  async run(parts) {
    for (const orgId of await organisationsWith(parts.db, 'invitations')) {
      while (!parts.shouldStop()) {
        if ((await sendInvitations(parts, orgId)) === 0) {
          break
        }
      }
    }
  },
}
