/** Coming in by password: sessions, their ends, lockout, invitations, cookies. */
import { expect } from 'chai'
import { scryptSync } from 'node:crypto'
import {
  addPerson,
  callWith,
  invitationOf,
  PASSWORD,
  sessionOf,
  trySignIn,
  type Person,
} from '../support/people.ts'
import { startTestService, type TestService } from '../support/service.ts'

const ascending = (one: number, other: number) => one - other

describe('signing in', () => {
  let service: TestService
  let asha: Person

  before(async () => {
    service = await startTestService()
    asha = await addPerson(service, 'asha@example.org', 'finance')
  })

  after(async () => {
    await service.stop()
  })

  it('gives a session as bearer and as cookie, and who it is', async () => {
    const answer = await trySignIn(service, { ...asha, email: 'ASHA@Example.org' })
    expect(answer.status).to.equal(200)
    const token = answer.json['token'] as string
    expect(token).to.match(/^bahi_session_[\w-]{43}$/)
    expect(answer.json['user']).to.include({ id: asha.id, role: 'finance', has_password: true })
    expect(answer.headers.get('cache-control')).to.equal('no-store')
    expect(answer.headers.get('set-cookie')).to.equal(
      `bahi_session=${token}; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict`,
    )
    const hours = (Date.parse(answer.json['expires_at'] as string) - Date.now()) / 3_600_000
    expect(hours).to.be.within(11.9, 12)
    const me = await callWith(service, token, 'GET', '/v1/me')
    expect(me.json).to.include({ subject: `user:${asha.id}`, organisation: 1, role: 'finance' })
    expect(me.json['permissions']).to.include('books.post').and.not.include('users.manage')
    expect((await callWith(service, token, 'GET', '/v1/accounts')).status).to.equal(200)
    expect((await callWith(service, token, 'GET', '/v1/users')).status).to.equal(403)
  })

  it('keeps neither the token nor the password, only hashes', async () => {
    const token = await sessionOf(service, asha)
    for (const table of ['sessions', 'users', 'user_invitations', 'people_audit_waiting']) {
      const rows = await service.rows(
        `select 1 from ${table} t where strpos(t::text, $1) > 0 or strpos(t::text, $2) > 0`,
        [token, PASSWORD],
      )
      expect(rows, table).to.deep.equal([])
    }
    const [row] = await service.rows<{ password_hash: string }>(
      'select password_hash from users where user_id = $1',
      [asha.id],
    )
    const [, logN, r, p, salt, hash] = (row?.password_hash ?? '').split('$')
    expect([logN, r, p]).to.deep.equal(['15', '8', '1'])
    const again = scryptSync(PASSWORD, Buffer.from(salt ?? '', 'base64url'), 32, {
      N: 32_768,
      r: 8,
      p: 1,
      maxmem: 64 << 20,
    })
    expect(again.toString('base64url')).to.equal(hash)
  })

  it('is refused in the same words and after the same time, whatever is wrong', async () => {
    const wrong = {
      'a wrong password': [{ ...asha, password: 'x' }, {}],
      'an unknown email': [{ ...asha, email: 'nobody@example.org' }, {}],
      'an unknown organisation': [asha, { organisation: 'elsewhere' }],
      'a NUL': [{ ...asha, password: `${PASSWORD}\0` }, {}],
      'half a character': [{ ...asha, password: '\ud800 is half of one' }, {}],
    } as const
    const details = new Set<unknown>()
    const times: number[] = []
    for (const [what, [who, more]] of Object.entries(wrong)) {
      const begun = performance.now()
      const answer = await trySignIn(service, who, more)
      times.push(performance.now() - begun)
      expect(answer.status, what).to.equal(401)
      expect(answer.json, what).to.include({ code: 'sign_in_failed', moved: 'no' })
      expect(answer.headers.get('set-cookie'), what).to.equal(null)
      expect(answer.headers.get('retry-after'), what).to.equal(null)
      details.add(answer.json['detail'])
    }
    expect(details.size).to.equal(1)
    // Refusals come at the end of slots of 250 ms; a look alone takes less than half of one.
    expect(Math.min(...times), times.join(', ')).to.be.at.least(245)
    expect((await trySignIn(service, asha)).status).to.equal(200)
  })

  it('checks what it is sent before it looks anybody up', async () => {
    for (const more of [
      { organisation: `test'; drop table users --` },
      { email: 'not an address' },
      { password: '' },
      { password: 'x'.repeat(1001) },
      { remember: true },
    ]) {
      const answer = await trySignIn(service, asha, more)
      expect(answer.status, JSON.stringify(more).slice(0, 60)).to.equal(400)
    }
  })

  it('is recorded, and so is a failure', async () => {
    const rows = await service.rows<{ operation: string }>(
      `select distinct operation from people_audit_waiting where actor = $1
       union select distinct operation from people_audit where actor = $1`,
      [`user:${asha.id}`],
    )
    const names = rows.map(({ operation }) => operation)
    expect(names).to.include.members(['acceptInvitation', 'signIn', 'signInRefused'])
  })

  it('makes a hash of an old cost anew', async () => {
    const salt = Buffer.alloc(16, 1)
    const old = scryptSync(PASSWORD, salt, 32, { N: 1024, r: 8, p: 1 })
    const text = `scrypt$10$8$1$${salt.toString('base64url')}$${old.toString('base64url')}`
    const person = await addPerson(service, 'old@example.org', 'viewer')
    await service.rows('update users set password_hash = $2 where user_id = $1', [person.id, text])
    expect((await trySignIn(service, person)).status).to.equal(200)
    const [row] = await service.rows<{ password_hash: string }>(
      'select password_hash from users where user_id = $1',
      [person.id],
    )
    expect(row?.password_hash).to.match(/^scrypt\$15\$/)
    expect((await trySignIn(service, person)).status).to.equal(200)
  })
})

