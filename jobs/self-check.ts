/** Checks the next slice of each organisation's books that is due; freezes what does not agree. */
import { organisationsWith } from '../src/inbox/waiting.ts'
import { selfCheck } from '../src/ledger/checks/self-check.ts'
import { noteAtEnd, noteSelfChecks } from '../src/ledger/checks/self-check-state.ts'
import { verifyRecon } from '../src/recon/verify.ts'
import type { Job } from './job.ts'

export const selfCheckJob: Job = {
  name: 'self-check',
  async run({ db, log, shouldStop }) {
    for (const orgId of await organisationsWith(db, 'self_checks')) {
      if (shouldStop()) {
        break
      }
      try {
        const run = await selfCheck(db, orgId)
        // Whole at the end of a round, which takes longer the more there is.
        const others =
          run?.isRoundDone === true ? await noteAtEnd(db, orgId, await verifyRecon(db, orgId)) : []
        for (const { check, detail, accountId, entryNo } of [...(run?.news ?? []), ...others]) {
          const journalEntry = entryNo === null ? undefined : `je_${entryNo}`
          log.error({ orgId, check, accountId, journalEntry }, `the books do not agree: ${detail}`)
        }
      } catch (error) {
        // One organisation's books that cannot be read do not keep the others' from being checked.
        log.error({ err: error, orgId }, 'self-check failed; it is tried again in a minute')
      }
    }
    await noteSelfChecks(db)
  },
}
