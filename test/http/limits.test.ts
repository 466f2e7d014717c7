/** Rate limits over HTTP: classes, headers, refusals, and what happens where nobody counts. */
import { expect } from 'chai'
import { readConfig } from '../../src/base/config.ts'
import { openLog } from '../../src/base/log.ts'
import { registry } from '../../src/base/metrics.ts'
import { signToken } from '../../src/http/auth.ts'
import { addressOf, limitOf, LIMITS, openLimits } from '../../src/http/limits.ts'
import { startServer } from '../../src/server.ts'
import { asOwner } from '../../scripts/stack.ts'
import { razorpayEvent } from '../support/bodies.ts'
import { startTestService, type Answer, type TestService } from '../support/service.ts'
import { until } from '../support/until.ts'
import { entryBody, expectRefused, postEntry } from './posting.ts'

async function counted(name: string, labels: Record<string, string> = {}): Promise<number> {
  const metric = await registry.getSingleMetric(name)?.get()
  const found = metric?.values.find((value) =>
    Object.entries(labels).every(([label, is]) => value.labels[label] === is),
  )
  return found?.value ?? 0
}

const headersOf = ({ headers }: Answer) => [
  headers.get('ratelimit-policy'),
  headers.get('ratelimit'),
]

function bearer(service: TestService, subject: string): Record<string, string> {
  const token = signToken({ subject, orgId: 1, role: 'admin' }, service.config.jwtSecret, 60)
  return { authorization: `Bearer ${token}` }
}

async function trySignIn(
  service: TestService,
  email: string,
  organisation = 'test',
): Promise<Answer> {
  const body = { organisation, email, password: 'not the password' }
  return await service.call('POST', '/v1/sign-in', { role: null, body })
}