describe('a user who guesses', () => {
  let service: TestService

  before(async () => {
    service = await startTestService()
  })

  after(async () => {
    await service.stop()
  })

  async function lockOf(person: Person): Promise<{ failed: number; minutes: number | null }> {
    const [row] = await service.rows<{ failed: number; minutes: number | null }>(
      `select failed_attempts as failed,
              round(extract(epoch from locked_until - now()) / 60)::integer as minutes
         from users where user_id = $1`,
      [person.id],
    )
    return row ?? { failed: -1, minutes: null }
  }

  it('is locked after ten failures, even all at once, and for longer after each more', async () => {
    const person = await addPerson(service, 'locked@example.org', 'viewer')
    const guesses = Array.from({ length: 14 }, async () => {
      return await trySignIn(service, { ...person, password: 'a wrong guess' })
    })
    const statuses = (await Promise.all(guesses)).map(({ status }) => status)
    expect(new Set(statuses)).to.deep.equal(new Set([401]))
    expect(await lockOf(person)).to.deep.equal({ failed: 10, minutes: 15 })
    expect((await trySignIn(service, person)).status).to.equal(401)
    const unlock = 'update users set locked_until = now() where user_id = $1'
    for (const minutes of [30, 60, 120]) {
      await service.rows(unlock, [person.id])
      await trySignIn(service, { ...person, password: 'a wrong guess' })
      expect((await lockOf(person)).minutes).to.equal(minutes)
    }
    await service.rows('update users set failed_attempts = 500, locked_until = null')
    await trySignIn(service, { ...person, password: 'a wrong guess' })
    expect((await lockOf(person)).minutes).to.equal(24 * 60)
    await service.rows(unlock, [person.id])
    expect((await trySignIn(service, person)).status).to.equal(200)
    expect(await lockOf(person)).to.deep.equal({ failed: 0, minutes: null })
  })

  it('is locked by guesses at the current password too', async () => {
    const person = await addPerson(service, 'inside@example.org', 'viewer')
    const token = await sessionOf(service, person)
    const body = { current_password: 'a wrong guess', new_password: 'another long password' }
    for (let guess = 0; guess < 10; guess += 1) {
      const answer = await callWith(service, token, 'PUT', '/v1/me/password', body)
      expect(answer.json).to.include({ code: 'sign_in_failed' })
    }
    expect((await lockOf(person)).minutes).to.equal(15)
    const right = { ...body, current_password: person.password }
    expect((await callWith(service, token, 'PUT', '/v1/me/password', right)).status).to.equal(401)
  })
})

