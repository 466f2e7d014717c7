/** Reversals and adjustments: exact opposites, once, linked both ways, and what is refused. */
import { expect } from 'chai'
import fc from 'fast-check'
import { Problem } from '../../src/base/problem.ts'
import {
  adjust,
  reverse,
  type AdjustmentAsked,
  type CorrectionAsked,
} from '../../src/ledger/posting/correct.ts'
import {
  adjustment,
  reversal,
  type Correction,
  type EntryToCorrect,
} from '../../src/ledger/core/corrections.ts'
import { assertPostable, type Draft } from '../../src/ledger/core/entry.ts'
import { findEntry, listEntries, type PostedEntry } from '../../src/ledger/reading/entries.ts'
import { inJournal } from '../../src/ledger/posting/in-journal.ts'
import type { PostResult } from '../../src/ledger/posting/post.ts'
import { verifyLedger } from '../../src/ledger/checks/verify.ts'
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

const HOW: Correction = {
  reason: 'entered twice',
  effectiveOn: '2026-05-06',
  actor: 'meera@example.org',
  lateReason: null,
}

const ENTRY: EntryToCorrect = {
  entryNo: 7n,
  kind: 'manual',
  effectiveOn: '2026-05-04',
  lines: [debit(BANK, 100n), debit(TRANSIT, 50n), credit(FUND, 150n)],
}

/** The problem that a function throws. */
function thrownBy(work: () => unknown): Problem {
  try {
    work()
  } catch (error) {
    if (error instanceof Problem) {
      return error
    }
    throw error
  }
  throw new Error('nothing was thrown')
}

describe('the reversal of an entry', () => {
  it('is its lines in their order, each on the other side', () => {
    const draft = reversal(ENTRY, HOW)
    expect(draft.lines).to.deep.equal([credit(BANK, 100n), credit(TRANSIT, 50n), debit(FUND, 150n)])
    expect(draft).to.include({ kind: 'reversal', reverses: 7n, adjusts: null })
    assertPostable(draft)
  })

  it('leaves nothing of any entry, in any currency', () => {
    const line = fc.record({
      account: fc.constantFrom(BANK, TRANSIT, FUND),
      direction: fc.constantFrom('debit', 'credit'),
      amount: fc.bigInt({ min: 1n, max: 10n ** 15n }),
      currency: fc.constantFrom('INR', 'USD'),
    })
    fc.assert(
      fc.property(fc.array(line, { minLength: 2, maxLength: 20 }), (lines) => {
        const entry = { ...ENTRY, lines: lines as EntryToCorrect['lines'] }
        const left = new Map<string, bigint>()
        for (const one of [...entry.lines, ...reversal(entry, HOW).lines]) {
          const key = `${one.account} ${one.currency}`
          const change = one.direction === 'debit' ? one.amount : -one.amount
          left.set(key, (left.get(key) ?? 0n) + change)
        }
        return [...left.values()].every((rest) => rest === 0n)
      }),
    )
  })

  it('is refused for a reversal and for a day before the entry, and nothing moved', () => {
    const twice = thrownBy(() => reversal({ ...ENTRY, kind: 'reversal' }, HOW))
    expect([twice.code, twice.extras.moved]).to.deep.equal(['not_reversible', 'no'])
    const early = thrownBy(() => reversal(ENTRY, { ...HOW, effectiveOn: '2026-05-03' }))
    expect([early.code, early.extras.moved]).to.deep.equal(['invalid_entry', 'no'])
    expect(reversal(ENTRY, { ...HOW, effectiveOn: '2026-05-04' }).effectiveOn).to.equal(
      '2026-05-04',
    )
  })

  it('says why it is late only where it is', () => {
    expect(reversal(ENTRY, HOW).metadata).to.deep.equal({ reason: 'entered twice' })
    const late = reversal(ENTRY, { ...HOW, lateReason: 'audit' })
    expect(late.metadata).to.deep.equal({ reason: 'entered twice', late_reason: 'audit' })
  })
})

describe('the adjustment of an entry', () => {
  const asked = { ...HOW, idempotencyKey: 'k', description: null, lines: ENTRY.lines }

  it('has the lines that were asked for and names the entry', () => {
    const draft = adjustment(ENTRY, asked)
    expect(draft).to.include({ kind: 'adjustment', reverses: null, adjusts: 7n })
    expect(draft.lines).to.equal(ENTRY.lines)
    expect(draft.description).to.equal('Adjustment of je_7: entered twice')
    expect(adjustment(ENTRY, { ...asked, description: 'Mine' }).description).to.equal('Mine')
  })

  it('is refused for a reversal and for a year’s closing', () => {
    for (const kind of ['reversal', 'year_closed'] as const) {
      const problem = thrownBy(() => adjustment({ ...ENTRY, kind }, asked))
      expect([problem.code, problem.extras.moved], kind).to.deep.equal(['not_reversible', 'no'])
    }
  })
})

