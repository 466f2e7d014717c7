/** The rule of a year's end: which fund takes what, and entries that balance, of any size. */
import { expect } from 'chai'
import type { AccountCode } from '../../src/ledger/core/chart.ts'
import { assertPostable } from '../../src/ledger/core/entry.ts'
import {
  fundOf,
  lastDayFrom,
  startOf,
  yearClosed,
  yearFrom,
  type YearEndBalance,
} from '../../src/ledger/core/year-end.ts'
import { credit, debit, FUND } from './books.ts'

const GENERAL = 'income:donations:general'
const FOOD = 'income:donations:food'
const FEES = 'expenses:gateway-fees'

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
    for (const fund of ['health_camp', '2026-flood', 'a:b', 'f'.repeat(60), 'general:a']) {
      const account: AccountCode = `income:donations:${fund}`
      expect(fundOf(account)).to.equal(`equity:funds:${fund}`)
    }
    for (const account of [
      GENERAL,
      FEES,
      'income:interest',
      'income:donations-in-kind:food',
      'expenses:donations:food',
    ]) {
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
