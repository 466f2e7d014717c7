/** What orchestrators and monitoring ask: alive, ready, and counted. */
import { expect } from 'chai'
import type { Request, Response } from 'express'
import { metricsGuard } from '../../src/http/routes/health.ts'
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
      {
        status: 'ok',
        checks: { postgres: 'ok', migrations: 'ok', data_keys: 'ok', draining: 'ok' },
      },
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

  it('says no word of Postgres about why it is not ready', async () => {
    await service.rows('alter table migrations rename to hidden_migrations')
    const answer = await service.call('GET', '/readyz', { role: null })
    await service.rows('alter table hidden_migrations rename to migrations')
    expect([answer.status, answer.json]).to.deep.equal([
      503,
      {
        status: 'unavailable',
        checks: { postgres: 'ok', migrations: 'failed', data_keys: 'ok', draining: 'ok' },
      },
    ])
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

describe('the metrics of the API', () => {
  const token = 'a-token-for-metrics-of-at-least-32-characters'

  async function statusOf(env: Record<string, string>, given?: string): Promise<number> {
    const service = await startTestService({ env })
    const headers = given === undefined ? {} : { authorization: `Bearer ${given}` }
    try {
      return (await service.call('GET', '/metrics', { role: null, headers })).status
    } finally {
      await service.stop()
    }
  }

  it('are told to whoever has the token, where there is one', async () => {
    const env = { METRICS_TOKEN: token }
    expect(await statusOf(env, token)).to.equal(200)
    expect(await statusOf(env, `${token}x`)).to.equal(401)
    expect(await statusOf(env)).to.equal(401)
  })

  it('are told to nobody in production where there is none', () => {
    const ask = (production: boolean) => {
      let isLetIn = false
      const next = () => {
        isLetIn = true
      }
      metricsGuard({ metricsToken: null, production })(
        { headers: {} } as Request,
        {} as Response,
        next,
      )
      return isLetIn
    }
    expect(() => ask(true)).to.throw(/METRICS_TOKEN/)
    expect(ask(false)).to.equal(true)
  })
})