describe('the limits of the API', () => {
  let service: TestService

  before(async () => {
    const limits = 'read=3,write=2,money=4,export=1,sign_in=6,sign_in_email=2,webhook=2'
    service = await startTestService({ env: { RATE_LIMITS: limits } })
  })

  after(async () => {
    await service.stop()
  })

  it('stand on every answer to a known caller, and count down', async () => {
    const headers = bearer(service, 'counts')
    const first = await service.call('GET', '/v1/accounts', { headers })
    expect(first.headers.get('ratelimit-policy')).to.equal('"read";q=3;w=60')
    expect(first.headers.get('ratelimit')).to.match(/^"read";r=2;t=(?:60|59)$/)
    const missing = await service.call('GET', '/v1/accounts/acc_999', { headers })
    expect(missing.status).to.equal(404)
    expect(missing.headers.get('ratelimit')).to.match(/^"read";r=1;t=\d+$/)
  })

  it('refuse what is above, say until when, and leave others alone', async () => {
    const headers = bearer(service, 'reads a lot')
    for (let call = 0; call < 3; call += 1) {
      expect((await service.call('GET', '/v1/accounts', { headers })).status).to.equal(200)
    }
    const before = await counted('bahi_rate_limited_total', { class: 'read' })
    const refused = await service.call('GET', '/v1/currencies', { headers })
    expect(refused.status).to.equal(429)
    expect(refused.json).to.include({
      type: 'urn:bahi:problem:rate_limited',
      code: 'rate_limited',
      status: 429,
    })
    expect(Number(refused.headers.get('retry-after'))).to.be.within(50, 60)
    expect(refused.headers.get('ratelimit')).to.match(/^"read";r=0;t=\d+$/)
    expect(await counted('bahi_rate_limited_total', { class: 'read' })).to.equal(before + 1)
    const other = bearer(service, 'reads a little')
    expect((await service.call('GET', '/v1/accounts', { headers: other })).status).to.equal(200)
  })

  it('are said in the contract of every operation', async () => {
    const contract = (await (await fetch(`${service.url}/openapi.json`)).json()) as {
      paths: Record<string, Record<string, { responses: Record<string, { headers: object }> }>>
    }
    const answers = Object.entries(contract.paths).flatMap(([path, item]) =>
      Object.entries(item).map(([method, { responses }]) => ({ path, method, responses })),
    )
    expect(answers.length).to.be.greaterThan(30)
    for (const { path, method, responses } of answers) {
      expect(responses['429']?.headers, `${method} ${path}`).to.include.keys(
        'RateLimit',
        'RateLimit-Policy',
        'Retry-After',
      )
      expect(responses['503']?.headers, `${method} ${path}`).to.include.keys('Retry-After')
      for (const [status, { headers }] of Object.entries(responses)) {
        expect(headers, `${method} ${path} ${status}`).to.include.keys('RateLimit')
      }
    }
  })

  it('are apart for reading, writing, money and exports', async () => {
    const headers = bearer(service, 'does everything')
    const account = (code: string) => ({
      headers,
      body: { code, kind: 'asset', normal: 'debit', name: code, currency: 'INR' },
    })
    const codes: string[] = []
    for (const [method, path, more] of [
      ['GET', '/v1/accounts', { headers }],
      ['POST', '/v1/accounts', account('assets:bank:one')],
      ['POST', '/v1/journal-entries', { headers, body: entryBody() }],
      ['GET', '/v1/audit-trail.csv', { headers }],
    ] as const) {
      const answer = await service.call(method, path, more)
      expect(answer.status, path).to.not.equal(429)
      codes.push(answer.headers.get('ratelimit-policy') ?? '')
    }
    expect(codes).to.deep.equal([
      '"read";q=3;w=60',
      '"write";q=2;w=60',
      '"money";q=4;w=60',
      '"export";q=1;w=60',
    ])
    const again = await service.call('GET', '/v1/audit-trail.csv', { headers })
    expect(again.status).to.equal(429)
  })

  it('say of money that none moved', async () => {
    for (let call = 0; call < 4; call += 1) {
      expect((await postEntry(service, `limit-${call}`)).status).to.equal(201)
    }
    const refused = await postEntry(service, 'limit-4')
    expectRefused(refused, 'rate_limited', 'no')
    // The same request is not answered by its key either: it comes again when there is room.
    expectRefused(await postEntry(service, 'limit-0'), 'rate_limited', 'no')
  })

  it('are shared by two processes of the service', async () => {
    const other = await startServer(service.parts, 0)
    const headers = bearer(service, 'asks two')
    const url = `${other.url}/v1/accounts`
    const statuses: number[] = []
    for (let call = 0; call < 3; call += 1) {
      statuses.push((await service.call('GET', '/v1/accounts', { headers })).status)
      statuses.push((await fetch(url, { headers })).status)
    }
    await other.close()
    // Of three a process keeps less than one to itself, so that both know.
    expect(statuses.filter((status) => status === 200)).to.have.length(3)
  })

  it('never refuse a gateway, but count', async () => {
    const before = await counted('bahi_rate_limited_total', { class: 'webhook' })
    for (let call = 0; call < 5; call += 1) {
      const id = `pay_TESTlimit00000${call}`
      const webhook = razorpayEvent('payment.failed', { id, orderId: null, amount: 100 })
      expect((await service.deliver('razorpay', webhook)).status).to.equal(200)
    }
    await until(
      async () => (await counted('bahi_rate_limited_total', { class: 'webhook' })) === before + 3,
    )
  })

  it('end guessing for one email, and for one address', async () => {
    for (let call = 0; call < 2; call += 1) {
      expect((await trySignIn(service, 'guessed@example.org')).status).to.equal(401)
    }
    const email = await trySignIn(service, 'Guessed@Example.org')
    expect(email.status).to.equal(429)
    expect(email.headers.get('ratelimit-policy')).to.equal('"sign_in_email";q=2;w=60')
    for (let call = 0; call < 2; call += 1) {
      expect((await trySignIn(service, `guessed${call}@example.org`)).status).to.equal(401)
    }
    const namesake = await trySignIn(service, 'Guessed@Example.org', 'asha-other')
    expect(namesake.status, 'the same name elsewhere').to.equal(401)
    const address = await trySignIn(service, 'guessed9@example.org')
    expect(headersOf(address)[0]).to.equal('"sign_in";q=6;w=60')
    expect(address.status).to.equal(429)
    const [{ keys } = { keys: '' }] = await service.rows<{ keys: string }>(
      `select string_agg(key, ' ') as keys from rate_limits`,
    )
    expect(keys).to.contain('sign_in_email').and.not.contain('example').and.not.contain('127.0')
  })
})

