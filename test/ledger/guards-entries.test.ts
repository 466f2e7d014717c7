/** Entries typed as raw SQL in the application's role: a right one goes in, no wrong one does. */
import { expect } from 'chai'
import type pg from 'pg'
import { verifyLedger } from '../../src/ledger/verify.ts'
import {
  BANK,
  credit,
  debit,
  draftOf,
  FUND,
  openBooks,
  ORG,
  OTHER_ORG,
  TRANSIT,
  typingClient,
  type Books,
} from './books.ts'
import {
  entryRow,
  insertBoth,
  insertInto,
  postingRow,
  refusalOf,
  type Row,
  type TypedLine,
} from './typed.ts'
import {
  BANK_INR,
  BANK_USD,
  CLOSED,
  FLOORED,
  FUND_INR,
  FUND_USD,
  linesFor,
  SOUND,
  soundPostings,
  type Move,
} from './typed-entries.ts'

const FOLLOW = /^23000 bahi: entries .* do not follow/
const INCOMPLETE = /^23000 bahi: entry \d+ is not balanced or not complete/
const NO_POSTINGS = /^23000 bahi: entry \d+ has no postings/
const BROKEN_ACCOUNT = /^23000 bahi: a posting does not continue its account/
const ANY = /^(22|23)\w{3} /
const RLS = /^42501 new row violates row-level security policy/

