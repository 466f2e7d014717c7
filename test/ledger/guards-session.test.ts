/** Settings and temporary objects of the caller's: post_entries() does the same with all. */
import { expect } from 'chai'
import type pg from 'pg'
import type { Draft } from '../../src/ledger/core/entry.ts'
import { verifyLedger } from '../../src/ledger/checks/verify.ts'
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
import {
  CLOSED,
  CLOSED_MONTH,
  CORRECTABLE,
  ENTRIES,
  fillBooks,
  FLOORED,
  FROZEN,
  SOFT_CLOSED_MONTH,
} from './typed-entries.ts'
import { callWith, columnsFor, type AccountIds } from './typed-post.ts'
import { refusalOf } from './typed.ts'

/** Several drafts, days, currencies; a reversal. */
const RIGHT = [
  draftOf('r1', { lines: [debit(FUND, 20n), credit(FLOORED, 20n)] }),
  draftOf('r2', {
    effectiveOn: '2026-04-03',
    lines: [debit(BANK, 7n), credit(FUND, 7n), debit(BANK, 9n, 'USD'), credit(FUND, 9n, 'USD')],
  }),
  draftOf('r3', { reverses: CORRECTABLE, lines: [credit(BANK, 100n), debit(FUND, 100n)] }),
]

/** One draft for each thing that the database looks at itself. */
const WRONG: Readonly<Record<string, Draft>> = {
  unbalanced: draftOf('w', { lines: [debit(BANK, 2n), credit(FUND, 1n)] }),
  'unbalanced in a currency': draftOf('w', { lines: [debit(BANK, 1n, 'USD'), credit(FUND, 1n)] }),
  'below the floor': draftOf('w', { lines: [debit(FUND, 301n), credit(FLOORED, 301n)] }),
  'to a closed account': draftOf('w', { lines: [debit(CLOSED, 1n), credit(FUND, 1n)] }),
  'to a frozen account': draftOf('w', { lines: [debit(FROZEN, 1n), credit(FUND, 1n)] }),
  'into a closed month': draftOf('w', { effectiveOn: `${CLOSED_MONTH}-01` }),
  'into a half-closed month': draftOf('w', { effectiveOn: `${SOFT_CLOSED_MONTH}-31` }),
  'as no exact reversal': draftOf('w', { reverses: CORRECTABLE }),
  'adjusting nothing': draftOf('w', { adjusts: 99n }),
  'with a used key': draftOf('a'),
}

/** What a caller may try before the call. */
const SESSIONS: Readonly<Record<string, readonly string[]>> = {
  'another search path': ['set search_path = pg_temp, pg_catalog'],
  'tables of its own in the way': [
    'create temp table journal_heads as select * from public.journal_heads',
    'create temp table accounts as select * from public.accounts',
    'update pg_temp.accounts set open = true, frozen = false, floor = null',
    'update pg_temp.journal_heads set entry_no = 100',
    'create temp table periods (like public.periods)',
    'create temp table postings (like public.postings)',
    'create temp table journal_entries (like public.journal_entries)',
    'create temp table balance_days (like public.balance_days)',
    'set search_path = pg_temp, public',
  ],
  'types of its own in the way': [
    `create type pg_temp.direction as enum ('credit', 'debit')`,
    `create domain pg_temp.text_map as text`,
    `create type pg_temp.journal_heads as (org_id text)`,
    'set search_path = pg_temp, public',
  ],
  'functions and operators of its own in the way': [
    `create function pg_temp.bahi_org() returns integer language sql as 'select 2'`,
    `create function pg_temp.sha256(bytea) returns bytea language sql as 'select $1'`,
    `create function pg_temp.assert_postable() returns void language sql as ''`,
    `create function pg_temp.same(bigint, bigint) returns boolean language sql as 'select true'`,
    `create function pg_temp.less(bigint, bigint) returns boolean language sql as 'select false'`,
    `create operator pg_temp.= (leftarg = bigint, rightarg = bigint, function = pg_temp.same)`,
    `create operator pg_temp.< (leftarg = bigint, rightarg = bigint, function = pg_temp.less)`,
    'set search_path = pg_temp, public',
  ],
  'no plan that it would choose': [
    'seqscan',
    'indexscan',
    'indexonlyscan',
    'bitmapscan',
    'nestloop',
    'hashjoin',
    'mergejoin',
    'sort',
    'incremental_sort',
    'hashagg',
    'material',
    'memoize',
    'tidscan',
  ].map((name) => `set enable_${name} = off`),
  'custom plans': ['set plan_cache_mode = force_custom_plan', `set work_mem = '64kB'`],
  'generic plans': ['set plan_cache_mode = force_generic_plan', 'set geqo_threshold = 2'],
  'other notations of values': [
    `set datestyle = 'sql, dmy'`,
    `set intervalstyle = 'sql_standard'`,
    `set bytea_output = 'escape'`,
    'set extra_float_digits = -15',
    `set timezone = 'Asia/Kathmandu'`,
  ],
  'other readings of text': [
    'set array_nulls = off',
    'set transform_null_equals = on',
    'set check_function_bodies = off',
    'set quote_all_identifiers = on',
  ],
  'plpgsql told to be lenient': ['set plpgsql.check_asserts = off'],
  'constraints deferred': ['set constraints all deferred'],
}

