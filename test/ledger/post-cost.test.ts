/** Posting reads as many rows into long books as into new ones, however old the connection is. */
import { expect } from 'chai'
import { asOwner } from '../../scripts/stack.ts'
import { openDatabase } from '../../src/base/db.ts'
import { openLog } from '../../src/base/log.ts'
import { post } from '../../src/ledger/post.ts'
import { until } from '../support/until.ts'
import { draftOf, openBooks, ORG, type Books } from './books.ts'

const BATCHES = 6
const DRAFTS = 300
/** Rows read for one entry: its keys, its lines, its accounts, a few times over. */
const READS_MAX = 60

describe('the cost of posting', () => {
  let books: Books

  before(async () => {
    books = await openBooks()
  })

  after(async () => {
    await books.close()
  })

  it('does not grow with the books while nobody has analysed the tables', async () => {
    // One connection, because the guards keep the plans that they made when the books were empty.
    const log = openLog('silent', 'bahi test')
    const db = openDatabase({ url: books.database.url, poolSize: 1, log })
    await db.transact(ORG, async (trx) => await post(trx, [draftOf('first')]))
    for (let batch = 0; batch < BATCHES; batch += 1) {
      const drafts = Array.from({ length: DRAFTS }, (_, index) => draftOf(`k${batch}-${index}`))
      await db.transact(ORG, async (trx) => await post(trx, drafts))
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

  /** Rows inserted into, and read from, entries and postings. */
  async function rowsTouched(): Promise<[inserted: number, read: number]> {
    return await asOwner(books.database.ownerUrl, async (client) => {
      const { rows } = await client.query<{ inserted: number; read: number }>(
        `select sum(n_tup_ins)::float8 as inserted,
                sum(seq_tup_read + coalesce((
                  select sum(i.idx_tup_read) from pg_stat_user_indexes i where i.relid = t.relid
                ), 0))::float8 as read
           from pg_stat_user_tables t where relname in ('journal_entries', 'postings')`,
      )
      return [rows[0]?.inserted ?? 0, rows[0]?.read ?? 0]
    })
  }
})