describe('corrections in the books', () => {
  let books: Books
  let posted = 0

  before(async () => {
    books = await openBooks()
  })

  after(async () => {
    const { findings } = await verifyLedger(books.db, ORG, () => undefined)
    expect(findings).to.deep.equal([])
    await books.close()
  })

  const asked: CorrectionAsked = {
    reason: 'entered twice',
    effectiveOn: null,
    today: '2026-05-06',
    actor: 'meera@example.org',
    lateReason: null,
  }

  /** Posts one entry and gives its number. */
  async function entryOf(more: Partial<Draft> = {}): Promise<bigint> {
    posted += 1
    const [result] = await books.post([draftOf(`corrected-${posted}`, more)])
    if (result === undefined || result.status === 'refused') {
      throw new Error(`not posted: ${result?.problem.message}`)
    }
    return result.entryNo
  }

  async function reversed(
    entryNo: bigint,
    more: Partial<CorrectionAsked> = {},
    orgId = ORG,
  ): Promise<PostResult> {
    return await inJournal(
      books.db,
      orgId,
      async (trx) => await reverse(trx, entryNo, { ...asked, ...more }),
    )
  }

  async function adjusted(
    entryNo: bigint,
    more: Partial<AdjustmentAsked> = {},
  ): Promise<PostResult> {
    const whole: AdjustmentAsked = {
      ...asked,
      idempotencyKey: 'api:adjust-1',
      description: null,
      lines: [debit(BANK, 5n), credit(FUND, 5n)],
      ...more,
    }
    return await inJournal(books.db, ORG, async (trx) => await adjust(trx, entryNo, whole))
  }

  async function read(entryNo: bigint): Promise<PostedEntry> {
    const entry = await books.db.read(ORG, async (trx) => await findEntry(trx, entryNo))
    if (entry === undefined) {
      throw new Error(`no entry ${entryNo}`)
    }
    return entry
  }

  /** The problem that ends a correction, thrown or as its result. */
  async function refusalOf(correction: Promise<PostResult>): Promise<Problem> {
    try {
      const result = await correction
      if (result.status === 'refused') {
        return result.problem
      }
      throw new Error(`was not refused, but ${result.status}`)
    } catch (error) {
      if (error instanceof Problem) {
        return error
      }
      throw error
    }
  }

  function numberOf(result: PostResult): bigint {
    if (result.status === 'refused') {
      throw result.problem
    }
    return result.entryNo
  }

  it('link a reversal both ways and bring each balance back', async () => {
    const lines = [debit(BANK, 70n), debit(TRANSIT, 30n), credit(FUND, 100n)]
    const entryNo = await entryOf({ lines })
    const reversalNo = numberOf(await reversed(entryNo))
    expect((await read(entryNo)).reversed_by).to.equal(reversalNo)
    const taken = await read(reversalNo)
    expect([taken.reverses, taken.kind, taken.effective_on]).to.deep.equal([
      entryNo,
      'reversal',
      '2026-05-06',
    ])
    expect(taken.postings.at(-1)?.balance_after).to.equal(
      ((await read(entryNo)).postings.at(-1)?.balance_after ?? 0n) - 100n,
    )
  })

  it('give the same reversal twice, the next day too', async () => {
    const entryNo = await entryOf()
    const first = await reversed(entryNo)
    const second = await reversed(entryNo, { today: '2026-05-07' })
    expect([first.status, second.status]).to.deep.equal(['posted', 'existing'])
    expect(numberOf(second)).to.equal(numberOf(first))
  })

  it('refuse a second reversal for another reason, day or person', async () => {
    const entryNo = await entryOf()
    const first = numberOf(await reversed(entryNo))
    for (const more of [
      { reason: 'other' },
      { actor: 'ravi@example.org' },
      { effectiveOn: '2026-05-09' },
    ]) {
      const problem = await refusalOf(reversed(entryNo, more))
      expect([problem.code, problem.extras.moved]).to.deep.equal(['not_reversible', 'no'])
      expect(problem.message).to.contain(`je_${first}`)
    }
  })

  it('reverse once, however many ask at the same time', async () => {
    const entryNo = await entryOf()
    const results = await Promise.all(Array.from({ length: 12 }, () => reversed(entryNo)))
    expect(results.filter(({ status }) => status === 'posted')).to.have.length(1)
    expect(new Set(results.map(numberOf)).size).to.equal(1)
    const others = await Promise.all(
      ['a', 'b', 'c'].map(async (reason) => await refusalOf(reversed(entryNo, { reason }))),
    )
    expect(others.map(({ code }) => code)).to.deep.equal(Array(3).fill('not_reversible'))
  })

  it('find no entry of nobody’s or of another organisation', async () => {
    const entryNo = await entryOf()
    for (const problem of [
      await refusalOf(reversed(10n ** 15n)),
      await refusalOf(reversed(entryNo, {}, OTHER_ORG)),
      await refusalOf(adjusted(10n ** 15n)),
    ]) {
      expect([problem.code, problem.extras.moved]).to.deep.equal(['not_found', 'no'])
    }
  })

  it('do not reverse or adjust a reversal', async () => {
    const reversalNo = numberOf(await reversed(await entryOf()))
    expect((await refusalOf(reversed(reversalNo))).code).to.equal('not_reversible')
    expect((await refusalOf(adjusted(reversalNo))).code).to.equal('not_reversible')
  })

  it('date a reversal on the entry’s own day where that is still to come', async () => {
    const entryNo = await entryOf({ effectiveOn: '2027-01-31' })
    const reversal = await read(numberOf(await reversed(entryNo)))
    expect(reversal.effective_on).to.equal('2027-01-31')
  })

  it('list every adjustment of an entry in order, and post each key once', async () => {
    const entryNo = await entryOf()
    const keys = ['api:a1', 'api:a2', 'api:a3']
    const numbers: bigint[] = []
    for (const idempotencyKey of keys) {
      numbers.push(numberOf(await adjusted(entryNo, { idempotencyKey })))
    }
    const again = await adjusted(entryNo, { idempotencyKey: 'api:a1', today: '2026-05-08' })
    expect(outcomes([again])).to.deep.equal([`existing ${numbers[0]}`])
    expect((await read(entryNo)).adjusted_by).to.deep.equal(numbers)
    const other = await adjusted(entryNo, { idempotencyKey: 'api:a1', reason: 'other' })
    expect(outcomes([other])).to.deep.equal(['idempotency_conflict'])
  })

  it('reverse an adjusted entry only after what adjusts it', async () => {
    const entryNo = await entryOf()
    const numbers: bigint[] = []
    for (const idempotencyKey of ['api:first', 'api:second']) {
      numbers.push(numberOf(await adjusted(entryNo, { idempotencyKey })))
    }
    for (const standing of [numbers, numbers.slice(1)]) {
      const problem = await refusalOf(reversed(entryNo))
      expect([problem.code, problem.extras.moved]).to.deep.equal(['not_reversible', 'no'])
      for (const adjustmentNo of numbers) {
        const isNamed = new RegExp(`je_${adjustmentNo}\\b`).test(problem.message)
        expect(isNamed).to.equal(standing.includes(adjustmentNo))
      }
      await reversed(standing[0] ?? 0n)
    }
    const done = await reversed(entryNo)
    expect([done.status, (await reversed(entryNo)).status]).to.deep.equal(['posted', 'existing'])
  })

  it('adjust nothing that was reversed, except for saying what was adjusted before', async () => {
    const entryNo = await entryOf()
    const before = await adjusted(entryNo, { idempotencyKey: 'api:before' })
    await reversed(numberOf(before))
    expect((await reversed(entryNo)).status).to.equal('posted')
    const late = await refusalOf(adjusted(entryNo, { idempotencyKey: 'api:after' }))
    expect([late.code, late.extras.moved]).to.deep.equal(['not_reversible', 'no'])
    const again = await adjusted(entryNo, { idempotencyKey: 'api:before' })
    expect(outcomes([again])).to.deep.equal([`existing ${numberOf(before)}`])
  })

  it('never adjust and reverse an entry as if the other had not been', async () => {
    const entryNo = await entryOf()
    await Promise.allSettled([
      reversed(entryNo),
      ...Array.from({ length: 6 }, (_none, n) =>
        adjusted(entryNo, { idempotencyKey: `api:race-${n}` }),
      ),
    ])
    const entry = await read(entryNo)
    expect(entry.adjusted_by.length).to.equal(entry.reversed_by === null ? 6 : 0)
  })

  it('take accounts by id, in their own currency only', async () => {
    const entryNo = await entryOf()
    const { postings } = await read(entryNo)
    const [bank, fund] = postings.map((one) => `acc_${one.account_id}`)
    const lines = (currency: string, debited = bank) => [
      debit(debited ?? '', 5n, currency),
      credit(fund ?? '', 5n, currency),
    ]
    const byId = await adjusted(entryNo, { idempotencyKey: 'api:by-id', lines: lines('INR') })
    expect((await read(numberOf(byId))).postings.map(({ account }) => account)).to.deep.equal([
      BANK,
      FUND,
    ])
    const byCode = await adjusted(entryNo, { idempotencyKey: 'api:by-id' })
    expect(byCode.status).to.equal('existing')
    for (const wrong of [lines('USD'), lines('INR', 'acc_999999999'), lines('INR', 'acc_0')]) {
      const result = await adjusted(entryNo, { idempotencyKey: 'api:wrong', lines: wrong })
      expect(outcomes([result])).to.deep.equal(['unknown_account'])
    }
  })

  it('are shown in lists beside entries without any', async () => {
    const plain = await entryOf()
    const entryNo = await entryOf()
    const reversalNo = numberOf(await reversed(entryNo))
    const entries = await books.db.read(
      ORG,
      async (trx) => await listEntries(trx, { after: plain - 1n, limit: 10 }),
    )
    expect(
      entries.map((one) => [one.entry_no, one.reverses, one.reversed_by, one.adjusted_by]),
    ).to.deep.equal([
      [plain, null, null, []],
      [entryNo, null, reversalNo, []],
      [reversalNo, entryNo, null, []],
    ])
  })
})
