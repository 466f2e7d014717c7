/** Tests of the second time axis: what was known at an instant, against sums over the postings. */
import { expect } from 'chai'
import fc from 'fast-check'
import type { Trx } from '../../src/base/db.ts'
import { balanceOf, knownThrough, trialBalance } from '../../src/ledger/reading/balances.ts'
import type { Draft } from '../../src/ledger/core/entry.ts'
import { statement, type StatementLine } from '../../src/ledger/reading/statements.ts'
import { BANK, credit, debit, draftOf, FUND, openBooks, ORG, type Books } from './books.ts'

const INCOME = 'income:donations:general'
const BEGIN = Date.parse('2040-01-01T00:00:00.000Z')
const FOREVER = { from: '0001-01-01', to: '9999-12-31', limit: 1000, after: null }

function at(ms: number): Date {
  return new Date(BEGIN + ms)
}

/**
 * Posts in one transaction at that many milliseconds after BEGIN: posting never dates itself before
 * the newest entry, and this makes the newest one as late as it has to be.
 */
async function postAt(books: Books, ms: number, drafts: readonly Draft[], org: number) {
  const posted = at(ms).toISOString()
  await books.own(`update journal_heads set posted_at = '${posted}' where org_id = ${org}`)
  const results = await books.post(drafts, org)
  expect(results.map(({ status }) => status)).to.deep.equal(drafts.map(() => 'posted'))
}

interface NaivePosting {
  account_id: number
  code: string
  currency: string
  normal: string
  entry_no: bigint
  line_no: number
  effective_on: string
  posted_at: Date
  direction: string
  amount: bigint
}

async function allPostings(trx: Trx): Promise<NaivePosting[]> {
  return await trx.query<NaivePosting>(
    `select p.account_id, a.code, a.currency, a.normal, p.entry_no, p.line_no, e.effective_on,
            e.posted_at, p.direction, p.amount
       from postings p join journal_entries e using (org_id, entry_no)
       join accounts a using (org_id, account_id)
      order by e.effective_on, p.entry_no, p.line_no`,
  )
}

/** The postings known then, in the order of statements. */
function knownOf(all: readonly NaivePosting[], knownAt: Date | null): NaivePosting[] {
  return all.filter((one) => knownAt === null || one.posted_at.getTime() <= knownAt.getTime())
}

function sumOf(lines: readonly NaivePosting[], side: string): bigint {
  return lines.reduce((sum, one) => sum + (one.direction === side ? one.amount : -one.amount), 0n)
}

/** What a statement of one account should hold of these lines. */
function naiveStatement(own: readonly NaivePosting[], from: string, to: string) {
  const normal = own[0]?.normal ?? 'debit'
  const through = own.filter((one) => one.effective_on <= to)
  const opening = sumOf(
    own.filter((one) => one.effective_on < from),
    normal,
  )
  let balance = opening
  const lines = through
    .filter((one) => one.effective_on >= from)
    .map((one) => {
      balance += one.direction === normal ? one.amount : -one.amount
      return [one.effective_on, one.entry_no, one.line_no, one.direction, one.amount, balance]
    })
  return { opening, closing: sumOf(through, normal), lines }
}

/** A statement read page by page, each page's ends included. */
async function wholeStatement(
  trx: Trx,
  query: { accountId: number; from: string; to: string; knownAt: Date | null; limit: number },
) {
  const lines: StatementLine[] = []
  for (;;) {
    const last = lines.at(-1)
    const after =
      last === undefined
        ? null
        : { effectiveOn: last.effective_on, entryNo: last.entry_no, lineNo: last.line_no }
    const page = await statement(trx, { ...query, after })
    lines.push(...page.lines)
    if (page.lines.length < query.limit) {
      const rows = lines.map((one) => [
        one.effective_on,
        one.entry_no,
        one.line_no,
        one.direction,
        one.amount,
        one.balance,
      ])
      return { opening: page.opening, closing: page.closing, lines: rows }
    }
  }
}

