/** Who gets in: tokens that are no tokens. */
import { expect } from 'chai'
import jwt from 'jsonwebtoken'
import { createHmac, generateKeyPairSync } from 'node:crypto'
import { signToken } from '../../src/http/auth.ts'
import { startTestService, type TestService } from '../support/service.ts'

describe('bearer tokens', () => {
  let service: TestService
  let secret: string
  /** Seconds, as tokens write times. */
  let now: number

  before(async () => {
    service = await startTestService()
    secret = service.config.jwtSecret
    now = Math.floor(Date.now() / 1000)
  })

  after(async () => {
    await service.stop()
  })

  const CLAIMS = { sub: 'somebody', org: 1, role: 'finance', iss: 'bahi', aud: 'bahi-api' }

  /** A token made by hand, so that nothing stops it from being wrong. */
  function token(
    claims: object,
    header: object = { alg: 'HS256', typ: 'JWT' },
    key: string | Buffer = secret,
    digest = 'sha256',
  ): string {
    const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url')
    const signed = `${encode(header)}.${encode(claims)}`
    return `${signed}.${createHmac(digest, key).update(signed).digest('base64url')}`
  }

  async function statusWith(authorization: string): Promise<number> {
    const answer = await service.call('GET', '/v1/accounts', { headers: { authorization } })
    if (answer.status === 401) {
      expect(answer.json).to.include({ code: 'unauthenticated', status: 401 })
      expect(answer.headers.get('www-authenticate')).to.equal('Bearer')
    }
    return answer.status
  }

  it('are needed', async () => {
    const answer = await service.call('GET', '/v1/accounts', { role: null })
    expect(answer.status).to.equal(401)
    expect(answer.headers.get('www-authenticate')).to.equal('Bearer')
  })

  it('let in when they are right, a little after their end too', async () => {
    expect(await statusWith(`Bearer ${token({ ...CLAIMS, exp: now + 60 })}`)).to.equal(200)
    expect(await statusWith(`bearer  ${token({ ...CLAIMS, exp: now + 60 })}`)).to.equal(200)
    expect(await statusWith(`Bearer ${token({ ...CLAIMS, exp: now - 10 })}`)).to.equal(200)
  })

  it('are refused when they are no tokens', async () => {
    for (const header of [
      '',
      'Bearer',
      'Bearer ',
      'Bearer x',
      'Bearer a.b.c',
      'Bearer ..',
      `Basic ${Buffer.from('finance:finance').toString('base64')}`,
      token({ ...CLAIMS, exp: now + 60 }),
      `Bearer ${token({ ...CLAIMS, exp: now + 60 })} x`,
      `Bearer ${token({ ...CLAIMS, exp: now + 60 })}.x`,
      `Bearer ${'a'.repeat(8000)}`,
    ]) {
      expect(await statusWith(header), header.slice(0, 60)).to.equal(401)
    }
  })

  it('are refused without a signature, with another algorithm or another secret', async () => {
    const good = { ...CLAIMS, exp: now + 60 }
    const [head, body] = token(good).split('.')
    const none = token(good, { alg: 'none', typ: 'JWT' }).split('.').slice(0, 2).join('.')
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const publicPem = publicKey.export({ type: 'spki', format: 'pem' }).toString()
    for (const [what, wrong] of Object.entries({
      'alg none': `${none}.`,
      'alg none with a signature': token(good, { alg: 'none' }),
      'alg nOnE': token(good, { alg: 'nOnE' }),
      'no signature': `${head}.${body}.`,
      'another secret': token(good, undefined, `${secret}x`),
      'an empty secret': token(good, undefined, ''),
      'HS512 with our secret': token(good, { alg: 'HS512', typ: 'JWT' }, secret, 'sha512'),
      'signed with a private key': jwt.sign(good, privateKey, { algorithm: 'RS256' }),
      'a public key as the secret': token(good, undefined, publicPem),
      'RS256 over an HMAC': token(good, { alg: 'RS256', typ: 'JWT' }),
      'a key id that is a file': token(good, { alg: 'HS256', kid: '/dev/null' }, ''),
      'a key of its own': token(good, { alg: 'HS256', jwk: { kty: 'oct', k: 'eA' } }, 'x'),
    })) {
      expect(await statusWith(`Bearer ${wrong}`), what).to.equal(401)
    }
  })

  it('are refused when a claim is missing or not ours', async () => {
    const good = { ...CLAIMS, exp: now + 60 }
    const without = (name: string) =>
      Object.fromEntries(Object.entries(good).filter(([key]) => key !== name))
    for (const [what, claims] of Object.entries({
      expired: { ...good, exp: now - 60 },
      'not yet valid': { ...good, nbf: now + 600 },
      'another issuer': { ...good, iss: 'somebody-else' },
      'another audience': { ...good, aud: 'bahi-console' },
      'no subject': without('sub'),
      'an empty subject': { ...good, sub: '' },
      'no organisation': without('org'),
      'an organisation in text': { ...good, org: '1' },
      'organisation 0': { ...good, org: 0 },
      'half an organisation': { ...good, org: 1.5 },
      'all organisations': { ...good, org: 'all' },
      'no role': without('role'),
      'an unknown role': { ...good, role: 'owner' },
      'no end': without('exp'),
      'no issuer': without('iss'),
      'no audience': without('aud'),
    })) {
      expect(await statusWith(`Bearer ${token(claims)}`), what).to.equal(401)
    }
  })

  it('say in words that they have expired', async () => {
    const authorization = `Bearer ${token({ ...CLAIMS, exp: now - 600 })}`
    const { json } = await service.call('GET', '/v1/accounts', { headers: { authorization } })
    expect(json['detail']).to.contain('expired')
  })

  it('of the command line are the ones that the service takes', async () => {
    const principal = { subject: 'try-out', orgId: 1, role: 'auditor' } as const
    expect(await statusWith(`Bearer ${signToken(principal, secret, 60)}`)).to.equal(200)
  })

  it('are asked for before anything else is said about a path or a body', async () => {
    for (const [method, path] of [
      ['GET', '/v1/no-such-thing'],
      ['POST', '/v1/donations'],
      ['DELETE', '/v1/accounts'],
    ] as const) {
      const answer = await service.call(method, path, {
        role: null,
        ...(method === 'POST' ? { body: '{not json' } : {}),
      })
      expect(answer.status, `${method} ${path}`).to.equal(401)
    }
  })
})
