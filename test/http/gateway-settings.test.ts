/** Gateway accounts, webhook endpoints and their secrets: set, rotated, used, never shown. */
import { expect } from 'chai'
import { createOrganisation } from '../../db/seeds/organisation.ts'
import { seal } from '../../src/base/crypto.ts'
import { signToken } from '../../src/http/auth.ts'
import { asOwner } from '../../scripts/stack.ts'
import { donationRequest } from '../support/bodies.ts'
import { PAYU, RAZORPAY, testOrganisation } from '../support/organisation.ts'
import {
  GATEWAYS_URL,
  startTestService,
  type Answer,
  type JsonObject,
  type TestService,
} from '../support/service.ts'
import { razorpayWebhook } from '../support/sign.ts'
import { until } from '../support/until.ts'
import { rowsOf, textIn } from './seeded.ts'

const HOUR_MS = 3_600_000

describe('the gateways of an organisation', () => {
  let service: TestService
  let razorpay: string

  before(async () => {
    service = await startTestService()
    razorpay = service.endpoints.get('razorpay') ?? ''
    await asOwner(service.database.ownerUrl, async (client) => {
      const spec = { ...testOrganisation(GATEWAYS_URL, { orgId: 2, slug: 'other' }), gateways: [] }
      await createOrganisation(client, service.config.dataKeys, spec)
    })
  })

  after(async () => {
    await service.stop()
  })

  const admin = async (method: string, path: string, body?: unknown, headers = {}) =>
    await service.call(method, `/v1/${path}`, { role: 'admin', body, headers })

  async function asOther(method: string, path: string, body?: unknown): Promise<Answer> {
    const principal = { subject: 'other', orgId: 2, role: 'admin' } as const
    const authorization = `Bearer ${signToken(principal, service.config.jwtSecret, 60)}`
    return await admin(method, path, body, { authorization })
  }

  let sent = 0
  /** What the intake says to an event signed with that secret: 200, 401 or 404. */
  async function taken(endpoint: string, secret: string): Promise<number> {
    sent += 1
    const content = { event: 'order.paid', payload: {}, n: sent }
    const { headers, body } = razorpayWebhook(content, secret, `evt_settings${sent}`)
    const answer = await fetch(`${service.url}/webhooks/razorpay/${endpoint}`, {
      method: 'POST',
      headers,
      body: new Uint8Array(body),
    })
    return answer.status
  }

  async function secretsOf(endpoint: string): Promise<JsonObject[]> {
    const answer = await admin('GET', `webhook-endpoints/${endpoint}/secrets`)
    expect(answer.text).not.to.contain(RAZORPAY.webhookSecret)
    return rowsOf(answer.json)
  }

  it('are listed with their secrets masked', async () => {
    const answer = await admin('GET', 'gateway-accounts')
    expect(answer.text).not.to.contain(PAYU.salt).and.not.to.contain(RAZORPAY.keySecret)
    const rows = rowsOf(answer.json)
    expect(rows.map((row) => [row['id'], row['account'], row['key_secret']])).to.deep.equal([
      ['payu', PAYU.account, `••••${PAYU.salt.slice(-4)}`],
      ['razorpay', RAZORPAY.account, `••••${RAZORPAY.keySecret.slice(-4)}`],
    ])
    expect(rowsOf((await asOther('GET', 'gateway-accounts')).json)).to.deep.equal([])
  })

  it('are added once each, with a key that fits the gateway', async () => {
    const account = {
      gateway: 'razorpay',
      account: 'acc_OTHER',
      key_id: 'rzp_test_OTHER',
      key_secret: 'short-secret',
      environment: 'test',
    }
    const added = await asOther('POST', 'gateway-accounts', account)
    expect(added.status, added.text).to.equal(201)
    expect(added.json).to.include({ api_url: 'https://api.razorpay.com', state: 'enabled' })
    expect(added.text).not.to.contain('short-secret')
    const again = await asOther('POST', 'gateway-accounts', account)
    expect([again.status, again.json['code']]).to.deep.equal([409, 'gateway_account_exists'])
    for (const change of [
      { key_id: undefined },
      { api_url: 'http://169.254.169.254' },
      { key_secret: 'with space in it' },
      { gateway: 'stripe' },
      { gateway: 'payu', key_id: 'not the account' },
    ]) {
      expect(
        (await asOther('POST', 'gateway-accounts', { ...account, ...change })).status,
      ).to.equal(400)
    }
  })

  it('are disabled for new donations, while what was begun is still taken in', async () => {
    const open = async () => {
      const body = donationRequest({ gateway: 'payu' })
      const { status, json } = await service.call('POST', '/v1/donations', { body })
      return [status, json['code']]
    }
    const off = await admin('PATCH', 'gateway-accounts/payu', { state: 'disabled' })
    expect(off.json).to.include({ state: 'disabled' })
    expect(await open()).to.deep.equal([422, 'gateway_disabled'])
    await admin('PATCH', 'gateway-accounts/razorpay', { state: 'disabled' })
    expect(await taken(razorpay, RAZORPAY.webhookSecret)).to.equal(200)
    await admin('PATCH', 'gateway-accounts/razorpay', { state: 'enabled' })
    await admin('PATCH', 'gateway-accounts/payu', { state: 'enabled' })
    expect(await open()).to.deep.equal([201, undefined])
  })

  it('take a new key, of PayU with its webhooks too', async () => {
    const { json } = await admin('PATCH', 'gateway-accounts/razorpay', {
      key_id: 'rzp_test_new',
      key_secret: 'a-new-key-secret',
    })
    expect(json).to.include({ key_id: 'rzp_test_new', key_secret: '••••cret' })
    const payu = service.endpoints.get('payu') ?? ''
    expect(await secretsOf(payu)).to.have.length(1)
    await admin('PATCH', 'gateway-accounts/payu', { key_secret: 'another-salt-of-PayU' })
    const [salt, first] = await secretsOf(payu)
    expect(salt).to.include({ label: 'the new salt', expires_at: null })
    expect(Date.parse(textIn(first, 'expires_at')) - Date.now()).to.be.within(
      23.9 * HOUR_MS,
      24 * HOUR_MS,
    )
    const wrong = await admin('PATCH', 'gateway-accounts/payu', { key_id: 'x' })
    expect([wrong.status, wrong.json['code']]).to.deep.equal([400, 'invalid_request'])
    const none = await asOther('PATCH', 'gateway-accounts/payu', { state: 'disabled' })
    expect(none.status).to.equal(404)
  })

  it('record who changed them, without any secret', async () => {
    const { text } = await admin('GET', 'people-audit?operation=changeGatewayAccount')
    expect(text).to.contain('rzp_test_new').and.not.to.contain('a-new-key-secret')
    expect(text).not.to.contain('another-salt-of-PayU')
  })

  it('get endpoints, whose secret is shown once and whose calls are taken in', async () => {
    const headers = { 'idempotency-key': 'an-endpoint' }
    const made = await admin('POST', 'webhook-endpoints', { gateway: 'razorpay' }, headers)
    expect(made.status, made.text).to.equal(201)
    const [id, secret] = [textIn(made.json, 'id'), textIn(made.json, 'secret')]
    expect(made.json['url']).to.equal(`${service.url}/webhooks/razorpay/${id}`)
    expect(secret).to.match(/^[0-9a-f]{64}$/)
    expect(await taken(id, secret)).to.equal(200)
    expect(await taken(id, RAZORPAY.webhookSecret)).to.equal(401)
    // Where the answer was lost, the same key gives it again.
    const again = await admin('POST', 'webhook-endpoints', { gateway: 'razorpay' }, headers)
    expect(again.json).to.deep.equal(made.json)
    const list = await admin('GET', 'webhook-endpoints')
    expect(rowsOf(list.json).map((row) => row['id']))
      .to.include(id)
      .and.to.have.length(3)
    expect(list.text).not.to.contain(secret)
    const given = await admin('POST', 'webhook-endpoints', {
      gateway: 'razorpay',
      secret: 'chosen-at-Razorpay',
    })
    expect(given.json['secret']).to.equal(null)
    expect(await taken(textIn(given.json, 'id'), 'chosen-at-Razorpay')).to.equal(200)
    const payu = await admin('POST', 'webhook-endpoints', { gateway: 'payu' })
    expect(payu.status).to.equal(400)
    const none = await asOther('POST', 'webhook-endpoints', { gateway: 'payu', secret: '12345678' })
    expect([none.status, none.json['code']]).to.deep.equal([422, 'unknown_gateway'])
  })

  it('disable an endpoint at once, and enable it again', async () => {
    const made = await admin('POST', 'webhook-endpoints', { gateway: 'razorpay' })
    const [id, secret] = [textIn(made.json, 'id'), textIn(made.json, 'secret')]
    expect(await taken(id, secret)).to.equal(200)
    const off = await admin('PATCH', `webhook-endpoints/${id}`, { state: 'disabled' })
    expect(off.json).to.include({ state: 'disabled' })
    expect(await taken(id, secret)).to.equal(404)
    await admin('PATCH', `webhook-endpoints/${id}`, { state: 'enabled' })
    expect(await taken(id, secret)).to.equal(200)
    const other = await asOther('PATCH', `webhook-endpoints/${id}`, { state: 'disabled' })
    expect(other.status).to.equal(404)
    expect(await taken(id, secret)).to.equal(200)
  })

  it('rotate a secret: both are good at once, the old one for a day at least', async () => {
    const path = `webhook-endpoints/${razorpay}`
    expect(await taken(razorpay, RAZORPAY.webhookSecret)).to.equal(200)
    const rotated = await admin('POST', `${path}/rotate-secret`, { label: 'November' })
    expect(rotated.status, rotated.text).to.equal(201)
    const secret = textIn(rotated.json, 'secret')
    expect(await taken(razorpay, secret)).to.equal(200)
    expect(await taken(razorpay, RAZORPAY.webhookSecret)).to.equal(200)
    const [fresh, first] = await secretsOf(razorpay)
    expect(fresh).to.deep.include({ label: 'November', expires_at: null })
    expect(fresh).to.have.all.keys('id', 'label', 'valid_from', 'expires_at', 'last_used_at')
    const left = Date.parse(textIn(first, 'expires_at')) - Date.now()
    expect(left).to.be.within(23.9 * HOUR_MS, 24 * HOUR_MS)

    const added = await admin('POST', `${path}/secrets`, {
      label: 'third',
      secret: 'the-third-one',
    })
    expect(added.json).to.include({ label: 'third', secret: null, expires_at: null })
    expect(await taken(razorpay, 'the-third-one')).to.equal(200)
    // One that ends sooner still does.
    await admin('POST', `${path}/rotate-secret`, { label: 'fourth', overlap_hours: 72 })
    const ends = (await secretsOf(razorpay)).map((row) => row['expires_at'])
    expect(ends[0]).to.equal(null)
    expect(ends[3]).to.equal(first?.['expires_at'])
    expect(Date.parse(textIn({ end: ends[1] ?? null }, 'end')) - Date.now()).to.be.above(
      71 * HOUR_MS,
    )
    for (const body of [
      { label: 'x', overlap_hours: 23 },
      { label: 'x', overlap_hours: 721 },
      { label: '' },
      { label: 'x', secret: 'short' },
      { label: 'two\nlines' },
    ]) {
      expect((await admin('POST', `${path}/rotate-secret`, body)).status).to.equal(400)
    }
    expect((await asOther('POST', `${path}/rotate-secret`, { label: 'x' })).status).to.equal(404)
    expect((await asOther('POST', `${path}/secrets`, { label: 'x' })).status).to.equal(404)
    expect((await asOther('GET', `${path}/secrets`)).status).to.equal(404)
  })

  it('no more take what an ended secret signed, to the moment', async () => {
    const made = await admin('POST', 'webhook-endpoints', { gateway: 'razorpay' })
    const [id, secret] = [textIn(made.json, 'id'), textIn(made.json, 'secret')]
    await service.rows(
      `insert into webhook_secrets (org_id, secret_id, endpoint_id, label, secret_sealed,
         valid_from, valid_until)
       values (1, 'ends-soon', $1, 'x', $2, now() - interval '1 day', now() + interval '1 second')`,
      [id, seal(service.config.dataKeys, 'the-one-that-ends', 'ends-soon')],
    )
    // The endpoint is in nobody's memory yet; from here on it is kept there past the end.
    expect(await taken(id, 'the-one-that-ends')).to.equal(200)
    await until(async () => (await taken(id, 'the-one-that-ends')) === 401)
    expect(await taken(id, secret)).to.equal(200)
  })

  it('have at most ten secrets that are valid, however fast they are asked for', async () => {
    const made = await admin('POST', 'webhook-endpoints', { gateway: 'razorpay' })
    const path = `webhook-endpoints/${textIn(made.json, 'id')}/secrets`
    const answers = await Promise.all(
      Array.from({ length: 14 }, async (_none, n) => await admin('POST', path, { label: `${n}` })),
    )
    const codes = answers.map(({ status, json }) => json['code'] ?? status)
    expect(codes.filter((code) => code === 201)).to.have.length(9)
    expect(codes.filter((code) => code === 'limit_reached')).to.have.length(5)
  })

  it('do not let a role at psql end a secret at once, or bring one back', async () => {
    const typed = async (sql: string) =>
      await service.parts.db
        .transact(1, async (trx) => await trx.query(sql, [razorpay]))
        .then(
          () => 'done',
          (error: unknown) => String(error),
        )
    const update = (until: string) =>
      `update webhook_secrets set valid_until = ${until} where org_id = 1 and endpoint_id = $1`
    expect(await typed(update('now()'))).to.contain('a day from now')
    expect(await typed(update(`now() + interval '23 hours 59 minutes'`))).to.contain('a day')
    expect(await typed(update('null'))).to.contain('a day from now')
  })

  it('take the events of two secrets in while they are rotated, losing none', async () => {
    const made = await admin('POST', 'webhook-endpoints', { gateway: 'razorpay' })
    const id = textIn(made.json, 'id')
    let newest = textIn(made.json, 'secret')
    const over = new AbortController()
    const refused: number[] = []
    const gateway = (async () => {
      while (!over.signal.aborted) {
        const status = await taken(id, newest)
        if (status !== 200) {
          refused.push(status)
        }
      }
    })()
    for (let n = 0; n < 8; n += 1) {
      const { json } = await admin('POST', `webhook-endpoints/${id}/rotate-secret`, {
        label: `${n}`,
      })
      newest = textIn(json, 'secret')
    }
    over.abort()
    await gateway
    expect(refused).to.deep.equal([])
  })
})
