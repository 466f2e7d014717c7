/** Damaged calls of post_entries(): whatever is typed, it is refused or the books still agree. */
import { expect } from 'chai'
import fc from 'fast-check'
import type { Trx } from '../../src/base/db.ts'
import type { Finding } from '../../src/ledger/checks/finding.ts'
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
  type Books,
} from './books.ts'
import { CORRECTABLE, ENTRIES, fillBooks, FLOORED } from './typed-entries.ts'
import {
  callWith,
  COLUMNS,
  columnsFor,
  listOf,
  TYPES,
  type AccountIds,
  type Column,
  type Columns,
} from './typed-post.ts'

/** Several currencies, days and drafts, a floor, a reversal and an adjustment. */
const MIXED = [
  draftOf('m1', { lines: [debit(FUND, 20n), credit(FLOORED, 20n)] }),
  draftOf('m2', {
    effectiveOn: '2026-04-03',
    adjusts: 1n,
    lines: [
      debit(BANK, 7n),
      credit(FUND, 7n),
      credit(FUND, 9n, 'USD'),
      debit(BANK, 9n, 'USD'),
      debit(FLOORED, 7n),
      credit(BANK, 7n),
    ],
  }),
  draftOf('m3', {
    effectiveOn: '2026-06-03',
    reverses: CORRECTABLE,
    lines: [credit(BANK, 100n), debit(FUND, 100n)],
  }),
]
/** One currency, all of the newest day: what the database has a shorter way for. */
const PLAIN = [
  draftOf('p1', { lines: [debit(BANK, 10n), debit(BANK, 10n), credit(FUND, 20n)] }),
  draftOf('p2', { lines: [debit(FUND, 10n), credit(BANK, 10n)] }),
]

/** Elements that may stand in a column: right ones for another place, and wrong ones. */
const POOL: Partial<Record<Column, readonly string[]>> = {
  d_days: ["'2026-05-04'", "'2026-04-03'", "'2026-06-03'", "'2026-05-31'", "'infinity'"],
  d_reverses: ['1', '5', '7', '8', '9'],
  d_adjusts: ['1', '8', '9'],
  a_ids: ['1', '2', '3', '4', '5', '6', '7', '77'],
  l_drafts: ['0', '1', '2', '3', '4', '-1'],
  l_accounts: ['0', '1', '2', '3', '4', '5', '6'],
  l_debits: ['true', 'false'],
  l_amounts: ['0', '7', '9', '10', '20', '-10', '9223372036854775807'],
}

type Damage = (columns: Columns, whole: Partial<Record<Column, string>>) => Columns

const anyColumn = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom<Column>(...(Object.keys(POOL) as Column[])) },
  { weight: 1, arbitrary: fc.constantFrom<Column>(...COLUMNS) },
)

/** Elements set, dropped, put in, swapped; and arrays of a shape that nobody expects. */
const anyDamage: fc.Arbitrary<Damage> = fc
  .record({
    column: anyColumn,
    what: fc.constantFrom('set', 'set', 'set', 'drop', 'put in', 'swap', 'cut', 'shift', 'nest'),
    place: fc.nat({ max: 9 }),
    other: fc.nat({ max: 9 }),
    value: fc.nat({ max: 20 }),
  })
  .map(({ column, what, place, other, value }) => (columns, whole) => {
    const list = [...columns[column]]
    const pool = [...(POOL[column] ?? columns[column]), 'null']
    const element = pool[value % pool.length] ?? 'null'
    const at = place % Math.max(1, list.length)
    switch (what) {
      case 'set':
        list[at] = element
        break
      case 'drop':
        list.splice(at, 1)
        break
      case 'put in':
        list.splice(at, 0, element)
        break
      case 'swap': {
        const to = other % Math.max(1, list.length)
        ;[list[at], list[to]] = [list[to] ?? 'null', list[at] ?? 'null']
        break
      }
      case 'cut':
        list.length = at
        break
      default:
        whole[column] = what === 'shift' ? shifted(column, list, place - 4) : nested(column, list)
    }
    return { ...columns, [column]: list }
  })

/** The array with another first subscript than 1. */
function shifted(column: Column, list: readonly string[], by: number): string {
  const bounds = `[${1 + by}:${list.length + by}]`
  return `('${bounds}=' || ${listOf(column, list)}::text)::${TYPES[column]}[]`
}

