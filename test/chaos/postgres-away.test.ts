/** Without Postgres a webhook is answered 503, the gateway comes again, and then all is well. */
import { expect } from 'chai'
import { razorpayEvent } from '../support/bodies.ts'
import { startProxy, type Proxy } from '../support/proxy.ts'
import { startTestService, type TestService } from '../support/service.ts'
import { until } from '../support/until.ts'

describe('Postgres that goes away', () => {
  let proxy: Proxy
  let service: TestService

  before(async () => {
    const admin = new URL(process.env['BAHI_TEST_POSTGRES'] ?? '')
    proxy = await startProxy({ host: admin.hostname, port: Number(admin.port) })
    service = await startTestService({
      databaseUrl(url) {
        const through = new URL(url)
        through.port = String(proxy.port)
        return through.href
      },
    })
  })

  after(async () => {
    proxy.restore()
    await service.stop()
    await proxy.close()
  })

  function event(n: number) {
    return razorpayEvent('payment.captured', {
      id: `pay_TESTaway${n}`,
      orderId: null,
      amount: 100 + n,
    })
  }

  it('makes webhooks answer 503 and /readyz say so, and heals by itself', async () => {
    expect((await service.deliver('razorpay', event(1))).status).to.equal(200)
    proxy.cut()
    const refused = await service.deliver('razorpay', event(2))
    expect(refused.status).to.equal(503)
    expect(refused.json['code']).to.equal('unavailable')
    expect(Number(refused.headers.get('retry-after'))).to.be.greaterThan(0)
    const notReady = await service.call('GET', '/readyz', { role: null })
    expect(notReady.status).to.equal(503)
    expect((await service.call('GET', '/livez', { role: null })).status).to.equal(200)
    expect((await service.call('GET', '/v1/payments')).status).to.equal(503)

    proxy.restore()
    await until(async () => (await service.call('GET', '/readyz', { role: null })).status === 200)
    expect((await service.deliver('razorpay', event(2))).status).to.equal(200)
    const stored = await service.rows('select 1 from inbox_events')
    expect(stored).to.have.length(2)
  })

  it('stores an event once when the answer to the insert is lost', async () => {
    proxy.swallowAnswerTo('store_webhooks')
    const lost = await service.deliver('razorpay', event(3))
    expect(lost.status).to.equal(503)
    const again = await service.deliver('razorpay', event(3))
    expect(again.status).to.equal(200)
    expect(again.json['duplicate']).to.equal(true)
    const stored = await service.rows(
      `select 1 from inbox_events where convert_from(body, 'UTF8') like '%pay_TESTaway3%'`,
    )
    expect(stored).to.have.length(1)
  })

  it('answers 503 and heals when its connections fall silent without being closed', async () => {
    const warm = await Promise.all([4, 5, 6, 7].map((n) => service.deliver('razorpay', event(n))))
    expect(warm.map((answer) => answer.status)).to.deep.equal([200, 200, 200, 200])
    // Every connection that the pool may have is open, so that no new one gets through.
    const counting = 'select count(*) from generate_series(1, 100000)'
    const { db } = service.parts
    await Promise.all(Array.from({ length: 20 }, async () => await db.statement(counting)))
    proxy.silence()
    expect((await service.call('GET', '/readyz', { role: null })).status).to.equal(503)
    const lost = await service.deliver('razorpay', event(8))
    expect(lost.status).to.equal(503)
    await until(async () => (await service.deliver('razorpay', event(8))).status === 200, 40_000)
    await until(async () => (await service.call('GET', '/readyz', { role: null })).status === 200)
  })

  it('posts once when the connection breaks at COMMIT of the batch', async () => {
    for (const answerTo of ['commit', 'insert into payments']) {
      const n = answerTo === 'commit' ? 11 : 12
      expect((await service.deliver('razorpay', event(n))).status).to.equal(200)
      proxy.swallowAnswerTo(answerTo)
      await service.runJobs().catch(() => undefined)
      await service.runJobs()
      const entries = await service.rows(
        `select 1 from journal_entries where idempotency_key like '%pay_TESTaway${n}:captured'`,
      )
      expect(entries, answerTo).to.have.length(1)
    }
  })
})
