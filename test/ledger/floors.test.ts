/** Random transfers between wallets from many callers: none below its floor, none lost. */
import { expect } from 'chai'
import { openBatcher } from '../../src/ledger/posting/batcher.ts'
import type { Draft } from '../../src/ledger/core/entry.ts'
import { post, type PostResult } from '../../src/ledger/posting/post.ts'
import { verifyLedger } from '../../src/ledger/checks/verify.ts'
import { credit, debit, draftOf, FUND, openBooks, outcomes, typingClient } from './books.ts'
import type { Books } from './books.ts'
import { refusalOf } from './typed.ts'

const WALLETS = 12
/** Little enough in each that about half of the transfers are refused. */
const OPENING = 100n
const SEED = 20_260_504

/** Numbers below `n`, the same ones for the same seed (mulberry32). */
function randomOf(seed: number): (n: number) => number {
  let state = seed
  return (n) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % n
  }
}

interface Transfer {
  from: string
  to: string
  amount: bigint
}

const walletOf = (n: number): string => `liabilities:wallets:w${n}`

function transfersOf(count: number, seed: number): Transfer[] {
  const random = randomOf(seed)
  return Array.from({ length: count }, () => {
    const from = random(WALLETS)
    const to = (from + 1 + random(WALLETS - 1)) % WALLETS
    return { from: walletOf(from), to: walletOf(to), amount: BigInt(1 + random(120)) }
  })
}

const draftFor = ({ from, to, amount }: Transfer, n: number): Draft =>
  draftOf(`transfer-${n}`, { lines: [debit(from, amount), credit(to, amount)] })

describe('a wallet’s floor among many callers', () => {
  let books: Books
  let org = 400

  before(async () => {
    books = await openBooks(16)
  })

  beforeEach(async () => {
    org += 1
    await books.addOrganisation(org)
    const opening = Array.from({ length: WALLETS }, (_none, n) =>
      draftOf(`opening-${n}`, { lines: [debit(FUND, OPENING), credit(walletOf(n), OPENING)] }),
    )
    const results = await books.post(opening, org)
    expect(results.every(({ status }) => status === 'posted')).to.equal(true)
  })

  after(async () => {
    await books.close()
  })

  /** Each balance is what the transfers that went through make of it, and never was below 0. */
  async function expectSound(
    transfers: readonly Transfer[],
    results: readonly PostResult[],
  ): Promise<void> {
    const expected = new Map(
      Array.from({ length: WALLETS }, (_none, n): [string, bigint] => [walletOf(n), OPENING]),
    )
    let done = 0
    for (const [n, { from, to, amount }] of transfers.entries()) {
      if (results[n]?.status === 'posted') {
        done += 1
        expected.set(from, (expected.get(from) ?? 0n) - amount)
        expected.set(to, (expected.get(to) ?? 0n) + amount)
      }
    }
    const refused = outcomes(results).filter((text) => !text.startsWith('posted '))
    expect(new Set(refused)).to.deep.equal(new Set(['balance_below_floor']))
    expect(done).to.be.greaterThan(transfers.length / 4)
    const rows = await books.read<{ code: string; balance: bigint }>(
      `select code, credits - debits as balance from accounts
        where code like 'liabilities:wallets:%'`,
      [],
      org,
    )
    expect(new Map(rows.map(({ code, balance }) => [code, balance]))).to.deep.equal(expected)
    const [least] = await books.read<{ least: bigint; entries: bigint }>(
      `select min(p.balance_after) as least, count(distinct p.entry_no) as entries
         from postings p join accounts a using (org_id, account_id)
        where a.code like 'liabilities:wallets:%'`,
      [],
      org,
    )
    expect((least?.least ?? -1n) >= 0n, `${least?.least} is not below 0`).to.equal(true)
    expect(least?.entries).to.equal(BigInt(WALLETS + done))
    const { findings } = await verifyLedger(books.db, org, () => undefined)
    expect(findings).to.deep.equal([])
  }

  it('holds in a thousand transfers through the batcher', async () => {
    const transfers = transfersOf(1000, SEED)
    const batcher = openBatcher(books.db)
    const results = await Promise.all(
      transfers.map(async (one, n) => await batcher.post(org, draftFor(one, n))),
    )
    await batcher.close()
    await expectSound(transfers, results)
  })

  it('holds in a thousand transfers through two batchers, as two processes have', async () => {
    const transfers = transfersOf(1000, SEED + 1)
    const batchers = [openBatcher(books.db), openBatcher(books.db)]
    const results = await Promise.all(
      transfers.map(async (one, n) => await batchers[n % 2]?.post(org, draftFor(one, n))),
    )
    await Promise.all(batchers.map(async (one) => await one.close()))
    await expectSound(
      transfers,
      results.filter((one) => one !== undefined),
    )
  })

  for (const [how, count, callers, options] of [
    ['in the journal’s queue', 1000, 16, { queue: 'journal' }],
    ['without a queue', 120, 6, {}],
  ] as const) {
    it(`holds in ${count} transfers in transactions of their own ${how}`, async () => {
      const transfers = transfersOf(count, SEED + count)
      const results: PostResult[] = []
      const each = transfers.entries()
      await Promise.all(
        Array.from({ length: callers }, async () => {
          for (const [n, one] of each) {
            const [result] = await books.db.transact(
              org,
              async (trx) => await post(trx, [draftFor(one, n)]),
              options,
            )
            if (result !== undefined) {
              results[n] = result
            }
          }
        }),
      )
      await expectSound(transfers, results)
    })
  }

  it('opens each wallet once, when all callers bring the first money to them', async () => {
    const drafts = Array.from({ length: 40 }, (_none, n) =>
      draftOf(`first-${n}`, {
        lines: [debit(FUND, 10n), credit(`liabilities:wallets:new-${n % 8}`, 10n)],
      }),
    )
    const results = await Promise.all(
      drafts.map(
        async (draft) =>
          await books.db.transact(org, async (trx) => await post(trx, [draft]), {
            queue: 'journal',
          }),
      ),
    )
    expect(outcomes(results.flat()).filter((text) => !text.startsWith('posted'))).to.deep.equal([])
    const rows = await books.read<{ balance: bigint }>(
      `select credits - debits as balance from accounts where code like '%:new-%'`,
      [],
      org,
    )
    expect(rows).to.deep.equal(Array.from({ length: 8 }, () => ({ balance: 50n })))
  })

  it('cannot be set above a balance at the database itself, whoever types it', async () => {
    const typing = await typingClient(books, org)
    const refusals: (string | null)[] = []
    for (const [floor, code] of [
      [101, walletOf(1)],
      [100, walletOf(1)],
      [0, FUND],
      [-1200, FUND],
    ] as const) {
      const sql = `update accounts set floor = ${floor} where code = '${code}'`
      const change = `insert into account_changes (org_id, account_id, change_no, actor, reason,
        change) select org_id, account_id, 1, 'x', 'x', '{}' from accounts where code = '${code}'`
      refusals.push(await refusalOf(typing, [change, sql]))
    }
    await typing.end()
    expect(refusals.map((text) => text?.slice(0, 5) ?? null)).to.deep.equal([
      '23514',
      null,
      '23514',
      null,
    ])
  })
})
