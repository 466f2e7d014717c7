/** Tests of many transactions that post at once to the same books: nothing lost, nothing twice. */
import { expect } from 'chai'
import type { Draft } from '../../src/ledger/core/entry.ts'
import { post, type PostResult } from '../../src/ledger/post.ts'
import { verifyLedger } from '../../src/ledger/verify.ts'
import { BANK, credit, debit, draftOf, FUND, openBooks, outcomes, type Books } from './books.ts'

const TOGETHER = 20

describe('posting by many at once', () => {
  let books: Books
  let org = 200

  before(async () => {
    books = await openBooks(TOGETHER)
  })

  beforeEach(async () => {
    org += 1
    await books.addOrganisation(org)
  })

  afterEach(async () => {
    const { findings } = await verifyLedger(books.db, org, () => undefined)
    expect(findings).to.deep.equal([])
  })

  after(async () => {
    await books.close()
  })

  /** Each caller in a transaction of its own, with or without the writers' queue. */
  async function together(
    queued: boolean,
    calls: readonly (readonly Draft[])[],
  ): Promise<PostResult[][]> {
    const options = queued ? { queue: 'journal' as const } : {}
    return await Promise.all(
      calls.map(
        async (drafts) =>
          await books.db.transact(org, async (trx) => await post(trx, drafts), options),
      ),
    )
  }

  async function entryNumbers(): Promise<bigint[]> {
    const rows = await books.read<{ entry_no: bigint }>(
      'select entry_no from journal_entries order by entry_no',
      [],
      org,
    )
    return rows.map((row) => row.entry_no)
  }

  async function balanceOf(code: string): Promise<bigint | undefined> {
    const [row] = await books.read<{ balance: bigint }>(
      `select case normal when 'debit' then debits - credits else credits - debits end as balance
         from accounts where code = $1`,
      [code],
      org,
    )
    return row?.balance
  }

  for (const queued of [true, false]) {
    const how = queued ? 'in the journal’s queue' : 'without a queue'

    it(`loses nothing ${how}, on accounts that the first of them opens`, async () => {
      const calls = Array.from({ length: TOGETHER }, (_, index) => [draftOf(`k${index}`)])
      const results = await together(queued, calls)
      expect(results.flatMap(outcomes).map((text) => text.split(' ')[0])).to.deep.equal(
        calls.map(() => 'posted'),
      )
      expect(await entryNumbers()).to.deep.equal(calls.map((_, index) => BigInt(index + 1)))
      expect(await balanceOf(BANK)).to.equal(BigInt(TOGETHER) * 100n)
      expect(await balanceOf(FUND)).to.equal(BigInt(TOGETHER) * 100n)
    })

    it(`posts a key once ${how} when all of them bring the same`, async () => {
      const results = await together(
        queued,
        Array.from({ length: TOGETHER }, () => [draftOf('same')]),
      )
      const texts = results.flatMap(outcomes)
      expect(texts.filter((text) => text === 'posted 1')).to.have.length(1)
      expect(texts.filter((text) => text === 'existing 1')).to.have.length(TOGETHER - 1)
      expect(await balanceOf(BANK)).to.equal(100n)
    })

    it(`lets one content of a key win ${how} and tells the others of the conflict`, async () => {
      const results = await together(
        queued,
        Array.from({ length: 8 }, (_, index) => [draftOf('same', { description: `${index}` })]),
      )
      const texts = results.flatMap(outcomes)
      expect(texts.filter((text) => text === 'posted 1')).to.have.length(1)
      expect(texts.filter((text) => text === 'idempotency_conflict')).to.have.length(7)
    })
  }

  it('never takes an account below its floor, whoever takes from it', async () => {
    await books.post([draftOf('funds', { lines: [debit(BANK, 1000n), credit(FUND, 1000n)] })], org)
    await books.own(`update accounts set floor = 0 where org_id = ${org} and code = '${BANK}'`)
    // 40 callers want 70 each of 1,000: it is enough for 14 of them.
    const taken = await together(
      true,
      Array.from({ length: 40 }, (_, index) => [
        draftOf(`take${index}`, { lines: [debit(FUND, 70n), credit(BANK, 70n)] }),
      ]),
    )
    const texts = taken.flatMap(outcomes)
    expect(texts.filter((text) => text.startsWith('posted'))).to.have.length(14)
    expect(texts.filter((text) => text === 'balance_below_floor')).to.have.length(26)
    expect(await balanceOf(BANK)).to.equal(20n)
    const [least] = await books.read<{ least: bigint }>(
      `select min(balance_after) as least from postings p join accounts a using (org_id, account_id)
        where a.code = $1`,
      [BANK],
      org,
    )
    expect(least).to.deep.equal({ least: 20n })
  })

  it('never takes an account below its floor without the queue either', async () => {
    await books.post([draftOf('funds')], org)
    await books.own(`update accounts set floor = 0 where org_id = ${org} and code = '${BANK}'`)
    const taken = await together(
      false,
      Array.from({ length: 10 }, (_, index) => [
        draftOf(`take${index}`, { lines: [debit(FUND, 30n), credit(BANK, 30n)] }),
      ]),
    )
    expect(taken.flatMap(outcomes).filter((text) => text.startsWith('posted'))).to.have.length(3)
    expect(await balanceOf(BANK)).to.equal(10n)
  })

  it('can be verified in the meantime without a false alarm', async () => {
    const posting = new AbortController()
    const posts = (async () => {
      for (let index = 0; index < 40; index += 1) {
        await books.post([draftOf(`k${index}`)], org)
      }
      posting.abort()
    })()
    const findings: string[] = []
    while (!posting.signal.aborted) {
      const report = await verifyLedger(books.db, org, () => undefined)
      findings.push(...report.findings.map(({ detail }) => detail))
    }
    await posts
    expect(findings).to.deep.equal([])
  })

  it('opens each account once, whoever needs it first', async () => {
    const funds = ['a', 'b', 'c', 'd', 'e']
    await together(
      false,
      Array.from({ length: 10 }, (_, index) =>
        funds.map((fund, place) =>
          draftOf(`k${index}-${place}`, {
            lines: [
              debit('assets:clearing:razorpay', 1n),
              credit(`income:donations:${funds[(place + index) % 5] ?? fund}`, 1n),
            ],
          }),
        ),
      ),
    )
    const rows = await books.read(
      'select account_id, version from accounts order by account_id',
      [],
      org,
    )
    expect(rows.map((row) => Object.values(row)[0])).to.deep.equal([1, 2, 3, 4, 5, 6])
    expect(await balanceOf('assets:clearing:razorpay')).to.equal(50n)
    for (const fund of funds) {
      expect(await balanceOf(`income:donations:${fund}`)).to.equal(10n)
    }
  })
})
