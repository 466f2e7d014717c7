/** The end of a financial year: income and expenses go to the funds, once, and late ones later. */
import { expect } from 'chai'
import { Problem } from '../../src/base/problem.ts'
import { trialBalance } from '../../src/ledger/balances.ts'
import type { AccountCode } from '../../src/ledger/core/chart.ts'
import { assertPostable, type Draft } from '../../src/ledger/core/entry.ts'
import {
  fundOf,
  lastDayFrom,
  startOf,
  yearClosed,
  yearFrom,
  type YearEndBalance,
} from '../../src/ledger/core/year-end.ts'
import { listEntries } from '../../src/ledger/entries.ts'
import { closePeriod, reopenPeriod } from '../../src/ledger/period-changes.ts'
import { post } from '../../src/ledger/post.ts'
import { verifyLedger } from '../../src/ledger/verify.ts'
import { closeYear, type ClosedYear } from '../../src/ledger/year-end.ts'
import { BANK, credit, debit, draftOf, FUND, openBooks, outcomes, type Books } from './books.ts'

const GENERAL = 'income:donations:general'
const FOOD = 'income:donations:food'
const FEES = 'expenses:gateway-fees'
const TODAY = '2027-06-01'

function gift(key: string, day: string, amount: bigint, fund = GENERAL, currency = 'INR'): Draft {
  const lines = [debit(BANK, amount, currency), credit(fund, amount, currency)]
  return draftOf(key, { effectiveOn: day, lines })
}

function fee(key: string, day: string, amount: bigint): Draft {
  return draftOf(key, { effectiveOn: day, lines: [debit(FEES, amount), credit(BANK, amount)] })
}

