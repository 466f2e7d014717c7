/** Users and API keys: who may make them, what they may do, and when they end. */
import { expect } from 'chai'
import { asOwner } from '../../scripts/stack.ts'
import { createOrganisation } from '../../db/seeds/organisation.ts'
import { signToken } from '../../src/http/auth.ts'
import { testOrganisation } from '../support/organisation.ts'
import { addPerson, callWith, sessionOf, trySignIn } from '../support/people.ts'
import { GATEWAYS_URL, startTestService, type TestService } from '../support/service.ts'

type Row = { id: string; [name: string]: unknown }

const ascending = (one: number, other: number) => one - other

describe('users', () => {
  let service: TestService

  before(async () => {
    service = await startTestService()
  })

  after(async () => {
    await service.stop()
  })

  it('are one for each email of an organisation, however it is written', async () => {
    const add = async (email: string, role: string = 'admin') =>
      await service.call('POST', '/v1/users', {
        role: 'admin',
        body: { email, name: 'Asha', role },
      })
    const both = await Promise.all([add('asha@example.org'), add('ASHA@EXAMPLE.ORG')])
    expect(both.map(({ status }) => status).toSorted(ascending)).to.deep.equal([201, 409])
    for (const bad of ['', 'asha', 'asha@', 'a sha@example.org', `${'a'.repeat(250)}@x.in`]) {
      expect((await add(bad)).status, bad.slice(0, 20)).to.equal(400)
    }
    expect((await add('owner@example.org', 'owner')).status).to.equal(400)
  })

  it('are made once by the same key, with the same invitation', async () => {
    const body = { email: 'once@example.org', name: 'आशा', role: 'viewer' }
    const more = { role: 'admin', body, headers: { 'idempotency-key': 'make-once' } } as const
    const [first, second] = [
      await service.call('POST', '/v1/users', more),
      await service.call('POST', '/v1/users', more),
    ]
    expect(second.headers.get('idempotent-replayed')).to.equal('true')
    expect(second.json).to.deep.equal(first.json)
    const page = await service.call('GET', '/v1/users?limit=1', { role: 'admin' })
    const [newest] = page.json['data'] as Row[]
    expect(newest).to.include({ email: 'once@example.org', name: 'आशा' })
    const rest = await service.call('GET', `/v1/users?starting_after=${newest?.id}`, {
      role: 'admin',
    })
    expect((rest.json['data'] as Row[]).map(({ id }) => id)).to.not.include(newest?.id)
    expect(rest.json['has_more']).to.equal(false)
  })

  it('keep an active admin, whoever leaves at the same time', async () => {
    const own = await startTestService()
    try {
      const [one, two] = [
        await addPerson(own, 'one@example.org', 'admin'),
        await addPerson(own, 'two@example.org', 'admin'),
      ]
      const leave = async (id: string, body: object) =>
        await own.call('PATCH', `/v1/users/${id}`, { role: 'admin', body })
      for (let round = 0; round < 5; round += 1) {
        const answers = await Promise.all([
          leave(one.id, { state: 'disabled' }),
          leave(two.id, { role: 'finance' }),
        ])
        const refused = answers.filter(({ status }) => status === 422)
        expect(answers.map(({ status }) => status).toSorted(ascending)).to.deep.equal([200, 422])
        expect(refused[0]?.json).to.include({ code: 'last_admin', moved: 'no' })
        await leave(one.id, { state: 'active', role: 'admin' })
        await leave(two.id, { state: 'active', role: 'admin' })
      }
      const all = own.rows(`update users set state = 'disabled' where role = 'admin'`)
      expect(await all.catch((error: Error) => error.message)).to.contain('last active admin')
    } finally {
      await own.stop()
    }
  })

  it('of another organisation are not there', async () => {
    const spec = testOrganisation(GATEWAYS_URL, { orgId: 2, slug: 'other' })
    await asOwner(service.database.ownerUrl, async (client) => {
      await createOrganisation(client, service.config.dataKeys, { ...spec, gateways: [] })
    })
    const mine = await addPerson(service, 'mine@example.org', 'admin')
    const asked = await service.call('POST', '/v1/users', {
      role: 'admin',
      body: { email: 'asked@example.org', name: 'Asked', role: 'viewer' },
    })
    const invitation = `/v1/users/${(asked.json['user'] as Row).id}/invitation`
    expect((await service.call('GET', invitation, { role: 'admin' })).status).to.equal(200)
    const key = await service.call('POST', '/v1/api-keys', {
      role: 'admin',
      body: { name: 'mine', role: 'viewer' },
    })
    const keyId = (key.json['api_key'] as Row).id
    const principal = { subject: 'other', orgId: 2, role: 'admin' } as const
    const other = signToken(principal, service.config.jwtSecret, 60)
    for (const [method, path, body] of [
      ['GET', `/v1/users/${mine.id}`, undefined],
      ['PATCH', `/v1/users/${mine.id}`, { role: 'viewer' }],
      ['POST', `/v1/users/${mine.id}/reset`, undefined],
      ['GET', invitation, undefined],
      ['POST', `/v1/api-keys/${keyId}/revoke`, undefined],
    ] as const) {
      expect((await callWith(service, other, method, path, body)).status, path).to.equal(404)
    }
    for (const path of ['/v1/users', '/v1/api-keys']) {
      const list = await callWith(service, other, 'GET', path)
      expect(list.json).to.deep.equal({ data: [], has_more: false })
    }
    const wrongDoor = await trySignIn(service, mine, { organisation: 'other' })
    expect(wrongDoor.status).to.equal(401)
    expect((await trySignIn(service, mine)).status).to.equal(200)
  })
})

