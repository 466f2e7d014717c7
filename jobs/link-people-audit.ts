/** Links what people did into each organisation's chain, so that it cannot be changed unseen. */
import { linkPeople } from '../src/audit/append.ts'
import { organisationsWith } from '../src/inbox/waiting.ts'
import type { Job } from './job.ts'

export const linkPeopleAudit: Job = {
  name: 'link-people-audit',
  async run({ db, shouldStop }) {
    for (const orgId of await organisationsWith(db, 'people_notes')) {
      let isMore = true
      while (isMore && !shouldStop()) {
        isMore = await db.transact(orgId, linkPeople, { isolation: 'read committed' })
      }
    }
  },
}
