/** Two people who type entries at the same time, without SERIALIZABLE: the guards still hold. */
import { expect } from 'chai'
import type pg from 'pg'
import { until } from '../support/until.ts'
import { credit, debit, draftOf, FUND, openBooks, ORG, typingClient, type Books } from './books.ts'
import { entryRow, insertBoth, postingRow, type TypedLine } from './typed.ts'

describe('two entries typed at the same time under READ COMMITTED', () => {
  let books: Books
  let one: pg.Client
  let other: pg.Client

  beforeEach(async () => {
    books = await openBooks()
    one = await typingClient(books, ORG)
    other = await typingClient(books, ORG)
    await books.post([
      draftOf('a', { lines: [debit('assets:bank:main', 100n), credit(FUND, 100n)] }),
    ])
  })

  afterEach(async () => {
    await one.end()
    await other.end()
    await books.close()
  })

  /** ₹`amount` from the bank back to the fund, as entry `entryNo`, from the balance given. */
  function taking(entryNo: number, amount: number, from: { balance: number; version: number }) {
    const shared = {
      entryNo,
      amount,
      balance: from.balance - amount,
      version: from.version + 1,
    }
    const lines: TypedLine[] = [
      { ...shared, lineNo: 1, accountId: 2, direction: 'debit' },
      { ...shared, lineNo: 2, accountId: 1, direction: 'credit' },
    ]
    return insertBoth(
      [entryRow(entryNo)],
      lines.map((line) => postingRow(line)),
    )
  }

  /** Sends the statement, waits until Postgres makes it wait, lets the first one commit. */
  async function behind(sql: string): Promise<string> {
    const answer = other.query(sql).then(
      () => 'accepted',
      (error: unknown) => String(error),
    )
    await until(async () => {
      const { rows } = await one.query<{ n: string }>(
        `select count(*) as n from pg_locks where not granted and pid <> pg_backend_pid()`,
      )
      return rows[0]?.n !== '0'
    })
    await one.query('commit')
    return await answer
  }

  it('lets one of them have a number, and refuses it to the other', async () => {
    await one.query('begin')
    await one.query(taking(2, 60, { balance: 100, version: 1 }))
    expect(await behind(taking(2, 60, { balance: 100, version: 1 }))).to.include('duplicate key')
  })

  it('refuses the one that goes on from a balance which is gone', async () => {
    await one.query('begin')
    await one.query(taking(2, 60, { balance: 100, version: 1 }))
    expect(await behind(taking(3, 60, { balance: 100, version: 1 }))).to.include(
      'a posting does not continue its account',
    )
  })

  it('refuses the one that counts on what is not committed yet', async () => {
    await one.query('begin')
    await one.query(taking(2, 60, { balance: 100, version: 1 }))
    const early = other.query(taking(3, 30, { balance: 40, version: 2 }))
    expect(await early.then(String, String)).to.include('a posting does not continue its account')
    await one.query('commit')
    await other.query(taking(3, 30, { balance: 40, version: 2 }))
    expect(
      await books.read('select debits, credits, version from accounts order by account_id'),
    ).to.deep.equal([
      { debits: 100n, credits: 90n, version: 3n },
      { debits: 90n, credits: 100n, version: 3n },
    ])
    expect(await books.read('select debits, credits from balance_days order by 1')).to.deep.equal([
      { debits: 90n, credits: 100n },
      { debits: 100n, credits: 90n },
    ])
  })

  it('refuses the one that counts on a number which was undone', async () => {
    await one.query('begin')
    await one.query(taking(2, 60, { balance: 100, version: 1 }))
    await one.query('rollback')
    const high = other.query(taking(3, 60, { balance: 100, version: 1 }))
    expect(await high.then(String, String)).to.include('do not follow entry 1')
  })
})
