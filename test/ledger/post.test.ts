/** Tests of posting: numbers, balances, versions, days, repetition, and refusals alone. */
import { expect } from 'chai'
import { MAX_MINOR } from '../../src/base/money.ts'
import type { Draft } from '../../src/ledger/core/entry.ts'
import { post, type PostResult } from '../../src/ledger/posting/post.ts'
import { verifyLedger } from '../../src/ledger/checks/verify.ts'
import { rejectionOf } from '../gateways/thrown.ts'
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

let books: Books

/** Each test keeps the books of an organisation of its own. */
let org = 100

before(async () => {
  books = await openBooks()
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

async function posted(...drafts: Draft[]): Promise<string[]> {
  return outcomes(await books.post(drafts, org))
}

interface AccountRow {
  code: string
  currency: string
  debits: bigint
  credits: bigint
  version: bigint
}

async function accounts(): Promise<AccountRow[]> {
  return await books.read<AccountRow>(
    'select code, currency, debits, credits, version from accounts order by code, currency',
    [],
    org,
  )
}

/** The journal as the owner left it: everything that a rollback or a refusal must not touch. */
async function everything(): Promise<unknown> {
  const tables = ['accounts', 'journal_entries', 'postings', 'balance_days', 'journal_heads']
  return await Promise.all(
    tables.map(
      async (table) => await books.read(`select * from ${table} order by 1, 2, 3`, [], org),
    ),
  )
}

describe('posting', () => {
  it('keeps balance and version of each account, and of each posting', async () => {
    expect(
      await posted(
        draftOf('a'),
        draftOf('b', { lines: [debit(TRANSIT, 30n), credit(BANK, 30n)] }),
        draftOf('c', { lines: [debit(BANK, 7n), credit(BANK, 2n), credit(FUND, 5n)] }),
      ),
    ).to.deep.equal(['posted 1', 'posted 2', 'posted 3'])
    expect(await accounts()).to.deep.equal([
      { code: TRANSIT, currency: 'INR', debits: 30n, credits: 0n, version: 1n },
      { code: BANK, currency: 'INR', debits: 107n, credits: 32n, version: 4n },
      { code: FUND, currency: 'INR', debits: 0n, credits: 105n, version: 2n },
    ])
    expect(
      await books.read(
        `select p.entry_no, p.line_no, p.direction, p.amount, p.balance_after, p.account_version
           from postings p join accounts a using (org_id, account_id)
          where a.code = $1 order by p.entry_no, p.line_no`,
        [BANK],
        org,
      ),
    ).to.deep.equal([
      posting(1n, 1, 'debit', 100n, { balance: 100n, version: 1n }),
      posting(2n, 2, 'credit', 30n, { balance: 70n, version: 2n }),
      posting(3n, 1, 'debit', 7n, { balance: 77n, version: 3n }),
      posting(3n, 2, 'credit', 2n, { balance: 75n, version: 4n }),
    ])
  })

  it('numbers entries without a gap across batches, refusals and repetitions', async () => {
    expect(await posted(draftOf('a'), draftOf('b'))).to.deep.equal(['posted 1', 'posted 2'])
    expect(
      await posted(draftOf('c', { lines: [] }), draftOf('a'), draftOf('d'), draftOf('e')),
    ).to.deep.equal(['invalid_entry', 'existing 1', 'posted 3', 'posted 4'])
    expect(await posted(draftOf('c'))).to.deep.equal(['posted 5'])
  })

  it('keeps two organisations’ numbers, accounts and chains apart', async () => {
    await books.post([draftOf('a')], OTHER_ORG)
    const [before] = await books.read<{ hash: Buffer }>('select hash from journal_heads', [], 2)
    expect(await posted(draftOf('a'), draftOf('b'))).to.deep.equal(['posted 1', 'posted 2'])
    expect(await books.read('select hash from journal_heads', [], OTHER_ORG)).to.deep.equal([
      before,
    ])
    const [own] = await books.read<{ hash: Buffer }>(
      'select hash from journal_entries where entry_no = 1',
      [],
      org,
    )
    expect(own?.hash.equals(before?.hash ?? Buffer.alloc(0))).to.equal(false)
  })

  it('balances an entry in each of its currencies, in accounts of that currency', async () => {
    const lines = [
      debit(BANK, 8350n, 'INR'),
      credit(FUND, 8350n, 'INR'),
      debit(BANK, 100n, 'USD'),
      credit(FUND, 100n, 'USD'),
    ]
    expect(await posted(draftOf('a', { lines }))).to.deep.equal(['posted 1'])
    expect(await accounts()).to.deep.equal([
      { code: BANK, currency: 'INR', debits: 8350n, credits: 0n, version: 1n },
      { code: BANK, currency: 'USD', debits: 100n, credits: 0n, version: 1n },
      { code: FUND, currency: 'INR', debits: 0n, credits: 8350n, version: 1n },
      { code: FUND, currency: 'USD', debits: 0n, credits: 100n, version: 1n },
    ])
  })

  /** Sums of the bank's days, and which of them stand in the account's own row. */
  async function bankDays(): Promise<unknown[]> {
    return await books.read(
      `select d.effective_on, d.debits, d.credits, d.effective_on = a.day as newest
         from account_days d join accounts a using (org_id, account_id)
        where a.code = $1 order by 1`,
      [BANK],
      org,
    )
  }

  const day = (effective_on: string, debits: bigint, newest = false): object => ({
    effective_on,
    debits,
    credits: 0n,
    newest,
  })

  it('keeps each day’s sums while the newest day moves on', async () => {
    await posted(draftOf('a', { effectiveOn: '2026-05-04' }))
    expect(await bankDays()).to.deep.equal([day('2026-05-04', 100n, true)])
    await posted(
      draftOf('b', { effectiveOn: '2026-05-06' }),
      draftOf('c', { effectiveOn: '2026-05-04' }),
      draftOf('d', { effectiveOn: '2026-05-08' }),
      draftOf('e', { effectiveOn: '2026-05-08' }),
    )
    expect(await bankDays()).to.deep.equal([
      day('2026-05-04', 200n),
      day('2026-05-06', 100n),
      day('2026-05-08', 200n, true),
    ])
    await posted(draftOf('f', { effectiveOn: '2026-05-08' }))
    expect(await bankDays()).to.deep.include(day('2026-05-08', 300n, true))
  })

  it('lets a backdated entry touch its own day only', async () => {
    await posted(draftOf('a', { effectiveOn: '2026-05-04' }))
    await posted(draftOf('b', { effectiveOn: '2026-05-06' }))
    const stored = 'select * from balance_days order by 2, 3'
    const before = await books.read(stored, [], org)
    await posted(draftOf('c', { effectiveOn: '2026-05-05' }))
    expect(before).to.have.length(2)
    expect((await books.read(stored, [], org)).length).to.equal(4)
    expect(await books.read(stored, [], org)).to.deep.include.members(before)
    expect(await bankDays()).to.deep.equal([
      day('2026-05-04', 100n),
      day('2026-05-05', 100n),
      day('2026-05-06', 100n, true),
    ])
  })

  it('counts the first day of all and the last', async () => {
    await posted(draftOf('a', { effectiveOn: '0001-01-01' }))
    expect(await bankDays()).to.deep.equal([day('0001-01-01', 100n, true)])
    await posted(
      draftOf('b', { effectiveOn: '9999-12-31' }),
      draftOf('c', { effectiveOn: '0001-01-01' }),
    )
    expect(await bankDays()).to.deep.equal([day('0001-01-01', 200n), day('9999-12-31', 100n, true)])
  })

  it('tells with each posting what its day came to', async () => {
    await posted(
      draftOf('a', { effectiveOn: '2026-05-05' }),
      draftOf('b', { lines: [debit(BANK, 5n), credit(BANK, 2n), credit(FUND, 3n)] }),
      draftOf('c', { effectiveOn: '2026-05-05' }),
    )
    await posted(draftOf('d'), draftOf('e', { effectiveOn: '2026-05-06' }))
    const rows = await books.read<{ balance_after: bigint; day_balance_after: bigint }>(
      `select p.entry_no, p.line_no, p.balance_after, p.day_balance_after
         from postings p join accounts a using (org_id, account_id)
        where a.code = $1 order by p.account_version`,
      [BANK],
      org,
    )
    expect(rows.map(Object.values)).to.deep.equal([
      [1n, 1, 100n, 100n],
      [2n, 1, 105n, 5n],
      [2n, 2, 103n, 3n],
      [3n, 1, 203n, 200n],
      [4n, 1, 303n, 103n],
      [5n, 1, 403n, 100n],
    ])
  })

  it('takes a thousand drafts at once, and not one more', async () => {
    const many = Array.from({ length: 1000 }, (_, index) => draftOf(`k${index}`))
    expect(await posted(...many)).to.deep.equal(many.map((_, index) => `posted ${index + 1}`))
    const problem = await rejectionOf(posted(...many, draftOf('more')))
    expect(problem.code).to.equal('invalid_entry')
    expect(await accounts()).to.deep.include({
      code: BANK,
      currency: 'INR',
      debits: 100_000n,
      credits: 0n,
      version: 1000n,
    })
  })

  it('leaves no trace where the caller’s transaction is rolled back', async () => {
    await posted(draftOf('a'))
    const before = await everything()
    const undone = new Error('undone')
    let seen: PostResult[] = []
    await books.db
      .transact(org, async (trx) => {
        seen = await post(trx, [draftOf('b', { lines: [debit(TRANSIT, 1n), credit(FUND, 1n)] })])
        throw undone
      })
      .catch((error: unknown) => expect(error).to.equal(undone))
    expect(outcomes(seen)).to.deep.equal(['posted 2'])
    expect(await everything()).to.deep.equal(before)
    expect(await posted(draftOf('c'))).to.deep.equal(['posted 2'])
  })

  it('does nothing for no draft, and posts to no organisation in particular', async () => {
    expect(await posted()).to.deep.equal([])
    const nobody = books.db.transact('all', async (trx) => await post(trx, [draftOf('a')]))
    expect(await nobody.catch(String)).to.include('needs the transaction of one organisation')
  })

  it('never goes back in time, whatever the clock says', async () => {
    await posted(draftOf('a'))
    await books.own(
      `update journal_heads set posted_at = now() + interval '1 minute' where org_id = ${org}`,
    )
    await posted(draftOf('b'))
    expect(
      await books.read(
        `select e.posted_at = h.posted_at as same
           from journal_entries e join journal_heads h using (org_id, entry_no)`,
        [],
        org,
      ),
    ).to.deep.equal([{ same: true }])
  })
})

function posting(
  entry_no: bigint,
  line_no: number,
  direction: string,
  amount: bigint,
  after: { balance: bigint; version: bigint },
): object {
  const { balance: balance_after, version: account_version } = after
  return { entry_no, line_no, direction, amount, balance_after, account_version }
}

describe('a repeated idempotency key', () => {
  const conflicting: Record<string, Partial<Draft>> = {
    amount: { lines: [debit(BANK, 101n), credit(FUND, 101n)] },
    day: { effectiveOn: '2026-05-05' },
    description: { description: 'other' },
    metadata: { metadata: { more: '' } },
    'order of lines': { lines: [credit(FUND, 100n), debit(BANK, 100n)] },
  }

  it('gives the entry of the first time in one batch', async () => {
    expect(await posted(draftOf('a'), draftOf('b'), draftOf('a'))).to.deep.equal([
      'posted 1',
      'posted 2',
      'existing 1',
    ])
  })

  it('gives the entry of the first time in a later batch', async () => {
    await posted(draftOf('x'), draftOf('a', { metadata: { one: '1', two: '2' } }))
    expect(await posted(draftOf('a', { metadata: { two: '2', one: '1' } }))).to.deep.equal([
      'existing 2',
    ])
    expect((await accounts()).map(({ version }) => version)).to.deep.equal([2n, 2n])
  })

  for (const [what, more] of Object.entries(conflicting)) {
    it(`is a conflict with another ${what}, in one batch and later`, async () => {
      expect(await posted(draftOf('a'), draftOf('a', more), draftOf('b'))).to.deep.equal([
        'posted 1',
        'idempotency_conflict',
        'posted 2',
      ])
      expect(await posted(draftOf('a', more))).to.deep.equal(['idempotency_conflict'])
    })
  }

  it('is free again where its first draft was refused', async () => {
    expect(await posted(draftOf('a', { lines: [] }), draftOf('a'))).to.deep.equal([
      'invalid_entry',
      'posted 1',
    ])
  })

  it('says that no money moved', async () => {
    await posted(draftOf('a'))
    const [result] = await books.post([draftOf('a', { description: 'other' })], org)
    expect(result?.status === 'refused' ? result.problem.extras.moved : '').to.equal('no')
  })
})

describe('a refused draft', () => {
  /** Between two sound drafts it is refused, and both of them go through. */
  async function refusedAlone(more: Partial<Draft>): Promise<string | undefined> {
    const [before, alone, behind] = await posted(
      draftOf('first'),
      draftOf('refused', more),
      draftOf('last'),
    )
    expect([before, behind]).to.deep.equal(['posted 1', 'posted 2'])
    const [bank] = await books.read<{ debits: bigint }>(
      'select debits from accounts where code = $1',
      [BANK],
      org,
    )
    expect(bank?.debits).to.equal(200n)
    return alone
  }

  const cases: [title: string, code: string, more: Partial<Draft>][] = [
    ['to no account', 'unknown_account', { lines: [debit('assets:gold', 1n), credit(FUND, 1n)] }],
    ['that is unbalanced', 'unbalanced_entry', { lines: [debit(BANK, 2n), credit(FUND, 1n)] }],
    ['with a day that is none', 'invalid_entry', { effectiveOn: '2026-02-30' }],
    ['with a day before the first', 'invalid_entry', { effectiveOn: '0000-01-01' }],
    ['with text that Postgres refuses', 'invalid_entry', { description: 'a\0b' }],
    ['with half a character', 'invalid_entry', { metadata: { name: '\ud800' } }],
    [
      'in no currency',
      'invalid_entry',
      { lines: [debit(BANK, 1n, 'rupees'), credit(FUND, 1n, 'rupees')] },
    ],
    [
      'that would take an account beyond what Postgres can count',
      'invalid_entry',
      { lines: [debit(BANK, MAX_MINOR), credit(FUND, MAX_MINOR)] },
    ],
  ]
  for (const [title, code, more] of cases) {
    it(`${title} harms no other`, async () => {
      expect(await refusedAlone(more)).to.equal(code)
    })
  }

  it('to a closed account harms no other', async () => {
    await posted(draftOf('opening', { lines: [debit(TRANSIT, 1n), credit(FUND, 1n)] }))
    await books.own(
      `update accounts set open = false where org_id = ${org} and code = '${TRANSIT}'`,
    )
    expect(
      await posted(
        draftOf('a'),
        draftOf('b', { lines: [debit(TRANSIT, 1n), credit(FUND, 1n)] }),
        draftOf('c'),
      ),
    ).to.deep.equal(['posted 2', 'account_closed', 'posted 3'])
  })
})

describe('a floor', () => {
  const give = (amount: bigint, key: string): Draft =>
    draftOf(key, { lines: [debit(FUND, amount), credit(BANK, amount)] })
  const floorAt = async (floor: bigint): Promise<void> =>
    await books.own(
      `update accounts set floor = ${floor} where org_id = ${org} and code = '${BANK}'`,
    )

  it('refuses what would go below it, after the drafts before it in the batch', async () => {
    await posted(draftOf('a'))
    await floorAt(0n)
    expect(
      await posted(give(60n, 'b'), give(60n, 'c'), give(40n, 'd'), give(1n, 'e'), draftOf('f')),
    ).to.deep.equal([
      'posted 2',
      'balance_below_floor',
      'posted 3',
      'balance_below_floor',
      'posted 4',
    ])
  })

  it('below zero is a credit line', async () => {
    await posted(draftOf('a'))
    await floorAt(-50n)
    expect(await posted(give(151n, 'b'), give(150n, 'c'), give(1n, 'd'))).to.deep.equal([
      'balance_below_floor',
      'posted 2',
      'balance_below_floor',
    ])
  })

  it('looks at an entry as a whole, not at the order of its lines', async () => {
    await posted(draftOf('a'))
    await floorAt(0n)
    const lines = [credit(BANK, 500n), debit(BANK, 450n), debit(FUND, 50n)]
    expect(await posted(draftOf('b', { lines }))).to.deep.equal(['posted 2'])
  })

  it('is not touched by another organisation’s account of the same code', async () => {
    await posted(draftOf('a'))
    await floorAt(0n)
    expect(outcomes(await books.post([give(1000n, 'floor')], ORG))).to.deep.equal(['posted 1'])
  })
})
