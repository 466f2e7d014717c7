/** The gateways' own printed samples, signed by the test, go through the whole intake. */
import { expect } from 'chai'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { processInbox } from '../../jobs/process-inbox.ts'
import { RAZORPAY } from '../support/organisation.ts'
import { startTestService, type TestService } from '../support/service.ts'
import { razorpayWebhook } from '../support/sign.ts'

const FOLDER = new URL('../../../shared/fixtures/razorpay/webhooks/', import.meta.url)

describe('Razorpay’s printed webhooks through the whole intake', () => {
  let service: TestService

  before(async function () {
    if (!existsSync(FOLDER)) {
      process.stdout.write('    skipped: ../shared/fixtures is not there\n')
      this.skip()
    }
    service = await startTestService()
  })

  after(async () => {
    if (existsSync(FOLDER)) {
      await service.stop()
    }
  })

  it('are accepted, and end as processed or ignored', async () => {
    const files = readdirSync(FOLDER).filter((name) => name.endsWith('.json'))
    expect(files.length).to.be.greaterThan(40)
    for (const [index, file] of files.entries()) {
      // The samples come from many accounts, here they come from ours; and they give one dispute
      // and one payout another amount in every event, which is a conflict and not what is tried.
      const text = readFileSync(new URL(file, FOLDER), 'utf8')
        .replaceAll(/"account_id":\s*"acc_\w+"/g, `"account_id": "${RAZORPAY.account}"`)
        .replaceAll(/\b(disp|pout)_\w+/g, (id) => `${id}x${index}`)
      const webhook = razorpayWebhook(text, RAZORPAY.webhookSecret, `evt_${file}`)
      expect((await service.deliver('razorpay', webhook)).status, file).to.equal(200)
    }
    await processInbox.run(service.jobParts)
    const rows = await service.rows<{
      gateway_event_id: string
      state: string
      last_error: string
    }>(
      `select gateway_event_id, state, last_error from inbox_events
        where state not in ('processed', 'ignored')`,
    )
    expect(rows).to.deep.equal([])
    const captured = await service.rows(`select 1 from payments where state = 'captured'`)
    expect(captured.length).to.be.greaterThan(3)
  })
})
