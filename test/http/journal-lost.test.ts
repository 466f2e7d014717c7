/** Posting while the database is lost around COMMIT, or while the process is told to end. */
import { expect } from 'chai'
import { signToken } from '../../src/http/auth.ts'
import { verifyLedger } from '../../src/ledger/checks/verify.ts'
import { startServer } from '../../src/server.ts'
import { startProxy, type Proxy } from '../support/proxy.ts'
import { startTestService, type Answer, type TestService } from '../support/service.ts'
import { until } from '../support/until.ts'
import {
  BANK,
  BATCH,
  countEntries,
  ENTRIES,
  entryBody,
  expectRefused,
  line,
  postEntry,
} from './posting.ts'
import { textIn } from './seeded.ts'

const COMMIT = 'commit; select pg_advisory_unlock'
/** Such transactions of a request look up its key and the limits; the third shows the entry. */
const READ = 'repeatable read read only'

describe('a database that is lost while an entry is posted', () => {
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
    // Opens the accounts, so that what follows goes the way of nearly every entry.
    await postEntry(service, 'before')
  })

  after(async () => {
    const { findings } = await verifyLedger(service.parts.db, service.orgId, () => undefined)
    expect(findings).to.deep.equal([])
    await service.stop()
    await proxy.close()
  })

  /** The ways to post one entry; each with a body and a key of its own, to be sent twice. */
  const ways: Record<string, () => Promise<() => Promise<Answer>>> = {
    'posting one': async () => {
      sent += 1
      const key = `one-${sent}`
      return await Promise.resolve(async () => await postEntry(service, key))
    },
    'an atomic batch': async () => {
      sent += 1
      const entries = [{ idempotency_key: `batch-${sent}`, ...entryBody() }]
      const body = { mode: 'atomic', entries }
      return await Promise.resolve(async () => await service.call('POST', BATCH, { body }))
    },
    'a reversal': async () => {
      sent += 1
      const { json } = await postEntry(service, `to-reverse-${sent}`)
      const path = `${ENTRIES}/${textIn(json, 'id')}/reverse`
      const headers = { 'idempotency-key': `reversal-${sent}` }
      return async () => await service.call('POST', path, { body: { reason: 'twice' }, headers })
    },
  }

  for (const [way, prepare] of Object.entries(ways)) {
    it(`before COMMIT: ${way} moved nothing, and is done the second time`, async () => {
      const send = await prepare()
      const before = await countEntries(service)
      proxy.breakBefore(COMMIT)
      const lost = await send()
      expect(lost.json['moved'], lost.text).to.be.oneOf(['no', 'unknown'])
      expectRefused(lost, 'unavailable', lost.json['moved'] as 'no' | 'unknown')
      expect(lost.headers.get('retry-after')).to.match(/^\d+$/)
      expect(await countEntries(service)).to.equal(before)
      expect((await send()).status).to.be.oneOf([200, 201])
      expect(await countEntries(service)).to.equal(before + 1)
    })

    it(`at COMMIT: ${way} says that nobody knows, and is done once`, async () => {
      const send = await prepare()
      const before = await countEntries(service)
      proxy.swallowAnswerTo(COMMIT)
      expectRefused(await send(), 'unavailable', 'unknown')
      if (way === 'posting one') {
        // All of it goes out at once: the server may notice the loss before it comes to COMMIT.
        expect((await send()).status).to.be.oneOf([200, 201])
      } else {
        // The server may still be at it when the answer is lost.
        await until(async () => (await countEntries(service)) === before + 1)
      }
      expect((await send()).status).to.equal(200)
      expect(await countEntries(service)).to.equal(before + 1)
    })
  }

  for (const way of ['posting one', 'a reversal']) {
    it(`after COMMIT: ${way} says that it is posted and only not shown`, async () => {
      const send = await ways[way]?.()
      const before = await countEntries(service)
      proxy.breakBefore(READ, 2)
      const lost = await send?.()
      expect(lost?.text).to.match(/je_\d+ is posted/)
      expectRefused(lost as Answer, 'unavailable', 'yes')
      const again = await send?.()
      expect([again?.status, again?.headers.get('idempotent-replayed')]).to.deep.equal([
        200,
        'true',
      ])
      expect(await countEntries(service)).to.equal(before + 1)
    })
  }

  it('and away for everybody: it is said, and the same is done later', async () => {
    proxy.cut()
    const answer = await postEntry(service, 'away')
    proxy.restore()
    expect(answer.status).to.equal(503)
    expect(answer.json['moved']).to.be.oneOf(['no', 'unknown'])
    expect((await postEntry(service, 'away')).status).to.be.oneOf([200, 201])
  })
})

