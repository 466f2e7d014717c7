/** Who somebody is to the identity provider: bound at the first sign-in, deciding from then on. */
import { expect } from 'chai'
import { openBrowser } from '../support/browser.ts'
import { startProvider, type IdentityProvider } from '../support/identity-provider.ts'
import { addPerson, type Person } from '../support/people.ts'
import { startTestService, type Answer, type TestService } from '../support/service.ts'

describe('an identity at the provider', () => {
  let provider: IdentityProvider
  let service: TestService
  let people = 0

  before(async () => {
    provider = await startProvider()
    service = await startTestService()
    await putProvider()
  })

  after(async () => {
    await service.stop()
    await provider.close()
  })

  async function putProvider(url = provider.url): Promise<void> {
    const { id, secret } = provider.client
    const body = { issuer: url, client_id: id, client_secret: secret }
    const put = await service.call('PUT', '/v1/oidc-provider', { role: 'admin', body })
    expect(put.status).to.equal(200)
  }

  async function somebody(): Promise<Person> {
    people += 1
    return await addPerson(service, `person${people}@example.org`, 'viewer')
  }

  /** Comes in with these claims; gives whose session it is, or the problem's status and code. */
  async function comeIn(claims: Record<string, unknown>): Promise<unknown> {
    provider.claims = claims
    const browser = openBrowser()
    const there = await browser.get(`${service.url}/auth/oidc/test`)
    const back = await browser.get(there.headers.get('location') ?? '')
    const inside = await browser.get(back.headers.get('location') ?? '')
    if (inside.status !== 303) {
      return [inside.status, ((await inside.json()) as { code: string }).code]
    }
    const headers = { cookie: `bahi_session=${browser.cookies.get('bahi_session')}` }
    return (await service.call('GET', '/v1/me', { role: null, headers })).json['subject']
  }

  const verified = (email: string, sub: string) => ({ email, email_verified: true, sub })

  async function bound(user: Person): Promise<unknown> {
    const shown = await service.call('GET', `/v1/users/${user.id}`, { role: 'admin' })
    return shown.json['has_identity']
  }

  async function noted(user: Person): Promise<unknown[]> {
    const { json } = await service.call('GET', `/v1/people-audit?actor=user:${user.id}`, {
      role: 'auditor',
    })
    return (json['data'] as Record<string, unknown>[])
      .filter(({ operation }) => String(operation).startsWith('bindIdentity'))
      .map(({ operation, after }) => [operation, after])
  }

  it('is bound at the first sign-in, and noted', async () => {
    const one = await somebody()
    expect(await bound(one)).to.equal(false)
    expect(await comeIn(verified(one.email, 'sub-1'))).to.equal(`user:${one.id}`)
    expect(await bound(one)).to.equal(true)
    const after = { issuer: provider.url, subject: 'sub-1' }
    expect(await noted(one)).to.deep.equal([['bindIdentity', after]])
    expect(await comeIn(verified(one.email, 'sub-1'))).to.equal(`user:${one.id}`)
    expect(await noted(one)).to.have.length(1)
  })

  it('decides from then on, whatever the email is or whoever has it by now', async () => {
    const [one, two] = [await somebody(), await somebody()]
    expect(await comeIn(verified(one.email, 'sub-old'))).to.equal(`user:${one.id}`)
    for (const claims of [
      verified('married@example.org', 'sub-old'),
      verified(two.email, 'sub-old'),
      { email: one.email, email_verified: false, sub: 'sub-old' },
      { sub: 'sub-old' },
      { email: 'a\0', email_verified: true, sub: 'sub-old' },
    ]) {
      expect(await comeIn(claims), JSON.stringify(claims)).to.equal(`user:${one.id}`)
    }
    expect(await bound(two)).to.equal(false)
  })

  it('that is another one with the same email is refused by name, and noted', async () => {
    const one = await somebody()
    await comeIn(verified(one.email, 'sub-first'))
    for (const sub of ['sub-second', 'SUB-FIRST', 'sub-first ', `x' or 1=1--`]) {
      expect(await comeIn(verified(one.email, sub)), sub).to.deep.equal([403, 'other_identity'])
    }
    const refusedAs = (subject: string) => [
      'bindIdentityRefused',
      { issuer: provider.url, subject },
    ]
    const notes = await noted(one)
    expect(notes).to.have.length(5)
    expect(notes).to.deep.include.members(['sub-second', 'SUB-FIRST'].map(refusedAs))
    expect(await comeIn(verified(one.email, 'sub-first'))).to.equal(`user:${one.id}`)
  })

  it('is set free by a reset, and only then', async () => {
    const one = await somebody()
    await comeIn(verified(one.email, 'sub-lost'))
    const reset = async (): Promise<Answer> =>
      await service.call('POST', `/v1/users/${one.id}/reset`, { role: 'admin' })
    expect((await reset()).status).to.equal(200)
    expect(await bound(one)).to.equal(false)
    expect(await comeIn(verified(one.email, 'sub-found'))).to.equal(`user:${one.id}`)
    expect(await comeIn(verified(one.email, 'sub-lost'))).to.deep.equal([403, 'other_identity'])
  })

  it('lets nobody in who is disabled, and nobody else in his place', async () => {
    const [one, two] = [await somebody(), await somebody()]
    await comeIn(verified(one.email, 'sub-out'))
    const body = { state: 'disabled' }
    await service.call('PATCH', `/v1/users/${one.id}`, { role: 'admin', body })
    const refused = [401, 'sign_in_failed']
    expect(await comeIn(verified(one.email, 'sub-out'))).to.deep.equal(refused)
    expect(await comeIn(verified(two.email, 'sub-out'))).to.deep.equal(refused)
    expect(await bound(two)).to.equal(false)
  })

  it('is bound once, whoever comes at the same time', async () => {
    const one = await somebody()
    const claims = verified(one.email, 'sub-twice')
    const browsers = await Promise.all(
      Array.from({ length: 6 }, async () => {
        provider.claims = claims
        const browser = openBrowser()
        const there = await browser.get(`${service.url}/auth/oidc/test`)
        const back = await browser.get(there.headers.get('location') ?? '')
        return { browser, location: back.headers.get('location') ?? '' }
      }),
    )
    const inside = await Promise.all(
      browsers.map(async ({ browser, location }) => (await browser.get(location)).status),
    )
    expect(inside).to.deep.equal(Array.from({ length: 6 }, () => 303))
    expect((await noted(one)).length).to.be.at.least(1)
    const rows = await service.rows('select 1 from user_identities where user_id = $1', [one.id])
    expect(rows).to.have.length(1)
  })

  it('of another issuer is another one', async () => {
    const other = await startProvider()
    try {
      const one = await somebody()
      await comeIn(verified(one.email, 'sub-same'))
      const { id, secret } = other.client
      const body = { issuer: other.url, client_id: id, client_secret: secret }
      await service.call('PUT', '/v1/oidc-provider', { role: 'admin', body })
      const two = await somebody()
      other.claims = verified(two.email, 'sub-same')
      const browser = openBrowser()
      const there = await browser.get(`${service.url}/auth/oidc/test`)
      const back = await browser.get(there.headers.get('location') ?? '')
      expect((await browser.get(back.headers.get('location') ?? '')).status).to.equal(303)
      expect(await bound(two)).to.equal(true)
      // Whoever came in by the old one is nobody else's to be, until an admin resets him.
      const enter = async () => {
        const again = openBrowser()
        const away = await again.get(`${service.url}/auth/oidc/test`)
        const home = await again.get(away.headers.get('location') ?? '')
        return (await again.get(home.headers.get('location') ?? '')).status
      }
      other.claims = verified(one.email, 'sub-taken')
      expect(await enter()).to.equal(403)
      expect(await noted(one)).to.deep.include([
        'bindIdentityRefused',
        { issuer: other.url, subject: 'sub-taken' },
      ])
      const spare = await somebody()
      other.claims = verified(spare.email, 'sub-spare')
      expect(await enter()).to.equal(303)
      const rows = await service.rows(
        `select user_id from user_identities where subject = 'sub-same' order by user_id`,
      )
      expect(rows).to.deep.equal([{ user_id: one.id }, { user_id: two.id }])
      await service.call('POST', `/v1/users/${one.id}/reset`, { role: 'admin' })
      other.claims = verified(one.email, 'sub-taken')
      expect(await enter()).to.equal(303)
    } finally {
      await putProvider()
      await other.close()
    }
  })
})