describe('a session', () => {
  let service: TestService
  let asha: Person

  before(async () => {
    service = await startTestService()
    asha = await addPerson(service, 'asha@example.org', 'admin')
  })

  after(async () => {
    await service.stop()
  })

  async function statusOf(token: string): Promise<number> {
    return (await callWith(service, token, 'GET', '/v1/me')).status
  }

  it('ends when one signs out, when it is old, and when it was not used', async () => {
    const [out, old, idle, other] = [
      await sessionOf(service, asha),
      await sessionOf(service, asha),
      await sessionOf(service, asha),
      await sessionOf(service, asha),
    ]
    const signedOut = await callWith(service, out, 'POST', '/v1/sign-out')
    expect(signedOut.status).to.equal(200)
    expect(signedOut.headers.get('set-cookie')).to.contain('bahi_session=; Path=/; Max-Age=0')
    const set = async (token: string, change: string) =>
      await service.rows(
        `update sessions set ${change} where token_hash = sha256(convert_to($1, 'UTF8'))`,
        [token],
      )
    await set(old, `expires_at = now()`)
    await set(idle, `last_used_at = now() - interval '60 minutes'`)
    await set(other, `last_used_at = now() - interval '59 minutes'`)
    expect(await Promise.all([out, old, idle].map(statusOf))).to.deep.equal([401, 401, 401])
    expect(await statusOf(other)).to.equal(200)
    const [row] = await service.rows<{ fresh: boolean }>(
      `select last_used_at > now() - interval '5 seconds' as fresh from sessions
        where token_hash = sha256(convert_to($1, 'UTF8'))`,
      [other],
    )
    expect(row).to.deep.equal({ fresh: true })
  })

  it('is in one’s list, with which one ends it from elsewhere', async () => {
    const [here, there] = [await sessionOf(service, asha), await sessionOf(service, asha)]
    const list = await callWith(service, here, 'GET', '/v1/me/sessions')
    const rows = list.json['data'] as { id: string; is_this: boolean; method: string }[]
    expect(rows.filter((one) => one.is_this)).to.have.length(1)
    expect(rows[0]).to.include({ is_this: false, method: 'password' })
    const path = `/v1/me/sessions/${rows[0]?.id}`
    const stranger = await addPerson(service, 'stranger@example.org', 'admin')
    const theirs = await sessionOf(service, stranger)
    expect((await callWith(service, theirs, 'DELETE', path)).status).to.equal(404)
    expect(await statusOf(there)).to.equal(200)
    expect((await callWith(service, here, 'DELETE', path)).status).to.equal(200)
    expect(await statusOf(there)).to.equal(401)
    expect((await callWith(service, here, 'DELETE', path)).status).to.equal(404)
  })

  it('ends with the user, his password and his organisation', async () => {
    const person = await addPerson(service, 'leaver@example.org', 'viewer')
    const patch = { role: 'admin', body: { state: 'disabled' } } as const
    const first = await sessionOf(service, person)
    await service.call('PATCH', `/v1/users/${person.id}`, patch)
    expect(await statusOf(first)).to.equal(401)
    expect((await trySignIn(service, person)).status).to.equal(401)
    await service.call('PATCH', `/v1/users/${person.id}`, {
      role: 'admin',
      body: { state: 'active' },
    })
    expect(await statusOf(first)).to.equal(401)
    const second = await sessionOf(service, person)
    await service.rows(`update organisations set state = 'suspended'`)
    expect(await statusOf(second)).to.equal(401)
    expect((await trySignIn(service, person)).status).to.equal(401)
    await service.rows(`update organisations set state = 'active'`)
    expect(await statusOf(second)).to.equal(200)
    await service.call('POST', `/v1/users/${person.id}/reset`, { role: 'admin' })
    expect(await statusOf(second)).to.equal(401)
    expect((await trySignIn(service, person)).status).to.equal(401)
  })

  it('follows its user’s role at once', async () => {
    const person = await addPerson(service, 'riser@example.org', 'viewer')
    const token = await sessionOf(service, person)
    expect((await callWith(service, token, 'GET', '/v1/users')).status).to.equal(403)
    const body = { role: 'admin' }
    await service.call('PATCH', `/v1/users/${person.id}`, { role: 'admin', body })
    expect((await callWith(service, token, 'GET', '/v1/users')).status).to.equal(200)
  })

  it('is one of twenty at most', async () => {
    const person = await addPerson(service, 'many@example.org', 'viewer')
    const first = await sessionOf(service, person)
    await service.rows(
      `insert into sessions (org_id, session_id, user_id, token_hash, method)
       select 1, 'ses_' || lpad(n::text, 26, '0'), $1, sha256(convert_to(n::text, 'UTF8')),
              'password' from generate_series(1, 19) n`,
      [person.id],
    )
    const last = await sessionOf(service, person)
    expect([await statusOf(first), await statusOf(last)]).to.deep.equal([401, 200])
    const list = await callWith(service, last, 'GET', '/v1/me/sessions')
    expect(list.json['data']).to.have.length(20)
  })

  it('goes on through a change of password, and others end', async () => {
    const person = await addPerson(service, 'changer@example.org', 'viewer')
    const [here, there] = [await sessionOf(service, person), await sessionOf(service, person)]
    const change = async (current: string, fresh: string) =>
      await callWith(service, here, 'PUT', '/v1/me/password', {
        current_password: current,
        new_password: fresh,
      })
    for (const weak of [
      'short',
      'x'.repeat(201),
      'aaaabbbbcccc',
      'my CHANGER@example.org 1',
      `${PASSWORD}\0`,
    ]) {
      const answer = await change(PASSWORD, weak)
      expect(answer.json, weak.slice(0, 20)).to.include({ code: 'weak_password' })
    }
    // Composed by the keyboard in one way, and in another.
    const fresh = 'un mot de passe décomposé'
    expect((await change(PASSWORD, fresh.normalize('NFD'))).status).to.equal(200)
    expect([await statusOf(here), await statusOf(there)]).to.deep.equal([200, 401])
    expect((await trySignIn(service, person)).status).to.equal(401)
    expect((await trySignIn(service, { ...person, password: fresh })).status).to.equal(200)
    const byKey = await service.call('PUT', '/v1/me/password', {
      body: { current_password: fresh, new_password: PASSWORD },
    })
    expect(byKey.json).to.include({ code: 'forbidden' })
  })
})

