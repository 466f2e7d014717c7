/** Two people who type at the same time, without SERIALIZABLE: the database still holds. */
import { expect } from 'chai'
import type pg from 'pg'
import type { Draft } from '../../src/ledger/core/entry.ts'
import { verifyLedger } from '../../src/ledger/checks/verify.ts'
import { encodeTrialBalance } from '../../src/ledger/closing/period-changes.ts'
import { lastDayOf } from '../../src/ledger/periods/periods.ts'
import { until } from '../support/until.ts'
import {
  BANK,
  credit,
  debit,
  draftOf,
  FUND,
  openBooks,
  ORG,
  typingClient,
  type Books,
} from './books.ts'
import { callWith, columnsFor } from './typed-post.ts'

const IDS = { [`${BANK} INR`]: 1, [`${FUND} INR`]: 2 }
const ACCEPTED = 'accepted'

describe('two calls typed at the same time under READ COMMITTED', () => {
  let books: Books
  let one: pg.Client
  let other: pg.Client

  beforeEach(async () => {
    books = await openBooks()
    one = await typingClient(books, ORG)
    other = await typingClient(books, ORG)
    await books.post([draftOf('a')])
  })

  afterEach(async () => {
    const { findings } = await verifyLedger(books.db, ORG, () => undefined)
    await one.end()
    await other.end()
    await books.close()
    expect(findings).to.deep.equal([])
  })

  const callOf = (...drafts: Draft[]): string => callWith(columnsFor(drafts, IDS))

  /** Takes ₹0.60 of the ₹1.00 that the bank has. */
  const taking = (key: string): string =>
    callOf(draftOf(key, { lines: [debit(FUND, 60n), credit(BANK, 60n)] }))

  /** Sends the statement, waits until Postgres makes it wait, and lets the first one end. */
  async function behind(sql: string, end = 'commit'): Promise<string> {
    const answer = other.query(sql).then(() => ACCEPTED, String)
    await until(async () => {
      const { rows } = await one.query<{ n: string }>(
        `select count(*) as n from pg_locks where not granted and pid <> pg_backend_pid()`,
      )
      return rows[0]?.n !== '0'
    })
    await one.query(end)
    return await answer
  }

  async function postings(): Promise<unknown[]> {
    return await books.read(
      `select entry_no, balance_after, day_balance_after, account_version from postings
        where account_id = 1 order by entry_no`,
    )
  }

  const after = (entry_no: bigint, balance: bigint) => ({
    entry_no,
    balance_after: balance,
    day_balance_after: balance,
    account_version: entry_no,
  })

  it('follow each other, each from where the other left the books', async () => {
    await one.query('begin')
    await one.query(taking('b'))
    expect(await behind(taking('c'))).to.equal(ACCEPTED)
    expect(await postings()).to.deep.equal([after(1n, 100n), after(2n, 40n), after(3n, -20n)])
  })

  it('leave no gap where the first one is undone', async () => {
    await one.query('begin')
    await one.query(taking('b'))
    expect(await behind(taking('c'), 'rollback')).to.equal(ACCEPTED)
    expect(await postings()).to.deep.equal([after(1n, 100n), after(2n, 40n)])
  })

  it('never take an account below its floor together', async () => {
    await books.own(`update accounts set floor = 0 where account_id = 1`)
    await one.query('begin')
    await one.query(taking('b'))
    expect(await behind(taking('c'))).to.include('below its floor')
    expect(await postings()).to.deep.equal([after(1n, 100n), after(2n, 40n)])
  })

  it('post a key once', async () => {
    await one.query('begin')
    await one.query(taking('b'))
    expect(await behind(taking('b'))).to.include('duplicate key')
  })

  it('reverse an entry once', async () => {
    const back = (key: string) =>
      callOf(draftOf(key, { reverses: 1n, lines: [credit(BANK, 100n), debit(FUND, 100n)] }))
    await one.query('begin')
    await one.query(back('b'))
    expect(await behind(back('c'))).to.include('duplicate key')
  })

  it('go on from the newest day, whichever of them moves it on', async () => {
    await one.query('begin')
    await one.query(callOf(draftOf('b', { effectiveOn: '2026-05-06' })))
    expect(await behind(callOf(draftOf('c', { effectiveOn: '2026-05-05' })))).to.equal(ACCEPTED)
    expect(
      await books.read(
        `select effective_on, debits from account_days where account_id = 1 order by 1`,
      ),
    ).to.deep.equal([
      { effective_on: '2026-05-04', debits: 100n },
      { effective_on: '2026-05-05', debits: 100n },
      { effective_on: '2026-05-06', debits: 100n },
    ])
  })

  it('fail with 40001 where the second has looked at the books before, SERIALIZABLE', async () => {
    for (const isolation of ['repeatable read', 'serializable']) {
      await other.query(`begin isolation level ${isolation}`)
      await other.query('select * from journal_heads')
      await one.query(callOf(draftOf(isolation)))
      const late = other.query(callOf(draftOf('late')))
      expect(await late.then(String, String)).to.include('could not serialize')
      await other.query('rollback')
    }
  })
})

describe('a month that is closed while somebody posts, under READ COMMITTED', () => {
  let books: Books
  let one: pg.Client
  let other: pg.Client

  beforeEach(async () => {
    books = await openBooks()
    one = await typingClient(books, ORG)
    other = await typingClient(books, ORG)
    await books.post([draftOf('a')])
  })

  afterEach(async () => {
    const { findings } = await verifyLedger(books.db, ORG, () => undefined)
    await one.end()
    await other.end()
    await books.close()
    expect(findings).to.deep.equal([])
  })

  const posting = (day: string): string =>
    callWith(columnsFor([draftOf(`on ${day}`, { effectiveOn: day })], IDS))

  /** What the closing of a month writes, typed in one statement. */
  const closing = (month: string): string => {
    // Of the first entry, which is of May.
    const none = encodeTrialBalance(lastDayOf(month.slice(0, 7)) ?? '', []).toString()
    return `with changed as (
       insert into periods (org_id, month, state, version) values (1, '${month}', 'closed', 1))
     insert into period_changes (org_id, month, version, state, reason, actor, entry_no,
       trial_balance, trial_balance_sha256)
     values (1, '${month}', 1, 'closed', 'test', 'test', 1, $text$${none}$text$,
       sha256(convert_to($text$${none}$text$, 'UTF8')))`
  }

  /** Sends the second while the first is not committed; it may wait or not. */
  async function overlapping(first: string, second: string): Promise<string> {
    await one.query('begin')
    await one.query(first)
    const answer = other.query(second).then(() => ACCEPTED, String)
    const isWaiting = until(async () => {
      const { rows } = await one.query<{ n: string }>(
        `select count(*) as n from pg_locks where not granted and pid <> pg_backend_pid()`,
      )
      return rows[0]?.n !== '0'
    })
    await Promise.race([answer, isWaiting])
    await one.query('commit')
    return await answer
  }

  it('takes no posting that waited for the closing', async () => {
    const refusal = await overlapping(closing('2026-03-01'), posting('2026-03-15'))
    expect(refusal).to.include('the period of')
  })

  it('counts the posting that came before the closing', async () => {
    expect(await overlapping(posting('2026-03-15'), closing('2026-03-01'))).to.equal(ACCEPTED)
  })

  it('stays closed where another month is closed at the same time', async () => {
    await overlapping(closing('2026-03-01'), closing('2026-02-01'))
    for (const day of ['2026-02-15', '2026-03-15']) {
      const refusal = await one.query(posting(day)).then(() => ACCEPTED, String)
      expect(refusal, day).to.include('the period of')
    }
  })
})
