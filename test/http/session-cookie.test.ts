/** The session's cookie where the service is reached by https: its name, and whose pages write. */
import { expect } from 'chai'
import { addPerson, trySignIn, type Person } from '../support/people.ts'
import { startTestService, type TestService } from '../support/service.ts'

describe('a session’s cookie over https', () => {
  let service: TestService
  let mira: Person
  let token: string

  before(async () => {
    // TLS ends at a proxy before it.
    service = await startTestService({ env: { PUBLIC_URL: 'https://books.example' } })
    mira = await addPerson(service, 'mira@example.org', 'admin')
    token = (await trySignIn(service, mira)).json['token'] as string
  })

  after(async () => {
    await service.stop()
  })

  const status = async (headers: Record<string, string>, method = 'GET') =>
    (
      await service.call(method, method === 'GET' ? '/v1/me' : '/v1/sign-out', {
        role: null,
        headers,
      })
    ).status

  it('is one that no neighbour can set', async () => {
    const [cookie] = (await trySignIn(service, mira)).headers.getSetCookie()
    expect(cookie).to.match(/^__Host-bahi_session=bahi_session_[\w-]{43}; Path=\/; /)
    expect(cookie).to.contain('; Secure').and.to.not.contain('Domain')
    expect(await status({ cookie: `__Host-bahi_session=${token}` })).to.equal(200)
    const planted = `bahi_session=x; __Host-bahi_session=${token}; bahi_session=y`
    expect(await status({ cookie: planted })).to.equal(200)
  })

  it('has no other name there', async () => {
    expect(await status({ cookie: `bahi_session=${token}` })).to.equal(401)
  })

  it('writes for pages of the same scheme, host and port only', async () => {
    const { host } = new URL(service.url)
    for (const origin of [
      `http://${host}`,
      'http://books.example',
      'https://books.example:8443',
      `https://${host}.evil.example`,
      'null',
    ]) {
      const headers = { cookie: `__Host-bahi_session=${token}`, origin }
      expect(await status(headers, 'POST'), origin).to.equal(403)
    }
    for (const origin of [`https://${host}`, 'https://books.example']) {
      const fresh = (await trySignIn(service, mira)).json['token'] as string
      const headers = { cookie: `__Host-bahi_session=${fresh}`, origin }
      expect(await status(headers, 'POST'), origin).to.equal(200)
    }
  })
})

describe('a session’s cookie over http', () => {
  let service: TestService

  before(async () => {
    service = await startTestService()
  })

  after(async () => {
    await service.stop()
  })

  it('does not write for a page of another scheme', async () => {
    const mira = await addPerson(service, 'mira@example.org', 'admin')
    const token = (await trySignIn(service, mira)).json['token'] as string
    const origin = service.url.replace('http:', 'https:')
    const headers = { cookie: `bahi_session=${token}`, origin }
    const answer = await service.call('POST', '/v1/sign-out', { role: null, headers })
    expect([answer.status, answer.json['code']]).to.deep.equal([403, 'forbidden'])
  })
})
