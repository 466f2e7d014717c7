/** Random batches on real Postgres against the naive ledger: every sum and every refusal agrees. */
import { expect } from 'chai'
import fc from 'fast-check'
import { statement, trialBalance } from '../../src/ledger/balances.ts'
import type { Draft } from '../../src/ledger/core/entry.ts'
import { verifyLedger } from '../../src/ledger/verify.ts'
import { credit, debit, draftOf, openBooks, outcomes, type Books } from './books.ts'
import { naiveLedger, signedOn, type NaiveAccount, type NaiveLedger } from './naive-ledger.ts'

const FLOORED = 'assets:bank:in-transit'
const CLOSED = 'expenses:gateway-fees'
const DAYS = ['2026-03-30', '2026-03-31', '2026-04-01', '2026-04-02', '2026-04-05']

const CHART: readonly NaiveAccount[] = [
  { code: 'assets:bank:main', normal: 'debit', floor: null },
  { code: FLOORED, normal: 'debit', floor: 0n },
  { code: CLOSED, normal: 'debit', floor: null },
  { code: 'income:donations:general', normal: 'credit', floor: null },
  { code: 'equity:general-fund', normal: 'credit', floor: null },
].flatMap((one): NaiveAccount[] =>
  ['INR', 'USD'].map((currency) => ({
    ...one,
    normal: one.normal === 'debit' ? 'debit' : 'credit',
    currency,
    open: one.code !== CLOSED || currency !== 'INR',
    floor: currency === 'INR' ? one.floor : null,
  })),
)

const code = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom('assets:bank:main', 'income:donations:general') },
  { weight: 12, arbitrary: fc.constantFrom(FLOORED, 'equity:general-fund') },
  { weight: 1, arbitrary: fc.constantFrom(CLOSED, 'assets:gold') },
)
const currency = fc.constantFrom('INR', 'INR', 'USD')
const amount = fc.bigInt({ min: 1n, max: 50n })

/** Two lines that balance, or now and then do not. */
const pair = fc
  .record({ from: code, to: code, currency, amount, off: fc.integer({ min: 0, max: 30 }) })
  .map((one) => [
    debit(one.to, one.amount, one.currency),
    credit(one.from, one.off === 0 ? one.amount + 1n : one.amount, one.currency),
  ])

const anyDraft: fc.Arbitrary<Draft> = fc
  .record({
    key: fc.integer({ min: 1, max: 30 }),
    day: fc.constantFrom(...DAYS),
    lines: fc.array(pair, { minLength: 1, maxLength: 3 }),
    tag: fc.constantFrom('a', 'a', 'b'),
  })
  .map(({ key, day, lines, tag }) =>
    draftOf(`k${key}`, { effectiveOn: day, lines: lines.flat(), metadata: { tag } }),
  )

/** Batches of drafts, some of them sent again as they were. */
const batches = fc
  .array(fc.array(anyDraft, { minLength: 1, maxLength: 10 }), { minLength: 1, maxLength: 5 })
  .chain((some) => fc.shuffledSubarray(some.flat()).map((again) => [...some, again.slice(0, 10)]))

describe('the ledger beside a naive one', () => {
  let books: Books
  let org = 300

  before(async () => {
    books = await openBooks()
  })

  after(async () => {
    await books.close()
  })

  /** The accounts that have a floor or are closed; the others open when they are used. */
  async function newOrganisation(): Promise<void> {
    org += 1
    await books.addOrganisation(org)
    await books.own(
      `insert into accounts (org_id, account_id, code, name, type, normal, currency, open, floor)
       values (${org}, 1, '${FLOORED}', 'x', 'asset', 'debit', 'INR', true, 0),
              (${org}, 2, '${CLOSED}', 'x', 'expense', 'debit', 'INR', false, null)`,
    )
  }

  async function expectAccounts(naive: NaiveLedger): Promise<void> {
    const rows = await books.read<{ code: string; currency: string; balance: bigint }>(
      `select code, currency,
              case normal when 'debit' then debits - credits else credits - debits end as balance
         from accounts`,
      [],
      org,
    )
    const stored = new Map(rows.map((row) => [`${row.code} ${row.currency}`, row.balance]))
    for (const account of CHART) {
      const name = `${account.code} ${account.currency}`
      expect(stored.get(name) ?? 0n, name).to.equal(naive.balanceOf(account))
    }
  }

  async function expectTrialBalances(naive: NaiveLedger): Promise<void> {
    for (const asOf of [null, '2026-03-29', ...DAYS, '2026-04-03', '2026-12-31']) {
      const balance = await books.db.read(org, async (trx) => await trialBalance(trx, asOf))
      for (const line of balance.lines) {
        const account = CHART.find(
          (one) => one.code === line.code && one.currency === line.currency,
        )
        const expected = account === undefined ? 0n : naive.balanceOf(account, asOf ?? undefined)
        const net = account?.normal === 'debit' ? expected : -expected
        expect([line.debit, line.credit], `${line.code} as of ${asOf}`).to.deep.equal(
          net >= 0n ? [net, 0n] : [0n, -net],
        )
      }
      for (const total of balance.totals) {
        expect(total.debit, total.currency).to.equal(total.credit)
      }
    }
  }

  async function expectStatements(naive: NaiveLedger, from: string, to: string): Promise<void> {
    const rows = await books.read<{ account_id: number; code: string; currency: string }>(
      'select account_id, code, currency from accounts',
      [],
      org,
    )
    for (const { account_id: accountId, code, currency } of rows) {
      const account = CHART.find((one) => one.code === code && one.currency === currency)
      if (account === undefined) {
        throw new Error(`${code} is not on the chart`)
      }
      const all = naive.linesOf(account)
      const opening = all
        .filter(({ day }) => day < from)
        .reduce((sum, { line }) => sum + signedOn(account, line), 0n)
      let running = opening
      const expected = all
        .filter(({ day }) => day >= from && day <= to)
        .map(({ entryNo, lineNo, day, line }) => {
          running += signedOn(account, line)
          return [entryNo, lineNo, day, line.direction, line.amount, running]
        })
      const page = await books.db.read(
        org,
        async (trx) =>
          await statement(trx, {
            accountId,
            normal: account.normal,
            from,
            to,
            limit: 1000,
            after: null,
          }),
      )
      expect({ opening: page.opening, closing: page.closing }).to.deep.equal({
        opening,
        closing: running,
      })
      expect(
        page.lines.map((one) => [
          one.entry_no,
          one.line_no,
          one.effective_on,
          one.direction,
          one.amount,
          one.balance,
        ]),
      ).to.deep.equal(expected)
    }
  }

  it('refuses the same drafts and shows the same balances, days and statements', async () => {
    await fc.assert(
      fc.asyncProperty(batches, async (given) => {
        await newOrganisation()
        const naive = naiveLedger(CHART)
        for (const batch of given) {
          const expected = batch.map((draft) => naive.post(draft))
          expect(outcomes(await books.post(batch, org))).to.deep.equal(expected)
        }
        await expectAccounts(naive)
        await expectTrialBalances(naive)
        await expectStatements(naive, '2026-01-01', '2026-12-31')
        await expectStatements(naive, '2026-03-31', '2026-04-01')
        const { findings } = await verifyLedger(books.db, org, () => undefined)
        expect(findings).to.deep.equal([])
      }),
      { numRuns: 40 },
    )
  })
})
