/** Balances and statements read days, not postings, whether or not the tables were analysed. */
import { expect } from 'chai'
import type { Trx } from '../../src/base/db.ts'
import { balanceOf, trialBalance } from '../../src/ledger/reading/balances.ts'
import { statement } from '../../src/ledger/reading/statements.ts'
import { draftOf, openBooks, ORG, type Books } from './books.ts'

const BATCHES = 8
const DRAFTS = 250
/** One batch on each in turn, so that each has early entries and late ones. */
const DAYS = ['2026-05-04', '2026-05-05', '2026-05-06', '2026-05-07']
const PAGE = 20
const BANK_ID = 1
const WHOLE = { from: '2026-05-01', to: '2026-05-31', limit: PAGE, after: null, knownAt: null }
/** In the middle of the first day, and just before entries that were not known halfway. */
const INSIDE = { effectiveOn: '2026-05-04', entryNo: 100n, lineNo: 1 }
const SEAM = { effectiveOn: '2026-05-04', entryNo: 245n, lineNo: 1 }

interface PlanNode {
  'Relation Name'?: string
  'Actual Rows'?: number
  'Actual Loops'?: number
  'Rows Removed by Filter'?: number
  Plans?: PlanNode[]
}

/** Rows that a plan took from a table, those that it threw away included. */
function rowsFrom(table: string, node: PlanNode): number {
  const own =
    node['Relation Name'] === table
      ? ((node['Actual Rows'] ?? 0) + (node['Rows Removed by Filter'] ?? 0)) *
        (node['Actual Loops'] ?? 0)
      : 0
  return (node.Plans ?? []).reduce((sum, plan) => sum + rowsFrom(table, plan), own)
}

describe('the cost of reading', () => {
  let books: Books
  /** When half of the entries were there. */
  let halfway: Date

  before(async () => {
    books = await openBooks()
    await books.own('alter table postings set (autovacuum_enabled = off)')
    for (let batch = 0; batch < BATCHES; batch += 1) {
      await books.post(
        Array.from({ length: DRAFTS }, (_, index) =>
          draftOf(`${batch}-${index}`, { effectiveOn: DAYS[batch % DAYS.length] ?? '' }),
        ),
      )
      await books.own(`update journal_heads set posted_at = posted_at + interval '1 minute'`)
    }
    const [row] = await books.read<{ posted_at: Date }>(
      `select posted_at from journal_entries where entry_no = ${(BATCHES * DRAFTS) / 2}`,
    )
    halfway = row?.posted_at ?? new Date(0)
  })

  after(async () => {
    await books.close()
  })

  /** Rows of postings and entries that `work` reads. */
  async function rowsRead(work: (trx: Trx) => Promise<unknown>): Promise<number> {
    let rows = 0
    await books.db.read(ORG, async (trx) => {
      const query = async <Row extends object>(sql: string, params?: readonly unknown[]) => {
        const [explained] = await trx.query<{ 'QUERY PLAN': { Plan: PlanNode }[] }>(
          `explain (analyze, format json) ${sql}`,
          params,
        )
        const plan = explained?.['QUERY PLAN'][0]?.Plan ?? {}
        rows += rowsFrom('postings', plan) + rowsFrom('journal_entries', plan)
        return await trx.query<Row>(sql, params)
      }
      await work({ ...trx, query })
    })
    return rows
  }

  /** Halvings, and two rows a day: the day's last posting and the one that ends its entry. */
  const KNOWN_MAX = Math.ceil(Math.log2(BATCHES * DRAFTS)) + 1 + 2 * DAYS.length
  /** The page itself, its entries, and what sorting lines of one entry reads ahead on each day. */
  const PAGE_MAX = 2 * PAGE + (PAGE + 2) * (DAYS.length + 1)

  const READS: readonly [string, number, (trx: Trx) => Promise<unknown>][] = [
    ['balance', 0, (trx) => balanceOf(trx, BANK_ID, { asOf: null, knownAt: null })],
    [
      'balance as of a day',
      0,
      (trx) => balanceOf(trx, BANK_ID, { asOf: DAYS[1] ?? '', knownAt: null }),
    ],
    ['trial balance', 0, (trx) => trialBalance(trx, { asOf: DAYS[2] ?? '', knownAt: null })],
    [
      'balance as known then',
      KNOWN_MAX,
      (trx) => balanceOf(trx, BANK_ID, { asOf: null, knownAt: halfway }),
    ],
    [
      'trial balance as known then',
      KNOWN_MAX + 2 * DAYS.length,
      (trx) => trialBalance(trx, { asOf: null, knownAt: halfway }),
    ],
    ['first page', PAGE_MAX, (trx) => statement(trx, { ...WHOLE, accountId: BANK_ID })],
    [
      'page inside a day',
      PAGE_MAX,
      (trx) => statement(trx, { ...WHOLE, accountId: BANK_ID, after: INSIDE }),
    ],
    [
      'page after a day’s end as known then',
      PAGE_MAX + KNOWN_MAX,
      (trx) => statement(trx, { ...WHOLE, accountId: BANK_ID, after: SEAM, knownAt: halfway }),
    ],
  ]

  for (const [what, most, read] of READS) {
    it(`of a ${what} is days, in tables that nobody has analysed`, async () => {
      expect(await rowsRead(read)).to.be.at.most(most)
    })
  }

  for (const [what, most, read] of READS) {
    it(`of a ${what} is days, in analysed tables`, async () => {
      await books.own('analyze')
      expect(await rowsRead(read)).to.be.at.most(most)
    })
  }

  it('is seen where postings are read one by one', async () => {
    const sum = async (trx: Trx) => await trx.query('select sum(amount) from postings')
    expect(await rowsRead(sum)).to.equal(2 * BATCHES * DRAFTS)
  })
})
