/** Tells the gateways what was asked of them, and asks what became of it. A rule asks too. */
import { gateways } from '../src/gateways/registry.ts'
import { storeTold } from '../src/inbox/told.ts'
import { organisationsWith } from '../src/inbox/waiting.ts'
import { applyRule, organisationsWithRule } from '../src/instructions/sending/rule.ts'
import { sendDue } from '../src/instructions/sending/send.ts'
import type { Job } from './job.ts'

export const sendInstructions: Job = {
  name: 'send-instructions',
  async run({ db, keyring, out, log, bells, shouldStop }) {
    for (const orgId of await organisationsWithRule(db)) {
      await applyRule(db, orgId)
    }
    for (const orgId of await organisationsWith(db, 'instructions')) {
      while (!shouldStop()) {
        if ((await sendDue({ db, keyring, out, log, gateways, storeTold }, orgId)) === 0) {
          break
        }
      }
      bells.ring('confirm-payments')
      bells.ring('process-inbox')
      bells.ring('deliver-webhooks')
    }
  },
}
