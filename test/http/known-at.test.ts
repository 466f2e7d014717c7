/** Balance, statement and trial balance as of a day and as known at an instant, over HTTP. */
import { expect } from 'chai'
import { startTestService, type JsonObject, type TestService } from '../support/service.ts'
import { allPages, payUnasked, rowsOf, textIn } from './seeded.ts'

/** Posted in this order, a second apart. */
const PAYMENTS = [
  ['2026-05-10', 100],
  ['2026-05-12', 1000],
  ['2026-05-10', 10_000],
  ['2026-04-01', 100_000],
] as const

/** As late as this, so that the clock does not matter. */
const FIRST = '2040-01-01T00:00:00.000Z'
const SECOND = '2040-01-01T00:00:01.000Z'
const THIRD = '2040-01-01T00:00:02.000Z'

describe('the books as they were known', () => {
  let service: TestService
  let clearing: string

  before(async () => {
    service = await startTestService()
    for (const [index, [day, amount]] of PAYMENTS.entries()) {
      const postedAt = new Date(Date.parse(FIRST) + index * 1000)
      await service.rows(`update journal_heads set posted_at = $1`, [postedAt])
      await payUnasked(service, { id: `pay_TESTknown${index}`, amount, day })
      await service.runJobs()
    }
    const accounts = rowsOf((await service.call('GET', '/v1/accounts')).json)
    clearing = textIn(
      accounts.find((account) => account['code'] === 'assets:clearing:razorpay'),
      'id',
    )
  })

  after(async () => {
    await service.stop()
  })

  async function get(path: string, query: Record<string, string> = {}): Promise<JsonObject> {
    const answer = await service.call('GET', `/v1/${path}?${new URLSearchParams(query).toString()}`)
    expect(answer.status, answer.text).to.equal(200)
    return answer.json
  }

  it('have each account’s balance on both axes', async () => {
    for (const [query, balance] of [
      [{}, 111_100],
      [{ as_of: '2026-05-10' }, 110_100],
      [{ as_of: '2026-03-31' }, 0],
      [{ known_at: FIRST }, 100],
      [{ known_at: THIRD }, 11_100],
      [{ known_at: THIRD, as_of: '2026-05-10' }, 10_100],
      [{ known_at: '2040-01-01T05:30:01+05:30', as_of: '2026-05-12' }, 1100],
      [{ known_at: '2040-01-01T00:00:00.999999Z' }, 100],
      [{ known_at: '2039-12-31T23:59:59.999Z' }, 0],
      [{ known_at: '9999-12-31T23:59:59Z' }, 111_100],
    ] as const) {
      const json = await get(`accounts/${clearing}/balance`, query)
      expect(json['balance'], JSON.stringify(query)).to.equal(balance)
    }
  })

  it('say which account, and which point in time they answer for', async () => {
    const query = { as_of: '2026-05-10', known_at: '2040-01-01T05:30:02+05:30' }
    expect(await get(`accounts/${clearing}/balance`, query)).to.deep.equal({
      account: clearing,
      code: 'assets:clearing:razorpay',
      currency: 'INR',
      normal_balance: 'debit',
      as_of: '2026-05-10',
      known_at: THIRD,
      balance: 10_100,
    })
    const now = await get(`accounts/${clearing}/balance`)
    expect(now).to.include({ as_of: null, known_at: null })
    const trial = await get('trial-balance', query)
    expect(trial).to.include({ as_of: '2026-05-10', known_at: THIRD })
    const statement = await get(`accounts/${clearing}/statement`, { known_at: THIRD })
    expect(statement).to.include({ known_at: THIRD })
  })

  it('have statements without what came later', async () => {
    const query = { known_at: THIRD, from: '2026-05-01', to: '2026-05-31' }
    const json = await get(`accounts/${clearing}/statement`, query)
    expect(rowsOf(json).map((line) => [line['amount'], line['balance']])).to.deep.equal([
      [100, 100],
      [10_000, 10_100],
      [1000, 11_100],
    ])
    expect(json).to.include({ opening_balance: 0, closing_balance: 11_100, has_more: false })
    const path = `accounts/${clearing}/statement?${new URLSearchParams(query).toString()}`
    const pages = await allPages(service, `/v1/${path}`, 1, 'cursor')
    expect(pages.flat()).to.deep.equal(rowsOf(json))
    const { opening_balance: now } = await get(`accounts/${clearing}/statement`, {
      from: '2026-05-01',
      to: '2026-05-31',
    })
    expect(now).to.equal(100_000)
  })

  it('have a trial balance that balances at every instant', async () => {
    for (const [known, asOf, sum] of [
      [FIRST, '2026-05-10', 100],
      [SECOND, '2026-05-10', 100],
      [SECOND, '2026-05-12', 1100],
      [THIRD, '2026-12-31', 11_100],
      ['1999-12-31T00:00:00Z', '2026-12-31', 0],
    ] as const) {
      const json = await get('trial-balance', { known_at: known, as_of: asOf })
      expect(json['totals'], `${known} ${asOf}`).to.deep.equal([
        { currency: 'INR', debit: sum, credit: sum },
      ])
    }
  })

  it('are not told for what is no instant or no day', async () => {
    for (const query of [
      'known_at=2026-05-10',
      'known_at=2026-05-10T00:00:00',
      'known_at=2026-05-10T00:00:00+05:30',
      'known_at=2026-02-30T00:00:00Z',
      'known_at=2026-05-10T24:00:00Z',
      'known_at=yesterday',
      'known_at=',
      'known_at=2026-05-10T00:00:00Z&known_at=2026-05-10T00:00:00Z',
      'known_at=-2026-05-10T00:00:00Z',
    ]) {
      for (const path of [
        `accounts/${clearing}/balance`,
        `accounts/${clearing}/statement`,
        'trial-balance',
      ]) {
        const answer = await service.call('GET', `/v1/${path}?${query}`)
        expect(answer.status, `${path} ${query}`).to.equal(400)
        expect(answer.json['code']).to.equal('invalid_request')
      }
    }
    const answer = await service.call('GET', `/v1/accounts/${clearing}/balance?as_of=2026-02-30`)
    expect(answer.status).to.equal(400)
  })

  it('are there for the oldest instant that can be written', async () => {
    const json = await get(`accounts/${clearing}/balance`, { known_at: '0000-01-01T00:00:00Z' })
    expect(json['balance']).to.equal(0)
  })
})