describe('an entry typed as raw SQL', () => {
  let books: Books
  let role: pg.Client

  before(async () => {
    books = await openBooks()
    role = await typingClient(books, ORG)
    await books.post([
      draftOf('a', { lines: [debit(BANK, 1000n), credit(FUND, 1000n)] }),
      draftOf('b', { lines: [debit(BANK, 500n, 'USD'), credit(FUND, 500n, 'USD')] }),
      draftOf('c', { lines: [debit('expenses:gateway-fees', 40n), credit(FUND, 40n)] }),
      draftOf('d', { lines: [debit(TRANSIT, 300n), credit(FUND, 300n)] }),
      draftOf('e', { reverses: 4n }),
    ])
    await books.own(`update accounts set open = false where org_id = 1 and account_id = ${CLOSED}`)
    await books.own(`update accounts set floor = 0 where org_id = 1 and account_id = ${FLOORED}`)
    await books.post([draftOf('a'), draftOf('b')], OTHER_ORG)
  })

  after(async () => {
    await role.end()
    await books.close()
  })

  afterEach(async () => {
    const { findings, entries } = await verifyLedger(books.db, ORG, () => undefined)
    expect({ findings, entries }).to.deep.equal({ findings: [], entries: 5n })
  })

  async function expectRefused(why: RegExp, ...statements: string[]): Promise<void> {
    expect(await refusalOf(role, statements), statements.join('; ')).to.match(why)
  }

  it('goes in where it is right, alone, several at once, and by MERGE', async () => {
    expect(await refusalOf(role, [insertBoth([entryRow(6)], soundPostings())])).to.equal(null)
    const both = linesFor(SOUND, [
      [FUND_INR, 'debit', 3],
      [BANK_INR, 'credit', 1],
      [BANK_INR, 'credit', 2],
    ]).map((line) => postingRow(line))
    const entries = [entryRow(6), entryRow(7, { lines: '3' })]
    expect(await refusalOf(role, [insertBoth(entries, both)])).to.equal(null)
    const values = soundPostings().map((row) => `(${Object.values(row).join(', ')})`)
    const columns = Object.keys(soundPostings()[0] ?? {}).join(', ')
    expect(
      await refusalOf(role, [
        `with header as (${insertInto('journal_entries', [entryRow(6)])})
         merge into postings p using (values ${values.join(', ')}) as n (${columns})
            on false when not matched then insert (${columns})
            values (n.org_id, n.entry_no, n.line_no, n.account_id, n.direction::direction,
                    n.amount, n.effective_on::date, n.balance_after, n.account_version)`,
      ]),
    ).to.equal(null)
  })

  describe('is refused in parts', () => {
    it('as an entry without postings, even where they follow in the transaction', async () => {
      const [entry, postings] = [
        insertInto('journal_entries', [entryRow(6)]),
        insertInto('postings', soundPostings()),
      ]
      await expectRefused(NO_POSTINGS, entry)
      await expectRefused(NO_POSTINGS, entry, postings)
    })

    it('as postings without an entry, even where it follows in the transaction', async () => {
      const [entry, postings] = [
        insertInto('journal_entries', [entryRow(6)]),
        insertInto('postings', soundPostings()),
      ]
      await expectRefused(INCOMPLETE, postings)
      await expectRefused(INCOMPLETE, postings, entry)
    })

    it('as two statements that are complete only together', async () => {
      const [first, second] = soundPostings()
      const entry = insertInto('journal_entries', [entryRow(6)])
      await expectRefused(
        INCOMPLETE,
        `with header as (${entry}) ${insertInto('postings', [first ?? {}])}`,
        insertInto('postings', [second ?? {}]),
      )
    })

    it('with a line too few, too many, or with a hole in the line numbers', async () => {
      const lines = linesFor([
        [BANK_INR, 'debit', 10],
        [FUND_INR, 'credit', 4],
        [FUND_INR, 'credit', 6],
      ]).map((line) => postingRow(line))
      await expectRefused(INCOMPLETE, insertBoth([entryRow(6, { lines: '2' })], lines))
      await expectRefused(INCOMPLETE, insertBoth([entryRow(6, { lines: '4' })], lines))
      const holed = soundPostings({ 1: { line_no: '3' } })
      await expectRefused(INCOMPLETE, insertBoth([entryRow(6)], holed))
      await expectRefused(INCOMPLETE, insertBoth([entryRow(6, { lines: '3' })], holed))
    })

    it('without any line, with one line, or with more than a thousand said', async () => {
      for (const lines of ['0', '1', '1001', '-2']) {
        await expectRefused(/^23514 /, insertBoth([entryRow(6, { lines })], soundPostings()))
      }
    })

    it('with line numbers that are zero or negative', async () => {
      for (const line_no of ['0', '-1']) {
        await expectRefused(/^23514 /, insertBoth([entryRow(6)], soundPostings({ 0: { line_no } })))
      }
    })

    it('as balanced lines added to an entry that is there', async () => {
      const added = [
        postingRow({ ...line(0), entryNo: 1, lineNo: 3 }),
        postingRow({ ...line(1), entryNo: 1, lineNo: 4 }),
      ]
      await expectRefused(INCOMPLETE, insertInto('postings', added))
      const again = soundPostings({ 0: { entry_no: '1' }, 1: { entry_no: '1' } })
      await expectRefused(/^23505 /, insertInto('postings', again))
      await expectRefused(
        INCOMPLETE,
        insertBoth([entryRow(6)], [...soundPostings(), ...added.map((row) => ({ ...row }))]),
      )
    })

    it('as postings for one of its entries only', async () => {
      await expectRefused(NO_POSTINGS, insertBoth([entryRow(6), entryRow(7)], soundPostings()))
    })

    it('as postings that a nested statement slips in while the entry is written', async () => {
      // The function runs in the middle of the outer statement and sees its entry already.
      await expectRefused(
        ANY,
        `create function pg_temp.slip() returns integer language plpgsql volatile as $$
           begin
             ${insertInto('postings', [soundPostings()[0] ?? {}])};
             return 1;
           end $$`,
        `with header as (${insertInto('journal_entries', [entryRow(6)])} returning pg_temp.slip())
         ${insertInto('postings', [soundPostings()[1] ?? {}])}`,
      )
    })
  })

  function line(place: number): TypedLine {
    const found = linesFor(SOUND)[place]
    if (found === undefined) {
      throw new Error('unreachable')
    }
    return found
  }

  describe('is refused unbalanced', () => {
    const unbalanced: Record<string, Move[]> = {
      'by one paisa': [
        [BANK_INR, 'debit', 11],
        [FUND_INR, 'credit', 10],
      ],
      'with debits only': [
        [BANK_INR, 'debit', 10],
        [FUND_INR, 'debit', 10],
      ],
      'in each currency though not in their sum': [
        [BANK_USD, 'debit', 10],
        [FUND_INR, 'credit', 10],
      ],
      'in one of two currencies': [
        [BANK_INR, 'debit', 10],
        [FUND_INR, 'credit', 10],
        [BANK_USD, 'debit', 1],
        [FUND_USD, 'credit', 2],
      ],
    }
    for (const [title, moves] of Object.entries(unbalanced)) {
      it(title, async () => {
        const lines = linesFor(moves).map((one) => postingRow(one))
        const entry = entryRow(6, { lines: String(moves.length) })
        await expectRefused(INCOMPLETE, insertBoth([entry], lines))
      })
    }

    it('where another entry of the same statement makes up for it', async () => {
      const lines = linesFor(
        [
          [BANK_INR, 'debit', 11],
          [FUND_INR, 'credit', 10],
        ],
        [
          [BANK_INR, 'debit', 10],
          [FUND_INR, 'credit', 11],
        ],
      ).map((one) => postingRow(one))
      await expectRefused(INCOMPLETE, insertBoth([entryRow(6), entryRow(7)], lines))
    })

    for (const amount of ['0', '-10', 'null']) {
      it(`with amounts of ${amount}`, async () => {
        const changes = { 0: { amount }, 1: { amount } }
        await expectRefused(/^(23514|23502) /, insertBoth([entryRow(6)], soundPostings(changes)))
      })
    }

    it('with amounts that together leave what Postgres can count', async () => {
      const most = '9223372036854775807'
      const changes = { 0: { amount: most }, 1: { amount: most } }
      await expectRefused(ANY, insertBoth([entryRow(6)], soundPostings(changes)))
    })
  })

  describe('is refused out of sequence', () => {
    it('with a gap, a repetition or a number below one', async () => {
      for (const number of [7, 5, 1, 0, -1]) {
        const postings = linesFor(SOUND).map((one) => postingRow({ ...one, entryNo: number }))
        await expectRefused(ANY, insertBoth([entryRow(number)], postings))
      }
    })

    it('with a gap or a repetition inside one statement', async () => {
      for (const second of [8, 6]) {
        const postings = linesFor(SOUND, SOUND).map((one) =>
          postingRow(one.entryNo === 7 ? { ...one, entryNo: second } : one),
        )
        const key = { idempotency_key: `'second'` }
        await expectRefused(
          second === 8 ? FOLLOW : /^23505 /,
          insertBoth([entryRow(6), entryRow(second, key)], postings),
        )
      }
    })

    it('before the time of the entry before it', async () => {
      for (const posted_at of [`now() - interval '1 day'`, `'-infinity'`]) {
        await expectRefused(FOLLOW, insertBoth([entryRow(6, { posted_at })], soundPostings()))
      }
    })

    it('at a time to come, which would date every later entry', async () => {
      for (const posted_at of [`'infinity'`, `now() + interval '1 year'`]) {
        await expectRefused(ANY, insertBoth([entryRow(6, { posted_at })], soundPostings()))
      }
    })

    it('with a version that skips, repeats or does not fit', async () => {
      for (const account_version of ['2', '4', '5', '0', '-3', '9223372036854775807']) {
        const changes = { 0: { account_version } }
        await expectRefused(BROKEN_ACCOUNT, insertBoth([entryRow(6)], soundPostings(changes)))
      }
    })

    it('with a balance that is not the account’s', async () => {
      for (const balance_after of ['1109', '1111', '-1110', '0']) {
        const changes = { 0: { balance_after } }
        await expectRefused(BROKEN_ACCOUNT, insertBoth([entryRow(6)], soundPostings(changes)))
      }
    })

    /** Two postings to the bank in one statement, the second of them right. */
    const twice: Move[] = [
      [BANK_INR, 'debit', 10],
      [BANK_INR, 'debit', 20],
      [BANK_INR, 'debit', 30],
      [FUND_INR, 'credit', 60],
    ]
    it('with a wrong balance on the way, though the last one is right', async () => {
      const lines = linesFor(twice).map((one, place) =>
        postingRow(one, place === 0 ? { balance_after: '7' } : {}),
      )
      await expectRefused(ANY, insertBoth([entryRow(6, { lines: '4' })], lines))
    })

    it('with a version used twice on the way, though first and last are right', async () => {
      const lines = linesFor(twice).map((one, place) =>
        postingRow(one, place === 1 ? { account_version: '3' } : {}),
      )
      await expectRefused(ANY, insertBoth([entryRow(6, { lines: '4' })], lines))
    })

    it('with versions that run against the order of entries', async () => {
      const lines = linesFor(SOUND, SOUND).map((one) => ({
        ...one,
        version: one.version + (one.entryNo === 6 ? 1 : -1),
        balance: one.balance + (one.entryNo === 6 ? 10 : -10),
      }))
      await expectRefused(
        ANY,
        insertBoth(
          [entryRow(6), entryRow(7)],
          lines.map((one) => postingRow(one)),
        ),
      )
    })
  })

  describe('is refused by its accounts', () => {
    it('where one is closed', async () => {
      const lines = linesFor([
        [CLOSED, 'debit', 10],
        [FUND_INR, 'credit', 10],
      ])
      await expectRefused(
        BROKEN_ACCOUNT,
        insertBoth(
          [entryRow(6)],
          lines.map((one) => postingRow(one)),
        ),
      )
    })

    it('where one would go below its floor', async () => {
      const lines = linesFor([
        [FUND_INR, 'debit', 301],
        [FLOORED, 'credit', 301],
      ])
      await expectRefused(
        ANY,
        insertBoth(
          [entryRow(6)],
          lines.map((one) => postingRow(one)),
        ),
      )
    })

    it('where one goes below its floor until the next entry of the statement', async () => {
      const lines = linesFor(
        [
          [FUND_INR, 'debit', 301],
          [FLOORED, 'credit', 301],
        ],
        [
          [FLOORED, 'debit', 301],
          [FUND_INR, 'credit', 301],
        ],
      ).map((one) => postingRow(one))
      await expectRefused(ANY, insertBoth([entryRow(6), entryRow(7)], lines))
    })

    it('where one is not there', async () => {
      for (const account_id of ['99', '0', '-1']) {
        const changes = { 0: { account_id } }
        await expectRefused(ANY, insertBoth([entryRow(6)], soundPostings(changes)))
      }
    })

    it('where the third line names none, though two lines balance', async () => {
      const lines = [...soundPostings(), postingRow({ ...line(0), lineNo: 3, accountId: 99 })]
      await expectRefused(ANY, insertBoth([entryRow(6, { lines: '3' })], lines))
      await expectRefused(ANY, insertBoth([entryRow(6, { lines: '2' })], lines))
    })
  })

  describe('is refused across organisations', () => {
    it('with its entry, its postings or all of it in another one', async () => {
      const other = { org_id: String(OTHER_ORG) }
      const moved = soundPostings({ 0: other, 1: other })
      await expectRefused(RLS, insertBoth([entryRow(6, other)], soundPostings()))
      await expectRefused(RLS, insertBoth([entryRow(6)], moved))
      await expectRefused(RLS, insertBoth([entryRow(6)], soundPostings({ 1: other })))
      await expectRefused(RLS, insertBoth([entryRow(3, other)], moved))
    })

    it('where no organisation is named, or all of them', async () => {
      for (const setting of [
        `reset bahi.org_id`,
        `set bahi.org_id = 'all'`,
        `set bahi.org_id = ''`,
      ]) {
        const nobody = await typingClient(books, null)
        const statements = [setting, insertBoth([entryRow(6)], soundPostings())]
        expect(await refusalOf(nobody, statements), setting).to.match(RLS)
        await nobody.end()
      }
    })
  })

  describe('is refused for what it says', () => {
    const repeated: Record<string, Row> = {
      'with a key that was used before': { idempotency_key: `'a'` },
      'where it reverses what was reversed before': { reverses: '4' },
      'where it reverses an entry that is not there': { reverses: '77' },
      'where it reverses itself': { reverses: '6' },
      'with an empty key': { idempotency_key: `''` },
      'with a key that is too long': { idempotency_key: `repeat('k', 201)` },
      'with a short hash': { hash: `'\\x00'` },
      'with a short fingerprint': { fingerprint: `'\\x00'` },
      'with metadata that is a list': { metadata: `'["a"]'` },
      'with metadata that is nothing': { metadata: `'null'` },
      'with metadata of numbers': { metadata: `'{"a": 1}'` },
      'with metadata inside metadata': { metadata: `'{"a": {"b": "c"}}'` },
      'with ten megabytes of metadata': {
        metadata: `jsonb_build_object('a', repeat('x', 10000000))`,
      },
    }
    for (const [title, more] of Object.entries(repeated)) {
      it(title, async () => {
        await expectRefused(ANY, insertBoth([entryRow(6, more)], soundPostings()))
      })
    }

    it('with anything left open but what it reverses', async () => {
      for (const column of Object.keys(entryRow(6)).filter((name) => name !== 'reverses')) {
        const entry = entryRow(6, { [column]: 'null' })
        await expectRefused(/^(23502|42501) /, insertBoth([entry], soundPostings()))
      }
      for (const column of Object.keys(soundPostings()[0] ?? {})) {
        const postings = soundPostings({ 0: { [column]: 'null' } })
        await expectRefused(/^(23502|42501) /, insertBoth([entryRow(6)], postings))
      }
    })

    it('with postings of another day than the entry’s', async () => {
      const other = { effective_on: `'2026-05-05'` }
      await expectRefused(ANY, insertBoth([entryRow(6)], soundPostings({ 0: other })))
      const both = soundPostings({ 0: other, 1: other })
      await expectRefused(ANY, insertBoth([entryRow(6)], both))
    })

    for (const day of ['infinity', '-infinity', '0044-03-15 BC', '10000-01-01']) {
      it(`on the day ${day}`, async () => {
        const on = { effective_on: `'${day}'` }
        await expectRefused(ANY, insertBoth([entryRow(6, on)], soundPostings({ 0: on, 1: on })))
      })
    }
  })
})
