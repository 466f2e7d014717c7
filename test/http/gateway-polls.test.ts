/** Comparisons with gateways' lists over HTTP: how far they are, and one that somebody asks for. */
import { expect } from 'chai'
import { createOrganisation } from '../../db/seeds/organisation.ts'
import { asOwner } from '../../scripts/stack.ts'
import { indianDate } from '../../src/base/clock.ts'
import { signToken } from '../../src/http/auth.ts'
import { testOrganisation } from '../support/organisation.ts'
import { startPolling, type Polling } from '../support/polling.ts'
import { listedPayment, minutesAgo } from '../support/razorpay-lists.ts'
import type { Answer } from '../support/service.ts'
import { rowsOf, textIn } from './seeded.ts'

const DAY_MS = 24 * 60 * 60 * 1000
const RUN = '/v1/gateway-polls/razorpay/run'

const day = (daysAgo: number): string => indianDate(new Date(Date.now() - daysAgo * DAY_MS))

describe('the comparisons with gateways', () => {
  let polling: Polling

  before(async () => {
    polling = await startPolling()
  })

  after(async () => {
    await polling.stop()
  })

  async function post(body: object, path = RUN): Promise<Answer> {
    return await polling.service.call('POST', path, { body })
  }

  it('are none before a worker or a person began', async () => {
    const none = await polling.service.call('GET', '/v1/gateway-polls')
    expect([none.status, none.json]).to.deep.equal([200, { data: [] }])
  })

  it('are asked for now, and say how far they are', async () => {
    const asked = await post({})
    expect(asked.status, asked.text).to.equal(202)
    const lists = rowsOf(asked.json).map((row) => row['list'])
    const all = ['payments', 'refunds', 'disputes', 'settlements', 'settlement_lines']
    expect(lists).to.deep.equal(all)
    await polling.poll()
    const list = await polling.service.call('GET', '/v1/gateway-polls?gateway=razorpay')
    for (const row of rowsOf(list.json)) {
      expect(row).to.include({ state: 'waiting', failures: 0, last_problem: null, running: null })
      expect(Date.now() - Date.parse(textIn(row, 'compared_until'))).to.be.within(59_000, 90_000)
    }
    const audit = await polling.service.call('GET', '/v1/people-audit?operation=runGatewayPoll', {
      role: 'auditor',
    })
    expect(rowsOf(audit.json)).to.have.length(1)
  })

  it('find a lost payment in days that finance names, even from before the account', async () => {
    const created = minutesAgo(10 * 24 * 60)
    polling.razorpay.rows.payments = [listedPayment('pay_LOST', { created_at: created })]
    await polling.poll('all')
    expect(await polling.service.rows('select 1 from payments')).to.deep.equal([])
    const asked = await post({ list: 'payments', from: day(12), to: day(8) })
    expect(asked.status, asked.text).to.equal(202)
    const [row] = rowsOf(asked.json)
    expect(row?.['asked']).to.deep.include({ by: 'test' })
    const again = await post({ from: day(3), to: day(2) })
    expect([again.status, again.json['code']]).to.deep.equal([422, 'limit_reached'])
    const { compared_until: until } = await polling.row('payments')
    await polling.poll()
    expect(await polling.service.rows('select 1 from payments')).to.have.length(1)
    expect((await polling.row('payments')).compared_until).to.be.at.least(until)
    const done = await polling.service.call('GET', '/v1/gateway-polls?gateway=razorpay')
    expect(rowsOf(done.json).map((one) => one['asked'])).to.deep.equal([
      null,
      null,
      null,
      null,
      null,
    ])
  })

  it('refuse a range that is too long, half, backwards or ahead, and other gateways', async () => {
    for (const bad of [
      { from: day(40), to: day(2) },
      { from: day(3) },
      { to: day(3) },
      { from: day(2), to: day(3) },
      { from: day(-3), to: day(-4) },
      { from: 'yesterday', to: day(0) },
      { list: 'payouts' },
      { more: true },
    ]) {
      expect((await post(bad)).status, JSON.stringify(bad)).to.equal(400)
    }
    expect((await post({ from: day(30), to: day(0), list: 'disputes' })).status).to.equal(202)
    expect((await post({}, '/v1/gateway-polls/stripe/run')).status).to.equal(404)
    expect((await post({}, '/v1/gateway-polls/none/run')).status).to.equal(404)
    const none = await post({ list: 'disputes' }, '/v1/gateway-polls/payu/run')
    expect(none.status).to.equal(404)
  })

  it('of another organisation are its own', async () => {
    const { service } = polling
    await asOwner(service.database.ownerUrl, async (client) => {
      const other = testOrganisation('http://gateways.test', { orgId: 2, slug: 'other' })
      await createOrganisation(client, service.config.dataKeys, other)
    })
    const before = await polling.service.rows('select * from gateway_polls where org_id = 1')
    const secret = service.config.jwtSecret
    const token = signToken({ subject: 'other', orgId: 2, role: 'admin' }, secret, 600)
    const headers = { authorization: `Bearer ${token}` }
    const own = await service.call('POST', RUN, { headers, body: { from: day(2), to: day(1) } })
    expect(own.status, own.text).to.equal(202)
    expect(rowsOf(own.json).every((row) => row['seen'] === 0)).to.equal(true)
    const differences = await service.call('GET', '/v1/gateway-differences', { headers })
    expect(rowsOf(differences.json)).to.deep.equal([])
    expect(await service.rows('select * from gateway_polls where org_id = 1')).to.deep.equal(before)
  })
})
