/** POST /v1/journal-entries, reverse and adjust: what is posted, what is refused, and who may. */
import { expect } from 'chai'
import type { Role } from '../../src/http/permissions.ts'
import { verifyLedger } from '../../src/ledger/checks/verify.ts'
import {
  startTestService,
  type Answer,
  type Json,
  type JsonObject,
  type TestService,
} from '../support/service.ts'
import {
  BANK,
  countEntries,
  ENTRIES,
  entryBody,
  expectRefused,
  FUND,
  line,
  pointersOf,
  postEntry,
} from './posting.ts'
import { rowsOf, textIn } from './seeded.ts'

describe('posting an entry over HTTP', () => {
  let service: TestService

  before(async () => {
    service = await startTestService()
  })

  after(async () => {
    const { findings } = await verifyLedger(service.parts.db, service.orgId, () => undefined)
    expect(findings).to.deep.equal([])
    await service.stop()
  })

  let refusals = 0

  /** Refused, whatever it is, and nothing was written. */
  async function refused(body: unknown, role: Role = 'finance'): Promise<Answer> {
    const before = await countEntries(service)
    refusals += 1
    const answer = await postEntry(service, `refused-${refusals}`, body, role)
    expect(answer.status, answer.text).to.be.within(400, 499)
    expect(answer.json['moved']).to.equal('no')
    expect(await countEntries(service)).to.equal(before)
    return answer
  }

  it('answers 201 with the entry and where it is', async () => {
    const answer = await postEntry(
      service,
      'first',
      entryBody({ metadata: { voucher: 'JV-17' }, source: 'tally:JV-17' }),
    )
    expect(answer.status, answer.text).to.equal(201)
    expect(answer.headers.get('location')).to.equal(`${ENTRIES}/${textIn(answer.json, 'id')}`)
    expect(answer.headers.get('idempotent-replayed')).to.equal(null)
    expect(answer.json).to.include({
      kind: 'manual',
      effective_on: '2026-05-04',
      description: 'Opening balance',
      source: 'tally:JV-17',
      actor: 'test',
      reverses: null,
      reversed_by: null,
      adjusts: null,
    })
    expect(answer.json).to.deep.include({ metadata: { voucher: 'JV-17' }, adjusted_by: [] })
    expect((answer.json['postings'] as JsonObject[]).map((one) => one['code'])).to.deep.equal([
      BANK,
      FUND,
    ])
    const shown = await service.call('GET', `${ENTRIES}/${textIn(answer.json, 'id')}`)
    expect(shown.json).to.deep.equal(answer.json)
  })

  it('answers 200 with the same entry when the same comes again, quoted key or not', async () => {
    const first = await postEntry(service, 'again')
    for (const key of ['again', '"again"', '"again";p=1']) {
      const second = await postEntry(service, key)
      expect([second.status, second.headers.get('idempotent-replayed')]).to.deep.equal([
        200,
        'true',
      ])
      expect(second.json).to.deep.equal(first.json)
    }
  })

  it('refuses other content under the same key', async () => {
    await postEntry(service, 'taken')
    const other = await postEntry(service, 'taken', entryBody({ description: 'Other' }))
    expectRefused(other, 'idempotency_conflict')
  })

  it('needs a key of 1 to 180 visible ASCII characters', async () => {
    const without = await service.call('POST', ENTRIES, { body: entryBody() })
    expectRefused(without, 'idempotency_key_missing')
    for (const key of ['"open', 'two words', 'x'.repeat(181), 'clé', '""', 'tab\tbed']) {
      expectRefused(await postEntry(service, key), 'invalid_request')
    }
    expect((await postEntry(service, '~'.repeat(180))).status).to.equal(201)
  })

  it('takes no day that can only be a misprint', async () => {
    for (const day of ['9999-12-31', '0026-11-20', '1989-12-31']) {
      const answer = await postEntry(service, `day-${day}`, entryBody({ effective_on: day }))
      expectRefused(answer, 'invalid_request')
      expect(answer.text).to.contain('must be from 1990-01-01')
    }
  })

  it('takes an account by its id', async () => {
    const { json } = await postEntry(service, 'by-code')
    const [bank, fund] = (json['postings'] as JsonObject[]).map((one) => textIn(one, 'account'))
    const byId = (currency: string) =>
      entryBody({
        lines: [
          { ...line('debit', bank ?? '', 7), currency },
          { ...line('credit', fund ?? '', 7), currency },
        ],
      })
    const answer = await postEntry(service, 'by-id', byId('INR'))
    expect([answer.status, answer.text.includes(FUND)]).to.deep.equal([201, true])
    expectRefused(await postEntry(service, 'by-id-usd', byId('USD')), 'unknown_account')
    const none = entryBody({ lines: [line('debit', 'acc_99', 1), line('credit', FUND, 1)] })
    expectRefused(await refused(none), 'unknown_account')
  })

  it('posts the same account twice in one entry, line by line', async () => {
    const lines = [line('debit', BANK, 3), line('debit', BANK, 4), line('credit', BANK, 7)]
    const { status, json } = await postEntry(service, 'twice', entryBody({ lines }))
    expect(status).to.equal(201)
    const after = (json['postings'] as JsonObject[]).map((one) => Number(one['balance_after']))
    expect(after.map((one) => one - (after[2] ?? 0))).to.deep.equal([3, 7, 0])
  })

  it('posts up to 1,000 lines and refuses one more', async () => {
    const lines = (count: number) =>
      Array.from({ length: count }, (_none, n) => line(n % 2 === 0 ? 'debit' : 'credit', BANK, 9))
    expect((await postEntry(service, 'long', entryBody({ lines: lines(1000) }))).status).to.equal(
      201,
    )
    const longer = [
      ...lines(998),
      line('debit', BANK, 9),
      line('credit', BANK, 4),
      line('credit', BANK, 5),
    ]
    expectRefused(await refused(entryBody({ lines: longer })), 'invalid_entry')
  })

  it('says what the ledger refuses, and that nothing moved', async () => {
    const entries: [code: Parameters<typeof expectRefused>[1], lines: Json[]][] = [
      ['invalid_entry', []],
      ['invalid_entry', [line('debit', BANK, 1)]],
      ['unbalanced_entry', [line('debit', BANK, 2), line('credit', FUND, 1)]],
      ['unknown_account', [line('debit', 'assets:bank:moon', 1), line('credit', FUND, 1)]],
      ['unknown_account', [line('debit', "'; drop table accounts", 1), line('credit', FUND, 1)]],
    ]
    for (const [code, lines] of entries) {
      expectRefused(await refused(entryBody({ lines })), code)
    }
  })

  it('refuses every amount that is no whole number above zero of at most 2^53 - 1', async () => {
    for (const amount of [0, -1, -0, 1.5, null, true, '100', [100], {}]) {
      const lines = [line('debit', BANK, amount), line('credit', FUND, 100)]
      const pointers = pointersOf(await refused(entryBody({ lines })))
      expect(pointers, JSON.stringify(amount)).to.deep.equal(['/lines/0/amount'])
    }
    const text = JSON.stringify(entryBody())
    for (const written of [
      '100.0',
      '1e2',
      '100.00000000000000000001',
      '9007199254740990.6',
      '9007199254740992',
      '9007199254740993',
      '1e400',
      '-9007199254740993',
    ]) {
      const answer = await refused(text.replaceAll('"amount":100', `"amount":${written}`))
      expect(pointersOf(answer), written).to.deep.equal(['/lines/0/amount', '/lines/1/amount'])
    }
  })

  it('refuses a name that stands twice, however it is spelled', async () => {
    const text = JSON.stringify(entryBody())
    for (const [instead, pointer] of [
      [text.replace('"amount":100', '"amount":100,"amount":100'), '/lines/0/amount'],
      [text.replace('"amount":100', '"amount":100,"am\\u006funt":1'), '/lines/0/amount'],
      [text.replace('{', '{"description":"a",'), '/description'],
      [text.replace('{', '{"__proto__":{"role":"admin"},'), '/__proto__'],
    ] as const) {
      expect(pointersOf(await refused(instead))).to.deep.equal([pointer])
    }
  })

  it('names unknown fields, and what is wrong with known ones', async () => {
    const odd = await refused(
      entryBody({ colour: 'red', lines: [{ ...line('debit', BANK, 1), x: 1 }] }),
    )
    expect(pointersOf(odd)).to.have.members(['', '/lines/0'])
    expect(odd.text).to.contain('colour')
    const wrong: [field: string, value: Json][] = [
      ['effective_on', '2026-02-30'],
      ['effective_on', 20260504],
      ['description', ''],
      ['description', 'two\nlines'],
      ['description', 'x'.repeat(501)],
      ['description', '\u0000'],
      ['description', '\ud800'],
      ['lines', {}],
      ['source', ''],
      ['metadata', []],
    ]
    for (const [field, value] of wrong) {
      const pointers = pointersOf(await refused(entryBody({ [field]: value })))
      expect(pointers, JSON.stringify(value)).to.deep.equal([`/${field}`])
    }
  })

  it('keeps metadata that is text, and the names of its own for itself', async () => {
    const names = ['late_reason', 'reason', 'happened_on', 'donation_id', 'gateway_payment_id']
    for (const name of names) {
      const answer = await refused(entryBody({ metadata: { [name]: 'x' } }), 'admin')
      expect(pointersOf(answer)).to.deep.equal([`/metadata/${name}`])
    }
    const wrong: Json[] = [{ n: 1 }, { 'A b': 'x' }, { a: '' }, { a: 'x'.repeat(501) }]
    for (const metadata of wrong) {
      expect(pointersOf(await refused(entryBody({ metadata })))).to.have.length(1)
    }
    const many = Object.fromEntries(Array.from({ length: 51 }, (_none, n) => [`m${n}`, 'x']))
    expect(pointersOf(await refused(entryBody({ metadata: many })))).to.deep.equal(['/metadata'])
  })

  it('lets finance, admin and service post, nobody else', async () => {
    for (const role of ['finance', 'admin', 'service'] as const) {
      expect((await postEntry(service, `as-${role}`, entryBody(), role)).status).to.equal(201)
    }
    expectRefused(await refused(entryBody(), 'auditor'), 'forbidden')
    const nobody = await service.call('POST', ENTRIES, { body: entryBody(), role: null })
    expectRefused(nobody, 'unauthenticated')
  })

  it('lets only an admin post into a month that is closed to others, with a reason', async () => {
    const closed = await service.call('POST', '/v1/periods/2025-03/close', {
      role: 'admin',
      body: { state: 'soft_closed', reason: 'March is reported' },
    })
    expect(closed.status, closed.text).to.equal(200)
    const late = (more: JsonObject) => entryBody({ effective_on: '2025-03-31', ...more })
    expectRefused(await refused(late({}), 'admin'), 'period_closed')
    const reason = { late_reason: 'audit adjustment' }
    expectRefused(await refused(late(reason), 'finance'), 'forbidden')
    expectRefused(await refused(late(reason), 'service'), 'forbidden')
    const { status, json } = await postEntry(service, 'late', late(reason), 'admin')
    expect(status).to.equal(201)
    expect(json['metadata']).to.deep.equal(reason)
  })

  it('says that nothing moved for bodies that cannot be read', async () => {
    expectRefused(await refused('{'), 'malformed_json')
    expectRefused(await refused('[]'), 'invalid_request')
    expectRefused(
      await refused({ ...entryBody(), description: 'x'.repeat(330_000) }),
      'body_too_large',
    )
    const plain = await service.call('POST', ENTRIES, {
      body: JSON.stringify(entryBody()),
      headers: { 'idempotency-key': 'type', 'content-type': 'text/plain' },
    })
    expectRefused(plain, 'unsupported_media_type')
    const nowhere = await service.call('POST', `${ENTRIES}/je_1/delete`, { body: {} })
    expectRefused(nowhere, 'not_found')
  })

  it('posts what many send at once in few transactions, each under its own number', async () => {
    const before = await countEntries(service)
    const answers = await Promise.all(
      Array.from({ length: 150 }, (_none, n) => postEntry(service, `crowd-${n}`)),
    )
    expect(answers.map(({ status }) => status)).to.deep.equal(Array(150).fill(201))
    expect(new Set(answers.map(({ json }) => json['id'])).size).to.equal(150)
    expect(await countEntries(service)).to.equal(before + 150)
    expect(new Set(answers.map(({ json }) => json['posted_at'])).size).to.be.lessThan(100)
  })

  describe('and correcting it', () => {
    async function posted(key: string): Promise<string> {
      const { json } = await postEntry(service, key)
      return `${ENTRIES}/${textIn(json, 'id')}`
    }

    let reversals = 0

    async function reverse(path: string, body: unknown = { reason: 'entered twice' }) {
      reversals += 1
      const headers = { 'idempotency-key': `reversal-${reversals}` }
      return await service.call('POST', `${path}/reverse`, { body, headers })
    }

    async function adjust(path: string, key: string, more: JsonObject = {}): Promise<Answer> {
      return await service.call('POST', `${path}/adjust`, {
        body: {
          reason: 'wrong amount',
          lines: [line('debit', BANK, 5), line('credit', FUND, 5)],
          ...more,
        },
        headers: { 'idempotency-key': key },
      })
    }

    it('reverses once, and both entries say so', async () => {
      const path = await posted('to-reverse')
      const first = await reverse(path)
      expect(first.status, first.text).to.equal(201)
      expect(first.json).to.include({ kind: 'reversal', reversed_by: null })
      expect(`${ENTRIES}/${textIn(first.json, 'reverses')}`).to.equal(path)
      const second = await reverse(path)
      expect([second.status, second.json['id']]).to.deep.equal([200, first.json['id']])
      expect(second.headers.get('idempotent-replayed')).to.equal('true')
      const original = await service.call('GET', path)
      expect(original.json['reversed_by']).to.equal(first.json['id'])
    })

    it('refuses what cannot be reversed', async () => {
      const path = await posted('once')
      const { json } = await reverse(path)
      expectRefused(await reverse(path, { reason: 'other' }), 'not_reversible')
      expectRefused(await reverse(`${ENTRIES}/${textIn(json, 'id')}`), 'not_reversible')
      expectRefused(await reverse(`${ENTRIES}/je_99999999`), 'not_found')
      expectRefused(await reverse(`${ENTRIES}/acc_1`), 'not_found')
      for (const body of [{}, { reason: '' }, { reason: 'x', effective_on: 'today' }, { why: 1 }]) {
        expect(pointersOf(await reverse(path, body))).to.not.have.length(0)
      }
      const early = await reverse(await posted('early'), {
        reason: 'x',
        effective_on: '2026-05-03',
      })
      expectRefused(early, 'invalid_entry')
    })

    it('adjusts by the difference, once a key, and shows every adjustment', async () => {
      const path = await posted('to-adjust')
      const first = await adjust(path, 'adjust-1', { effective_on: '2026-05-05' })
      expect(first.status, first.text).to.equal(201)
      expect(first.json).to.include({ kind: 'adjustment', effective_on: '2026-05-05' })
      const again = await adjust(path, 'adjust-1', { effective_on: '2026-05-05' })
      expect([again.status, again.json['id']]).to.deep.equal([200, first.json['id']])
      const second = await adjust(path, 'adjust-2', { description: 'Bank charges' })
      const original = await service.call('GET', path)
      expect(original.json['adjusted_by']).to.deep.equal([first.json['id'], second.json['id']])
      const listed = rowsOf((await service.call('GET', `${ENTRIES}?limit=100`)).json)
      expect(listed.find((one) => one['id'] === original.json['id'])).to.deep.equal(original.json)
    })

    it('refuses an adjustment without a key, without balance, or of a reversed entry', async () => {
      const path = await posted('no-adjust')
      const without = await service.call('POST', `${path}/adjust`, { body: {} })
      expectRefused(without, 'idempotency_key_missing')
      const lines = [line('debit', BANK, 5), line('credit', FUND, 4)]
      expectRefused(await adjust(path, 'bad-1', { lines }), 'unbalanced_entry')
      await reverse(path)
      expectRefused(await adjust(path, 'bad-2'), 'not_reversible')
    })

    it('is for those who may post', async () => {
      const path = await posted('roles')
      for (const verb of ['reverse', 'adjust']) {
        const answer = await service.call('POST', `${path}/${verb}`, { role: 'auditor', body: {} })
        expectRefused(answer, 'forbidden')
      }
      const late = await reverse(path, { reason: 'x', late_reason: 'y' })
      expectRefused(late, 'forbidden')
    })
  })
})