describe('a database that is lost while the books are changed', () => {
  let service: TestService
  let proxy: Proxy

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
    const gift = [line('debit', BANK, 100), line('credit', 'income:donations:health', 100)]
    await postEntry(service, 'gift', entryBody({ effective_on: '2025-06-01', lines: gift }))
  })

  after(async () => {
    await service.stop()
    await proxy.close()
  })

  const reason = 'reviewed'
  /** What changes the books beside posting: path, body, and how many of what there are then. */
  const changes: [method: string, path: string, body: object, written: string][] = [
    ['POST', 'financial-years/2025-26/close', { reason }, "journal_entries where kind <> 'manual'"],
    ['POST', 'periods/2025-06/close', { state: 'closed', reason }, 'period_changes'],
    ['POST', 'periods/2025-06/reopen', { reason }, "period_changes where state = 'open'"],
    ['POST', 'accounts', { code: 'expenses:x', name: 'X', currency: 'INR' }, 'account_changes'],
    ['PATCH', 'accounts/acc_1', { name: 'Bank', reason }, 'account_changes where account_id = 1'],
    ['POST', 'currencies', { code: 'SEVA', name: 'Points', exponent: 0 }, 'currencies'],
  ]
  for (const [method, path, body, written] of changes) {
    it(`at COMMIT: ${method} ${path} says that nobody knows, and is done once`, async () => {
      const send = async () => await service.call(method, `/v1/${path}`, { role: 'admin', body })
      const count = async () =>
        (await service.rows<{ n: number }>(`select count(*)::integer as n from ${written}`))[0]?.n
      expect(await count()).to.equal(0)
      proxy.swallowAnswerTo(COMMIT)
      const lost = await send()
      expectRefused(lost, 'unavailable', 'unknown')
      expect(lost.text).to.not.contain('nothing was written')
      await until(async () => (await count()) === 1)
      const again = await send()
      expect(again.status, again.text).to.equal(200)
      expect(await count()).to.equal(1)
      if (path.startsWith('financial-years')) {
        expect(again.json).to.deep.include({ journal_entries: ['je_2'], changed: false })
      }
    })
  }

  it('before COMMIT: closing a year moved nothing', async () => {
    proxy.breakBefore('select entry_no from journal_heads')
    const path = '/v1/financial-years/2025-26/close'
    const lost = await service.call('POST', path, { role: 'admin', body: { reason } })
    expectRefused(lost, 'unavailable', 'no')
  })
})

describe('a process that is told to end', () => {
  it('answers every entry that it took, and takes no more', async () => {
    const service = await startTestService()
    const server = await startServer(service.parts, 0)
    const token = signToken(
      { subject: 'test', orgId: 1, role: 'finance' },
      service.config.jwtSecret,
      60,
    )
    const post = async (key: string) =>
      await fetch(server.url + ENTRIES, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${token}`,
          'content-type': 'application/json',
          'idempotency-key': key,
        },
        body: JSON.stringify(entryBody()),
      })
    const answers = Promise.all(Array.from({ length: 40 }, (_none, n) => post(`end-${n}`)))
    await until(async () => (await countEntries(service)) > 0)
    await server.close()
    expect((await answers).map(({ status }) => status)).to.deep.equal(Array(40).fill(201))
    expect(await countEntries(service)).to.equal(40)
    expect(await post('late').catch(() => 'refused')).to.equal('refused')
    await service.stop()
  })
})
