/** The batcher: drafts that come together share a transaction, each caller hears his own result. */
import { expect } from 'chai'
import { openDatabase, type Database } from '../../src/base/db.ts'
import { openLog } from '../../src/base/log.ts'
import { Problem } from '../../src/base/problem.ts'
import { openBatcher } from '../../src/ledger/batcher.ts'
import { verifyLedger } from '../../src/ledger/verify.ts'
import { startProxy } from '../support/proxy.ts'
import {
  BANK,
  credit,
  debit,
  draftOf,
  openBooks,
  ORG,
  OTHER_ORG,
  outcomes,
  type Books,
} from './books.ts'

describe('the batcher', () => {
  let books: Books

  before(async () => {
    books = await openBooks()
  })

  after(async () => {
    const { findings } = await verifyLedger(books.db, ORG, () => undefined)
    expect(findings).to.deep.equal([])
    await books.close()
  })

  /** The database, and how often somebody opened a transaction on it. */
  function counting(): { db: Database; transactions(): number } {
    let transactions = 0
    return {
      transactions: () => transactions,
      db: {
        ...books.db,
        async transact(scope, work, options) {
          transactions += 1
          return await books.db.transact(scope, work, options)
        },
      },
    }
  }

  it('posts what comes together in few transactions, each entry with its own number', async () => {
    const { db, transactions } = counting()
    const batcher = openBatcher(db)
    const results = await Promise.all(
      Array.from({ length: 300 }, (_none, n) => batcher.post(ORG, draftOf(`together-${n}`))),
    )
    const numbers = results.map((one) => (one.status === 'posted' ? one.entryNo : 0n))
    expect(new Set(numbers).size).to.equal(300)
    expect(numbers).not.to.include(0n)
    expect(transactions()).to.be.at.most(3)
    await batcher.close()
  })

  it('refuses one alone, and posts what came with it', async () => {
    const batcher = openBatcher(books.db)
    const results = await Promise.all([
      batcher.post(ORG, draftOf('good-1')),
      batcher.post(ORG, draftOf('bad', { lines: [debit(BANK, 2n), credit(BANK, 1n)] })),
      batcher.post(ORG, draftOf('good-2')),
    ])
    expect(outcomes(results).map((text) => text.split(' ')[0])).to.deep.equal([
      'posted',
      'unbalanced_entry',
      'posted',
    ])
    await batcher.close()
  })

  it('posts one key once, however many ask for it at the same time', async () => {
    const batcher = openBatcher(books.db)
    const results = await Promise.all(
      Array.from({ length: 50 }, () => batcher.post(ORG, draftOf('same'))),
    )
    const [first] = results.filter((one) => one.status === 'posted')
    expect(results.filter((one) => one.status === 'posted')).to.have.length(1)
    for (const one of results) {
      expect(one.status === 'refused' ? null : one.entryNo).to.equal(first?.entryNo)
    }
    await batcher.close()
  })

  it('keeps organisations apart', async () => {
    const batcher = openBatcher(books.db)
    const [one, other] = await Promise.all([
      batcher.post(ORG, draftOf('apart')),
      batcher.post(OTHER_ORG, draftOf('apart')),
    ])
    expect([one.status, other.status]).to.deep.equal(['posted', 'posted'])
    const rows = await books.read('select 1 from journal_entries', [], OTHER_ORG)
    expect(rows).to.have.length(1)
    await batcher.close()
  })

  it('waits for what is in hand when it closes, and takes no more', async () => {
    const batcher = openBatcher(books.db)
    const last = batcher.post(ORG, draftOf('last'))
    await batcher.close()
    expect((await last).status).to.equal('posted')
    const late = await batcher.post(ORG, draftOf('late')).catch((error: unknown) => error)
    expect(late).to.be.instanceOf(Problem)
    expect((late as Problem).extras.moved).to.equal('no')
  })

  it('says that nobody knows where the answer to COMMIT is lost, and posts once', async () => {
    const target = new URL(books.database.url)
    const proxy = await startProxy({ host: target.hostname, port: Number(target.port) })
    const through = new URL(target)
    through.port = String(proxy.port)
    const db = openDatabase({ url: through.href, poolSize: 2, log: openLog('silent', 'cut') })
    const batcher = openBatcher(db)
    proxy.swallowAnswerTo('commit; select pg_advisory_unlock')
    const lost = await batcher.post(ORG, draftOf('cut')).catch((error: unknown) => error)
    expect(lost).to.be.instanceOf(Problem)
    expect((lost as Problem).extras.moved).to.equal('unknown')
    expect((await batcher.post(ORG, draftOf('cut'))).status).to.equal('existing')
    await batcher.close()
    await db.close()
    await proxy.close()
  })
})
