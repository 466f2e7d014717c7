/** The batcher: drafts that come together share a transaction, each caller hears his own result. */
import { expect } from 'chai'
import { openDatabase, type Database } from '../../src/base/db.ts'
import { openLog } from '../../src/base/log.ts'
import { MAX_MINOR } from '../../src/base/money.ts'
import { Problem } from '../../src/base/problem.ts'
import { openBatcher } from '../../src/ledger/posting/batcher.ts'
import { verifyLedger } from '../../src/ledger/checks/verify.ts'
import { startProxy } from '../support/proxy.ts'
import {
  BANK,
  credit,
  debit,
  draftOf,
  FUND,
  openBooks,
  ORG,
  OTHER_ORG,
  outcomes,
  TRANSIT,
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
        async transactOnce(scope, statement, queue) {
          transactions += 1
          return await books.db.transactOnce(scope, statement, queue)
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

  /** A batcher that knows the accounts and so sends a batch without a look at the books. */
  async function knowing(db = books.db): Promise<ReturnType<typeof openBatcher>> {
    const batcher = openBatcher(db)
    const key = `known-${Math.random()}`
    expect((await batcher.post(ORG, draftOf(key))).status).to.equal('posted')
    return batcher
  }

  const refusals: Readonly<Record<string, Parameters<typeof draftOf>[1]>> = {
    balance_below_floor: { lines: [debit(BANK, 1n), credit(TRANSIT, 1n)] },
    account_frozen: { lines: [debit('assets:clearing:frozen', 1n), credit(BANK, 1n)] },
    account_closed: { lines: [debit('assets:clearing:closed', 1n), credit(BANK, 1n)] },
    not_reversible: { reverses: 1n },
    period_closed: { effectiveOn: '2020-01-15' },
    idempotency_conflict: { idempotencyKey: 'conflicting', description: 'other' },
    unknown_account: { lines: [debit('assets:gold', 1n), credit(BANK, 1n)] },
    invalid_entry: { lines: [debit(BANK, MAX_MINOR), credit(FUND, MAX_MINOR)] },
  }
  for (const [code, more] of Object.entries(refusals)) {
    it(`tells one caller of ${code} where it knows the accounts, posts the others`, async () => {
      const batcher = await knowing()
      await batcher.post(ORG, draftOf('conflicting'))
      await books.post([
        draftOf('frozen', { lines: [debit('assets:clearing:frozen', 1n), credit(FUND, 1n)] }),
        draftOf('closed', { lines: [debit('assets:clearing:closed', 1n), credit(FUND, 1n)] }),
        draftOf('floored', { lines: [debit(BANK, 1n), credit(TRANSIT, 1n)] }),
        draftOf('refilled', { lines: [debit(TRANSIT, 1n), credit(BANK, 1n)] }),
      ])
      await books.own(
        `update accounts set frozen = code like '%:frozen', open = code not like '%:closed',
                floor = case when code = '${TRANSIT}' then 0 end where org_id = ${ORG}`,
      )
      await books.closeMonth('2020-01', 'closed')
      // The batcher has seen these accounts before.
      await batcher.post(ORG, draftOf(`seen ${code}`, { lines: [...(more?.lines ?? [])] }))
      const results = await Promise.all([
        batcher.post(ORG, draftOf(`before ${code}`)),
        batcher.post(ORG, draftOf(`refused ${code}`, more)),
        batcher.post(ORG, draftOf(`behind ${code}`)),
      ])
      const [before, refused, behind] = results
      expect([before?.status, behind?.status]).to.deep.equal(['posted', 'posted'])
      expect(outcomes(refused === undefined ? [] : [refused])).to.deep.equal([code])
      expect(refused?.status === 'refused' && refused.problem.extras.moved).to.equal('no')
      await batcher.close()
    })
  }

  it('sends what it can in one transaction a batch once it knows the accounts', async () => {
    const { db, transactions } = counting()
    const batcher = await knowing(db)
    const before = transactions()
    await batcher.post(ORG, draftOf('one at once'))
    expect(transactions() - before).to.equal(1)
    await batcher.close()
  })

  it('hears of an account that was opened elsewhere or closed since it learnt of it', async () => {
    const batcher = await knowing()
    const gift = (key: string) =>
      draftOf(key, { lines: [debit('assets:clearing:late', 1n), credit(FUND, 1n)] })
    await books.post([gift('elsewhere')])
    expect((await batcher.post(ORG, gift('late 1'))).status).to.equal('posted')
    await books.own(`update accounts set open = false where code = 'assets:clearing:late'`)
    expect(outcomes([await batcher.post(ORG, gift('late 2'))])).to.deep.equal(['account_closed'])
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

  for (const isKnowing of [false, true]) {
    const how = isKnowing ? 'with accounts that it knows' : 'with accounts that it looks up'
    it(`says that nobody knows where COMMIT has no answer, ${how}, and posts once`, async () => {
      const target = new URL(books.database.url)
      const proxy = await startProxy({ host: target.hostname, port: Number(target.port) })
      const through = new URL(target)
      through.port = String(proxy.port)
      const db = openDatabase({ url: through.href, poolSize: 2, log: openLog('silent', 'cut') })
      const batcher = isKnowing ? await knowing(db) : openBatcher(db)
      proxy.swallowAnswerTo('commit; select pg_advisory_unlock')
      const draft = draftOf(`cut ${how}`)
      const lost = await batcher.post(ORG, draft).catch((error: unknown) => error)
      expect(lost).to.be.instanceOf(Problem)
      expect((lost as Problem).code).to.equal('unavailable')
      expect((lost as Problem).extras.moved).to.equal('unknown')
      // All goes in one message: the connection may break before Postgres has read its COMMIT.
      const again = await batcher.post(ORG, draft)
      expect(again.status).to.be.oneOf(['existing', 'posted'])
      const third = await batcher.post(ORG, draft)
      expect(third).to.deep.equal({ ...again, status: 'existing' })
      await batcher.close()
      await db.close()
      await proxy.close()
    })
  }
})
