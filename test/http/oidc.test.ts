/** Coming in by an identity provider: the browser's way there and back, and who tries to cut in. */
import { expect } from 'chai'
import jwt from 'jsonwebtoken'
import { fetchOutside } from '../../src/identity/outside.ts'
import { isIssuer } from '../../src/identity/oidc.ts'
import { openBrowser, type Browser } from '../support/browser.ts'
import { rsaKey, startProvider, type IdentityProvider } from '../support/identity-provider.ts'
import { addPerson, type Person } from '../support/people.ts'
import { startTestService, type Answer, type TestService } from '../support/service.ts'

describe('coming in by an identity provider', () => {
  let provider: IdentityProvider
  let service: TestService
  let asha: Person

  before(async () => {
    provider = await startProvider()
    service = await startTestService()
    asha = await addPerson(service, 'asha@example.org', 'finance')
    expect((await put()).status).to.equal(200)
  })

  after(async () => {
    await service.stop()
    await provider.close()
  })

  beforeEach(() => {
    provider.claims = { email: 'Asha@Example.org', email_verified: true }
    provider.sign = undefined
    provider.client.ways = ['client_secret_basic']
  })

  async function put(more: object = {}): Promise<Answer> {
    return await service.call('PUT', '/v1/oidc-provider', {
      role: 'admin',
      body: {
        issuer: provider.url,
        client_id: provider.client.id,
        client_secret: provider.client.secret,
        ...more,
      },
    })
  }

  /** To the provider and to its way back, which is not gone yet. */
  async function until(browser: Browser): Promise<string> {
    const there = await browser.get(`${service.url}/auth/oidc/test`)
    expect(there.status, await there.clone().text()).to.equal(303)
    const back = await browser.get(there.headers.get('location') ?? '')
    return back.headers.get('location') ?? ''
  }

  async function refusal(back: Response): Promise<unknown> {
    expect(back.headers.getSetCookie().join()).to.not.contain('bahi_session=bahi')
    const { code } = (await back.json()) as { code: string }
    return [back.status, code]
  }

  it('leads there with PKCE, state and nonce, and back with a session', async () => {
    const browser = openBrowser()
    const there = await browser.get(`${service.url}/auth/oidc/test`)
    const asked = new URL(there.headers.get('location') ?? '')
    expect(asked.origin + asked.pathname).to.equal(`${provider.url}/authorize`)
    expect(Object.fromEntries(asked.searchParams)).to.include({
      response_type: 'code',
      client_id: 'bahi',
      code_challenge_method: 'S256',
      redirect_uri: `${service.url}/auth/oidc/callback`,
    })
    const [kept = ''] = there.headers.getSetCookie()
    expect(kept).to.match(/; Path=\/auth\/oidc; Max-Age=600; HttpOnly; SameSite=Lax$/)
    for (const name of ['state', 'nonce', 'code_challenge']) {
      expect(asked.searchParams.get(name)).to.match(/^[\w-]{43}$/)
      expect(kept).to.not.contain(asked.searchParams.get(name))
    }
    const back = await browser.get(asked.href)
    const inside = await browser.get(back.headers.get('location') ?? '')
    expect([inside.status, inside.headers.get('location')]).to.deep.equal([303, '/'])
    expect(browser.cookies.get('bahi_oidc')).to.equal('')
    const session = inside.headers.getSetCookie().find((one) => one.startsWith('bahi_session='))
    expect(session).to.match(/; HttpOnly; SameSite=Strict$/)
    const headers = { cookie: `bahi_session=${browser.cookies.get('bahi_session')}` }
    const me = await service.call('GET', '/v1/me', { role: null, headers })
    expect(me.json).to.include({ subject: `user:${asha.id}`, role: 'finance' })
    const list = await service.call('GET', '/v1/me/sessions', { role: null, headers })
    expect(list.text).to.contain('"method":"oidc"')
  })

  it('gives the secret in the body where the provider wants it there', async () => {
    provider.client.ways = ['client_secret_post']
    expect((await put()).status).to.equal(200)
    const browser = openBrowser()
    expect((await browser.get(await until(browser))).status).to.equal(303)
    await put()
  })

  it('works once for each code and cookie', async () => {
    const browser = openBrowser()
    const back = await until(browser)
    const kept = browser.cookies.get('bahi_oidc') ?? ''
    expect((await browser.get(back)).status).to.equal(303)
    expect(await refusal(await browser.get(back))).to.deep.equal([401, 'sign_in_failed'])
    browser.cookies.set('bahi_oidc', kept)
    expect(await refusal(await browser.get(back))).to.deep.equal([401, 'sign_in_failed'])
  })

  it('ends nowhere in another browser, with another state, or after ten minutes', async () => {
    const [mine, other] = [openBrowser(), openBrowser()]
    const [back, theirs] = [await until(mine), await until(other)]
    expect(await refusal(await openBrowser().get(back))).to.deep.equal([401, 'sign_in_failed'])
    expect(await refusal(await mine.get(theirs))).to.deep.equal([401, 'sign_in_failed'])
    const forged = openBrowser()
    forged.cookies.set('bahi_oidc', Buffer.from('{"orgId":1}').toString('base64url'))
    expect(await refusal(await forged.get(back))).to.deep.equal([401, 'sign_in_failed'])
    const late = openBrowser()
    const soon = await until(late)
    const now = Date.now
    Date.now = () => now() + 10 * 60_000
    try {
      expect(await refusal(await late.get(soon))).to.deep.equal([401, 'sign_in_failed'])
    } finally {
      Date.now = now
    }
  })

  it('lets in nobody whom the provider does not vouch for', async () => {
    const fresh = await addPerson(service, 'fresh@example.org', 'finance')
    const stranger = rsaKey('stranger')
    const by = (options: jwt.SignOptions, key: jwt.Secret | jwt.PrivateKey) => (claims: object) =>
      jwt.sign(claims, key, options)
    const own = provider.key.privateKey
    const now = Math.floor(Date.now() / 1000)
    const wrongs: Readonly<Record<string, () => void>> = {
      'an email that is not verified': () => {
        provider.claims = { email: fresh.email, email_verified: false }
      },
      'an email verified in words': () => {
        provider.claims = { email: fresh.email, email_verified: 'true' }
      },
      'no email': () => {
        provider.claims = {}
      },
      'somebody else’s email': () => {
        provider.claims = { email: 'stranger@example.org', email_verified: true }
      },
      'an email that is none': () => {
        provider.claims = { email: 'a\0@example.org', email_verified: true }
      },
      'a subject of two lines': () => {
        provider.claims = { ...provider.claims, sub: 'somebody\nelse' }
      },
      'a subject that is too long': () => {
        provider.claims = { ...provider.claims, sub: 'x'.repeat(256) }
      },
      'another nonce': () => {
        provider.claims = { ...provider.claims, nonce: 'x'.repeat(43) }
      },
      'another audience': () => {
        provider.claims = { ...provider.claims, aud: 'somebody-else' }
      },
      'another issuer': () => {
        provider.claims = { ...provider.claims, iss: 'https://login.example' }
      },
      'an expired token': () => {
        provider.claims = { ...provider.claims, exp: now - 600 }
      },
      'another key': () => {
        provider.sign = by({ algorithm: 'RS256', keyid: 'first' }, stranger.privateKey)
      },
      'an unknown key': () => {
        provider.sign = by({ algorithm: 'RS256', keyid: 'stranger' }, stranger.privateKey)
      },
      'the client’s secret as key': () => {
        provider.sign = by({ algorithm: 'HS256', keyid: 'first' }, provider.client.secret)
      },
      'no signature': () => {
        provider.sign = by({ algorithm: 'none' }, '')
      },
      'another algorithm': () => {
        provider.sign = by({ algorithm: 'RS512', keyid: 'first' }, own)
      },
    }
    for (const [what, set] of Object.entries(wrongs)) {
      provider.claims = { email: fresh.email, email_verified: true }
      provider.sign = undefined
      const browser = openBrowser()
      const back = await until(browser)
      set()
      expect(await refusal(await browser.get(back)), what).to.deep.equal([401, 'sign_in_failed'])
    }
  })

  it('lets in nobody who is disabled', async () => {
    const leaver = await addPerson(service, 'leaver@example.org', 'viewer')
    provider.claims = { email: leaver.email, email_verified: true }
    const body = { state: 'disabled' }
    await service.call('PATCH', `/v1/users/${leaver.id}`, { role: 'admin', body })
    const browser = openBrowser()
    const back = await browser.get(await until(browser))
    expect(await refusal(back)).to.deep.equal([401, 'sign_in_failed'])
  })

  it('is told apart from a provider that says no, or is away', async () => {
    const browser = openBrowser()
    await until(browser)
    const no = `${service.url}/auth/oidc/callback?error=access_denied&state=x`
    expect(await refusal(await browser.get(no))).to.deep.equal([401, 'sign_in_failed'])
    await put({ issuer: 'http://127.0.0.1:9' })
    const away = await fetch(`${service.url}/auth/oidc/test`, { redirect: 'manual' })
    expect(away.status).to.equal(503)
    await put({ enabled: false })
    for (const slug of ['test', 'nobody', 'a%27--', 'callback%2F..']) {
      const none = await fetch(`${service.url}/auth/oidc/${slug}`, { redirect: 'manual' })
      expect(none.status, slug).to.equal(404)
    }
    await put()
  })
})

