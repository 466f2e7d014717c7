/** Posting where reversals, adjustments, months, frozen accounts and whole batches are refused. */
import { expect } from 'chai'
import type { Draft } from '../../src/ledger/core/entry.ts'
import { post, type PostResult } from '../../src/ledger/posting/post.ts'
import { verifyLedger } from '../../src/ledger/checks/verify.ts'
import {
  BANK,
  credit,
  debit,
  draftOf,
  FUND,
  openBooks,
  ORG,
  outcomes,
  TRANSIT,
  type Books,
} from './books.ts'

let books: Books

/** Each test keeps the books of an organisation of its own. */
let org = 500

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

async function atomically(...drafts: Draft[]): Promise<PostResult[]> {
  return await books.db.transact(org, async (trx) => await post(trx, drafts, { atomic: true }), {
    queue: 'journal',
  })
}

async function count(): Promise<bigint> {
  const [row] = await books.read<{ n: bigint }>(
    'select count(*) as n from journal_entries',
    [],
    org,
  )
  return row?.n ?? 0n
}

/** The opposite of what `draftOf` makes. */
const OPPOSITE = [credit(BANK, 100n), debit(FUND, 100n)]
const reversalOf = (reverses: bigint, key: string, more: Partial<Draft> = {}): Draft =>
  draftOf(key, { reverses, lines: OPPOSITE, ...more })

describe('a reversal', () => {
  it('takes an entry back once, linked to it, on its own day or later', async () => {
    await posted(draftOf('a'), draftOf('b'))
    expect(
      await posted(
        reversalOf(1n, 'c'),
        reversalOf(1n, 'd'),
        reversalOf(2n, 'e', { effectiveOn: '2026-06-01' }),
      ),
    ).to.deep.equal(['posted 3', 'not_reversible', 'posted 4'])
    expect(await posted(reversalOf(1n, 'f'))).to.deep.equal(['not_reversible'])
    expect(
      await books.read('select entry_no, reverses from journal_entries order by 1', [], org),
    ).to.deep.equal([
      { entry_no: 1n, reverses: null },
      { entry_no: 2n, reverses: null },
      { entry_no: 3n, reverses: 1n },
      { entry_no: 4n, reverses: 2n },
    ])
  })

  it('may be asked for again, and is there once', async () => {
    await posted(draftOf('a'))
    expect(await posted(reversalOf(1n, 'b'), reversalOf(1n, 'b'))).to.deep.equal([
      'posted 2',
      'existing 2',
    ])
    expect(await posted(reversalOf(1n, 'b'))).to.deep.equal(['existing 2'])
  })

  const wrong: Readonly<Record<string, Partial<Draft>>> = {
    'that is not the opposite': { lines: [debit(BANK, 100n), credit(FUND, 100n)] },
    'of a part of the amount': { lines: [credit(BANK, 99n), debit(FUND, 99n)] },
    'in another order': { lines: [debit(FUND, 100n), credit(BANK, 100n)] },
    'in more lines': { lines: [credit(BANK, 60n), credit(BANK, 40n), debit(FUND, 100n)] },
    'with lines of its own': { lines: [...OPPOSITE, debit(TRANSIT, 1n), credit(FUND, 1n)] },
    'in another currency': { lines: [credit(BANK, 100n, 'USD'), debit(FUND, 100n, 'USD')] },
    'of another account': { lines: [credit(TRANSIT, 100n), debit(FUND, 100n)] },
    'of an entry that is not there': { reverses: 77n },
    'of an entry of the same batch': { reverses: 2n },
    'of itself': { reverses: 3n },
    'of a number below one': { reverses: 0n },
  }
  for (const [title, more] of Object.entries(wrong)) {
    it(`${title} is refused and harms no other`, async () => {
      await posted(draftOf('a'))
      const results = await books.post([draftOf('b'), reversalOf(1n, 'c', more), draftOf('d')], org)
      expect(outcomes(results)).to.deep.equal(['posted 2', 'not_reversible', 'posted 3'])
      const [, refused] = results
      expect(refused?.status === 'refused' ? refused.problem.extras.moved : '').to.equal('no')
      expect(await posted(reversalOf(1n, 'e'))).to.deep.equal(['posted 4'])
    })
  }

  it('is not refused for one that was refused before it in the batch', async () => {
    await posted(draftOf('a'))
    expect(await posted(reversalOf(1n, 'b', { lines: [] }), reversalOf(1n, 'c'))).to.deep.equal([
      'invalid_entry',
      'posted 2',
    ])
  })

  it('of another organisation’s entry is refused', async () => {
    await books.post([draftOf(`theirs-${org}`)], ORG)
    expect(await posted(reversalOf(1n, 'a'))).to.deep.equal(['not_reversible'])
  })

  it('of many lines in two currencies, one account several times, goes through', async () => {
    const lines = [
      debit(BANK, 1n),
      credit(FUND, 3n),
      debit(BANK, 2n),
      debit(BANK, 5n, 'USD'),
      credit(FUND, 5n, 'USD'),
    ]
    const opposite = lines.map((line) =>
      line.direction === 'debit'
        ? credit(line.account, line.amount, line.currency)
        : debit(line.account, line.amount, line.currency),
    )
    await posted(draftOf('a', { lines }))
    expect(
      await posted(
        draftOf('b', { reverses: 1n, lines: opposite.toReversed() }),
        draftOf('c', { reverses: 1n, lines: opposite }),
      ),
    ).to.deep.equal(['not_reversible', 'posted 2'])
    expect(
      await books.read('select distinct debits - credits as net from accounts', [], org),
    ).to.deep.equal([{ net: 0n }])
  })
})

