/** Goes on with what people asked of the inbox: replays, and what waited for a pause to end. */
import { organisationsToOperate, operate } from '../src/inbox/operate.ts'
import type { Job } from './job.ts'

export const operateInbox: Job = {
  name: 'operate-inbox',
  async run({ db, bells, shouldStop }) {
    for (const orgId of await organisationsToOperate(db)) {
      await operate(db, orgId, {
        shouldStop,
        onProgress: () => {
          bells.ring('process-inbox')
          bells.ring('confirm-payments')
        },
      })
    }
  },
}