describe('closing a financial year', () => {
  let books: Books
  let org = 400

  before(async () => {
    books = await openBooks(16)
  })

  beforeEach(async () => {
    org += 1
    await books.addOrganisation(org)
  })

  afterEach(async () => {
    const { findings } = await verifyLedger(books.db, org, () => undefined)
    expect(findings).to.deep.equal([])
  })

  after(async () => {
    await books.close()
  })

  async function close(year = '2026-27', today = TODAY): Promise<ClosedYear> {
    const by = { actor: 'user:asha', reason: 'audited', today }
    return await books.db.transact(org, async (trx) => await closeYear(trx, year, by), {
      queue: 'journal',
    })
  }

  async function codeOf(call: Promise<unknown>): Promise<string> {
    const thrown = await call.then(
      () => 'nothing',
      (error: unknown) => error,
    )
    return thrown instanceof Problem ? `${thrown.code} ${thrown.extras.moved}` : String(thrown)
  }

  async function postAll(...drafts: Draft[]): Promise<void> {
    const texts = outcomes(await books.post(drafts, org))
    expect(
      texts.every((text) => text.startsWith('posted')),
      texts.join(),
    ).to.equal(true)
  }

  /** Debit less credit by code and currency as of a day, where anything stands. */
  async function balances(asOf: string): Promise<Record<string, bigint>> {
    const { lines } = await books.db.read(
      org,
      async (trx) => await trialBalance(trx, { asOf, knownAt: null }),
    )
    return Object.fromEntries(
      lines
        .filter((line) => line.debit !== line.credit)
        .map((line) => [`${line.code} ${line.currency}`, line.debit - line.credit]),
    )
  }

  async function closingEntries() {
    return await books.db.read(
      org,
      async (trx) => await listEntries(trx, { kind: 'year_closed', after: 0n, limit: 100 }),
    )
  }

  async function setPeriod(month: string, state: 'open' | 'soft_closed' | 'closed') {
    const change = { month, reason: 'x', actor: 'y', today: TODAY }
    await books.db.transact(org, async (trx) => {
      await (state === 'open'
        ? reopenPeriod(trx, { ...change, state })
        : closePeriod(trx, { ...change, state }))
    })
  }

  it('brings income and expenses to zero against the funds, in each currency', async () => {
    await postAll(
      gift('a', '2026-04-01', 1000n),
      gift('b', '2027-03-31', 500n),
      gift('c', '2026-12-01', 70n, FOOD),
      gift('d', '2026-12-01', 9n, GENERAL, 'USD'),
      fee('e', '2026-05-01', 300n),
      gift('next', '2027-04-01', 11n),
    )
    const closed = await close()
    expect(closed).to.deep.equal({
      year: '2026-27',
      lastDay: '2027-03-31',
      entryNos: [7n, 8n],
    })
    expect(await balances('2027-03-31')).to.deep.equal({
      [`${BANK} INR`]: 1270n,
      [`${BANK} USD`]: 9n,
      [`${FUND} INR`]: -1200n,
      [`${FUND} USD`]: -9n,
      'equity:funds:food INR': -70n,
    })
    expect((await balances('2027-03-30'))[`${GENERAL} INR`]).to.equal(-1000n)
    expect((await balances('2027-04-01'))[`${GENERAL} INR`]).to.equal(-11n)
    const [entry] = await closingEntries()
    expect(entry).to.include({ effective_on: '2027-03-31', actor: 'user:asha' })
    expect(entry?.metadata).to.deep.equal({ financial_year: '2026-27', reason: 'audited' })
  })

  it('posts nothing the second time, nor where nothing was ever earned or spent', async () => {
    expect((await close()).entryNos).to.deep.equal([])
    await postAll(draftOf('capital', { effectiveOn: '2026-05-01' }))
    expect((await close()).entryNos).to.deep.equal([])
    await postAll(gift('a', '2026-05-01', 100n))
    expect((await close()).entryNos).to.deep.equal([3n])
    await postAll(gift('next', '2027-04-02', 100n))
    expect((await close()).entryNos).to.deep.equal([])
    expect(await closingEntries()).to.have.length(1)
  })

  it('posts the difference of what came late, whichever way it goes', async () => {
    await postAll(gift('a', '2026-05-01', 100n), fee('b', '2026-05-02', 30n))
    await close()
    await postAll(fee('late', '2026-06-01', 90n))
    expect((await close()).entryNos).to.have.length(1)
    expect(await balances('2027-03-31')).to.deep.equal({
      [`${BANK} INR`]: -20n,
      [`${FUND} INR`]: 20n,
    })
    await postAll(gift('later', '2027-03-31', 5n))
    await close()
    expect((await balances('2027-03-31'))[`${FUND} INR`]).to.equal(15n)
    const entries = await closingEntries()
    expect(new Set(entries.map((one) => one.idempotency_key)).size).to.equal(3)
    expect(entries.map(({ postings }) => postings.length)).to.deep.equal([3, 2, 2])
  })

  it('closes what stands on its other side: income given back, an expense refunded', async () => {
    await postAll(
      gift('in', '2026-05-01', 100n),
      draftOf('back', {
        effectiveOn: '2026-05-02',
        lines: [debit(GENERAL, 150n), credit(BANK, 150n)],
      }),
      draftOf('refund', {
        effectiveOn: '2026-05-02',
        lines: [debit(BANK, 50n), credit(FEES, 50n)],
      }),
    )
    await close()
    // The loss and the gain are equal: the fund has no line.
    expect((await closingEntries())[0]?.postings).to.have.length(2)
    expect(await balances('2027-03-31')).to.deep.equal({})
  })

  it('is refused before the year has ended, and for what is no year', async () => {
    await postAll(gift('a', '2026-05-01', 100n))
    expect(await codeOf(close('2026-27', '2027-03-31'))).to.equal('period_not_over no')
    expect(await codeOf(close('2027-28'))).to.equal('period_not_over no')
    for (const year of ['2026', '2026-28', '2026-2027', '2026-26', '9999-00', 'x', '2026-27 ']) {
      expect(await codeOf(close(year)), year).to.equal('not_found no')
    }
    expect((await close('2026-27', '2027-04-01')).entryNos).to.have.length(1)
  })

  it('waits for the years before it, the first of them first', async () => {
    await postAll(
      gift('a', '2024-04-01', 1n),
      gift('b', '2026-03-31', 10n),
      gift('c', '2026-04-01', 100n),
    )
    const refused = await close().catch((error: unknown) => error)
    expect(refused).to.be.instanceOf(Problem)
    expect((refused as Problem).code).to.equal('period_order')
    expect((refused as Problem).extras.detail).to.include('2024-25')
    await close('2024-25')
    expect(await codeOf(close())).to.equal('period_order no')
    await close('2025-26')
    await close()
    const funds: bigint[] = []
    for (const day of ['2025-03-31', '2026-03-31', '2027-03-31']) {
      funds.push((await balances(day))[`${FUND} INR`] ?? 0n)
    }
    expect(funds).to.deep.equal([-1n, -11n, -111n])
    await postAll(gift('late', '2025-01-01', 1000n))
    expect(await codeOf(close())).to.equal('period_order no')
    expect((await close('2024-25')).entryNos).to.have.length(1)
    expect((await close()).entryNos).to.deep.equal([])
    expect((await balances('2027-03-31'))[`${GENERAL} INR`]).to.equal(undefined)
  })

  it('closes the first year there is', async () => {
    await postAll(gift('slip', '0001-02-03', 5n))
    expect(await codeOf(close())).to.equal('period_order no')
    expect(await close('0000-01')).to.deep.include({ lastDay: '0001-03-31', entryNos: [2n] })
    expect((await close()).entryNos).to.deep.equal([])
  })

  it('goes into a soft-closed March as a late entry, and not into a closed one', async () => {
    await postAll(gift('a', '2027-03-01', 100n))
    await setPeriod('2027-03', 'closed')
    expect(await codeOf(close())).to.equal('period_closed no')
    expect(await closingEntries()).to.deep.equal([])
    await setPeriod('2027-03', 'open')
    await setPeriod('2027-03', 'soft_closed')
    expect((await close()).entryNos).to.have.length(1)
    const [entry] = await closingEntries()
    expect(entry?.metadata['late_reason']).to.equal('Closing of the year 2026-27')
    await setPeriod('2027-03', 'closed')
    expect((await close()).entryNos).to.deep.equal([])
  })

  it('is refused whole where one account cannot take it', async () => {
    await postAll(gift('a', '2026-05-01', 100n), gift('b', '2026-05-01', 9n, FOOD, 'USD'))
    await books.own(`update accounts set open = false where org_id = ${org} and code = '${FOOD}'`)
    expect(await codeOf(close())).to.equal('account_closed no')
    expect(await closingEntries()).to.deep.equal([])
  })

  it('closes once, however many do it at the same time', async () => {
    await postAll(gift('a', '2026-05-01', 100n))
    const all = await Promise.all(Array.from({ length: 10 }, async () => await close()))
    expect(all.filter(({ entryNos }) => entryNos.length > 0)).to.have.length(1)
    expect((await balances('2027-03-31'))[`${FUND} INR`]).to.equal(-100n)
  })

  it('takes along what is posted meanwhile, or leaves it for the next time', async () => {
    const gifts = Array.from({ length: 60 }, (_none, n) => gift(`g${n}`, '2027-03-31', 1n))
    const posting = gifts.map(async (draft) => {
      await books.db.transact(org, async (trx) => await post(trx, [draft]), { queue: 'journal' })
    })
    await Promise.all([...posting, close(), close(), close()])
    await close()
    expect(await balances('2027-03-31')).to.deep.equal({
      [`${BANK} INR`]: 60n,
      [`${FUND} INR`]: -60n,
    })
  })

  it('closes more accounts than an entry has lines', async () => {
    const fund = (n: number): string => `income:donations:general-${n}`
    const COUNT = 1100
    for (let from = 0; from < COUNT; from += 550) {
      const lines = Array.from({ length: 550 }, (_none, n) => credit(fund(from + n), 2n))
      await postAll(
        draftOf(`many-${from}`, {
          effectiveOn: '2026-05-01',
          lines: [debit(BANK, 1100n), ...lines],
        }),
      )
    }
    expect((await close()).entryNos).to.have.length(3)
    const left = Object.keys(await balances('2027-03-31')).filter((key) => key.startsWith('income'))
    expect(left).to.deep.equal([])
  })
})