/** The same elements as an array of arrays. */
function nested(column: Column, list: readonly string[]): string {
  return `array[${listOf(column, list)}]`
}

describe('a damaged call of post_entries()', () => {
  let books: Books
  let ids: AccountIds

  before(async () => {
    books = await openBooks()
    ids = await fillBooks(books)
  })

  after(async () => {
    await books.close()
  })

  afterEach(async () => {
    for (const [orgId, count] of [
      [ORG, ENTRIES],
      [OTHER_ORG, 2n],
    ] as const) {
      const { findings, entries } = await verifyLedger(books.db, orgId, () => undefined)
      expect({ findings, entries }).to.deep.equal({ findings: [], entries: count })
    }
  })

  /** What a call does to the books, which are left as they were: null where it was refused. */
  async function effectOf(call: string): Promise<Finding[] | null> {
    const undone = new Error('undone')
    let found: Finding[] | null = null
    const attempt = books.db.transact(ORG, async (trx) => {
      await trx.query(call)
      found = (await verifyLedger(seenBy(trx), ORG, () => undefined)).findings
      throw undone
    })
    await attempt.catch((error: unknown) => {
      const code = error instanceof Error && 'code' in error ? String(error.code) : ''
      if (error !== undone && !/^(2[23]|54|42501|2202E|0A000)/.test(code)) {
        throw error
      }
    })
    return found
  }

  /** The database as the transaction sees it. */
  function seenBy(trx: Trx): Books['db'] {
    return { ...books.db, read: async (_scope, work) => await work(trx) }
  }

  /** A fingerprint is the caller's word for the content; all else the database must get right. */
  function expectRight(found: Finding[] | null, call: string): void {
    const wrong = (found ?? []).filter(({ check }) => check !== 'fingerprint')
    expect(wrong, call).to.deep.equal([])
  }

  it('is right before it is damaged', async () => {
    for (const drafts of [PLAIN, MIXED]) {
      expect(await effectOf(callWith(columnsFor(drafts, ids)))).to.deep.equal([])
    }
  })

  for (const column of COLUMNS) {
    it(`with ${column} of another shape or length is refused or right`, async () => {
      for (const drafts of [PLAIN, MIXED]) {
        const columns = columnsFor(drafts, ids)
        const list = columns[column]
        const shapes = [
          shifted(column, list, -1),
          shifted(column, list, 1),
          nested(column, list),
          `null`,
          listOf(column, []),
          listOf(column, list.slice(1)),
          listOf(column, list.slice(0, -1)),
          listOf(column, [...list, 'null']),
          listOf(column, [...list, list[0] ?? '']),
          listOf(column, ['null', ...list.slice(1)]),
          listOf(column, list.toReversed()),
        ]
        for (const shape of shapes) {
          const call = callWith(columns, { [column]: shape })
          expectRight(await effectOf(call), call)
        }
      }
    })
  }

  it('with all arrays of lines shifted alike is refused or right', async () => {
    for (const drafts of [PLAIN, MIXED]) {
      const columns = columnsFor(drafts, ids)
      for (const by of [-1, 1]) {
        const whole: Partial<Record<Column, string>> = {}
        for (const column of COLUMNS) {
          whole[column] = shifted(column, columns[column], by)
        }
        const { l_drafts, l_accounts, l_debits, l_amounts } = whole
        for (const some of [whole, { l_drafts, l_accounts, l_debits, l_amounts } as typeof whole]) {
          const call = callWith(columns, some)
          expectRight(await effectOf(call), call)
        }
      }
    }
  })

  it('at random is refused or right', async () => {
    let accepted = 0
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(PLAIN, MIXED),
        fc.array(anyDamage, { minLength: 1, maxLength: 3 }),
        async (drafts, damages) => {
          const whole: Partial<Record<Column, string>> = {}
          let columns = columnsFor(drafts, ids)
          for (const damage of damages) {
            columns = damage(columns, whole)
          }
          const call = callWith(columns, whole)
          const found = await effectOf(call)
          accepted += found === null ? 0 : 1
          expectRight(found, call)
        },
      ),
      { numRuns: 600 },
    )
    // Damage that is never accepted, or always, tests nothing.
    expect(accepted).to.be.within(10, 500)
  })
})