describe('a caller of post_entries() who comes with', () => {
  let books: Books
  let ids: AccountIds
  let expected: unknown[]
  let role: pg.Client

  before(async () => {
    books = await openBooks()
    ids = await fillBooks(books)
  })

  beforeEach(async () => {
    // Plans and settings are kept for a connection's life: each test has a new one.
    role = await typingClient(books, ORG)
    expected = await effectAfter([])
    await role.end()
    role = await typingClient(books, ORG)
  })

  afterEach(async () => {
    await role.end()
    const { findings, entries } = await verifyLedger(books.db, ORG, () => undefined)
    expect({ findings, entries }).to.deep.equal({ findings: [], entries: ENTRIES })
  })

  after(async () => {
    await books.close()
  })

  const callOf = (drafts: readonly Draft[]): string => callWith(columnsFor(drafts, ids))

  /** The rows that the right drafts leave behind, in a transaction that is rolled back. */
  async function effectAfter(settings: readonly string[]): Promise<unknown[]> {
    await role.query('begin')
    try {
      for (const setting of settings) {
        await role.query(setting)
      }
      await role.query(callOf(RIGHT))
      await role.query(`set datestyle = 'iso'; set bytea_output = 'hex'`)
      const queries = [
        `select * from public.postings where entry_no > ${ENTRIES} order by entry_no, line_no`,
        `select entry_no, effective_on::text, lines, kind, idempotency_key, reverses
           from public.journal_entries where entry_no > ${ENTRIES} order by entry_no`,
        `select account_id, day::text, debits, credits, version, day_debits, day_credits
           from public.accounts order by account_id`,
        `select account_id, effective_on::text, debits, credits from public.balance_days
          order by 1, 2`,
        `select entry_no from public.journal_heads`,
      ]
      const results: unknown[] = []
      for (const query of queries) {
        results.push((await role.query(query)).rows)
      }
      return results
    } finally {
      await role.query('rollback')
    }
  }

  for (const [what, settings] of Object.entries(SESSIONS)) {
    it(`${what} posts the same as anybody`, async () => {
      expect(await effectAfter(settings)).to.deep.equal(expected)
    })

    it(`${what} is refused the same as anybody`, async () => {
      for (const [why, draft] of Object.entries(WRONG)) {
        const refusal = await refusalOf(role, [...settings, callOf([draft])])
        expect(refusal, why).to.match(/^23\w{3} /)
      }
    })
  }

  it('row security off sees no more than before', async () => {
    const refusal = await refusalOf(role, [
      'set row_security = off',
      'select * from public.accounts',
    ])
    expect(refusal).to.match(/^42501 query would be affected by row-level security/)
    for (const [why, draft] of Object.entries(WRONG)) {
      const call = callOf([draft])
      expect(await refusalOf(role, ['set row_security = off', call]), why).to.match(/^(23|42501)/)
    }
  })

  it('settings that switch triggers or rights off is not let to', async () => {
    for (const setting of [
      'set session_replication_role = replica',
      `set local session_replication_role = 'local'`,
      'set ignore_checksum_failure = on',
      'set allow_system_table_mods = on',
      'alter function post_entries set search_path = pg_temp',
      'alter database postgres set bahi.org_id = 1',
    ]) {
      expect(await refusalOf(role, [setting]), setting).to.match(/^42501 /)
    }
  })

  it('the call inside another statement gets nothing half done', async () => {
    const call = callOf([draftOf('inside')]).replace('select *', 'select first_no')
    const twice = callOf([draftOf('inside 2')]).replace('select *', 'select first_no')
    for (const sql of [
      `select (${call}) + 1 / ((${twice}) - ${ENTRIES + 2n})`,
      `update accounts set name = name where account_id = 1 and (${call}) > 0`,
      `with moved as (update accounts set floor = 0 where account_id = 1 returning 1)
       select (${call}), (${call}) from moved`,
    ]) {
      expect(await refusalOf(role, [sql]), sql).to.match(/^(22012|27000|23505|40001) /)
    }
  })
})
