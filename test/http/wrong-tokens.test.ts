/** Guessing keys and tokens costs: counted by address, before the database is asked. */
import { expect } from 'chai'
import { randomBytes } from 'node:crypto'
import { isStamped, newSecret, newStampedSecret } from '../../src/identity/secrets.ts'
import { asOwner } from '../../scripts/stack.ts'
import { addPerson, callWith, sessionOf } from '../support/people.ts'
import { startTestService, type Answer, type TestService } from '../support/service.ts'
import { entryBody } from './posting.ts'

const LIMIT = 5
const RATE_LIMITS = `all=1000000,wrong_token=${LIMIT}`

const guess = (prefix: string) => prefix + randomBytes(32).toString('base64url')
const guessedKey = () => guess(`bahi_key_${'0'.repeat(26)}_`)
const guessedSession = () => guess('bahi_session_')

async function newKey(service: TestService, role = 'admin'): Promise<{ id: string; text: string }> {
  const body = { name: 'A key', role }
  const made = await service.call('POST', '/v1/api-keys', { role: 'admin', body })
  return { id: (made.json['api_key'] as { id: string }).id, text: made.json['secret'] as string }
}

const me = async (service: TestService, token: string): Promise<Answer> =>
  await callWith(service, token, 'GET', '/v1/me')

/** Wrong tokens until they are refused as too many. */
async function exhaust(service: TestService): Promise<void> {
  for (let call = 0; call < LIMIT; call += 1) {
    await me(service, guessedKey())
  }
  expect((await me(service, guessedKey())).status).to.equal(429)
}

/** Works while keys and sessions cannot be looked up: whoever tries fails on our side. */
async function withoutTables<T>(service: TestService, work: () => Promise<T>): Promise<T> {
  const rename = async (from: string, to: string) =>
    await service.rows(
      `do $$ begin alter table ${from}api_keys rename to ${to}api_keys;
        alter table ${from}sessions rename to ${to}sessions; end $$`,
    )
  await rename('', 'hidden_')
  try {
    return await work()
  } finally {
    await rename('hidden_', '')
  }
}

