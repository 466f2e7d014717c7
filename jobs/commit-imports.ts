/** Goes on with files of payments that somebody let be recorded, a part at a time. */
import { organisationsWith } from '../src/inbox/waiting.ts'
import { continueImport } from '../src/offline/imports.ts'
import type { Job } from './job.ts'

export const commitImports: Job = {
  name: 'commit-imports',
  async run({ db, keyring, bells, shouldStop }) {
    const failed: unknown[] = []
    const goOn = async (orgId: number): Promise<void> => {
      while (!shouldStop()) {
        const done = await db.transact(
          orgId,
          async (trx) => await continueImport(trx, keyring, new Date()),
          { queue: 'journal' },
        )
        if (done === null) {
          break
        }
        bells.ring('issue-receipts')
        bells.ring('deliver-webhooks')
      }
    }
    for (const orgId of await organisationsWith(db, 'offline_imports')) {
      // One organisation's bad file keeps no other's waiting.
      await goOn(orgId).catch((error: unknown) => failed.push(error))
    }
    if (failed.length > 0) {
      throw new AggregateError(failed)
    }
  },
}
