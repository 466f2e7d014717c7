/** Who answers for an API key: it does no more than he, stops with him, and is taken over. */
import { expect } from 'chai'
import { addPerson, callWith, sessionOf, type Person } from '../support/people.ts'
import { startTestService, type TestService } from '../support/service.ts'
import { expectRefused } from './posting.ts'
import { rowsOf, textIn } from './seeded.ts'

describe('who answers for an API key', () => {
  let service: TestService
  let asha: Person
  let omar: Person
  let session: string
  let others: string

  before(async () => {
    service = await startTestService()
    asha = await addPerson(service, 'asha@example.org', 'admin')
    omar = await addPerson(service, 'omar@example.org', 'admin')
    others = await sessionOf(service, omar)
  })

  after(async () => {
    await service.stop()
  })

  beforeEach(async () => {
    await turn({ state: 'active', role: 'admin' })
    session = await sessionOf(service, asha)
  })

  const turn = async (change: object) => {
    const turned = await callWith(service, others, 'PATCH', `/v1/users/${asha.id}`, change)
    expect(turned.status, turned.text).to.equal(200)
  }

  async function makeKey(role: string, token = session, permissions?: string[]) {
    const more = permissions === undefined ? {} : { permissions }
    const body = { name: 'Tally', role, ...more }
    const made = await callWith(service, token, 'POST', '/v1/api-keys', body)
    expect(made.status, made.text).to.equal(201)
    const view = made.json['api_key'] as { id: string; owner: string }
    return { ...view, secret: textIn(made.json, 'secret') }
  }

  const me = async (secret: string) => await callWith(service, secret, 'GET', '/v1/me')
  const listed = async (id: string) =>
    rowsOf((await callWith(service, others, 'GET', '/v1/api-keys')).json).find(
      (one) => one['id'] === id,
    )

  it('is its maker, also through another key of his', async () => {
    const one = await makeKey('admin')
    expect(one.owner).to.equal(`user:${asha.id}`)
    const two = await makeKey('admin', one.secret)
    expect(two.owner).to.equal(`user:${asha.id}`)
    const made = await service.call('POST', '/v1/api-keys', {
      role: 'admin',
      body: { name: 'x', role: 'viewer' },
    })
    expect(made.json['api_key']).to.include({ owner: 'token:test', owner_disabled: false })
  })

  it('takes it along when he is disabled, and brings it back', async () => {
    const one = await makeKey('admin')
    const two = await makeKey('admin', one.secret)
    await turn({ state: 'disabled' })
    for (const { id, secret } of [one, two]) {
      const refused = await me(secret)
      expect([refused.status, refused.json['detail']]).to.deep.equal([
        401,
        'Who answers for the API key is disabled; another admin can take it over.',
      ])
      const back = { state: 'active' }
      const own = await callWith(service, secret, 'PATCH', `/v1/users/${asha.id}`, back)
      expect(own.status).to.equal(401)
      expect(await listed(id)).to.include({ owner_disabled: true, revoked_at: null })
    }
    await turn({ state: 'active' })
    expect((await me(one.secret)).status).to.equal(200)
  })

  it('is from then on who takes it over, so that the machine goes on', async () => {
    const { id, secret } = await makeKey('service')
    await turn({ state: 'disabled' })
    const taken = await callWith(service, others, 'POST', `/v1/api-keys/${id}/take-over`)
    expect(taken.status, taken.text).to.equal(200)
    expect(taken.json).to.include({
      owner: `user:${omar.id}`,
      owner_disabled: false,
      created_by: `user:${asha.id}`,
    })
    expect((await me(secret)).status).to.equal(200)
    const audit = await service.call('GET', '/v1/people-audit?operation=takeOverApiKey', {
      role: 'auditor',
    })
    expect(rowsOf(audit.json)[0]).to.deep.include({ before: { owner: `user:${asha.id}` } })
  })

  it('lends it no more than he may do himself by now', async () => {
    const [admin, machine] = [await makeKey('admin'), await makeKey('service')]
    const permissions = async (secret: string) => (await me(secret)).json['permissions'] as string[]
    expect(await permissions(admin.secret)).to.include('users.manage')
    await turn({ role: 'finance' })
    expect(await permissions(admin.secret))
      .to.include('books.post')
      .and.to.not.include('users.manage')
    expect(await permissions(machine.secret)).to.include.members(['books.post', 'donations.open'])
    await turn({ role: 'viewer' })
    expect(await permissions(machine.secret)).to.not.include('books.post')
    const keys = await callWith(service, admin.secret, 'GET', '/v1/api-keys')
    expect([keys.status, keys.json['code']]).to.deep.equal([403, 'forbidden'])
  })

  it('is nobody who has less, and of another’s revoked key nobody new', async () => {
    const narrow = await makeKey('admin', session, ['keys.manage'])
    const wide = await makeKey('admin')
    const path = `/v1/api-keys/${wide.id}/take-over`
    expectRefused(await callWith(service, narrow.secret, 'POST', path), 'forbidden')
    await callWith(service, session, 'POST', `/v1/api-keys/${wide.id}/revoke`)
    const taken = await callWith(service, others, 'POST', path)
    expect(taken.json).to.include({ owner: `user:${asha.id}` })
    expect((await me(wide.secret)).status).to.equal(401)
    const none = await callWith(
      service,
      others,
      'POST',
      '/v1/api-keys/key_00000000000000000000000000/take-over',
    )
    expect(none.status).to.equal(404)
  })

  it('does by it nothing that takes a person: no provider, no admin, no approver', async () => {
    const { secret } = await makeKey('admin')
    const me_ = (await me(secret)).json['permissions'] as string[]
    expect(me_).to.not.include.members(['approvals.decide'])
    expect(me_).to.not.include.members(['identity.manage'])
    const provider = { issuer: 'https://evil.example', client_id: 'x', client_secret: 'y' }
    for (const [method, body] of [
      ['PUT', provider],
      ['DELETE', undefined],
    ] as const) {
      expectRefused(await callWith(service, secret, method, '/v1/oidc-provider', body), 'forbidden')
    }
    for (const role of ['admin', 'approver']) {
      const body = { email: `${role}@evil.example`, name: 'x', role }
      expectRefused(await callWith(service, secret, 'POST', '/v1/users', body), 'forbidden')
    }
    const viewer = await addPerson(service, 'viewer@example.org', 'viewer')
    const up = { role: 'admin' }
    const raised = await callWith(service, secret, 'PATCH', `/v1/users/${viewer.id}`, up)
    expectRefused(raised, 'forbidden')
    const reset = await callWith(service, secret, 'POST', `/v1/users/${omar.id}/reset`)
    expectRefused(reset, 'forbidden')
    const body = { email: 'fine@example.org', name: 'x', role: 'finance' }
    expect((await callWith(service, secret, 'POST', '/v1/users', body)).status).to.equal(201)
    expect((await callWith(service, session, 'GET', '/v1/oidc-provider')).status).to.equal(404)
  })

  it('is no excuse for a key with settings.write: the provider is not a setting', async () => {
    const { secret } = await makeKey('admin', session, ['settings.write'])
    const provider = { issuer: 'https://evil.example', client_id: 'x', client_secret: 'y' }
    const put = await callWith(service, secret, 'PUT', '/v1/oidc-provider', provider)
    expectRefused(put, 'forbidden')
  })
})