describe('an adjustment', () => {
  it('names the entry that it corrects, as often as there is something to correct', async () => {
    await posted(draftOf('a'))
    expect(
      await posted(draftOf('b', { adjusts: 1n }), draftOf('c', { adjusts: 1n })),
    ).to.deep.equal(['posted 2', 'posted 3'])
    expect(await posted(reversalOf(1n, 'd'))).to.deep.equal(['posted 4'])
  })

  for (const adjusts of [77n, 0n, 2n, 3n]) {
    it(`of entry ${adjusts}, which is not there, is refused and harms no other`, async () => {
      await posted(draftOf('a'))
      expect(await posted(draftOf('b'), draftOf('c', { adjusts }), draftOf('d'))).to.deep.equal([
        'posted 2',
        'not_reversible',
        'posted 3',
      ])
    })
  }
})

describe('a month that is not open', () => {
  const late = { late_reason: 'the bank was late' }

  it('takes nothing when it is closed, nor do those before it', async () => {
    await books.closeMonth('2026-02', 'closed', org)
    expect(
      await posted(
        draftOf('a', { effectiveOn: '2026-02-28' }),
        draftOf('b', { effectiveOn: '2026-02-01', metadata: late }),
        draftOf('c', { effectiveOn: '2026-01-31', metadata: late }),
        draftOf('d', { effectiveOn: '2026-03-01' }),
      ),
    ).to.deep.equal(['period_closed', 'period_closed', 'period_closed', 'posted 1'])
  })

  it('takes what says why it is late when it is soft-closed', async () => {
    await books.closeMonth('2026-02', 'soft_closed', org)
    expect(
      await posted(
        draftOf('a', { effectiveOn: '2026-02-28' }),
        draftOf('b', { effectiveOn: '2026-02-28', metadata: late }),
        draftOf('c', { effectiveOn: '2026-01-15' }),
        draftOf('d', { effectiveOn: '2026-01-15', metadata: late }),
        draftOf('e', { effectiveOn: '2026-03-01' }),
      ),
    ).to.deep.equal(['period_closed', 'posted 1', 'period_closed', 'posted 2', 'posted 3'])
  })

  it('takes entries again once it is open', async () => {
    await books.closeMonth('2026-02', 'closed', org)
    const draft = draftOf('a', { effectiveOn: '2026-02-28' })
    expect(await posted(draft)).to.deep.equal(['period_closed'])
    await books.closeMonth('2026-02', 'open', org)
    expect(await posted(draft)).to.deep.equal(['posted 1'])
  })

  it('gives what was posted before it was closed', async () => {
    const draft = draftOf('a', { effectiveOn: '2026-02-28' })
    await posted(draft)
    await books.closeMonth('2026-02', 'closed', org)
    expect(await posted(draft)).to.deep.equal(['existing 1'])
  })

  it('is another organisation’s own affair', async () => {
    await books.closeMonth('2026-02', 'closed', org)
    const draft = draftOf(`feb-${org}`, { effectiveOn: '2026-02-28' })
    const [result] = await books.post([draft], ORG)
    expect(result?.status).to.equal('posted')
  })
})

