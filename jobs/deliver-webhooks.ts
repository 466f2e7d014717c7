/** Tells organisations' own systems what happened. */
import { deliverWebhooks as deliver } from '../src/notifications/deliver.ts'
import type { Job } from './job.ts'

export const deliverWebhooks: Job = {
  name: 'deliver-webhooks',
  async run({ db, keyring, log, config, shouldStop }) {
    await deliver({ db, keyring, log, shouldStop, reach: config.webhookReach })
  },
}
