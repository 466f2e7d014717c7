/** The operator sets organisations up: they work at once, once each, and nobody else may. */
import { expect } from 'chai'
import { signToken } from '../../src/http/auth.ts'
import { donationRequest } from '../support/bodies.ts'
import { newOrganisation } from '../support/organisation.ts'
import {
  startTestService,
  type Answer,
  type JsonObject,
  type TestService,
} from '../support/service.ts'
import { razorpayWebhook } from '../support/sign.ts'
import { rowsOf, textIn } from './seeded.ts'

const KEY = 'an operator’s key of 32 characters'.replace('’', "'").replaceAll(' ', '-')

describe('the operator of an installation', () => {
  let service: TestService

  before(async () => {
    service = await startTestService({ env: { OPERATOR_KEY: KEY } })
  })

  after(async () => {
    await service.stop()
  })

  const ask = async (body: unknown, key: string | null = KEY): Promise<Answer> =>
    await service.call('POST', '/v1/organisations', {
      role: null,
      body,
      headers: key === null ? {} : { authorization: `Bearer ${key}` },
    })

  const numberOf = (made: JsonObject) => Number(textIn(made, 'id').replace('org_', ''))

  it('sets up an organisation that takes money at once and lets its admin in', async () => {
    const made = await ask(newOrganisation({ slug: 'fresh' }))
    expect(made.status, made.text).to.equal(201)
    expect(made.headers.get('cache-control')).to.equal('no-store')
    expect(made.json).to.include({ slug: 'fresh', created: true })
    const orgId = numberOf(made.json)
    const principal = { subject: 'x', orgId, role: 'admin' } as const
    const authorization = `Bearer ${signToken(principal, service.config.jwtSecret, 60)}`
    const call = async (method: string, path: string, body?: unknown) =>
      await service.call(method, path, { headers: { authorization }, body })

    const series = rowsOf((await call('GET', '/v1/receipt-series')).json)
    expect(series.map((row) => row['prefix'])).to.deep.equal(['FRESH', 'GEN'])
    expect((await call('GET', '/v1/trial-balance')).json).to.deep.include({ accounts: [] })
    const asked = donationRequest({ gateway: 'payu', fund: 'general' })
    const opened = await call('POST', '/v1/donations', asked)
    expect(opened.status, opened.text).to.equal(201)

    const [razorpay] = made.json['webhook_endpoints'] as JsonObject[]
    const { headers, body } = razorpayWebhook(
      { event: 'order.paid', payload: {} },
      textIn(razorpay, 'secret'),
    )
    const url = textIn(razorpay, 'url')
    const taken = await fetch(url, { method: 'POST', headers, body: new Uint8Array(body) })
    expect(taken.status).to.equal(200)
    const events = rowsOf((await call('GET', '/v1/inbox-events')).json)
    expect(events.map((row) => row['endpoint'])).to.deep.equal([razorpay?.['id']])

    const { invitation, email } = made.json['admin'] as JsonObject
    const token = textIn(invitation as JsonObject, 'token')
    const password = 'correct horse battery staple'
    const accepted = await service.call('POST', '/v1/invitations/accept', {
      role: null,
      body: { token, password },
    })
    expect(accepted.status, accepted.text).to.be.oneOf([200, 201])
    const signedIn = await service.call('POST', '/v1/sign-in', {
      role: null,
      body: { organisation: 'fresh', email, password },
    })
    expect(signedIn.status, signedIn.text).to.be.oneOf([200, 201])

    const audit = await call('GET', '/v1/people-audit')
    expect(audit.text).to.contain('createOrganisation').and.to.contain('"operator"')
    // Nobody else's books are touched or seen.
    expect(rowsOf((await service.call('GET', '/v1/inbox-events')).json)).to.deep.equal([])
  })

  it('asks for the same slug twice, and nothing is made or changed the second time', async () => {
    const first = await ask(newOrganisation({ slug: 'twice' }))
    const again = await ask({ ...newOrganisation({ slug: 'twice' }), legal_name: 'Another name' })
    expect([first.status, again.status]).to.deep.equal([201, 200])
    expect(again.json).to.include({ id: first.json['id'], created: false, admin: null })
    const idsOf = ({ json }: Answer) =>
      (json['webhook_endpoints'] as JsonObject[]).map((one) => one['id'])
    expect(idsOf(again)).to.have.members(idsOf(first))
    const secrets = (again.json['webhook_endpoints'] as JsonObject[]).map((one) => one['secret'])
    expect(secrets).to.deep.equal([null, null])
    const rows = await service.rows('select legal_name from organisations where slug = $1', [
      'twice',
    ])
    expect(rows).to.deep.equal([{ legal_name: 'Fresh Trust' }])
  })

  it('asks for eight at the same time, and for one eight times', async () => {
    const different = await Promise.all(
      Array.from(
        { length: 8 },
        async (_none, n) => await ask(newOrganisation({ slug: `org-${n}` })),
      ),
    )
    expect(different.map(({ status }) => status)).to.deep.equal(Array(8).fill(201))
    expect(new Set(different.map(({ json }) => json['id'])).size).to.equal(8)
    const same = await Promise.all(
      Array.from({ length: 8 }, async () => await ask(newOrganisation({ slug: 'same' }))),
    )
    expect(same.map(({ status }) => status)).to.have.members([...Array<number>(7).fill(200), 201])
    expect(new Set(same.map(({ json }) => json['id'])).size).to.equal(1)
  })

  it('hears what is wrong, and nothing of it is made', async () => {
    const good = newOrganisation({ slug: 'wrong' })
    const [account] = good['gateway_accounts'] as object[]
    const before = await service.rows('select count(*) from organisations')
    for (const [change, pointer] of [
      [{ slug: 'A slug' }, '/slug'],
      [{ pan: '1234' }, '/pan'],
      [{ legal_name: 'a\u0000b' }, '/legal_name'],
      [{ funds: [] }, '/funds'],
      [{ gateway_accounts: [account, account] }, '/gateway_accounts'],
      [
        { gateway_accounts: [{ ...account, environment: undefined }] },
        '/gateway_accounts/0/environment',
      ],
      [{ gateway_accounts: [{ ...account, key_id: undefined }] }, '/gateway_accounts/0/key_id'],
      [
        { gateway_accounts: [{ ...account, api_url: 'file:///etc' }] },
        '/gateway_accounts/0/api_url',
      ],
      [{ receipt_prefixes: { X: 'A' } }, '/receipt_prefixes'],
      [{ org_id: 7 }, ''],
    ] as const) {
      const { status, json } = await ask({ ...good, ...change })
      expect([status, json['code']], pointer).to.deep.equal([400, 'invalid_request'])
      const [error] = json['errors'] as { pointer: string }[]
      expect(error?.pointer).to.match(new RegExp(`^${pointer}`))
    }
    // Two that only the database can find out: it is all undone.
    const funds = [
      { id: 'general', name: 'One' },
      { id: 'general', name: 'Two' },
    ]
    const double = await ask({ ...good, funds })
    expect([double.status, double.json['code']]).to.deep.equal([409, 'fund_exists'])
    const clash = await ask({ ...good, receipt_prefixes: { '80G': 'GEN' } })
    expect([clash.status, clash.json['code']]).to.deep.equal([422, 'numbering_fixed'])
    expect(await service.rows('select count(*) from organisations')).to.deep.equal(before)
  })

  it('is nobody without the key, whatever token he has', async () => {
    const principal = { subject: 'x', orgId: 1, role: 'admin' } as const
    const token = signToken(principal, service.config.jwtSecret, 60)
    for (const key of [null, '', token, KEY.slice(0, -1), `${KEY}x`, KEY.toUpperCase()]) {
      const answer = await ask(newOrganisation({ slug: 'nobody' }), key)
      expect([answer.status, answer.json['code']]).to.deep.equal([401, 'unauthenticated'])
    }
    expect(await service.rows(`select 1 from organisations where slug = 'nobody'`)).to.deep.equal(
      [],
    )
    // Nor is his key a token.
    const headers = { authorization: `Bearer ${KEY}` }
    expect((await service.call('GET', '/v1/organisation', { headers })).status).to.equal(401)
  })
})

describe('an installation without an operator’s key', () => {
  it('has no way to make organisations over HTTP', async () => {
    const service = await startTestService()
    const answer = await service.call('POST', '/v1/organisations', {
      role: 'admin',
      body: newOrganisation({ slug: 'none' }),
    })
    expect([answer.status, answer.json['code']]).to.deep.equal([404, 'not_found'])
    // Nor by the database's function, for who works for an organisation.
    const made = await service.parts.db
      .transact(1, async (trx) =>
        trx.query(
          `select create_organisation(null, 'x', 'x', 'x', 'AABTA1234K', null, 'a@b.c', 'a@b.c',
             'x', 'x', 'x', null, null, sha256('x'))`,
        ),
      )
      .catch((error: unknown) => String(error))
    expect(made).to.contain('nobody who works for another one')
    await service.stop()
  })
})
