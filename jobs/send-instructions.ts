/** Tells the gateways what was asked of them, and asks what became of it. A rule asks too. */
import { gateways } from '../src/gateways/registry.ts'
import { storeTold } from '../src/inbox/told.ts'
import { organisationsWith } from '../src/inbox/waiting.ts'
import { applyRule, organisationsWithRule } from '../src/instructions/sending/rule.ts'
import { sendDue } from '../src/instructions/sending/send.ts'
import type { Job, JobParts } from './job.ts'

export const sendInstructions: Job = {
  name: 'send-instructions',
  async run(parts) {
    const { db, keyring, out, log, bells, shouldStop } = parts
    await applyRules(parts)
    for (let worked = true; worked && !shouldStop();) {
      worked = false
      // A few of each in turn: whose gateway is slow keeps no other organisation waiting for long.
      for (const orgId of await organisationsWith(db, 'instructions')) {
        const taken = await sendDue({ db, keyring, out, log, gateways, storeTold }, orgId)
        worked ||= taken > 0
        bells.ring('confirm-payments')
        bells.ring('process-inbox')
        bells.ring('deliver-webhooks')
      }
    }
  },
}

async function applyRules({ db, log }: JobParts): Promise<void> {
  for (const orgId of await organisationsWithRule(db)) {
    try {
      await applyRule(db, orgId)
    } catch (error) {
      // What was asked for by people goes on; the sweep comes back to the rule.
      log.error({ err: error, orgId }, 'the rule for second payments failed')
    }
  }
}
