/** Tests of many transactions that post at once to the same books: nothing lost, nothing twice. */
import { expect } from 'chai'
import type { Draft } from '../../src/ledger/core/entry.ts'
import { post, type PostResult } from '../../src/ledger/posting/post.ts'
import { verifyLedger } from '../../src/ledger/checks/verify.ts'
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

  for (const queued of [true, false]) {
    const how = queued ? 'in the journal’s queue' : 'without a queue'

    it(`reverses an entry once ${how}, whoever asks for it`, async () => {
      await books.post([draftOf('a')], org)
      const lines = [credit(BANK, 100n), debit(FUND, 100n)]
      const results = await together(
        queued,
        Array.from({ length: 8 }, (_, index) => [draftOf(`r${index}`, { reverses: 1n, lines })]),
      )
      const texts = results.flatMap(outcomes)
      expect(texts.filter((text) => text === 'posted 2')).to.have.length(1)
      expect(texts.filter((text) => text === 'not_reversible')).to.have.length(7)
      expect(await balanceOf(BANK)).to.equal(0n)
    })

    it(`keeps every day’s sums ${how} while entries of many days come in any order`, async () => {
      const days = ['2026-05-03', '2026-05-09', '2026-05-01', '2026-05-07', '2026-05-05']
      const calls = Array.from({ length: 15 }, (_, index) =>
        [0, 1].map((place) =>
          draftOf(`k${index}-${place}`, { effectiveOn: days[(index + 2 * place) % 5] ?? '' }),
        ),
      )
      const results = await together(queued, calls)
      expect(results.flatMap(outcomes).every((text) => text.startsWith('posted'))).to.equal(true)
      const sums = await books.read<{ debits: bigint }>(
        `select d.effective_on, d.debits
           from account_days d join accounts a using (org_id, account_id)
          where a.code = $1 order by 1`,
        [BANK],
        org,
      )
      expect(sums).to.deep.equal(
        days.toSorted().map((effective_on) => ({ effective_on, debits: 600n })),
      )
    })
  }

  it('posts nothing into a month from the moment at which it is closed', async () => {
    const drafts = Array.from({ length: 12 }, (_, index) => [
      draftOf(`k${index}`, { effectiveOn: '2026-03-15' }),
    ])
    const closing = books.closeMonth('2026-03', 'closed', org)
    const texts = (await together(false, drafts)).flatMap(outcomes)
    await closing
    const [stored] = await books.read<{ entry_no: bigint }>(
      'select entry_no from period_changes',
      [],
      org,
    )
    const posted = texts.filter((text) => text.startsWith('posted'))
    expect(BigInt(posted.length)).to.equal(stored?.entry_no)
    expect(texts.filter((text) => text === 'period_closed')).to.have.length(12 - posted.length)
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