describe('what was known at an instant', () => {
  let books: Books
  let org = 500

  before(async () => {
    books = await openBooks()
  })

  after(async () => {
    await books.close()
  })

  async function newOrganisation(): Promise<void> {
    org += 1
    await books.addOrganisation(org)
  }

  const read = async <T>(work: (trx: Trx) => Promise<T>): Promise<T> =>
    await books.db.read(org, work)

  describe('at the edges', () => {
    const accountId = 1

    before(async () => {
      await newOrganisation()
      const gift = (key: string, amount: bigint, effectiveOn: string) =>
        draftOf(key, { effectiveOn, lines: [debit(BANK, amount), credit(INCOME, amount)] })
      await postAt(books, 0, [gift('a', 1n, '2026-05-04'), gift('b', 10n, '2026-05-05')], org)
      await postAt(books, 5, [gift('late', 100n, '2026-05-04')], org)
      await postAt(books, 5, [gift('later', 1000n, '2026-05-06')], org)
      await postAt(books, 9, [gift('oldest', 10_000n, '2020-02-29')], org)
    })

    const balance = async (knownAt: Date | null, asOf: string | null = null) =>
      await read(async (trx) => await balanceOf(trx, accountId, { asOf, knownAt }))

    const CUTS = [
      [-1, 0n, 0n],
      [0, 2n, 11n],
      [1, 2n, 11n],
      [4, 2n, 11n],
      [5, 4n, 1111n],
      [6, 4n, 1111n],
      [8, 4n, 1111n],
      [9, null, 11_111n],
      [10, null, 11_111n],
    ] as const
    for (const [ms, through, sum] of CUTS) {
      it(`counts whole batches, ${ms} ms after the first`, async () => {
        expect(await read(async (trx) => await knownThrough(trx, at(ms)))).to.equal(through)
        expect(await balance(at(ms))).to.equal(sum)
      })
    }

    it('is everything for ever after and nothing before the first', async () => {
      for (const knownAt of [null, new Date('9999-12-31T23:59:59.999Z')]) {
        expect(await balance(knownAt)).to.equal(11_111n)
      }
      for (const text of [
        '2039-12-31T23:59:59.999Z',
        '1970-01-01T00:00:00Z',
        '0001-01-01T00:00Z',
      ]) {
        expect(await balance(new Date(text)), text).to.equal(0n)
        const { lines, totals } = await read(
          async (trx) => await trialBalance(trx, { asOf: null, knownAt: new Date(text) }),
        )
        expect(lines.map((one) => [one.debit, one.credit])).to.deep.equal([
          [0n, 0n],
          [0n, 0n],
        ])
        expect(totals).to.deep.equal([{ currency: 'INR', debit: 0n, credit: 0n }])
        const page = await read(
          async (trx) => await statement(trx, { ...FOREVER, accountId, knownAt: new Date(text) }),
        )
        expect(page).to.deep.equal({ opening: 0n, closing: 0n, lines: [] })
      }
    })

    it('and effective on a day are two questions', async () => {
      expect(await balance(at(4), '2026-05-04')).to.equal(1n)
      expect(await balance(at(5), '2026-05-04')).to.equal(101n)
      expect(await balance(at(9), '2026-05-04')).to.equal(10_101n)
      expect(await balance(at(5), '2020-02-29')).to.equal(0n)
      expect(await balance(at(9), '2020-02-29')).to.equal(10_000n)
      expect(await balance(null, '0001-01-01')).to.equal(0n)
      expect(await balance(at(5), '9999-12-31')).to.equal(1111n)
    })

    it('is nothing for an account that is not there, or of another organisation', async () => {
      const point = { asOf: null, knownAt: at(5) }
      expect(await read(async (trx) => await balanceOf(trx, 99, point))).to.equal(0n)
      const other = async (trx: Trx) => await balanceOf(trx, accountId, point)
      expect(await books.db.read(ORG, other)).to.equal(0n)
      expect(await books.db.read(ORG, async (trx) => await knownThrough(trx, at(5)))).to.equal(null)
    })

    it('does not change an answer when an entry comes with an old day', async () => {
      const query = { ...FOREVER, accountId, knownAt: at(9) }
      const before = await read(async (trx) => await statement(trx, query))
      await postAt(books, 20, [draftOf('x', { effectiveOn: '2026-05-04' })], org)
      expect(await read(async (trx) => await statement(trx, query))).to.deep.equal(before)
      expect(await balance(at(20))).to.equal(11_211n)
    })
  })

  describe('for random books', () => {
    const DAYS = ['2025-12-31', '2026-01-01', '2026-01-02', '2026-01-05', '2026-03-31']
    const AS_OF = [null, '2025-12-30', ...DAYS, '2026-01-03', '2026-12-31']
    const pair = fc
      .record({
        to: fc.constantFrom(BANK, FUND),
        from: fc.constantFrom(INCOME, FUND, BANK),
        amount: fc.bigInt({ min: 1n, max: 40n }),
        currency: fc.constantFrom('INR', 'INR', 'JPY'),
      })
      .map((one) => [
        debit(one.to, one.amount, one.currency),
        credit(one.from, one.amount, one.currency),
      ])
    const entry = fc.record({
      day: fc.constantFrom(...DAYS),
      lines: fc.array(pair, { minLength: 1, maxLength: 3 }),
    })
    const batch = fc.record({
      /** Two batches may be of the same millisecond. */
      pause: fc.integer({ min: 0, max: 2 }),
      entries: fc.array(entry, { minLength: 1, maxLength: 6 }),
    })
    const given = fc.record({
      batches: fc.array(batch, { minLength: 1, maxLength: 6 }),
      from: fc.constantFrom('0001-01-01', ...DAYS),
      to: fc.constantFrom(...DAYS, '9999-12-31'),
      limit: fc.integer({ min: 1, max: 9 }),
    })

    it('every balance, statement and trial balance is the sum of its postings', async () => {
      await fc.assert(
        fc.asyncProperty(given, async ({ batches, from, to, limit }) => {
          await newOrganisation()
          let ms = 0
          for (const [index, { pause, entries }] of batches.entries()) {
            ms += pause
            const drafts = entries.map((one, place) =>
              draftOf(`${index}-${place}`, { effectiveOn: one.day, lines: one.lines.flat() }),
            )
            await postAt(books, ms, drafts, org)
          }
          await read(async (trx) => {
            const all = await allPostings(trx)
            for (const knownAt of [null, ...Array.from({ length: ms + 3 }, (_, n) => at(n - 1))]) {
              const known = knownOf(all, knownAt)
              await expectBalances(trx, all, known, knownAt)
              await expectStatements(trx, { all, known, knownAt, from, to, limit })
            }
          })
        }),
        { numRuns: 8 },
      )
    })

    async function expectBalances(
      trx: Trx,
      all: readonly NaivePosting[],
      known: readonly NaivePosting[],
      knownAt: Date | null,
    ): Promise<void> {
      const ids = [...new Set(all.map((one) => one.account_id))]
      for (const asOf of AS_OF) {
        const what = `as of ${asOf}, known at ${knownAt?.toISOString()}`
        const point = { asOf, knownAt }
        const balance = await trialBalance(trx, point)
        expect(balance.lines).to.have.length(ids.length)
        for (const line of balance.lines) {
          const own = known.filter(
            (one) =>
              one.account_id === line.account_id && (asOf === null || one.effective_on <= asOf),
          )
          const net = sumOf(own, 'debit')
          expect([line.debit, line.credit], `${line.code} ${what}`).to.deep.equal(
            net >= 0n ? [net, 0n] : [0n, -net],
          )
          const normal = all.find((one) => one.account_id === line.account_id)?.normal ?? ''
          expect(await balanceOf(trx, line.account_id, point), `${line.code} ${what}`).to.equal(
            sumOf(own, normal),
          )
        }
        for (const total of balance.totals) {
          expect(total.debit, `${total.currency} ${what}`).to.equal(total.credit)
        }
      }
    }

    async function expectStatements(
      trx: Trx,
      query: {
        all: readonly NaivePosting[]
        known: readonly NaivePosting[]
        knownAt: Date | null
        from: string
        to: string
        limit: number
      },
    ): Promise<void> {
      const { all, known, ...asked } = query
      for (const accountId of new Set(all.map((one) => one.account_id))) {
        const own = known.filter((one) => one.account_id === accountId)
        const expected = naiveStatement(own, query.from, query.to)
        const whole = await wholeStatement(trx, { ...asked, accountId })
        expect(whole).to.deep.equal(expected)
      }
    }
  })
})