describe('the rule for a year’s end', () => {
  const CLOSING = {
    year: '2026-27',
    lastDay: '2027-03-31',
    entryNo: 41n,
    reason: 'audited',
    actor: 'user:asha',
    isLate: false,
  }

  const earned = (account: string, amount: bigint, currency = 'INR'): YearEndBalance => ({
    account: account as AccountCode,
    currency,
    debit: amount < 0n ? -amount : 0n,
    credit: amount < 0n ? 0n : amount,
  })

  it('makes no entry of nothing', () => {
    expect(yearClosed({ ...CLOSING, balances: [] })).to.deep.equal([])
    expect(yearClosed({ ...CLOSING, balances: [earned(GENERAL, 0n)] })).to.deep.equal([])
  })

  it('makes the golden entry of a small year', () => {
    const balances = [earned(FOOD, 70n), earned(GENERAL, 1500n), earned(FEES, -300n)]
    expect(yearClosed({ ...CLOSING, isLate: true, balances })).to.deep.equal([
      {
        kind: 'year_closed',
        effectiveOn: '2027-03-31',
        idempotencyKey: 'year_closed:2026-27:je_41:1',
        description: 'Closing of the year 2026-27, part 1 of 1',
        source: 'year_closed:2026-27:je_41',
        actor: 'user:asha',
        reverses: null,
        adjusts: null,
        metadata: {
          financial_year: '2026-27',
          reason: 'audited',
          late_reason: 'Closing of the year 2026-27',
        },
        lines: [
          debit(FOOD, 70n),
          credit('equity:funds:food', 70n),
          debit(GENERAL, 1500n),
          credit(FEES, 300n),
          credit(FUND, 1200n),
        ],
      },
    ])
  })

  it('balances each entry of any size, and closes each account once', () => {
    for (const count of [1, 2, 499, 500, 998, 999, 1000, 1001, 1998, 1999, 2500]) {
      for (const account of [
        (n: number) => `income:f${n}`,
        (n: number) => `income:donations:f${n}`,
        (n: number) => (n % 2 === 0 ? `income:f${n}` : `income:donations:f${n % 7}x${n}`),
      ]) {
        const balances = Array.from({ length: count }, (_none, n) =>
          earned(account(n), BigInt(n % 3 === 0 ? -n - 1 : n + 1), n % 5 === 0 ? 'USD' : 'INR'),
        )
        const drafts = yearClosed({ ...CLOSING, balances })
        drafts.forEach(assertPostable)
        const lines = drafts.flatMap((draft) => draft.lines)
        const closed = lines.filter((line) => line.account.startsWith('income:'))
        expect(new Set(closed.map((line) => `${line.account} ${line.currency}`)).size).to.equal(
          count,
        )
        expect(closed).to.have.length(count)
        expect(new Set(drafts.map((draft) => draft.idempotencyKey)).size).to.equal(drafts.length)
        for (const draft of drafts) {
          expect(new Set(draft.lines.map((line) => line.currency)).size).to.equal(1)
        }
      }
    }
  })

  it('gives restricted income to its own fund and the rest to the general one', () => {
    expect(fundOf(FOOD)).to.equal('equity:funds:food')
    for (const account of [GENERAL, FEES, 'income:interest', 'expenses:donations:food']) {
      expect(fundOf(account as AccountCode), account).to.equal(FUND)
    }
  })

  it('knows the years by name', () => {
    const years = ['2026-27', '1999-00', '0000-01', '9998-99'].map(startOf)
    expect(years).to.deep.equal([2026, 1999, 0, 9998])
    expect([0, 1999, 2026].map(yearFrom)).to.deep.equal(['0000-01', '1999-00', '2026-27'])
    expect([0, 2026].map(lastDayFrom)).to.deep.equal(['0001-03-31', '2027-03-31'])
  })
})
