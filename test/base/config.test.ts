/** The environment: what is missing or wrong is named, and nothing secret is repeated. */
import { expect } from 'chai'
import { ConfigError, readConfig } from '../../src/base/config.ts'
import { messageOfThrown } from './thrown.ts'

const KEY = Buffer.alloc(32, 3).toString('base64')
const GOOD: Readonly<Record<string, string>> = {
  DATABASE_URL: 'postgres://bahi:pa55word@db.example/bahi',
  AWS_REGION: 'ap-south-1',
  JWT_SECRET: 'a secret of at least 32 characters',
  DATA_KEYS: `k1:${KEY}`,
}

function refusal(changes: Readonly<Record<string, string | undefined>>): string {
  return messageOfThrown(() => readConfig({ ...GOOD, ...changes }))
}

describe('the configuration', () => {
  it('needs four variables and has defaults for the rest', () => {
    const config = readConfig(GOOD)
    expect(config).to.deep.include({
      production: false,
      host: '127.0.0.1',
      port: null,
      databaseUrl: GOOD['DATABASE_URL'],
      databaseOwnerUrl: GOOD['DATABASE_URL'],
      databasePoolSize: 12,
      redisUrl: null,
      redisPrefix: 'bahi',
      ses: { region: 'ap-south-1', endpoint: null },
      filesDir: 'data/files',
      gatewayTimeoutMs: 8000,
      gatewayBreakerMs: 30_000,
      logLevel: 'info',
    })
    expect(config.dataKeys.sealWith).to.equal('k1')
  })

  it('takes what is set', () => {
    const config = readConfig({
      ...GOOD,
      NODE_ENV: 'production',
      HOST: '0.0.0.0',
      PORT: '0',
      DATABASE_OWNER_URL: 'postgresql://owner@db.example/bahi',
      DATABASE_POOL_SIZE: '200',
      REDIS_URL: 'rediss://cache.example',
      SES_ENDPOINT: 'http://127.0.0.1:8005',
      GATEWAY_TIMEOUT_MS: '100',
      GATEWAY_BREAKER_MS: '600000',
      LOG_LEVEL: 'silent',
      SOMETHING_ELSE: 'is not ours',
    })
    expect(config).to.deep.include({
      production: true,
      host: '0.0.0.0',
      port: 0,
      databaseOwnerUrl: 'postgresql://owner@db.example/bahi',
      databasePoolSize: 200,
      redisUrl: 'rediss://cache.example',
      ses: { region: 'ap-south-1', endpoint: 'http://127.0.0.1:8005' },
      gatewayTimeoutMs: 100,
      gatewayBreakerMs: 600_000,
      logLevel: 'silent',
    })
  })

  it('takes an identity provider whole, or not at all', () => {
    expect(readConfig(GOOD)).to.deep.include({ jwks: null, publicUrl: null })
    const provider = {
      JWT_JWKS_URL: 'https://login.example/keys',
      JWT_ISSUER: 'https://login.example',
      JWT_AUDIENCE: 'bahi',
    }
    expect(readConfig({ ...GOOD, ...provider }).jwks).to.deep.equal({
      url: provider.JWT_JWKS_URL,
      issuer: provider.JWT_ISSUER,
      audience: provider.JWT_AUDIENCE,
    })
    for (const name of Object.keys(provider)) {
      expect(refusal({ ...provider, [name]: '' })).to.contain(`${name} is missing`)
    }
    expect(refusal({ ...provider, JWT_ISSUER: 'bahi' })).to.contain('JWT_ISSUER must not be')
    const plain = { ...provider, JWT_JWKS_URL: 'http://login.example/keys' }
    expect(refusal(plain)).to.contain('JWT_JWKS_URL must be a URL that begins with https://')
    const local = { ...provider, JWT_JWKS_URL: 'http://127.0.0.1:8080/keys' }
    expect(readConfig({ ...GOOD, ...local }).jwks?.url).to.equal(local.JWT_JWKS_URL)
    for (const wrong of ['https://bahi.example/', 'https://bahi.example/x', 'bahi.example']) {
      expect(refusal({ PUBLIC_URL: wrong }), wrong).to.contain('PUBLIC_URL must be')
    }
    const own = { PUBLIC_URL: 'https://bahi.example' }
    expect(readConfig({ ...GOOD, ...own }).publicUrl).to.equal(own.PUBLIC_URL)
  })

  for (const name of Object.keys(GOOD)) {
    it(`names ${name} where it is missing or empty`, () => {
      for (const value of [undefined, '']) {
        expect(refusal({ [name]: value })).to.match(new RegExp(`^  ${name} is missing`, 'm'))
      }
    })
  }

  for (const [name, value] of [
    ['NODE_ENV', 'prod'],
    ['PORT', '65536'],
    ['PORT', '-1'],
    ['PORT', '80a'],
    ['PORT', '3.5'],
    ['DATABASE_URL', 'db.example'],
    ['DATABASE_URL', 'mysql://root:hush@db.example/bahi'],
    ['DATABASE_OWNER_URL', 'http://db.example'],
    ['DATABASE_POOL_SIZE', '3'],
    ['DATABASE_POOL_SIZE', '201'],
    ['REDIS_URL', 'http://cache.example'],
    ['REDIS_PREFIX', 'a b'],
    ['AWS_REGION', 'India'],
    ['SES_ENDPOINT', 'mailbox:8005'],
    ['JWT_SECRET', 'thirty-one characters, not more'],
    ['DATA_KEYS', KEY],
    ['DATA_KEYS', `k1:${KEY.slice(0, 20)}`],
    ['GATEWAY_TIMEOUT_MS', '99'],
    ['GATEWAY_TIMEOUT_MS', '60001'],
    ['GATEWAY_BREAKER_MS', '600001'],
    ['LOG_LEVEL', 'verbose'],
  ] as const) {
    it(`names ${name} where it is ${JSON.stringify(value.replace(KEY, 'a bare key'))}`, () => {
      const message = refusal({ [name]: value })
      expect(message).to.match(new RegExp(`^  ${name} \\S`, 'm'))
      expect(message.trim().split('\n'), message).to.have.length(2)
    })
  }

  it('takes an empty variable for one that is not set', () => {
    const empty = Object.fromEntries(
      ['PORT', 'REDIS_URL', 'DATABASE_OWNER_URL', 'LOG_LEVEL', 'HOST'].map((name) => [name, '']),
    )
    expect(readConfig({ ...GOOD, ...empty })).to.deep.equal(readConfig(GOOD))
  })

  it('names everything that is wrong at once', () => {
    const message = refusal({ DATABASE_URL: '', JWT_SECRET: 'short', PORT: 'x', DATA_KEYS: 'y' })
    for (const name of ['DATABASE_URL', 'JWT_SECRET', 'PORT', 'DATA_KEYS']) {
      expect(message).to.match(new RegExp(`^  ${name} `, 'm'))
    }
  })

  it('lets a local mailbox stand for the region', () => {
    const config = readConfig({ ...GOOD, AWS_REGION: '', SES_ENDPOINT: 'http://127.0.0.1:8005' })
    expect(config.ses).to.deep.equal({ region: 'ap-south-1', endpoint: 'http://127.0.0.1:8005' })
  })

  it('repeats no value, because values may be secrets', () => {
    const secrets = {
      DATABASE_URL: 'mysql://bahi:pa55word@db.example/bahi',
      DATABASE_OWNER_URL: 'hushhush-owner',
      REDIS_URL: 'http://:hushhush-redis@cache.example',
      JWT_SECRET: 'hushhush-jwt',
      DATA_KEYS: `k1:${Buffer.from('hushhush-key').toString('base64')}`,
      SES_ENDPOINT: 'hushhush-ses',
      LOG_LEVEL: 'hushhush-level',
    }
    const message = refusal(secrets)
    expect(message).to.match(/DATABASE_URL[^]*JWT_SECRET[^]*DATA_KEYS/)
    expect(message).to.not.match(/hushhush|pa55word|aHVzaGh1c2gta2V5/)
    expect(() => readConfig({ ...GOOD, ...secrets })).to.throw(ConfigError)
  })
})