describe('a frozen account', () => {
  it('takes nothing until it is thawed, and harms no other', async () => {
    await posted(draftOf('a', { lines: [debit(TRANSIT, 1n), credit(FUND, 1n)] }))
    const frozen = (value: boolean) =>
      `update accounts set frozen = ${value} where org_id = ${org} and code = '${TRANSIT}'`
    await books.own(frozen(true))
    const draft = draftOf('b', { lines: [debit(TRANSIT, 1n), credit(FUND, 1n)] })
    expect(await posted(draftOf('c'), draft, draftOf('d'))).to.deep.equal([
      'posted 2',
      'account_frozen',
      'posted 3',
    ])
    await books.own(frozen(false))
    expect(await posted(draft)).to.deep.equal(['posted 4'])
  })
})

describe('an atomic batch', () => {
  it('posts all of it where nothing is refused', async () => {
    await posted(draftOf('a'))
    const results = await atomically(draftOf('b'), draftOf('a'), draftOf('c'), draftOf('b'))
    expect(outcomes(results)).to.deep.equal(['posted 2', 'existing 1', 'posted 3', 'existing 2'])
  })

  const wrong: Readonly<Record<string, Partial<Draft>>> = {
    unbalanced_entry: { lines: [debit(BANK, 2n), credit(FUND, 1n)] },
    unknown_account: { lines: [debit('assets:gold', 1n), credit(FUND, 1n)] },
    invalid_entry: { lines: [] },
    not_reversible: { reverses: 99n },
    idempotency_conflict: { idempotencyKey: 'a' },
    period_closed: { effectiveOn: '2026-02-02' },
  }
  for (const [code, more] of Object.entries(wrong)) {
    it(`posts nothing where one is refused as ${code}`, async () => {
      await posted(draftOf('a'))
      await books.closeMonth('2026-02', 'closed', org)
      const results = await atomically(
        draftOf('b', { lines: [debit(TRANSIT, 1n), credit(FUND, 1n)] }),
        draftOf('a'),
        draftOf('c', more),
        draftOf('d'),
        draftOf('d'),
      )
      expect(outcomes(results)).to.deep.equal([
        'batch_refused',
        'existing 1',
        code,
        'batch_refused',
        'batch_refused',
      ])
      for (const result of results) {
        expect(result.status === 'refused' ? result.problem.extras.moved : 'no').to.equal('no')
      }
      expect(await count()).to.equal(1n)
      expect(outcomes(await atomically(draftOf('b'), draftOf('d')))).to.deep.equal([
        'posted 2',
        'posted 3',
      ])
    })
  }

  it('of nothing, or of what is there already, posts nothing', async () => {
    await posted(draftOf('a'))
    expect(await atomically()).to.deep.equal([])
    expect(outcomes(await atomically(draftOf('a'), draftOf('a')))).to.deep.equal([
      'existing 1',
      'existing 1',
    ])
    expect(await count()).to.equal(1n)
  })
})