describe('a cookie', () => {
  let service: TestService
  let cookie: string

  before(async () => {
    service = await startTestService()
    const asha = await addPerson(service, 'asha@example.org', 'finance')
    cookie = `theme=dark; bahi_session=${await sessionOf(service, asha)}`
  })

  after(async () => {
    await service.stop()
  })

  async function write(headers: Record<string, string>): Promise<number> {
    const body = { code: 'PTS', name: 'Points', exponent: 0 }
    const more = { role: null, body, headers: { cookie, ...headers } }
    return (await service.call('POST', '/v1/currencies', more)).status
  }

  it('is enough to read', async () => {
    const more = { role: null, headers: { cookie, 'sec-fetch-site': 'cross-site' } }
    expect((await service.call('GET', '/v1/accounts', more)).status).to.equal(200)
  })

  it('lets only pages of this service write', async () => {
    const { host } = new URL(service.url)
    for (const headers of [
      {},
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
      { 'sec-fetch-site': 'cross-site', origin: service.url },
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { origin: `http://${host}.evil.example` },
      { origin: `http://evil.example@${host}x` },
    ]) {
      expect(await write(headers), JSON.stringify(headers)).to.equal(403)
    }
    expect(await write({ 'sec-fetch-site': 'same-origin' })).to.equal(201)
    expect(await write({ 'sec-fetch-site': 'none' })).to.equal(200)
    expect(await write({ origin: service.url })).to.equal(200)
  })

  it('is a session’s, and nothing beside a token counts', async () => {
    const [, token] = cookie.split('bahi_session=')
    const statusOf = async (cookies: string) =>
      (await service.call('GET', '/v1/me', { role: null, headers: { cookie: cookies } })).status
    for (const wrong of [
      'bahi_session=x',
      'bahi_session=x; bahi_session=y; bahi_session=',
      `bahi_session=1; bahi_session=2; bahi_session=3; bahi_session=${token}`,
      `__Host-bahi_session=${token}`,
    ]) {
      expect(await statusOf(wrong), wrong).to.equal(401)
    }
    // Another site of the same domain may have set one, before ours or behind it.
    for (const right of [
      `bahi_session=x; bahi_session=${token}`,
      `bahi_session=${token}; bahi_session=x`,
      `bahi_session=${token}; bahi_session=${token}`,
    ]) {
      expect(await statusOf(right), right).to.equal(200)
    }
    const headers = { cookie, authorization: 'Bearer nonsense' }
    expect((await service.call('GET', '/v1/me', { headers })).status).to.equal(401)
  })
})

describe('an invitation', () => {
  let service: TestService

  before(async () => {
    service = await startTestService()
  })

  after(async () => {
    await service.stop()
  })

  async function accept(token: string, password = PASSWORD) {
    return await service.call('POST', '/v1/invitations/accept', {
      role: null,
      body: { token, password },
    })
  }

  it('sets a password once, by one of two who try, and until a newer one is made', async () => {
    const body = { email: 'new@example.org', name: 'New', role: 'viewer' }
    const made = await service.call('POST', '/v1/users', { role: 'admin', body })
    expect(made.json['user']).to.include({ has_password: false, created_by: 'test' })
    const token = invitationOf(made)
    expect((await accept(token, 'short')).json).to.include({ code: 'weak_password' })
    const both = await Promise.all([accept(token), accept(token, `${PASSWORD}!`)])
    expect(both.map(({ status }) => status).toSorted(ascending)).to.deep.equal([200, 422])
    expect((await accept(token)).json).to.include({ code: 'invalid_invitation' })
    const id = (made.json['user'] as { id: string }).id
    const reset = async () =>
      invitationOf(await service.call('POST', `/v1/users/${id}/reset`, { role: 'admin' }))
    const [first, second] = [await reset(), await reset()]
    expect((await accept(first)).json).to.include({ code: 'invalid_invitation' })
    await service.rows(`update user_invitations set created_at = now() - interval '8 days',
                          expires_at = now() - interval '1 day'`)
    expect((await accept(second)).json).to.include({ code: 'invalid_invitation' })
    const third = await reset()
    expect((await accept(third)).status).to.equal(200)
    for (const none of ['x', `${third}'`, 'bahi_invitation_', third.toUpperCase()]) {
      expect((await accept(none)).json, none).to.include({ code: 'invalid_invitation' })
    }
  })
})