describe('the identity provider of an organisation', () => {
  let service: TestService

  before(async () => {
    service = await startTestService()
  })

  after(async () => {
    await service.stop()
  })

  it('is set, shown without its secret, and forgotten', async () => {
    const call = async (method: string, body?: object) =>
      await service.call(method, '/v1/oidc-provider', {
        role: 'admin',
        ...(body === undefined ? {} : { body }),
      })
    expect((await call('GET')).status).to.equal(404)
    const body = {
      issuer: 'https://login.example/tenant',
      client_id: 'bahi',
      client_secret: 'a secret of theirs'.replaceAll(' ', '-'),
    }
    expect((await call('PUT', body)).status).to.equal(200)
    const shown = await call('GET')
    expect(shown.json).to.include({ issuer: body.issuer, enabled: true, updated_by: 'test' })
    expect(shown.text).to.not.contain(body.client_secret)
    for (const table of ['oidc_providers', 'people_audit_waiting', 'people_audit']) {
      const hex = Buffer.from(body.client_secret).toString('hex')
      const rows = await service.rows(
        `select 1 from ${table} t where strpos(t::text, $1) + strpos(t::text, $2) > 0`,
        [body.client_secret, hex],
      )
      expect(rows, table).to.deep.equal([])
    }
    for (const issuer of [
      'http://login.example',
      'https://user:pass@login.example',
      'https://login.example?x=1',
      'https://login.example#x',
      'ftp://localhost',
      'javascript:alert(1)',
      'login.example',
    ]) {
      expect((await call('PUT', { ...body, issuer })).status, issuer).to.equal(400)
    }
    expect((await call('DELETE')).status).to.equal(200)
    expect((await call('DELETE')).status).to.equal(404)
  })

  it('is reached by https in production, and never inside our own network', () => {
    expect(isIssuer('http://localhost:8080', false)).to.equal(true)
    expect(isIssuer('http://localhost:8080', true)).to.equal(false)
    expect(isIssuer('https://login.example', true)).to.equal(true)
  })

  it('is called neither inside our own network nor at what leads there', async () => {
    for (const inside of [
      '127.0.0.1',
      '10.1.2.3',
      '168.63.129.16',
      '169.254.169.254',
      '100.64.0.1',
      '[::1]',
      '[::ffff:127.0.0.1]',
      '[64:ff9b::7f00:1]',
      '[64:ff9b:1::7f00:1]',
      '[2002:7f00:1::]',
      '[2001:0:7f00:1::]',
      '[fec0::1]',
      '[100::1]',
      '[fe80::1]',
    ]) {
      const refused = await fetchOutside(`https://${inside}/x`, {}).catch(String)
      expect(refused, inside).to.contain('is not on the public internet')
    }
    const plain = await fetchOutside('http://8.8.8.8/', {}).catch(String)
    expect(plain).to.contain('is not on the public internet by https')
  })
})
