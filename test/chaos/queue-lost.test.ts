/** The queue is only a bell: without it webhooks are accepted, and a sweep finds all that waits. */
import { expect } from 'chai'
import nock from 'nock'
import { startWorker, type RunningWorker } from '../../jobs/worker.ts'
import { openParts, type Parts } from '../../src/base/parts.ts'
import { donationRequest, razorpayEvent } from '../support/bodies.ts'
import { mailTo } from '../support/mailbox.ts'
import { loseQueues } from '../support/queue.ts'
import { GATEWAYS_URL, startTestService, type TestService } from '../support/service.ts'
import { until } from '../support/until.ts'
import { startNock, stopNock } from '../support/nock.ts'

async function allProcessed(service: TestService): Promise<boolean> {
  const [row] = await service.rows<{ n: number }>(
    `select count(*)::integer as n from inbox_events where state = 'waiting'`,
  )
  return row?.n === 0
}

describe('a flushed queue', () => {
  let service: TestService
  let worker: RunningWorker | undefined
  let workerParts: Parts | undefined

  before(async () => {
    startNock()
    service = await startTestService()
  })

  after(async () => {
    stopNock()
    await worker?.close()
    await workerParts?.close()
    await service.stop()
  })

  it('loses no event, receipt or email that waited', async () => {
    const order = 'order_TESTflush0001'
    nock(GATEWAYS_URL)
      .post('/v1/orders')
      .reply(200, { id: order, entity: 'order', amount: 250_050, currency: 'INR' })
    const request = donationRequest()
    await service.call('POST', '/v1/donations', {
      role: 'service',
      body: { ...request, donor: { ...(request['donor'] as object), email: 'flush@example.org' } },
    })
    const payment = { id: 'pay_TESTflush0001', orderId: order, amount: 250_050 }
    expect(
      (await service.deliver('razorpay', razorpayEvent('payment.captured', payment))).status,
    ).to.equal(200)
    // After the last bell was rung the queue is emptied: what happens now, the sweep makes happen.
    await service.parts.bells.close()
    await loseQueues(service)
    workerParts = openParts(service.config, 'bahi worker')
    worker = startWorker(workerParts)
    await until(() => allProcessed(service))
    expect((await mailTo('flush@example.org')).subject).to.include('Receipt 80G/')
  })
})

describe('a queue that cannot be reached', () => {
  let service: TestService

  before(async () => {
    service = await startTestService({
      env: { REDIS_URL: 'redis://127.0.0.1:1', REDIS_PREFIX: 'away' },
    })
  })

  after(async () => {
    await service.stop()
  })

  it('does not keep a webhook from being accepted and stored', async () => {
    const payment = { id: 'pay_TESTaway00001', orderId: null, amount: 500 }
    const started = Date.now()
    const answer = await service.deliver('razorpay', razorpayEvent('payment.captured', payment))
    expect(answer.status).to.equal(200)
    expect(Date.now() - started).to.be.lessThan(5000)
    const stored = await service.rows(`select 1 from inbox_events where state = 'waiting'`)
    expect(stored).to.have.length(1)
  })
})
