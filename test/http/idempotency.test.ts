/** Idempotency-Key: the same request is answered the same, and done once. */
import { expect } from 'chai'
import { forgetAnswers } from '../../jobs/forget-answers.ts'
import { signToken } from '../../src/http/auth.ts'
import { donationRequest } from '../support/bodies.ts'
import { startNock, stopNock } from '../support/nock.ts'
import { startProxy, type Proxy } from '../support/proxy.ts'
import { startTestService, type Answer, type TestService } from '../support/service.ts'
import { BANK, countEntries, ENTRIES, entryBody, line, postEntry } from './posting.ts'
import { razorpayOpens } from './seeded.ts'

describe('a request with an Idempotency-Key', () => {
  let service: TestService
  let proxy: Proxy
  let sent = 0

  before(async () => {
    const target = new URL(process.env['BAHI_TEST_POSTGRES'] ?? '')
    proxy = await startProxy({ host: target.hostname, port: Number(target.port) })
    service = await startTestService({
      databaseUrl(url) {
        const through = new URL(url)
        through.port = String(proxy.port)
        return through.href
      },
    })
  })

  after(async () => {
    await service.stop()
    await proxy.close()
  })

  const account = (code: string) => ({ code, name: code, currency: 'INR' })

  async function open(key: string, body: object, headers: object = {}): Promise<Answer> {
    return await service.call('POST', '/v1/accounts', {
      body,
      headers: { 'idempotency-key': key, ...headers },
    })
  }

  /** The headers of somebody else with the role. */
  function as(subject: string) {
    const token = signToken({ subject, orgId: 1, role: 'finance' }, service.config.jwtSecret, 60)
    return { authorization: `Bearer ${token}` }
  }

  function newKey(): string {
    sent += 1
    return `key-${sent}`
  }

  async function accountsNamed(name: string): Promise<number> {
    const [row] = await service.rows<{ n: number }>(
      'select count(*)::integer as n from accounts where name = $1',
      [name],
    )
    return row?.n ?? 0
  }

  it('is answered with the same bytes again, and says so', async () => {
    const key = newKey()
    const body = account('expenses:rent')
    const first = await open(key, body)
    expect([first.status, first.headers.get('idempotent-replayed')]).to.deep.equal([201, null])
    const second = await open(key, body)
    expect([second.status, second.text]).to.deep.equal([201, first.text])
    expect(second.headers.get('idempotent-replayed')).to.equal('true')
    expect((await open(`"${key}"`, body)).text, 'in quotes').to.equal(first.text)
    expect(await accountsNamed('expenses:rent')).to.equal(1)
  })

  it('is answered with the same refusal again, though it would be taken now', async () => {
    const key = newKey()
    const body = entryBody({
      lines: [line('debit', BANK, 7), line('credit', 'expenses:fuel', 7)],
    })
    const first = await postEntry(service, key, body)
    expect(first.json).to.include({ code: 'unknown_account', status: 422, moved: 'no' })
    await open(newKey(), account('expenses:fuel'))
    const second = await postEntry(service, key, body)
    const { request_id: one, ...refused } = first.json
    const { request_id: other, ...again } = second.json
    expect(again).to.deep.equal(refused)
    expect(one).to.not.equal(other)
    expect(second.headers.get('idempotent-replayed')).to.equal('true')
    expect(second.headers.get('content-type')).to.equal(first.headers.get('content-type'))
    expect((await postEntry(service, newKey(), body)).status).to.equal(201)
  })

  it('is refused with another body or path, before anything is done', async () => {
    const key = newKey()
    await open(key, account('expenses:tea'))
    const other = await open(key, account('expenses:coffee'))
    expect(other.json).to.include({ code: 'idempotency_conflict', status: 422, moved: 'no' })
    expect(await accountsNamed('expenses:coffee')).to.equal(0)
    const before = await countEntries(service)
    const posted = await postEntry(service, key)
    expect(posted.status).to.equal(201)
    expect((await postEntry(service, key, entryBody({ description: 'Other' }))).json).to.include({
      code: 'idempotency_conflict',
    })
    expect(await countEntries(service)).to.equal(before + 1)
  })

  it('keeps apart what other callers send with the same key, and other routes', async () => {
    const key = newKey()
    const before = await countEntries(service)
    const answers = [
      await postEntry(service, key),
      await service.call('POST', ENTRIES, {
        body: entryBody(),
        headers: { 'idempotency-key': key, ...as('somebody else') },
      }),
      await open(key, account('expenses:books')),
    ]
    expect(answers.map(({ status }) => status)).to.deep.equal([201, 201, 201])
    expect(await countEntries(service)).to.equal(before + 2)
  })

  it('is done once by many at the same time; who is too early is told to come again', async () => {
    const key = newKey()
    const body = account('expenses:crowd')
    const answers = await Promise.all(Array.from({ length: 20 }, async () => await open(key, body)))
    const statuses = answers.map(({ status }) => status)
    expect(statuses.filter((status) => status !== 201 && status !== 409)).to.deep.equal([])
    for (const early of answers.filter(({ status }) => status === 409)) {
      expect(early.json).to.include({ code: 'idempotency_running', moved: 'no' })
      expect(early.headers.get('retry-after')).to.equal('1')
    }
    expect(await accountsNamed('expenses:crowd')).to.equal(1)
    expect((await open(key, body)).status).to.equal(201)
  })

  it('that died before COMMIT left no key behind', async () => {
    const key = newKey()
    const body = account('expenses:lost')
    proxy.breakBefore('commit; select pg_advisory_unlock')
    expect((await open(key, body)).status).to.equal(503)
    const [kept] = await service.rows<{ n: number }>(
      'select count(*)::integer as n from kept_answers where idempotency_key = $1',
      [key],
    )
    expect([kept?.n, await accountsNamed('expenses:lost')]).to.deep.equal([0, 0])
    const again = await open(key, body)
    expect([again.status, again.headers.get('idempotent-replayed')]).to.deep.equal([201, null])
  })

  it('that opened a donation has one order, whoever asks again', async () => {
    const key = newKey()
    startNock()
    razorpayOpens(50_000)
    const body = donationRequest({ amount: 50_000 })
    const headers = { 'idempotency-key': key }
    const first = await service.call('POST', '/v1/donations', { body, headers })
    expect(first.status, first.text).to.equal(201)
    stopNock()
    const second = await service.call('POST', '/v1/donations', { body, headers })
    expect([second.status, second.text]).to.deep.equal([201, first.text])
  })

  it('is not kept where it was not understood', async () => {
    const key = newKey()
    expect((await open(key, { code: 'nonsense' })).status).to.equal(400)
    expect((await open(key, account('expenses:right'))).status).to.equal(201)
  })

  it('is remembered for a day, whoever would forget it, and encrypted', async () => {
    const key = newKey()
    await open(key, account('expenses:secret'))
    const [row] = await service.rows<{ body_sealed: Buffer }>(
      'select body_sealed from kept_answers where idempotency_key = $1',
      [key],
    )
    expect(row?.body_sealed.includes('secret')).to.equal(false)
    const refused = await service.parts.db
      .statement('delete from kept_answers')
      .catch((error: unknown) => String(error))
    expect(refused).to.contain('24 hours')
    await service.rows(
      `update kept_answers set answered_at = now() - interval '26 hours'
        where idempotency_key = $1`,
      [key],
    )
    const count = async () =>
      await service.rows<{ n: number }>('select count(*)::integer as n from kept_answers')
    const [before] = await count()
    await forgetAnswers(service.parts.db)
    const [after] = await count()
    expect(after?.n).to.equal((before?.n ?? 0) - 1)
  })
})
