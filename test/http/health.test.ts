/** What orchestrators and monitoring ask: alive, ready, and counted. */
import { expect } from 'chai'
import { razorpayEvent } from '../support/bodies.ts'
import { startTestService, type TestService } from '../support/service.ts'

describe('health', () => {
  let service: TestService

  before(async () => {
    service = await startTestService()
  })

  after(async () => {
    await service.stop()
  })

  it('is told without a token', async () => {
    const alive = await service.call('GET', '/livez', { role: null })
    expect([alive.status, alive.json]).to.deep.equal([200, { status: 'ok' }])
    const ready = await service.call('GET', '/readyz', { role: null })
    expect([ready.status, ready.json]).to.deep.equal([
      200,
      { status: 'ok', checks: { postgres: 'ok', migrations: 'ok', draining: 'ok' } },
    ])
  })

  it('is not ready with a migration that was not run, and names it', async () => {
    const name = '0001_organisations.sql'
    await service.rows('delete from migrations where name = $1', [name])
    const answer = await service.call('GET', '/readyz', { role: null })
    await service.rows(
      'insert into migrations (name, batch, migration_time) values ($1, 1, now())',
      [name],
    )
    expect(answer.status).to.equal(503)
    expect(answer.json).to.deep.include({ status: 'unavailable' })
    expect(answer.text).to.contain(name)
    expect((await service.call('GET', '/readyz')).status).to.equal(200)
  })

  it('counts requests by route and never by id, and webhooks by outcome', async () => {
    await service.call('GET', '/v1/payments/pmt_secretid')
    await service.deliver(
      'razorpay',
      razorpayEvent('payment.captured', { id: 'pay_TESTm1', orderId: null, amount: 100 }),
    )
    const { status, text, headers } = await service.call('GET', '/metrics', { role: null })
    expect(status).to.equal(200)
    expect(headers.get('content-type')).to.match(/^text\/plain; version=/)
    for (const name of [
      'bahi_serialization_retries_total',
      'bahi_webhooks_total',
      'bahi_inbox_events_total',
      'bahi_posting_duration_seconds',
      'bahi_entries_posted_total',
      'bahi_receipt_emails_total',
      'bahi_waiting_rows',
      'bahi_oldest_waiting_seconds',
      'bahi_http_request_duration_seconds',
      'process_cpu_seconds_total',
    ]) {
      expect(text).to.match(new RegExp(`^# TYPE ${name} `, 'm'))
    }
    expect(text).to.match(/route="\/v1\/payments\/:id",status="404"/)
    expect(text).to.not.contain('secretid')
    expect(text).to.match(/bahi_webhooks_total\{gateway="razorpay",outcome="accepted"\} [1-9]/)
  })

  it('says on every answer that browsers must not guess, and not who we are', async () => {
    const { headers } = await service.call('GET', '/v1/accounts')
    expect(headers.get('x-content-type-options')).to.equal('nosniff')
    expect(headers.get('x-powered-by')).to.equal(null)
    expect(headers.get('request-id')).to.match(/^req_/)
  })
})
