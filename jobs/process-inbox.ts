/** Turns stored events into records, a batch of an organisation after the other. */
import { messageOf, Problem } from '../src/base/problem.ts'
import { processTurn } from '../src/inbox/process.ts'
import { openRounds } from '../src/inbox/rounds.ts'
import type { Job } from './job.ts'

export const processInbox: Job = {
  name: 'process-inbox',
  async run({ db, keyring, bells, log, shouldStop }) {
    const rounds = openRounds(db)
    for (let turn = await rounds.next(); turn !== null; turn = await rounds.next()) {
      try {
        rounds.took(turn, await processTurn({ db, keyring, log }, turn))
      } catch (error) {
        if (!(error instanceof Problem && error.code === 'unavailable')) {
          throw error
        }
        // Its books are busy; the others do not wait for that.
        log.warn({ orgId: turn.orgId, reason: messageOf(error) }, 'a turn was left out')
        rounds.leave(turn.orgId)
      }
      bells.ring('issue-receipts')
      bells.ring('deliver-webhooks')
      if (shouldStop()) {
        return
      }
    }
  },
}
