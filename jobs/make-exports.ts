/** Makes the exports that were asked for, and asks for those that are due by the calendar. */
import { indianDate } from '../src/base/clock.ts'
import { makeNextExport } from '../src/exports/run.ts'
import { runSchedules } from '../src/exports/schedules.ts'
import { organisationsWith } from '../src/inbox/waiting.ts'
import type { Job } from './job.ts'

export const makeExports: Job = {
  name: 'make-exports',
  async run(parts) {
    const failed: unknown[] = []
    const makeAll = async (orgId: number): Promise<void> => {
      await runSchedules(parts.db, orgId, indianDate(new Date()))
      while (!parts.shouldStop() && (await makeNextExport(parts, orgId))) {
        parts.bells.ring('send-export-emails')
      }
    }
    for (const orgId of await organisationsWith(parts.db, 'exports')) {
      // One organisation's export that fails keeps no other's waiting.
      await makeAll(orgId).catch((error: unknown) => failed.push(error))
    }
    if (failed.length > 0) {
      throw new AggregateError(failed)
    }
  },
}