describe('the limits where their store is away', () => {
  let service: TestService

  before(async () => {
    service = await startTestService({ env: { RATE_LIMITS: 'read=3,money=1000,sign_in=100' } })
    await asOwner(service.database.ownerUrl, async (client) => {
      await client.query('alter table rate_limits rename to gone')
    })
  })

  after(async () => {
    await service.stop()
  })

  it('let money and reading through, as far as this process counts, and say so', async () => {
    const before = await counted('bahi_rate_limiter_failures_total')
    for (let call = 0; call < 3; call += 1) {
      expect((await postEntry(service, `away-${call}`)).status).to.equal(201)
      expect((await service.call('GET', '/v1/accounts')).status).to.equal(200)
    }
    expect((await service.call('GET', '/v1/accounts')).status).to.equal(429)
    expect(await counted('bahi_rate_limiter_failures_total')).to.be.greaterThan(before)
    const webhook = razorpayEvent('payment.failed', {
      id: 'pay_TESTlimitaway1',
      orderId: null,
      amount: 100,
    })
    expect((await service.deliver('razorpay', webhook)).status).to.equal(200)
  })

  it('let nobody sign in', async () => {
    const answer = await trySignIn(service, 'somebody@example.org')
    expect(answer.status).to.equal(503)
    expect(answer.json).to.include({ code: 'unavailable' })
    expect(answer.headers.get('retry-after')).to.equal('2')
    expect((await fetch(`${service.url}/auth/oidc/test`)).status).to.equal(503)
  })
})

describe('the limits as they are set', () => {
  const env = {
    DATABASE_URL: 'postgres://x@127.0.0.1:1/x',
    SES_ENDPOINT: 'http://127.0.0.1:1',
    JWT_SECRET: 'a test secret of at least 32 characters',
    DATA_KEYS: `t1:${Buffer.alloc(32, 7).toString('base64')}`,
  }

  it('are refused by name where there is no such class, or no such form', async () => {
    const open = (RATE_LIMITS: string) =>
      openLimits(readConfig({ ...env, RATE_LIMITS }), openLog('silent', 'test'))
    await open('all=5,read=7').close()
    expect(() => open('reed=5')).to.throw(/RATE_LIMITS has no class reed.*read, write/s)
    for (const wrong of ['read', 'read=', 'read=0', 'read=-1', 'read=1.5', 'read=1;write=2']) {
      expect(() => open(wrong), wrong).to.throw(/RATE_LIMITS must be like/)
    }
  })

  it('give each operation a class by what it needs and does, unless it has its own', () => {
    const classOf = (
      method: 'get' | 'post',
      permission: Parameters<typeof limitOf>[0]['permission'],
      path: `/${string}` = '/things',
    ) => limitOf({ method, permission, path })
    expect(classOf('get', 'books.read')).to.equal('read')
    expect(classOf('get', 'self')).to.equal('read')
    expect(classOf('post', 'accounts.write')).to.equal('write')
    expect(classOf('post', 'books.post')).to.equal('money')
    expect(classOf('post', 'donations.open')).to.equal('money')
    expect(classOf('get', 'exports.read')).to.equal('export')
    expect(classOf('post', 'public')).to.equal('sign_in')
    expect(classOf('get', 'books.read', '/things.csv')).to.equal('export')
    const own = { method: 'get', permission: 'books.read', path: '/x', limit: 'export' } as const
    expect(limitOf(own)).to.equal('export')
    expect(LIMITS.money).to.be.greaterThan(LIMITS.read)
  })

  it('take the network of an IPv6 address for the caller', () => {
    const of = (ip: string) => addressOf({ ip })
    expect(of('203.0.113.9')).to.equal('203.0.113.9')
    expect(of('::ffff:203.0.113.9')).to.equal('203.0.113.9')
    expect(of('2001:db8:1:2:3:4:5:6')).to.equal('2001:db8:1:2')
    expect(of('2001:db8:1:2::6')).to.equal('2001:db8:1:2')
    expect(of('2001:db8::6')).to.equal('2001:db8:0:0')
    expect(of('::1')).to.equal('0:0:0:0')
  })
})
