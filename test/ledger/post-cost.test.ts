/** Posting reads as many rows into long books as into new ones, however old the connection is. */
import { expect } from 'chai'
import { asOwner } from '../../scripts/stack.ts'
import { openDatabase } from '../../src/base/db.ts'
import { openLog } from '../../src/base/log.ts'
import type { Draft } from '../../src/ledger/core/entry.ts'
import { post } from '../../src/ledger/posting/post.ts'
import { until } from '../support/until.ts'
import { BANK, credit, debit, draftOf, FUND, openBooks, ORG, type Books } from './books.ts'

const BATCHES = 6
const DRAFTS = 300
/** Rows read for one entry: its keys, its lines, its accounts, a few times over. */
const READS_MAX = 60

describe('the cost of posting', () => {
  let books: Books

  beforeEach(async () => {
    books = await openBooks()
  })

  afterEach(async () => {
    await books.close()
  })

  const drafts: Readonly<Record<string, (batch: number, index: number) => Draft>> = {
    'of one day': (batch, index) => draftOf(`k${batch}-${index}`),
    'of days in any order': (batch, index) =>
      draftOf(`k${batch}-${index}`, {
        effectiveOn: new Date(Date.UTC(2026, 0, 1 + ((index * 37 + batch * 11) % 200)))
          .toISOString()
          .slice(0, 10),
      }),
    'that correct others': (batch, index) => {
      const entryNo = BigInt(batch === 0 ? 1 : (batch - 1) * DRAFTS + 2 + index)
      const lines = [credit(BANK, 100n), debit(FUND, 100n)]
      const correction = batch % 2 === 0 ? { adjusts: 1n } : { reverses: entryNo, lines }
      return draftOf(`k${batch}-${index}`, correction)
    },
    'to many accounts': (batch, index) =>
      draftOf(`k${batch}-${index}`, {
        lines: [
          debit(`assets:clearing:a${(index * 7 + batch) % 100}`, 1n),
          credit(`income:donations:b${index % 100}`, 1n),
        ],
      }),
  }
  for (const [what, draft] of Object.entries(drafts)) {
    it(`does not grow with books that nobody analysed, for entries ${what}`, async () => {
      // One connection: its plans were made when the books were empty.
      const log = openLog('silent', 'bahi test')
      const db = openDatabase({ url: books.database.url, poolSize: 1, log })
      await db.transact(ORG, async (trx) => await post(trx, [draftOf('first')]))
      for (let batch = 0; batch < BATCHES; batch += 1) {
        const some = Array.from({ length: DRAFTS }, (_, index) => draft(batch, index))
        const results = await db.transact(ORG, async (trx) => await post(trx, some))
        expect(results.every(({ status }) => status === 'posted')).to.equal(true)
      }
      // Its end hands in what it has counted.
      await db.close()
      let reads = 0
      await until(async () => {
        const [inserted, read] = await rowsTouched()
        reads = read
        return inserted >= BATCHES * DRAFTS * 3
      })
      expect(reads / (BATCHES * DRAFTS)).to.be.below(READS_MAX)
    })
  }

  /** Rows inserted into, and read from, entries, postings and days. */
  async function rowsTouched(): Promise<[inserted: number, read: number]> {
    return await asOwner(books.database.ownerUrl, async (client) => {
      const { rows } = await client.query<{ inserted: number; read: number }>(
        `select sum(n_tup_ins)::float8 as inserted,
                sum(seq_tup_read + coalesce((
                  select sum(i.idx_tup_read) from pg_stat_user_indexes i where i.relid = t.relid
                ), 0))::float8 as read
           from pg_stat_user_tables t
          where relname in ('journal_entries', 'postings', 'balance_days')`,
      )
      return [rows[0]?.inserted ?? 0, rows[0]?.read ?? 0]
    })
  }
})