describe('API keys', () => {
  let service: TestService

  before(async () => {
    service = await startTestService()
  })

  after(async () => {
    await service.stop()
  })

  async function make(body: object): Promise<{ id: string; secret: string }> {
    const made = await service.call('POST', '/v1/api-keys', { role: 'admin', body })
    expect(made.status, made.text).to.equal(201)
    return { id: (made.json['api_key'] as Row).id, secret: made.json['secret'] as string }
  }

  it('are shown once, and kept as a hash', async () => {
    const { id, secret } = await make({ name: 'Website', role: 'service' })
    expect(secret).to.match(new RegExp(`^bahi_${id}_[\\w-]{43}$`))
    const list = await service.call('GET', '/v1/api-keys', { role: 'admin' })
    expect(list.text).to.contain(id).and.not.contain(secret)
    for (const table of ['api_keys', 'kept_answers', 'people_audit_waiting', 'people_audit']) {
      const rows = await service.rows(`select 1 from ${table} t where strpos(t::text, $1) > 0`, [
        secret.slice(-43),
      ])
      expect(rows, table).to.deep.equal([])
    }
  })

  it('do what their role may, and say whose they are', async () => {
    const { id, secret } = await make({ name: 'Books', role: 'finance' })
    const me = await callWith(service, secret, 'GET', '/v1/me')
    expect(me.json).to.include({ subject: `key:${id}`, role: 'finance', user: null })
    expect((await callWith(service, secret, 'GET', '/v1/accounts')).status).to.equal(200)
    expect((await callWith(service, secret, 'GET', '/v1/users')).status).to.equal(403)
    const [row] = await service.rows<{ used: boolean; days: number }>(
      `select last_used_at > now() - interval '5 seconds' as used,
              extract(day from expires_at - created_at)::integer as days
         from api_keys where key_id = $1`,
      [id],
    )
    expect(row).to.deep.equal({ used: true, days: 365 })
  })

  it('write when they were used once a minute only', async () => {
    const { id, secret } = await make({ name: 'Busy', role: 'viewer' })
    await callWith(service, secret, 'GET', '/v1/me')
    const version = 'select xmin::text from api_keys where key_id = $1'
    const before = await service.rows(version, [id])
    await Promise.all(
      Array.from({ length: 5 }, async () => await callWith(service, secret, 'GET', '/v1/me')),
    )
    expect(await service.rows(version, [id])).to.deep.equal(before)
    await service.rows(
      `update api_keys set last_used_at = now() - interval '2 minutes' where key_id = $1`,
      [id],
    )
    await callWith(service, secret, 'GET', '/v1/me')
    expect(await service.rows(version, [id])).to.not.deep.equal(before)
  })

  it('with fewer permissions have no others', async () => {
    const { secret } = await make({
      name: 'Reader',
      role: 'admin',
      permissions: ['books.read', 'keys.manage', 'users.manage'],
    })
    expect((await callWith(service, secret, 'GET', '/v1/accounts')).status).to.equal(200)
    const refused = await callWith(service, secret, 'GET', '/v1/payments')
    expect(refused.status).to.equal(403)
    expect(refused.json['detail']).to.contain('was not given payments.read')
    const wrong = { name: 'Wrong', role: 'viewer', permissions: ['users.manage'] }
    for (const body of [
      wrong,
      { ...wrong, permissions: [] },
      { ...wrong, permissions: ['all'] },
      { name: 'Long', role: 'viewer', expires_in_days: 731 },
      { name: 'Short', role: 'viewer', expires_in_days: 0 },
      { name: 'a\nb', role: 'viewer' },
    ]) {
      const answer = await service.call('POST', '/v1/api-keys', { role: 'admin', body })
      expect(answer.status, JSON.stringify(body)).to.equal(400)
    }
  })

  it('do not make themselves more than they are', async () => {
    const { secret } = await make({
      name: 'Keeper',
      role: 'admin',
      permissions: ['books.read', 'keys.manage', 'users.manage'],
    })
    const admin = await addPerson(service, 'chief@example.org', 'admin')
    const viewer = await addPerson(service, 'reader@example.org', 'viewer')
    for (const [path, body, method] of [
      ['/v1/api-keys', { name: 'More', role: 'admin' }, 'POST'],
      ['/v1/api-keys', { name: 'More', role: 'finance' }, 'POST'],
      ['/v1/users', { email: 'x@example.org', name: 'X', role: 'admin' }, 'POST'],
      [`/v1/users/${viewer.id}`, { role: 'admin' }, 'PATCH'],
      [`/v1/users/${admin.id}`, { state: 'disabled' }, 'PATCH'],
      [`/v1/users/${admin.id}/reset`, undefined, 'POST'],
    ] as const) {
      const answer = await callWith(service, secret, method, path, body)
      expect(answer.status, path).to.equal(403)
      expect(answer.json['detail']).to.contain('Nobody gives more than he has')
    }
    const less = { name: 'Less', role: 'viewer', permissions: ['books.read'] }
    expect((await callWith(service, secret, 'POST', '/v1/api-keys', less)).status).to.equal(201)
  })

  it('end when they are revoked, for good, and when they are too old', async () => {
    const [gone, old] = [
      await make({ name: 'Gone', role: 'viewer' }),
      await make({ name: 'Old', role: 'viewer', expires_in_days: 1 }),
    ]
    const revoke = async (role: 'admin' | 'finance') =>
      await service.call('POST', `/v1/api-keys/${gone.id}/revoke`, { role })
    expect((await revoke('finance')).status).to.equal(403)
    const first = await revoke('admin')
    expect(first.json).to.include({ revoked_by: 'test' })
    expect((await revoke('admin')).json).to.deep.equal(first.json)
    const refused = await callWith(service, gone.secret, 'GET', '/v1/me')
    expect([refused.status, refused.json['detail']]).to.deep.equal([
      401,
      'The API key was revoked.',
    ])
    const undo = service.rows('update api_keys set revoked_at = null, revoked_by = null')
    expect(await undo.catch((error: Error) => error.message)).to.contain('stays revoked')
    await service.rows(
      `update api_keys set created_at = created_at - interval '3 days',
              expires_at = expires_at - interval '3 days' where key_id = $1`,
      [old.id],
    )
    const late = await callWith(service, old.secret, 'GET', '/v1/me')
    expect(late.json['detail']).to.equal('The API key has expired.')
  })

  it('are refused with another secret, and then say nothing of themselves', async () => {
    const [one, two] = [
      await make({ name: 'One', role: 'viewer' }),
      await make({ name: 'Two', role: 'viewer' }),
    ]
    await service.call('POST', `/v1/api-keys/${two.id}/revoke`, { role: 'admin' })
    const swapped = (id: string) => `bahi_${id}_${one.secret.slice(-43)}`
    for (const wrong of [
      swapped(two.id),
      `${one.secret}x`,
      one.secret.slice(0, -1),
      one.secret.toUpperCase(),
      `bahi_key_${'0'.repeat(26)}_${'A'.repeat(43)}`,
    ]) {
      const answer = await callWith(service, wrong, 'GET', '/v1/me')
      expect(answer.status, wrong).to.equal(401)
      expect(answer.text).to.not.contain('revoked')
    }
    expect((await callWith(service, swapped(one.id), 'GET', '/v1/me')).status).to.equal(200)
  })

  it('of a user’s session need no key of their own', async () => {
    const admin = await addPerson(service, 'maker@example.org', 'admin')
    const token = await sessionOf(service, admin)
    const body = { name: 'By hand', role: 'auditor' }
    const made = await callWith(service, token, 'POST', '/v1/api-keys', body)
    expect(made.json['api_key']).to.include({ created_by: `user:${admin.id}`, role: 'auditor' })
  })
})
