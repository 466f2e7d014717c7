/** What an event’s timeline shows, when a secret was used last, and which calls were refused. */
import { expect } from 'chai'
import { processInbox } from '../../jobs/process-inbox.ts'
import { donate, razorpayOpens, rowsOf, textIn, withGateways } from '../http/seeded.ts'
import { donationRequest, razorpayEvent } from '../support/bodies.ts'
import { RAZORPAY } from '../support/organisation.ts'
import { startTestService, type JsonObject, type TestService } from '../support/service.ts'
import { razorpayWebhook } from '../support/sign.ts'

interface Step {
  at: string
  what: string
  detail: string | null
}

describe('the timeline of an event', () => {
  let service: TestService

  withGateways()

  before(async () => {
    service = await startTestService()
  })

  after(async () => {
    await service.stop()
  })

  async function shown(event: JsonObject | undefined): Promise<JsonObject> {
    const { status, json, text } = await service.call(
      'GET',
      `/v1/inbox-events/${textIn(event, 'id')}`,
    )
    expect(status, text).to.equal(200)
    return json
  }

  async function listed(query = ''): Promise<JsonObject[]> {
    return rowsOf((await service.call('GET', `/v1/inbox-events${query}`)).json)
  }

  const whatOf = (event: JsonObject) =>
    (event['timeline'] as unknown as Step[]).map(({ what }) => what)

  it('goes from its receipt, over each repetition, to the donor’s receipt', async () => {
    const orderId = razorpayOpens(120_000)
    await service.call('POST', '/v1/donations', { body: donationRequest({ amount: 120_000 }) })
    const payment = { id: 'pay_TESTline1', orderId, amount: 120_000, fee: 2360, tax: 360 }
    const webhook = razorpayEvent('payment.captured', payment)
    await service.deliver('razorpay', webhook)
    await service.deliver('razorpay', webhook)
    await service.runJobs()
    await service.deliver('razorpay', webhook)

    const [row] = await listed()
    const event = await shown(row)
    expect(event).to.include({ ...row, duplicates: 2, lane: 'money', state: 'processed' })
    const steps = whatOf(event)
    expect(steps.slice(0, 2)).to.deep.equal(['received', 'stored'])
    expect(steps.filter((what) => what === 'delivered_again')).to.have.length(2)
    expect(steps).to.include.members(['fact_recorded', 'processed'])
    const times = (event['timeline'] as unknown as Step[]).map(({ at }) => at)
    expect(times).to.deep.equal([...times].sort())
    const facts = event['facts'] as JsonObject[]
    expect(facts.map((fact) => fact['kind'])).to.include('payment_captured')
    const [capture] = facts
    expect(capture).to.include({ state: 'recorded', recorded_by: row?.['id'] ?? null })
    expect(event['journal_entries']).to.include(textIn(capture, 'journal_entry'))
    expect(event['payments']).to.have.length(1)
    expect(event['receipts']).to.have.length(1)
    expect(event['signed_by']).to.have.property('label').that.is.a('string')
    expect(event['body_bytes']).to.equal(webhook.body.length)
  })

  it('shows the facts of an event that another one told first', async () => {
    const payment = { id: 'pay_TESTline1', orderId: 'order_other', amount: 120_000 }
    await service.deliver('razorpay', razorpayEvent('order.paid', payment))
    await processInbox.run(service.jobParts)
    const [second, first] = await listed()
    const event = await shown(second)
    expect((event['facts'] as JsonObject[])[0]).to.include({
      kind: 'payment_captured',
      recorded_by: textIn(first, 'id'),
    })
    expect(whatOf(event)).to.not.include('fact_recorded')
  })

  it('shows each attempt with its error, and no fact of what cannot be read', async () => {
    const webhook = razorpayWebhook('{"event":17}', RAZORPAY.webhookSecret, 'evt_odd')
    await service.deliver('razorpay', webhook)
    await processInbox.run(service.jobParts)
    const [row] = await listed('?state=dead')
    const event = await shown(row)
    const failed = (event['timeline'] as unknown as Step[]).find(({ what }) => what === 'failed')
    expect(failed?.detail).to.equal(`attempt 1: ${textIn(row, 'last_error')}`)
    expect(event['facts']).to.deep.equal([])
    expect(event['journal_entries']).to.deep.equal([])
  })

  it('is found by state, type, lane, endpoint, error and time', async () => {
    const endpoint = service.endpoints.get('razorpay') ?? ''
    const soon = encodeURIComponent(new Date(Date.now() + 60_000).toISOString())
    const all = await listed()
    for (const [query, count] of [
      [`endpoint=${endpoint}`, all.length],
      ['endpoint=whe_00000000000000000000000000', 0],
      ['type=order.paid', 1],
      ['lane=other', 0],
      ['state=dead&error=EVENT', 1],
      ['error=%25', 0],
      [`received_from=${soon}`, 0],
      [`received_before=${soon}`, all.length],
      ['received_before=2020-01-01T00:00:00Z', 0],
    ] as const) {
      expect(await listed(`?${query}`), query).to.have.length(count)
    }
    for (const bad of ['received_from=yesterday', 'lane=fast', 'held=1', 'error=', 'endpoint=x']) {
      expect((await service.call('GET', `/v1/inbox-events?${bad}`)).status, bad).to.equal(400)
    }
    const none = `evt_${'0'.repeat(26)}`
    expect((await service.call('GET', `/v1/inbox-events/${none}`)).status).to.equal(404)
  })

  it('has beside it which secret was used last, noted once a minute at the most', async () => {
    const path = `/v1/webhook-endpoints/${service.endpoints.get('razorpay') ?? ''}/secrets`
    const used = async () => {
      const { json } = await service.call('GET', path, { role: 'admin' })
      return rowsOf(json)[0]?.['last_used_at']
    }
    const first = await used()
    expect(first).to.be.a('string')
    await donate(service, 100_000, '2026-05-10')
    await processInbox.run(service.jobParts)
    expect(await used()).to.equal(first)
    await service.rows(
      `update webhook_secrets set last_used_at = last_used_at - interval '2 minutes'`,
    )
    const aged = await used()
    await donate(service, 100_000, '2026-05-10')
    await processInbox.run(service.jobParts)
    expect(await used())
      .to.be.a('string')
      .and.not.equal(aged)
  })

  it('has beside it the calls that were refused, by reason, address and time', async () => {
    const forged = razorpayEvent('payment.captured', { id: 'pay_x', orderId: null, amount: 1 })
    forged.headers['x-razorpay-signature'] = '0'.repeat(64)
    await service.deliver('razorpay', forged)
    const found = async (query: string) =>
      rowsOf((await service.call('GET', `/v1/rejected-calls?${query}`)).json)
    const [call] = await found('reason=bad_signature')
    const address = encodeURIComponent(textIn(call, 'remote_address'))
    for (const [query, count] of [
      ['reason=unreadable', 0],
      ['gateway=razorpay', 1],
      ['gateway=payu', 0],
      [`remote_address=${address}`, 1],
      ['remote_address=10.0.0.1', 0],
      [`endpoint=${service.endpoints.get('razorpay') ?? ''}`, 1],
      ['received_from=2020-01-01T00:00:00Z', 1],
      ['received_before=2020-01-01T00:00:00Z', 0],
    ] as const) {
      expect(await found(query), query).to.have.length(count)
    }
  })
})
