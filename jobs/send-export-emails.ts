/** Tells by email of exports that were made by the calendar. */
import { sendExportEmails } from '../src/exports/emails.ts'
import { organisationsWith } from '../src/inbox/waiting.ts'
import type { Job } from './job.ts'

export const sendExportEmailsJob: Job = {
  name: 'send-export-emails',
  async run(parts) {
    for (const orgId of await organisationsWith(parts.db, 'export_emails')) {
      while (!parts.shouldStop()) {
        if ((await sendExportEmails(parts, orgId)) === 0) {
          break
        }
      }
    }
  },
}
