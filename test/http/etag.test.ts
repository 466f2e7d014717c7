/** ETag and If-Match on settings: who did not see the newest is refused, and nothing is changed. */
import { expect } from 'chai'
import { createOrganisation } from '../../db/seeds/organisation.ts'
import { signToken } from '../../src/http/auth.ts'
import { financialYear, indianDate } from '../../src/base/clock.ts'
import { asOwner } from '../../scripts/stack.ts'
import { testOrganisation } from '../support/organisation.ts'
import { png } from '../support/pictures.ts'
import {
  GATEWAYS_URL,
  startTestService,
  type Answer,
  type TestService,
} from '../support/service.ts'

describe('the ETag of settings', () => {
  let service: TestService
  const thisYear = financialYear(indianDate(new Date()))
  const later = (years: number) => financialYear(`${Number(thisYear.slice(0, 4)) + years}-05-01`)

  before(async () => {
    service = await startTestService()
    await asOwner(service.database.ownerUrl, async (client) => {
      const spec = testOrganisation(GATEWAYS_URL, { orgId: 2, slug: 'other' })
      await createOrganisation(client, service.config.dataKeys, spec)
    })
  })

  after(async () => {
    await service.stop()
  })

  async function admin(
    method: string,
    path: string,
    body?: unknown,
    ifMatch?: string,
  ): Promise<Answer> {
    const headers = ifMatch === undefined ? {} : { 'if-match': ifMatch }
    return await service.call(method, `/v1/${path}`, { role: 'admin', body, headers })
  }

  const tagOf = ({ headers }: { headers: Headers }) => headers.get('etag') ?? ''
  const expectRefused = (answer: Answer) => {
    expect(answer.status, answer.text).to.equal(412)
    expect(answer.json).to.include({ code: 'precondition_failed', moved: 'no' })
    expect(answer.json['detail']).to.contain('Read it again')
  }

  /** Of each settings resource: where it is read, and how it is changed to something new. */
  const SETTINGS: Record<string, [string, string, string, (n: number) => object]> = {
    organisation: ['organisation', 'PATCH', 'organisation', (n) => ({ address: `${n} Road` })],
    'gateway accounts': [
      'gateway-accounts',
      'PATCH',
      'gateway-accounts/razorpay',
      (n) => ({ key_id: `rzp_test_${n}` }),
    ],
    'receipt series': [
      'receipt-series',
      'PUT',
      'receipt-series/80G',
      (n) => ({ from_year: later(n), prefix: `P${n}` }),
    ],
  }

  for (const [name, [list, method, path, change]] of Object.entries(SETTINGS)) {
    it(`of ${name} lets the newest change them and refuses who read before`, async () => {
      const read = await admin('GET', list)
      const tag = tagOf(read)
      expect(tag).to.match(/^"[\w-]{27}"$/)
      expect(tagOf(await admin('GET', list))).to.equal(tag)
      const changed = await admin(method, path, change(1), tag)
      expect(changed.status, changed.text).to.equal(200)
      const newest = tagOf(changed)
      expect(newest).to.not.equal(tag)
      expect(tagOf(await admin('GET', list))).to.equal(newest)
      const before = await admin('GET', list)
      expectRefused(await admin(method, path, change(2), tag))
      expect((await admin('GET', list)).text).to.equal(before.text)
      expect((await admin(method, path, change(3), `"none" , ${newest}`)).status).to.equal(200)
      expect((await admin(method, path, change(4))).status).to.equal(200)
      expect((await admin(method, path, change(5), '*')).status).to.equal(200)
    })

    it(`of ${name} is taken once where two change them at the same time`, async () => {
      const tag = tagOf(await admin('GET', list))
      const answers = await Promise.all(
        [6, 7, 8, 9].map(async (n) => await admin(method, path, change(n), tag)),
      )
      const statuses = answers.map(({ status }) => status).sort((one, other) => one - other)
      expect(statuses).to.deep.equal([200, 412, 412, 412])
    })
  }

  it('is refused where it is weak, another resource’s or organisation’s, or none', async () => {
    const body = { address: 'elsewhere' }
    const tag = tagOf(await admin('GET', 'organisation'))
    const other = tagOf(await admin('GET', 'gateway-accounts'))
    const token = signToken(
      { subject: 'test', orgId: 2, role: 'admin' },
      service.config.jwtSecret,
      60,
    )
    const foreign = await service.call('GET', '/v1/organisation', {
      headers: { authorization: `Bearer ${token}` },
    })
    for (const wrong of [`W/${tag}`, other, tagOf(foreign), '""', `"${'x'.repeat(2000)}"`]) {
      expectRefused(await admin('PATCH', 'organisation', body, wrong))
    }
    for (const none of ['x', tag.slice(1), `${tag} ${tag}`, `*, ${tag}`, '"\u00e9', ',', '']) {
      const answer = await admin('PATCH', 'organisation', body, none)
      expect([answer.status, answer.json['code']], none).to.deep.equal([400, 'invalid_request'])
      expect(answer.json['detail']).to.contain('If-Match')
    }
    expect((await admin('GET', 'organisation')).text).to.not.contain('elsewhere')
    const missing = await admin('PATCH', 'gateway-accounts/payu', { state: 'enabled' }, other)
    expect(missing.status).to.equal(200)
  })

  it('of a logo is that of its bytes; where none is set, nothing matches', async () => {
    const put = async (bytes: Buffer, ifMatch?: string) => {
      const token = signToken(
        { subject: 't', orgId: 1, role: 'admin' },
        service.config.jwtSecret,
        60,
      )
      return await fetch(`${service.url}/v1/organisation/logo`, {
        method: 'PUT',
        headers: {
          authorization: `Bearer ${token}`,
          'content-type': 'image/png',
          ...(ifMatch === undefined ? {} : { 'if-match': ifMatch }),
        },
        body: new Uint8Array(bytes),
      })
    }
    expect((await put(png({ width: 40, height: 20 }), '*')).status).to.equal(412)
    const first = await put(png({ width: 40, height: 20 }))
    expect(first.status).to.equal(200)
    const read = await admin('GET', 'organisation/logo')
    expect(tagOf(read)).to.equal(tagOf(first)).and.match(/^"/)
    const second = await put(png({ width: 60, height: 30 }), tagOf(read))
    expect(second.status).to.equal(200)
    expect((await put(png({ width: 80, height: 40 }), tagOf(read))).status).to.equal(412)
  })

  it('is no reason to leave an answer out: what is read is sent whole', async () => {
    for (const path of ['organisation', 'receipt-series', 'organisation/logo']) {
      const read = await admin('GET', path)
      const again = await service.call('GET', `/v1/${path}`, {
        role: 'admin',
        headers: { 'if-none-match': tagOf(read) },
      })
      expect([again.status, again.text === read.text], path).to.deep.equal([200, true])
    }
  })

  it('is in the contract where it is given and where it is taken', async () => {
    const contract = (await (await fetch(`${service.url}/openapi.json`)).json()) as {
      paths: Record<string, Record<string, { parameters?: { name: string }[]; responses: object }>>
    }
    const change = contract.paths['/v1/organisation']?.['patch']
    expect(change?.parameters?.map(({ name }) => name)).to.include('If-Match')
    expect(change?.responses).to.have.property('412')
    expect(JSON.stringify(contract.paths['/v1/organisation']?.['get'])).to.contain('headers/ETag')
    expect(contract.paths['/v1/funds']?.['post']?.responses).to.not.have.property('412')
  })
})
