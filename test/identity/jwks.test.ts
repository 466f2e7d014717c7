/** An identity provider's keys: which are taken, how long they are kept, how often fetched. */
import { expect } from 'chai'
import { openJwks, readKeys } from '../../src/identity/jwks.ts'
import {
  ecKey,
  rsaKey,
  startProvider,
  type IdentityProvider,
} from '../support/identity-provider.ts'

describe('a set of keys', () => {
  it('gives those that check signatures, each with its one algorithm', () => {
    const [rsa, ec] = [rsaKey('rsa', { alg: 'RS256' }), ecKey('ec', { use: undefined })]
    const keys = readKeys({ keys: [rsa.jwk, ec.jwk] })
    expect([...keys].map(([kid, { algorithm }]) => [kid, algorithm])).to.deep.equal([
      ['rsa', 'RS256'],
      ['ec', 'ES256'],
    ])
  })

  it('leaves out keys that are for something else, too weak, or none', () => {
    const good = rsaKey('good')
    const { kid: _kid, ...nameless } = good.jwk
    const keys = readKeys({
      keys: [
        rsaKey('encrypts', { use: 'enc' }).jwk,
        rsaKey('signs only', { key_ops: ['sign'] }).jwk,
        rsaKey('another algorithm', { alg: 'PS256' }).jwk,
        rsaKey('HMAC', { alg: 'HS256' }).jwk,
        rsaKey('short', {}, 1024).jwk,
        ecKey('another curve', {}, 'P-384').jwk,
        ecKey('RSA by name', { kty: 'RSA' }).jwk,
        { kty: 'oct', kid: 'a secret', k: 'c2VjcmV0', use: 'sig' },
        { kty: 'OKP', crv: 'Ed25519', kid: 'edwards', x: 'x' },
        nameless,
        { ...good.jwk, kid: 17 },
        { ...good.jwk, n: '', kid: 'empty' },
        null,
        'key',
      ],
    })
    expect([...keys.keys()]).to.deep.equal([])
  })

  it('gives no key whose id another one has too', () => {
    const keys = readKeys({ keys: [rsaKey('a').jwk, rsaKey('b').jwk, rsaKey('a').jwk] })
    expect([...keys.keys()]).to.deep.equal(['b'])
  })

  it('is refused where it is none, or too long', () => {
    for (const none of [
      {},
      [],
      null,
      { keys: {} },
      { keys: Array.from({ length: 101 }, () => ({})) },
    ]) {
      expect(() => readKeys(none)).to.throw()
    }
  })
})

describe('keys of a provider', () => {
  let provider: IdentityProvider
  let now: number

  beforeEach(async () => {
    provider = await startProvider()
    now = Date.now()
  })

  afterEach(async () => {
    await provider.close()
  })

  const open = () => openJwks({ url: `${provider.url}/jwks`, clock: () => new Date(now) })

  const minutes = (count: number) => {
    now += count * 60_000
  }

  it('are fetched once for many who ask, and again after ten minutes', async () => {
    const keys = open()
    const found = await Promise.all(
      Array.from({ length: 20 }, async () => await keys.find('first')),
    )
    expect(found.every((one) => one?.algorithm === 'RS256')).to.equal(true)
    expect(provider.asked).to.equal(1)
    minutes(9)
    await keys.find('first')
    expect(provider.asked).to.equal(1)
    minutes(2)
    await keys.find('first')
    expect(provider.asked).to.equal(2)
  })

  it('are fetched again for an unknown id, but not more than once in 30 seconds', async () => {
    const keys = open()
    await keys.find('first')
    const second = rsaKey('second')
    provider.keys = { keys: [provider.key.jwk, second.jwk] }
    expect(await keys.find('second')).to.equal(undefined)
    now += 30_000
    expect(await keys.find('second')).to.include({ algorithm: 'RS256' })
    expect(provider.asked).to.equal(2)
    for (let guess = 0; guess < 50; guess += 1) {
      expect(await keys.find(`guess ${guess}`)).to.equal(undefined)
    }
    expect(provider.asked).to.equal(2)
    now += 30_000
    await Promise.all(Array.from({ length: 20 }, async (_none, at) => await keys.find(`g${at}`)))
    expect(provider.asked).to.equal(3)
  })

  it('are gone when the provider took them back', async () => {
    const keys = open()
    await keys.find('first')
    provider.keys = { keys: [] }
    minutes(11)
    expect(await keys.find('first')).to.equal(undefined)
  })

  it('are used for a day while the provider is away, without asking it each time', async () => {
    const keys = open()
    await keys.find('first')
    provider.keys = undefined
    minutes(60)
    for (let times = 0; times < 5; times += 1) {
      expect(await keys.find('first')).to.include({ algorithm: 'RS256' })
    }
    expect(provider.asked).to.equal(2)
    minutes(22 * 60)
    expect(await keys.find('first')).to.include({ algorithm: 'RS256' })
    minutes(2 * 60)
    const late = await keys.find('first').catch((error: Error) => error)
    expect(late).to.include({ code: 'unavailable' })
    provider.keys = { keys: [provider.key.jwk] }
    minutes(1)
    expect(await keys.find('first')).to.include({ algorithm: 'RS256' })
  })

  it('do not come from a provider that is silent, sends too much, or sends elsewhere', async () => {
    const begun = performance.now()
    for (const mood of ['silent', 'endless', 'elsewhere'] as const) {
      provider.mood = mood
      const failed = await open()
        .find('first')
        .catch((error: Error) => error)
      expect(failed, mood).to.include({ code: 'unavailable' })
    }
    expect(performance.now() - begun).to.be.within(2900, 6000)
  })
})
