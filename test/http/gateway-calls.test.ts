/** A gateway that is away: donors hear it at once, and operators see which calls failed and why. */
import { expect } from 'chai'
import { createOrganisation } from '../../db/seeds/organisation.ts'
import { signToken } from '../../src/http/auth.ts'
import { donationRequest } from '../support/bodies.ts'
import { startMoodyServer, type MoodyServer } from '../support/moody-server.ts'
import { testOrganisation } from '../support/organisation.ts'
import { startTestService, type JsonObject, type TestService } from '../support/service.ts'
import { until } from '../support/until.ts'
import { allPages, textIn } from './seeded.ts'

const RESET_MS = 1500

describe('calls to gateways', () => {
  let gateway: MoodyServer
  let service: TestService

  before(async () => {
    gateway = await startMoodyServer()
    service = await startTestService({
      gatewaysUrl: gateway.url,
      env: { GATEWAY_TIMEOUT_MS: '150', GATEWAY_BREAKER_MS: String(RESET_MS) },
    })
    await service.database.asOwner(async (client) => {
      const other = testOrganisation(gateway.url, { orgId: 2, slug: 'other' })
      return await createOrganisation(client, service.config.dataKeys, other)
    })
  })

  after(async () => {
    await service.stop()
    await gateway.close()
  })

  let keys = 0
  const donate = async () => {
    keys += 1
    return await service.call('POST', '/v1/donations', {
      body: donationRequest({ gateway: 'razorpay', amount: 250_050 }),
      headers: { 'idempotency-key': `calls-${keys}` },
    })
  }

  const list = async (query = ''): Promise<JsonObject[]> => {
    await service.parts.callLog.written()
    const answer = await service.call('GET', `/v1/gateway-calls?limit=100${query}`)
    expect(answer.status, answer.text).to.equal(200)
    return answer.json['data'] as JsonObject[]
  }

  const breakers = async (): Promise<JsonObject[]> =>
    (await service.call('GET', '/v1/gateway-breakers')).json['data'] as JsonObject[]

  const stateOf = async () =>
    (await breakers()).find(({ operation }) => operation === 'createOrder')?.['state']

  const order = (count: number) => {
    return { id: `order_${count}`, entity: 'order', amount: 250_050, currency: 'INR' }
  }

  it('to one that is away are given up soon, then not made, and made when it is back', async () => {
    gateway.become('silent')
    const slow = await donate()
    expect([slow.status, slow.json['code'], slow.json['moved']]).to.deep.equal([
      503,
      'gateway_unavailable',
      'no',
    ])
    for (let count = 0; count < 5 && (await stateOf()) !== 'open'; count += 1) {
      await donate()
      await until(async () => (await stateOf()) !== undefined)
    }
    await until(async () => (await stateOf()) === 'open')
    const before = gateway.requests
    const fast = await donate()
    expect(gateway.requests).to.equal(before)
    expect([fast.status, fast.json['code'], fast.json['moved']]).to.deep.equal([
      503,
      'gateway_unavailable',
      'no',
    ])
    expect(fast.json['detail']).to.contain('let through in')
    expect(Number(fast.headers.get('retry-after'))).to.be.within(1, 2)
    const [one] = await breakers()
    expect(one).to.include({ gateway: 'razorpay', operation: 'createOrder', state: 'open' })
    const [process] = (one?.['processes'] ?? []) as JsonObject[]
    expect(process?.['probe_at']).to.be.a('string')

    // It comes back by itself: nobody has to do anything.
    gateway.become({ status: 200, bodyOf: order })
    await until(async () => (await donate()).status === 201)
    expect((await donate()).status).to.equal(201)
    await until(async () => (await stateOf()) === 'closed')
  })

  it('are listed, newest first, and narrowed', async () => {
    const all = await list()
    const failed = await list('&outcome=unavailable')
    const answered = await list('&outcome=answered')
    expect(failed.length).to.be.at.least(3)
    expect(answered.length).to.be.at.least(2)
    expect(failed.length + answered.length).to.equal(all.length)
    expect(failed.every(({ status, error }) => status === null && error !== null)).to.equal(true)
    expect(failed.some(({ attempt }) => attempt === 2)).to.equal(true)
    expect(all.map((one) => textIn(one, 'id'))).to.deep.equal(
      all.map((one) => textIn(one, 'id')).sort((one, other) => (one < other ? 1 : -1)),
    )
    expect(await list('&gateway=payu')).to.deep.equal([])
    expect(await list('&operation=createOrder')).to.have.length(all.length)
    expect(await list('&operation=refund')).to.deep.equal([])
    const middle = textIn(all[1], 'begun_at')
    const from = await list(`&begun_from=${middle}`)
    const before = await list(`&begun_before=${middle}`)
    expect([from.length, before.length]).to.deep.equal([2, all.length - 2])
    expect(await list('&begun_from=2099-01-01T00:00:00Z')).to.deep.equal([])
    expect(await list('&begun_before=1960-01-01T00:00:00%2B05:30')).to.deep.equal([])
    const pages = await allPages(service, '/v1/gateway-calls', 2)
    expect(pages.flat().map(({ id }) => id)).to.deep.equal(all.map(({ id }) => id))
    for (const query of ['outcome=odd', 'begun_from=yesterday', 'operation=', 'limit=0']) {
      expect((await service.call('GET', `/v1/gateway-calls?${query}`)).status, query).to.equal(400)
    }
  })

  it('are shown without anything of the donor or the account', async () => {
    gateway.become({
      status: 400,
      body: { error: { code: 'BAD_REQUEST_ERROR', description: 'No asha@example.org please' } },
    })
    expect((await donate()).status).to.equal(502)
    const [newest] = await list()
    expect(newest).to.include({ outcome: 'refused', moved: 'no', status: 400, path: '/v1/orders' })
    const one = await service.call('GET', `/v1/gateway-calls/${textIn(newest, 'id')}`)
    expect(one.status).to.equal(200)
    expect(JSON.parse(textIn(one.json, 'request'))).to.include({ amount: 250_050, currency: 'INR' })
    expect(one.json['answer']).to.equal(
      '{"error":{"code":"BAD_REQUEST_ERROR","description":"No … please"}}',
    )
    const written = await service.rows<{ all: string }>(
      'select string_agg(c::text, chr(10)) as all from gateway_calls c',
    )
    const donor = donationRequest()['donor'] as Record<string, unknown>
    const texts = [donor['name'], donor['email'], donor['phone'], 'Basic ', 'rzp_test']
    for (const text of texts.filter((one): one is string => typeof one === 'string')) {
      expect(written[0]?.all).to.not.contain(text)
    }
  })

  it('are shown to nobody of another organisation', async () => {
    const claims = { subject: 'other', orgId: 2, role: 'admin' } as const
    const token = signToken(claims, service.config.jwtSecret, 600)
    const headers = { authorization: `Bearer ${token}` }
    const others = await service.call('GET', '/v1/gateway-calls', { headers })
    expect(others.json['data']).to.deep.equal([])
    const [own] = await list()
    const path = `/v1/gateway-calls/${textIn(own, 'id')}`
    expect((await service.call('GET', path, { headers })).status).to.equal(404)
    const none = '/v1/gateway-calls/gcl_01jd3v00000000000000000000'
    expect((await service.call('GET', none)).status).to.equal(404)
  })
})
