/** JWTs of an identity provider: what is taken, and every way in which one is refused. */
import { expect } from 'chai'
import jwt from 'jsonwebtoken'
import { createHmac } from 'node:crypto'
import { signToken } from '../../src/http/auth.ts'
import { callWith } from '../support/people.ts'
import {
  ecKey,
  rsaKey,
  startProvider,
  type IdentityProvider,
  type ProviderKey,
} from '../support/identity-provider.ts'
import { startTestService, type TestService } from '../support/service.ts'

describe('tokens of an identity provider', () => {
  let provider: IdentityProvider
  let service: TestService
  const elliptic = ecKey('elliptic')
  const encrypting = rsaKey('encrypting', { use: 'enc' })
  const stranger = rsaKey('stranger')

  before(async () => {
    provider = await startProvider()
    provider.keys = { keys: [provider.key.jwk, elliptic.jwk, encrypting.jwk] }
    service = await startTestService({
      env: {
        JWT_JWKS_URL: `${provider.url}/jwks`,
        JWT_ISSUER: 'https://login.example',
        JWT_AUDIENCE: 'bahi-production',
      },
    })
  })

  after(async () => {
    await service.stop()
    await provider.close()
  })

  const good = (more: object = {}) => ({
    sub: 'person 17',
    org: 1,
    role: 'auditor',
    iss: 'https://login.example',
    aud: 'bahi-production',
    exp: Math.floor(Date.now() / 1000) + 60,
    ...more,
  })

  function signed(claims: object, key: ProviderKey, more: jwt.SignOptions = {}): string {
    const algorithm = key.privateKey.asymmetricKeyType === 'ec' ? 'ES256' : 'RS256'
    // Claims that are undefined are not there.
    const given = JSON.parse(JSON.stringify(claims)) as object
    return jwt.sign(given, key.privateKey, { algorithm, keyid: key.kid, ...more })
  }

  /** A token whose parts are what they are. */
  function crafted(header: object, claims: object, key: string | Buffer): string {
    const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url')
    const text = `${encode(header)}.${encode(claims)}`
    return `${text}.${createHmac('sha256', key).update(text).digest('base64url')}`
  }

  async function statusWith(token: string): Promise<number> {
    return (await callWith(service, token, 'GET', '/v1/accounts')).status
  }

  it('are taken with RS256 and ES256, and say who it is', async () => {
    for (const key of [provider.key, elliptic]) {
      expect(await statusWith(signed(good(), key)), key.kid).to.equal(200)
      expect(await statusWith(signed(good({ aud: ['other', 'bahi-production'] }), key))).to.equal(
        200,
      )
    }
    const me = await callWith(service, signed(good(), elliptic), 'GET', '/v1/me')
    expect(me.json).to.include({ subject: 'person 17', role: 'auditor', organisation: 1 })
  })

  it('are taken beside the installation’s own', async () => {
    const principal = { subject: 'own', orgId: 1, role: 'viewer' } as const
    expect(await statusWith(signToken(principal, service.config.jwtSecret, 60))).to.equal(200)
  })

  it('are refused with an algorithm that is not the key’s', async () => {
    const publicPem = provider.key.publicKey.export({ type: 'spki', format: 'pem' }).toString()
    const publicDer = provider.key.publicKey.export({ type: 'spki', format: 'der' })
    const kid = provider.key.kid
    const secret = service.config.jwtSecret
    const [head, body] = signed(good(), provider.key).split('.')
    for (const [what, token] of Object.entries({
      'alg none': `${crafted({ alg: 'none', kid }, good(), '').split('.').slice(0, 2).join('.')}.`,
      'alg none, signed': crafted({ alg: 'none', kid }, good(), secret),
      'the public key as HMAC secret': crafted({ alg: 'HS256', kid }, good(), publicPem),
      'the same without a line break': crafted({ alg: 'HS256', kid }, good(), publicPem.trim()),
      'the same as DER': crafted({ alg: 'HS256', kid }, good(), publicDer),
      'the same without key id': crafted({ alg: 'HS256' }, good(), publicPem),
      'our secret with their key id': crafted({ alg: 'HS256', kid }, good(), secret),
      'our secret and their claims': crafted({ alg: 'HS256' }, good(), secret),
      'RS512 with the right key': signed(good(), provider.key, { algorithm: 'RS512' }),
      'PS256 with the right key': signed(good(), provider.key, { algorithm: 'PS256' }),
      'their key without its id': jwt.sign(good(), provider.key.privateKey, {
        algorithm: 'RS256',
      }),
      'their key with our claims': signed(good({ iss: 'bahi', aud: 'bahi-api' }), provider.key),
      'the other key’s id': signed(good(), provider.key, { keyid: elliptic.kid }),
      'a key for encrypting': signed(good(), encrypting),
      'a stranger’s key under a known id': signed(good(), stranger, { keyid: kid }),
      'a stranger’s key': signed(good(), stranger),
      'no signature': `${head}.${body}.`,
    })) {
      expect(await statusWith(token), what).to.equal(401)
    }
  })

  it('are refused when they were changed, for somebody else, or not of this time', async () => {
    const now = Math.floor(Date.now() / 1000)
    const [head, body = '', signature] = signed(good(), provider.key).split('.')
    const admin = Buffer.from(JSON.stringify(good({ role: 'admin' }))).toString('base64url')
    const flipped = (signature ?? '').replace(/^./, (one) => (one === 'A' ? 'B' : 'A'))
    const [, otherBody] = signed(good({ sub: 'x' }), provider.key).split('.')
    for (const [what, token] of Object.entries({
      'another payload': `${head}.${admin}.${signature}`,
      'another token’s payload': `${head}.${otherBody}.${signature}`,
      'another signature': `${head}.${body}.${flipped}`,
      'half a signature': `${head}.${body}.${(signature ?? '').slice(0, 20)}`,
      'another issuer': signed(good({ iss: 'https://login.example.evil' }), provider.key),
      'a part of the issuer': signed(good({ iss: 'https://login' }), provider.key),
      'another audience': signed(good({ aud: 'bahi-staging' }), provider.key),
      'no audience': signed(good({ aud: undefined }), provider.key),
      expired: signed(good({ exp: now - 60 }), provider.key),
      'without end': signed(good({ exp: undefined }), provider.key),
      'not yet valid': signed(good({ nbf: now + 600 }), provider.key),
      'an unknown role': signed(good({ role: 'owner' }), provider.key),
      'an unknown organisation': signed(good({ org: 4711 }), provider.key),
      'a user’s name': signed(good({ sub: 'user:usr_01jd3v0000000000000000000' }), provider.key),
      'a key’s name': signed(good({ sub: 'key:key_01jd3v0000000000000000000' }), provider.key),
      'a subject of two lines': signed(good({ sub: 'a\nb' }), provider.key),
      'a subject with NUL': signed(good({ sub: 'a\0b' }), provider.key),
    })) {
      expect(await statusWith(token), what).to.equal(401)
    }
  })

  it('are refused with a key id that is a path, SQL, an object, or not known', async () => {
    const before = provider.asked
    for (const kid of [
      '../../../../dev/null',
      `${provider.url}/jwks`,
      `first' or '1'='1`,
      '__proto__',
      'constructor',
      'x'.repeat(300),
      '',
      ['first'],
      { toString: 'first' },
      17,
    ]) {
      const token = crafted({ alg: 'RS256', kid }, good(), '')
      expect(await statusWith(token), JSON.stringify(kid).slice(0, 40)).to.equal(401)
    }
    expect(provider.asked - before).to.be.at.most(1)
    const header = { alg: 'RS256', kid: provider.key.kid, crit: ['exp'] }
    const crit = jwt.sign(good(), provider.key.privateKey, { algorithm: 'RS256', header })
    expect(await statusWith(crit)).to.equal(401)
    const brought = { alg: 'RS256', jwk: stranger.jwk, jku: `${provider.url}/jwks` }
    const own = jwt.sign(good(), stranger.privateKey, { algorithm: 'RS256', header: brought })
    expect(await statusWith(own)).to.equal(401)
  })

  it('are refused when they are longer than 8 KiB, before they are read', async () => {
    const long = signed(good({ more: 'x'.repeat(5000) }), provider.key)
    expect(long.length).to.be.lessThan(8 * 1024)
    expect(await statusWith(long)).to.equal(200)
    const longer = signed(good({ more: 'x'.repeat(7000) }), provider.key)
    expect(longer.length).to.be.greaterThan(8 * 1024)
    expect(await statusWith(longer)).to.equal(401)
  })

  it('of an organisation that was suspended are refused at once', async () => {
    const other = await startTestService({
      env: {
        JWT_JWKS_URL: `${provider.url}/jwks`,
        JWT_ISSUER: 'https://login.example',
        JWT_AUDIENCE: 'bahi-production',
      },
    })
    try {
      const before = await callWith(other, signed(good(), provider.key), 'GET', '/v1/me')
      expect(before.status).to.equal(200)
      await other.rows(`update organisations set state = 'suspended'`)
      const refused = await callWith(
        other,
        signed(good(), provider.key),
        'POST',
        '/v1/accounts',
        {},
      )
      expect(refused.json).to.include({ code: 'unauthenticated', moved: 'no' })
      await other.rows(`update organisations set state = 'active'`)
      expect(
        (await callWith(other, signed(good(), provider.key), 'GET', '/v1/me')).status,
      ).to.equal(200)
    } finally {
      await other.stop()
    }
  })

  it('cannot be told from others while the provider is away: that is our failure', async () => {
    const away = await startTestService({
      env: {
        JWT_JWKS_URL: 'http://127.0.0.1:9/jwks',
        JWT_ISSUER: 'https://login.example',
        JWT_AUDIENCE: 'bahi-production',
      },
    })
    try {
      const answer = await callWith(away, signed(good(), provider.key), 'GET', '/v1/me')
      expect([answer.status, answer.json['code']]).to.deep.equal([503, 'unavailable'])
      const principal = { subject: 'own', orgId: 1, role: 'viewer' } as const
      const own = signToken(principal, away.config.jwtSecret, 60)
      expect((await callWith(away, own, 'GET', '/v1/me')).status).to.equal(200)
    } finally {
      await away.stop()
    }
  })
})
