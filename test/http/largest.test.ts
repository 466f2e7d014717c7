/** The largest amounts and texts: taken to the last unit, refused beyond, always readable. */
import { expect } from 'chai'
import { verifyLedger } from '../../src/ledger/checks/verify.ts'
import { startTestService, type JsonObject, type TestService } from '../support/service.ts'
import {
  BANK,
  BATCH,
  countEntries,
  entryBody,
  expectRefused,
  FUND,
  line,
  pointersOf,
  postEntry,
} from './posting.ts'
import { rowsOf, textIn } from './seeded.ts'

const MOST = Number.MAX_SAFE_INTEGER

describe('the largest amounts', () => {
  let service: TestService

  before(async () => {
    service = await startTestService()
    for (const code of ['expenses:one', 'expenses:two']) {
      const body = { code, name: code, currency: 'INR', floor: null }
      const opened = await service.call('POST', '/v1/accounts', { role: 'finance', body })
      expect(opened.status, opened.text).to.equal(201)
    }
  })

  after(async () => {
    const { findings } = await verifyLedger(service.parts.db, service.orgId, () => undefined)
    expect(findings).to.deep.equal([])
    await service.stop()
  })

  async function read(path: string): Promise<JsonObject> {
    const answer = await service.call('GET', path, { role: 'finance' })
    expect(answer.status, `${path}: ${answer.text}`).to.equal(200)
    return answer.json
  }

  const largest = (debit: string, credit: string) =>
    entryBody({ lines: [line('debit', debit, MOST), line('credit', credit, MOST)] })

  it('are 2^53 - 1 on a side of an account, and no unit more', async () => {
    const first = await postEntry(service, 'largest-1', largest('expenses:one', FUND))
    expect(first.status, first.text).to.equal(201)
    const [posting] = first.json['postings'] as JsonObject[]
    expect(posting).to.deep.include({ amount: MOST, balance_after: MOST })
    for (const [index, [debit, credit]] of [
      ['expenses:one', BANK],
      [BANK, FUND],
    ].entries()) {
      const lines = [line('debit', debit ?? '', 1), line('credit', credit ?? '', 1)]
      const answer = await postEntry(service, `more-${index}`, entryBody({ lines }))
      expectRefused(answer, 'invalid_entry')
    }
    const second = await postEntry(service, 'largest-2', largest('expenses:two', BANK))
    expect(second.status, second.text).to.equal(201)
  })

  it('can be read everywhere, and a total beyond is text', async () => {
    const { accounts, totals } = await read('/v1/trial-balance')
    const debits = (accounts as JsonObject[]).map((account) => account['debit'])
    expect(debits.filter((debit) => debit !== 0)).to.deep.equal([MOST, MOST])
    const total = '18014398509481982'
    expect(totals).to.deep.equal([{ currency: 'INR', debit: total, credit: total }])
    const [one = {}] = rowsOf(await read('/v1/accounts?group=expenses'))
    expect(one).to.include({ code: 'expenses:one', balance: MOST })
    const id = textIn(one, 'id')
    expect(await read(`/v1/accounts/${id}/balance`)).to.include({ balance: MOST })
    const statement = await read(`/v1/accounts/${id}/statement?to=2026-12-31`)
    expect(statement).to.include({ opening_balance: 0, closing_balance: MOST })
    expect(rowsOf(statement)[0]).to.include({ amount: MOST, balance: MOST })
    expect(rowsOf(await read('/v1/journal-entries'))).to.have.length(2)
  })

  it('are not exceeded by an exchange', async () => {
    const before = await countEntries(service)
    const answer = await service.call('POST', '/v1/exchanges', {
      role: 'service',
      headers: { 'idempotency-key': 'beyond' },
      body: {
        from_account: { code: BANK, currency: 'USD' },
        to_account: { code: BANK, currency: 'EUR' },
        amount: MOST,
        rate: '1000',
        rate_source: 'x',
        effective_on: '2026-05-04',
      },
    })
    expectRefused(answer, 'invalid_entry')
    expect(await countEntries(service)).to.equal(before)
  })
})

describe('the longest metadata', () => {
  let service: TestService

  before(async () => {
    service = await startTestService()
  })

  after(async () => {
    await service.stop()
  })

  /** Fifty names, each with as many characters. */
  const fifty = (character: string, count: number) =>
    Object.fromEntries(
      Array.from({ length: 50 }, (_none, n) => [`name_${n + 10}`, character.repeat(count)]),
    )

  it('may be fifty texts of 500 plain letters, or of 200 in Devanagari', async () => {
    for (const [key, metadata] of [
      ['plain', fifty('x', 500)],
      ['hindi', fifty('अ', 200)],
    ] as const) {
      const answer = await postEntry(service, key, entryBody({ metadata }))
      expect(answer.status, answer.text).to.equal(201)
      expect(answer.json['metadata']).to.deep.equal(metadata)
    }
  })

  it('is refused where it has too many bytes, alone and in a batch', async () => {
    const before = await countEntries(service)
    const long = entryBody({ metadata: fifty('अ', 500) })
    const alone = await postEntry(service, 'long', long)
    expect(pointersOf(alone)).to.deep.equal(['/metadata'])
    expect(alone.text).to.include('must have at most 32768 bytes as JSON in UTF-8')
    const entries = [
      { ...entryBody(), idempotency_key: 'a' },
      { ...long, idempotency_key: 'b' },
    ]
    const body = { mode: 'each', entries }
    const batch = await service.call('POST', BATCH, { role: 'finance', body })
    expect(pointersOf(batch)).to.deep.equal(['/entries/1/metadata'])
    expect(await countEntries(service)).to.equal(before)
  })

  it('of an account is refused likewise', async () => {
    const travel = { code: 'expenses:travel', name: 'Travel', currency: 'INR' }
    const open = async (metadata: JsonObject) =>
      await service.call('POST', '/v1/accounts', {
        role: 'finance',
        body: { ...travel, metadata },
      })
    const refused = await open(fifty('अ', 300))
    expect([refused.status, refused.json['code']]).to.deep.equal([400, 'invalid_request'])
    expect((await open(fifty('अ', 200))).status).to.equal(201)
  })
})
