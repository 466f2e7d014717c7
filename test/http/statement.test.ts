/** An account's statement and the trial balance: opening, running, closing balances agree. */
import { expect } from 'chai'
import { startTestService, type JsonObject, type TestService } from '../support/service.ts'
import { allPages, payUnasked, rowsOf, textIn } from './seeded.ts'

/** Days out of order, as webhooks come; amounts that tell which is which. */
const PAYMENTS = [
  ['2026-05-10', 100],
  ['2026-04-01', 1000],
  ['2026-06-30', 10_000],
  ['2026-05-10', 100_000],
  ['2026-04-30', 1_000_000],
  ['2026-05-10', 10_000_000],
] as const

const TOTAL = 11_111_100

describe('the statement of an account', () => {
  let service: TestService
  let clearing: string
  let unidentified: string

  before(async () => {
    service = await startTestService()
    for (const [index, [day, amount]] of PAYMENTS.entries()) {
      await payUnasked(service, { id: `pay_TESTs${index}`, amount, day })
      // One by one, so that entries are numbered in the order of this list.
      await service.runJobs()
    }
    const accounts = rowsOf((await service.call('GET', '/v1/accounts')).json)
    const idOf = (code: string) =>
      textIn(
        accounts.find((account) => account['code'] === code),
        'id',
      )
    clearing = idOf('assets:clearing:razorpay')
    unidentified = idOf('liabilities:unidentified-receipts')
  })

  after(async () => {
    await service.stop()
  })

  async function statement(query: string, account = clearing): Promise<JsonObject> {
    const answer = await service.call('GET', `/v1/accounts/${account}/statement?${query}`)
    expect(answer.status, answer.text).to.equal(200)
    return answer.json
  }

  it('lists by effective day what was posted out of order, with each balance', async () => {
    const json = await statement('to=2026-12-31')
    expect(
      rowsOf(json).map((line) => [line['effective_on'], line['amount'], line['balance']]),
    ).to.deep.equal([
      ['2026-04-01', 1000, 1000],
      ['2026-04-30', 1_000_000, 1_001_000],
      ['2026-05-10', 100, 1_001_100],
      ['2026-05-10', 100_000, 1_101_100],
      ['2026-05-10', 10_000_000, 11_101_100],
      ['2026-06-30', 10_000, TOTAL],
    ])
    expect(json).to.include({ opening_balance: 0, closing_balance: TOTAL, has_more: false })
    expect(json['account']).to.include({ id: clearing, normal_balance: 'debit', balance: TOTAL })
  })

  it('counts on the side on which the account grows', async () => {
    const json = await statement('to=2026-12-31', unidentified)
    expect(rowsOf(json).every((line) => line['direction'] === 'credit')).to.equal(true)
    expect(json).to.include({ opening_balance: 0, closing_balance: TOTAL })
  })

  it('opens with what was there before its first day and closes with its last', async () => {
    const may = await statement('from=2026-05-01&to=2026-05-31')
    expect(may).to.include({ opening_balance: 1_001_000, closing_balance: 11_101_100 })
    expect(rowsOf(may).map((line) => line['balance'])).to.deep.equal([
      1_001_100, 1_101_100, 11_101_100,
    ])
    const empty = await statement('from=2026-06-01&to=2026-06-29')
    expect(empty).to.deep.include({
      opening_balance: 11_101_100,
      closing_balance: 11_101_100,
      data: [],
    })
    const edge = await statement('from=2026-04-30&to=2026-04-30')
    expect(edge).to.include({ opening_balance: 1000, closing_balance: 1_001_000 })
  })

  it('runs on over its pages, within a day too', async () => {
    for (const query of ['to=2026-12-31', 'from=2026-04-15&to=2026-06-30']) {
      const whole = await statement(`${query}&limit=100`)
      for (const limit of [1, 2, 3]) {
        const pages = await allPages(
          service,
          `/v1/accounts/${clearing}/statement?${query}`,
          limit,
          'cursor',
        )
        expect(pages.flat(), `${query}, ${limit} a page`).to.deep.equal(rowsOf(whole))
      }
      expect(rowsOf(whole).at(-1)?.['balance']).to.equal(whole['closing_balance'])
    }
  })

  it('gives the same balances with a cursor from before its first day', async () => {
    const [first] = rowsOf(await statement('to=2026-12-31&limit=1'))
    const query = 'from=2026-05-01&to=2026-05-31'
    const json = await statement(`${query}&starting_after=${textIn(first, 'cursor')}`)
    expect(rowsOf(json)).to.deep.equal(rowsOf(await statement(query)))
  })

  it('is refused where its days or its cursor are none', async () => {
    for (const query of [
      'from=2026-05-02&to=2026-05-01',
      'from=2026-02-30',
      'to=tomorrow',
      'starting_after=je_1',
      'starting_after=2026-02-30.1.1',
      'starting_after=2026-05-10.1.9999',
      'starting_after=2026-05-10.x.1',
    ]) {
      const answer = await service.call('GET', `/v1/accounts/${clearing}/statement?${query}`)
      expect(answer.status, query).to.equal(400)
    }
  })

  describe('and the trial balance', () => {
    async function netOf(query: string): Promise<[number, number]> {
      const { json } = await service.call('GET', `/v1/trial-balance${query}`)
      const [total] = json['totals'] as { debit: number; credit: number }[]
      return [total?.debit ?? 0, total?.credit ?? 0]
    }

    it('agree with each other as of any day', async () => {
      for (const day of ['2026-03-31', '2026-04-01', '2026-05-09', '2026-05-10', '2026-06-30']) {
        const { json } = await service.call('GET', `/v1/trial-balance?as_of=${day}`)
        expect(json['as_of']).to.equal(day)
        const lines = json['accounts'] as { id: string; debit: number; credit: number }[]
        const line = lines.find(({ id }) => id === clearing)
        const { closing_balance: closing } = await statement(`to=${day}`)
        expect((line?.debit ?? 0) - (line?.credit ?? 0), day).to.equal(closing)
        const [debit, credit] = await netOf(`?as_of=${day}`)
        expect(debit, day).to.equal(credit)
      }
    })

    it('take everything in where no day is named', async () => {
      expect(await netOf('')).to.deep.equal([TOTAL, TOTAL])
      expect((await service.call('GET', '/v1/trial-balance?as_of=never')).status).to.equal(400)
    })
  })
})
