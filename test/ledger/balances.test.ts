/** Tests of statements and trial balances: pages that join, and balances as of a day. */
import { expect } from 'chai'
import { trialBalance } from '../../src/ledger/reading/balances.ts'
import type { Draft } from '../../src/ledger/core/entry.ts'
import { post } from '../../src/ledger/posting/post.ts'
import {
  statement,
  type StatementLine,
  type StatementPage,
  type StatementQuery,
} from '../../src/ledger/reading/statements.ts'
import { credit, debit, draftOf, openBooks, ORG, OTHER_ORG, type Books } from './books.ts'

const BANK = 'assets:bank:main'
const GENERAL = 'income:donations:general'
const BANK_ID = 1
const GENERAL_ID = 2

function gift(key: string, amount: bigint, effectiveOn: string, currency = 'INR'): Draft {
  const lines = [debit(BANK, amount, currency), credit(GENERAL, amount, currency)]
  return draftOf(key, { effectiveOn, lines })
}

describe('balances as of a day', () => {
  let books: Books

  before(async () => {
    books = await openBooks()
    await books.post([
      gift('a', 100n, '2026-03-30'),
      gift('b', 200n, '2026-03-31'),
      gift('c', 400n, '2026-04-01'),
      gift('d', 5n, '2026-03-31', 'USD'),
    ])
    // Posted last, effective first: it stands before the others of its day's successors.
    await books.post([
      gift('late', 50n, '2026-03-30'),
      draftOf('back', {
        effectiveOn: '2026-04-01',
        lines: [debit(GENERAL, 30n), credit(BANK, 20n), credit(BANK, 10n)],
      }),
    ])
    await books.post([gift('other', 9999n, '2026-03-31')], OTHER_ORG)
  })

  after(async () => {
    await books.close()
  })

  async function page(more: Partial<StatementQuery>): Promise<StatementPage> {
    const query: StatementQuery = {
      accountId: BANK_ID,
      from: '2026-01-01',
      to: '2026-12-31',
      knownAt: null,
      limit: 100,
      after: null,
      ...more,
    }
    return await books.db.read(ORG, async (trx) => await statement(trx, query))
  }

  function rowsOf(lines: readonly StatementLine[]): unknown[] {
    return lines.map((one) => [
      one.effective_on,
      one.entry_no,
      one.line_no,
      one.direction,
      one.amount,
      one.balance,
    ])
  }

  const ALL = [
    ['2026-03-30', 1n, 1, 'debit', 100n, 100n],
    ['2026-03-30', 5n, 1, 'debit', 50n, 150n],
    ['2026-03-31', 2n, 1, 'debit', 200n, 350n],
    ['2026-04-01', 3n, 1, 'debit', 400n, 750n],
    ['2026-04-01', 6n, 2, 'credit', 20n, 730n],
    ['2026-04-01', 6n, 3, 'credit', 10n, 720n],
  ]

  describe('a statement', () => {
    it('lists lines by effective day, then as posted, with the balance after each', async () => {
      const whole = await page({})
      expect(rowsOf(whole.lines)).to.deep.equal(ALL)
      expect([whole.opening, whole.closing]).to.deep.equal([0n, 720n])
      expect(whole.lines[1]).to.include({ kind: 'donation_captured', description: 'Entry late' })
    })

    it('opens with the end of the day before and closes with the end of its last day', async () => {
      const one = await page({ from: '2026-03-31', to: '2026-03-31' })
      expect([one.opening, one.closing]).to.deep.equal([150n, 350n])
      expect(rowsOf(one.lines)).to.deep.equal([ALL[2]])
    })

    it('of days without a line opens and closes the same', async () => {
      for (const [day, balance] of [
        ['2026-03-01', 0n],
        ['2026-05-01', 720n],
      ] as const) {
        expect(await page({ from: day, to: day })).to.deep.equal({
          opening: balance,
          closing: balance,
          lines: [],
        })
      }
    })

    it('counts on the account’s own side', async () => {
      const income = await page({ accountId: GENERAL_ID, from: '2026-04-01' })
      expect([income.opening, income.closing]).to.deep.equal([350n, 720n])
      expect(rowsOf(income.lines)).to.deep.equal([
        ['2026-04-01', 3n, 2, 'credit', 400n, 750n],
        ['2026-04-01', 6n, 1, 'debit', 30n, 720n],
      ])
    })

    for (const limit of [1, 2, 3, 4, 5, 6]) {
      it(`joins without a seam from pages of ${limit}`, async () => {
        for (const from of ['2026-01-01', '2026-03-31', '2026-04-01']) {
          const rows: StatementLine[] = []
          let last: StatementLine | undefined
          for (;;) {
            const next = await page({
              from,
              limit,
              after:
                last === undefined
                  ? null
                  : {
                      effectiveOn: last.effective_on,
                      entryNo: last.entry_no,
                      lineNo: last.line_no,
                    },
            })
            if (next.lines.length === 0) {
              break
            }
            rows.push(...next.lines)
            last = next.lines.at(-1)
          }
          expect(rowsOf(rows), from).to.deep.equal(ALL.filter(([day]) => String(day) >= from))
        }
      })
    }

    it('goes on rightly after a line that was posted in the meantime', async () => {
      const first = await page({ from: '2026-04-01', limit: 1 })
      const query: StatementQuery = {
        accountId: BANK_ID,
        from: '2026-04-01',
        to: '2026-12-31',
        knownAt: null,
        limit: 10,
        after: { effectiveOn: '2026-04-01', entryNo: 3n, lineNo: 1 },
      }
      let lines: StatementLine[] = []
      const undone = books.db.transact(ORG, async (trx) => {
        await post(trx, [gift('meantime', 1000n, '2026-03-30')])
        lines = (await statement(trx, query)).lines
        throw new Error('undone')
      })
      expect(await undone.catch(String)).to.equal('Error: undone')
      expect(rowsOf(first.lines)).to.deep.equal([ALL[3]])
      expect(lines.map(({ balance }) => balance)).to.deep.equal([1730n, 1720n])
    })

    it('of an account that is not there is empty', async () => {
      expect(await page({ accountId: 99 })).to.deep.equal({ opening: 0n, closing: 0n, lines: [] })
    })
  })

  describe('a trial balance', () => {
    const of = async (asOf: string | null, orgId = ORG) =>
      await books.db.read(orgId, async (trx) => await trialBalance(trx, { asOf, knownAt: null }))

    const expected: Readonly<Record<string, [inr: bigint, usd: bigint]>> = {
      '2026-03-29': [0n, 0n],
      '2026-03-30': [150n, 0n],
      '2026-03-31': [350n, 5n],
      '2026-04-01': [720n, 5n],
      '2030-01-01': [720n, 5n],
    }
    for (const [day, [inr, usd]] of Object.entries(expected)) {
      it(`at the end of ${day} has each account on the side where it stands`, async () => {
        const { lines, totals } = await of(day)
        expect(lines.map((one) => [one.code, one.currency, one.debit, one.credit])).to.deep.equal([
          [BANK, 'INR', inr, 0n],
          [BANK, 'USD', usd, 0n],
          [GENERAL, 'INR', 0n, inr],
          [GENERAL, 'USD', 0n, usd],
        ])
        expect(totals).to.deep.equal([
          { currency: 'INR', debit: inr, credit: inr },
          { currency: 'USD', debit: usd, credit: usd },
        ])
      })
    }

    it('of all entries is that of a day after the last', async () => {
      expect(await of(null)).to.deep.equal(await of('9999-12-31'))
    })

    it('puts an overdrawn account on its other side', async () => {
      await books.post(
        [
          draftOf('over', {
            lines: [debit('expenses:gateway-fees', 80n), credit('assets:bank:in-transit', 80n)],
          }),
        ],
        OTHER_ORG,
      )
      const { lines, totals } = await of(null, OTHER_ORG)
      expect(lines.map((one) => [one.code, one.type, one.debit, one.credit])).to.deep.equal([
        ['assets:bank:in-transit', 'asset', 0n, 80n],
        [BANK, 'asset', 9999n, 0n],
        ['expenses:gateway-fees', 'expense', 80n, 0n],
        [GENERAL, 'income', 0n, 9999n],
      ])
      expect(totals).to.deep.equal([{ currency: 'INR', debit: 10_079n, credit: 10_079n }])
    })
  })
})
