/** Compares gateways' own lists with our books, and asks about what is unfinished for too long. */
import { GATEWAY_NAMES, type GatewayName } from '../src/gateways/fact.ts'
import { askDue } from '../src/inbox/polls/ask.ts'
import { makePolls, takePoll } from '../src/inbox/polls/polls.ts'
import { watchSilence } from '../src/inbox/polls/silence.ts'
import { pollTurn } from '../src/inbox/polls/turn.ts'
import type { Job, JobParts } from './job.ts'

export const pollGateways: Job = {
  name: 'poll-gateways',
  async run(parts) {
    await makePolls(parts.db)
    await watchSilence(parts.db)
    // Beside each other, so that a gateway which is slow keeps none of the others waiting.
    const ended = await Promise.allSettled(
      GATEWAY_NAMES.map(async (gateway) => await pollGateway(parts, gateway)),
    )
    for (const one of ended) {
      if (one.status === 'rejected') {
        throw one.reason
      }
    }
  },
}

/** Lists and questions take turns until nothing of that gateway is due. */
async function pollGateway(parts: JobParts, gateway: GatewayName): Promise<void> {
  const { db, shouldStop } = parts
  for (let worked = true; worked && !shouldStop();) {
    const poll = await takePoll(db, gateway)
    if (poll !== null) {
      await pollTurn(parts, poll, shouldStop)
    }
    worked = (await askDue(parts, gateway, shouldStop)) > 0 || poll !== null
  }
}