describe('wrong tokens', () => {
  let service: TestService

  beforeEach(async () => {
    service = await startTestService({ env: { RATE_LIMITS } })
  })

  afterEach(async () => {
    await service.stop()
  })

  it('of every kind are counted, and then refused with the time to wait', async () => {
    const statuses: number[] = []
    const wrongs = [guessedKey(), guessedSession(), 'x', 'a.b.c', guessedKey(), guessedSession()]
    for (const token of wrongs) {
      statuses.push((await me(service, token)).status)
    }
    expect(statuses).to.deep.equal([401, 401, 401, 401, 401, 429])
    for (const token of [guessedKey(), guessedSession(), 'x', 'a.b.c']) {
      const refused = await me(service, token)
      expect(refused.json, token).to.include({ code: 'rate_limited' })
      expect(refused.headers.get('ratelimit-policy')).to.equal(`"wrong_token";q=${LIMIT};w=60`)
      expect(Number(refused.headers.get('retry-after'))).to.be.within(1, 60)
    }
    const cookie = await service.call('GET', '/v1/me', {
      role: null,
      headers: { cookie: `bahi_session=${guessedSession()}` },
    })
    expect(cookie.status).to.equal(429)
  })

  it('are none where there is no token at all', async () => {
    for (let call = 0; call < LIMIT * 2; call += 1) {
      expect((await service.call('GET', '/v1/me', { role: null })).status).to.equal(401)
    }
    expect((await me(service, guessedKey())).status).to.equal(401)
  })

  it('refuse no right one from behind the same address: key, session or JWT', async () => {
    const session = await sessionOf(service, await addPerson(service, 'a@example.org', 'admin'))
    const [known, fresh] = [await newKey(service), await newKey(service)]
    expect((await me(service, known.text)).status).to.equal(200)
    await exhaust(service)
    for (const token of [known.text, fresh.text, session]) {
      expect((await me(service, token)).status).to.equal(200)
    }
    expect((await service.call('GET', '/v1/me')).status).to.equal(200)
    for (let call = 0; call < LIMIT * 2; call += 1) {
      expect((await me(service, fresh.text)).status).to.equal(200)
    }
    expect((await me(service, guessedKey())).status).to.equal(429)
  })

  it('above the limit ask the database for nothing', async () => {
    await exhaust(service)
    const statuses = await withoutTables(
      service,
      async () =>
        await Promise.all(
          Array.from({ length: 50 }, async (_one, index) => {
            const token = index % 2 === 0 ? guessedKey() : guessedSession()
            return (await me(service, token)).status
          }),
        ),
    )
    expect(new Set(statuses)).to.deep.equal(new Set([429]))
  })

  it('below the limit do, so that this would be seen', async () => {
    const statuses = await withoutTables(service, async () => [
      (await me(service, guessedKey())).status,
      (await me(service, guessedSession())).status,
    ])
    expect(statuses).to.deep.equal([500, 500])
  })

  it('are as few though all come at the same time', async () => {
    const answers = await Promise.all(
      Array.from({ length: 40 }, async () => await me(service, guessedKey())),
    )
    const wrong = answers.filter(({ status }) => status === 401)
    expect(wrong).to.have.length(LIMIT)
  })

  it('that were right once are counted too, and asked for no more', async () => {
    const { id, text } = await newKey(service)
    expect((await me(service, text)).status).to.equal(200)
    await service.call('POST', `/v1/api-keys/${id}/revoke`, { role: 'admin' })
    for (let call = 0; call < LIMIT; call += 1) {
      const refused = await me(service, text)
      expect([refused.status, refused.json['detail']]).to.deep.equal([
        401,
        'The API key was revoked.',
      ])
    }
    const refused = await withoutTables(service, async () => await me(service, text))
    expect(refused.status).to.equal(429)
    expect((await me(service, (await newKey(service)).text)).status).to.equal(200)
  })

  it('say of money that none moved', async () => {
    await exhaust(service)
    const post = async (token: string) =>
      await service.call('POST', '/v1/journal-entries', {
        body: entryBody(),
        headers: { authorization: `Bearer ${token}`, 'idempotency-key': 'one' },
      })
    expect((await post(guessedKey())).json).to.include({ code: 'rate_limited', moved: 'no' })
    expect((await post((await newKey(service)).text)).status).to.equal(201)
  })

  it('are counted, and right ones let in, where the store of the limits is away', async () => {
    const { text } = await newKey(service)
    await asOwner(service.database.ownerUrl, async (client) => {
      await client.query('alter table rate_limits rename to gone')
    })
    await exhaust(service)
    expect((await me(service, text)).status).to.equal(200)
  })
})

describe('the stamp of a secret', () => {
  it('is in what was made here, with the same secret, and in nothing else', () => {
    const [ours, other] = ['our secret', 'another secret']
    for (let round = 0; round < 100; round += 1) {
      const { secret } = newStampedSecret('bahi_session_', ours)
      expect(secret).to.match(/^bahi_session_[\w-]{43}$/)
      expect(isStamped(secret, ours)).to.equal(true)
      expect(isStamped(secret, other)).to.equal(false)
      expect(isStamped(secret.replace('session', 'Session'), ours)).to.equal(false)
      expect(isStamped(`x${secret}`, ours)).to.equal(false)
      const place = 13 + (round % 42)
      const flipped = secret[place] === 'A' ? 'B' : 'A'
      const changed = secret.slice(0, place) + flipped + secret.slice(place + 1)
      expect(isStamped(changed, ours), String(place)).to.equal(false)
      expect(isStamped(newSecret('bahi_session_').secret, ours)).to.equal(false)
    }
    for (const text of ['', '_', 'bahi_session_', 'x'.repeat(44), '_'.repeat(10_000)]) {
      expect(isStamped(text, ours), text.slice(0, 20)).to.equal(false)
    }
  })
})

describe('a secret from before JWT_SECRET was changed', () => {
  it('lets in as before, and is taken for a guess only until it was right', async () => {
    const service = await startTestService({ env: { RATE_LIMITS } })
    try {
      const { id } = await newKey(service)
      const { secret, hash } = newSecret(`bahi_${id}_`)
      await service.rows('update api_keys set secret_hash = $1 where key_id = $2', [hash, id])
      for (let call = 0; call < LIMIT * 2; call += 1) {
        expect((await me(service, secret)).status).to.equal(200)
      }
      await exhaust(service)
      expect((await me(service, guessedKey())).status).to.equal(429)
      expect((await me(service, secret)).status).to.equal(200)
    } finally {
      await service.stop()
    }
  })
})
