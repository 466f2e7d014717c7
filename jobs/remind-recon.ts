/** Looks through the open exceptions once an hour, and tells by email of what is overdue. */
import { organisationsWith } from '../src/inbox/waiting.ts'
import { sendReconEmails } from '../src/recon/work/reminder-emails.ts'
import { takeTurn } from '../src/recon/work/reminders.ts'
import type { Job } from './job.ts'

export const remindRecon: Job = {
  name: 'remind-recon',
  async run(parts) {
    const { db, config, shouldStop } = parts
    for (const orgId of await organisationsWith(db, 'recon_turns')) {
      if (!shouldStop()) {
        await takeTurn(db, orgId)
      }
    }
    for (const orgId of await organisationsWith(db, 'recon_emails')) {
      while (!shouldStop()) {
        if ((await sendReconEmails(parts, orgId, config.publicUrl)) === 0) {
          break
        }
      }
    }
  },
}
