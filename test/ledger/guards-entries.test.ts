/** post_entries() called by hand as the application's role: right drafts go in, no wrong one. */
import { expect } from 'chai'
import type pg from 'pg'
import type { Draft, DraftLine } from '../../src/ledger/core/entry.ts'
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
  REVERSED,
  SOFT_CLOSED_MONTH,
} from './typed-entries.ts'
import { callWith, columnsFor, type AccountIds, type Column, type Columns } from './typed-post.ts'
import { refusalOf } from './typed.ts'

/** A rule said no: class 23 by name, classes 22 and 54 where a value cannot be held. */
const REFUSED = /^(2[23]|54)\w{3} /
const UNBALANCED = /^23000 bahi: draft \S+ does not balance/
const NO_ACCOUNT = /^23000 bahi: an account is not there/
const BELOW = /^23\w{3} .*(below its floor|accounts_check)/
const NOT_OPPOSITE = /^23000 bahi: the draft is not the exact opposite/

describe('a call of post_entries() by hand', () => {
  let books: Books
  let role: pg.Client
  let ids: AccountIds
  let heads: unknown

  before(async () => {
    books = await openBooks()
    ids = await fillBooks(books)
    role = await typingClient(books, ORG)
    heads = await books.read('select * from journal_heads')
  })

  after(async () => {
    await role.end()
    await books.close()
  })

  afterEach(async () => {
    const { findings, entries } = await verifyLedger(books.db, ORG, () => undefined)
    expect({ findings, entries }).to.deep.equal({ findings: [], entries: ENTRIES })
    expect(await books.read('select * from journal_heads')).to.deep.equal(heads)
    expect(await refusalOf(role, [callOf([draftOf('right')])]), 'a right call').to.equal(null)
  })

  function callOf(drafts: readonly Draft[], changes: Partial<Columns> = {}): string {
    return callWith({ ...columnsFor(drafts, ids), ...changes })
  }

  async function expectAccepted(...statements: string[]): Promise<void> {
    expect(await refusalOf(role, statements), statements.join('; ')).to.equal(null)
  }

  async function expectRefused(why: RegExp, ...statements: string[]): Promise<void> {
    expect(await refusalOf(role, statements), statements.join('; ')).to.match(why)
  }

  const withLines = (...lines: DraftLine[]): Draft => draftOf('x', { lines })
  const MOST = 9_223_372_036_854_775_807n

  describe('goes in where it is right', () => {
    const right: Record<string, () => readonly Draft[]> = {
      'with one draft': () => [draftOf('x')],
      'with several, forth and back': () => [
        draftOf('x'),
        draftOf('y', { lines: [debit(FUND, 3n), credit(BANK, 1n), credit(BANK, 2n)] }),
        draftOf('z', { effectiveOn: '2026-04-10' }),
        draftOf('later', { effectiveOn: '2026-06-01' }),
      ],
      'in two currencies': () => [
        withLines(
          debit(BANK, 8n),
          credit(FUND, 8n),
          debit(BANK, 1n, 'USD'),
          credit(FUND, 1n, 'USD'),
        ),
      ],
      'with a thousand lines': () => [withLines(...pairs(500))],
      'down to the floor': () => [withLines(debit(FUND, 300n), credit(FLOORED, 300n))],
      'below the floor inside one entry only': () => [
        withLines(credit(FLOORED, 400n), debit(FLOORED, 350n), debit(FUND, 50n)),
      ],
      'as the exact opposite of an entry': () => [
        draftOf('x', { reverses: CORRECTABLE, lines: [credit(BANK, 100n), debit(FUND, 100n)] }),
      ],
      'as an adjustment': () => [draftOf('x', { adjusts: CORRECTABLE })],
      'into a month that is closed to others, with a reason': () => [
        draftOf('x', {
          effectiveOn: `${SOFT_CLOSED_MONTH}-31`,
          metadata: { late_reason: 'the bank was late' },
        }),
      ],
    }
    for (const [title, drafts] of Object.entries(right)) {
      it(title, async () => {
        await expectAccepted(callOf(drafts()))
      })
    }
  })

  function pairs(count: number): DraftLine[] {
    return Array.from({ length: count }, () => [debit(BANK, 1n), credit(FUND, 1n)]).flat()
  }

  describe('is refused unbalanced', () => {
    const unbalanced: Record<string, DraftLine[]> = {
      'by one paisa': [debit(BANK, 11n), credit(FUND, 10n)],
      'with debits only': [debit(BANK, 10n), debit(FUND, 10n)],
      'with one line': [debit(BANK, 10n)],
      'in each currency though not in their sum': [debit(BANK, 10n, 'USD'), credit(FUND, 10n)],
      'in one of two currencies': [
        debit(BANK, 10n),
        credit(FUND, 10n),
        debit(BANK, 1n, 'USD'),
        credit(FUND, 2n, 'USD'),
      ],
      'crosswise in two currencies': [
        debit(BANK, 10n),
        credit(FUND, 9n),
        debit(BANK, 9n, 'USD'),
        credit(FUND, 10n, 'USD'),
      ],
    }
    for (const [title, lines] of Object.entries(unbalanced)) {
      it(title, async () => {
        await expectRefused(UNBALANCED, callOf([draftOf('x', { lines })]))
        await expectRefused(UNBALANCED, callOf([draftOf('w'), draftOf('x', { lines })]))
        await expectRefused(UNBALANCED, callOf([draftOf('x', { lines }), draftOf('y')]))
      })
    }

    it('where another draft of the call makes up for it', async () => {
      const drafts = [
        withLines(debit(BANK, 11n), credit(FUND, 10n)),
        draftOf('y', { lines: [debit(BANK, 10n), credit(FUND, 11n)] }),
      ]
      await expectRefused(UNBALANCED, callOf(drafts))
    })

    it('where a currency is told wrongly, so that the sums seem to agree', async () => {
      const drafts = [withLines(debit(BANK, 10n, 'USD'), credit(FUND, 10n))]
      for (const told of ["'INR'", "'USD'"]) {
        await expectRefused(NO_ACCOUNT, callOf(drafts, { a_currencies: [told, told] }))
      }
    })

    for (const amounts of [
      ['0', '0'],
      ['-10', '-10'],
      ['null', 'null'],
      ['10', 'null'],
      ['10', '-10'],
    ]) {
      it(`with amounts of ${amounts.join(' and ')}`, async () => {
        await expectRefused(REFUSED, callOf([draftOf('x')], { l_amounts: amounts }))
      })
    }

    for (const debits of [
      ['null', 'null'],
      ['true', 'null'],
      ['null', 'false'],
    ]) {
      it(`with sides of ${debits.join(' and ')}`, async () => {
        await expectRefused(REFUSED, callOf([draftOf('x')], { l_debits: debits }))
        // A second currency, so that the sums are made elsewhere.
        const drafts = [draftOf('x'), draftOf('y', { lines: dollars() })]
        const sides = [...debits, 'true', 'false']
        await expectRefused(REFUSED, callOf(drafts, { l_debits: sides }))
      })
    }

    function dollars(): DraftLine[] {
      return [debit(BANK, 10n, 'USD'), credit(FUND, 10n, 'USD')]
    }

    it('with amounts that together leave what Postgres can count', async () => {
      await expectRefused(REFUSED, callOf([withLines(debit(BANK, MOST), credit(FUND, MOST))]))
      const lines = [debit(BANK, MOST), debit(BANK, MOST), credit(FUND, MOST), credit(FUND, MOST)]
      await expectRefused(REFUSED, callOf([draftOf('x', { lines })]))
    })
  })

  describe('is refused by its size', () => {
    it('without any draft, whatever else it names', async () => {
      const nothing = columnsFor([], ids)
      await expectRefused(REFUSED, callWith(nothing))
      await expectRefused(REFUSED, callWith({ ...columnsFor([draftOf('x')], ids), d_keys: [] }))
      const whole = { a_ids: 'null', a_codes: 'null', a_currencies: 'null' }
      await expectRefused(REFUSED, callWith(nothing, whole))
      const none = Object.fromEntries(Object.keys(nothing).map((name) => [name, 'null']))
      await expectRefused(REFUSED, callWith(nothing, none))
    })

    it('with a draft that has no lines, first, in the middle or last', async () => {
      const drafts = [draftOf('x'), draftOf('y'), draftOf('z')]
      for (const numbers of [
        ['2', '2', '3', '3'],
        ['1', '1', '3', '3'],
        ['1', '1', '2', '2'],
      ]) {
        const columns = columnsFor(drafts, ids)
        const lines = {
          l_drafts: numbers,
          l_accounts: columns.l_accounts.slice(2),
          l_debits: columns.l_debits.slice(2),
          l_amounts: columns.l_amounts.slice(2),
        }
        await expectRefused(REFUSED, callWith({ ...columns, ...lines }))
      }
    })

    it('with more than a thousand lines in a draft', async () => {
      await expectRefused(REFUSED, callOf([withLines(...pairs(501))]))
      await expectRefused(REFUSED, callOf([withLines(...pairs(20_000))]))
    })
  })

  describe('is refused out of order', () => {
    const drafts = [draftOf('x'), draftOf('y')]
    const numbers = [
      ['0', '0', '1', '1'],
      ['-1', '-1', '0', '0'],
      ['2', '2', '3', '3'],
      ['1', '1', '3', '3'],
      ['1', '1', '1', '1'],
      ['2', '2', '2', '2'],
      ['1', '1', 'null', 'null'],
      ['null', 'null', '1', '1'],
      ['null', 'null', 'null', 'null'],
      ['1', '1', '2147483647', '2147483647'],
    ]
    for (const l_drafts of numbers) {
      it(`with lines of the drafts ${l_drafts.join(', ')}`, async () => {
        await expectRefused(REFUSED, callOf(drafts, { l_drafts }))
        await expectRefused(
          REFUSED,
          callWith({ ...columnsFor(drafts, ids), l_drafts }, { d_days: shifted(l_drafts[0]) }),
        )
      })
    }

    /** Two days, numbered from where the drafts' numbers begin. */
    function shifted(first: string | undefined): string {
      const from = first === 'null' ? 1 : Number(first)
      return `'[${from}:${from + 1}]={2026-05-04,2026-05-04}'::date[]`
    }

    it('with account numbers that name no account', async () => {
      for (const number of ['0', '-1', '3', 'null', '2147483647']) {
        await expectRefused(REFUSED, callOf([draftOf('x')], { l_accounts: ['1', number] }))
        await expectRefused(REFUSED, callOf([draftOf('x')], { l_accounts: [number, number] }))
      }
    })
  })

  describe('is refused by its accounts', () => {
    const cases: Record<string, [code: string, why: RegExp]> = {
      'where one is closed': [CLOSED, NO_ACCOUNT],
      'where one is frozen': [FROZEN, NO_ACCOUNT],
    }
    for (const [title, [code, why]] of Object.entries(cases)) {
      it(title, async () => {
        await expectRefused(why, callOf([withLines(debit(code, 1n), credit(FUND, 1n))]))
        await expectRefused(why, callOf([withLines(debit(FUND, 1n), credit(code, 1n))]))
      })
    }

    it('where one would go below its floor', async () => {
      await expectRefused(BELOW, callOf([withLines(debit(FUND, 301n), credit(FLOORED, 301n))]))
    })

    it('where one goes below its floor until the next draft of the call', async () => {
      const drafts = [
        withLines(debit(FUND, 301n), credit(FLOORED, 301n)),
        draftOf('y', { lines: [debit(FLOORED, 301n), credit(FUND, 301n)] }),
      ]
      await expectRefused(BELOW, callOf(drafts))
      // Told in one currency or in two, on one day or on several.
      const other = draftOf('z', {
        effectiveOn: '2026-04-02',
        lines: [debit(BANK, 1n, 'USD'), credit(FUND, 1n, 'USD')],
      })
      await expectRefused(BELOW, callOf([...drafts, other]))
      await expectRefused(BELOW, callOf([other, ...drafts]))
    })

    it('where one is not there, or there twice', async () => {
      const [bank = '', fund = ''] = columnsFor([draftOf('x')], ids).a_ids
      for (const a_ids of [
        [bank, '99'],
        ['0', fund],
        ['-1', fund],
        [bank, 'null'],
        [bank, bank],
        [fund, bank],
      ]) {
        await expectRefused(NO_ACCOUNT, callOf([draftOf('x')], { a_ids }))
      }
    })

    it('where one is named twice, each time as another', async () => {
      const [bank = '', fund = ''] = columnsFor([draftOf('x')], ids).a_ids
      const changes: Partial<Columns> = {
        a_ids: [bank, bank, fund],
        a_codes: [`'${BANK}'`, `'${BANK}'`, `'${FUND}'`],
        a_currencies: ["'INR'", "'INR'", "'INR'"],
        l_drafts: ['1', '1', '1', '1'],
        l_accounts: ['1', '2', '3', '3'],
        l_debits: ['true', 'true', 'false', 'false'],
        l_amounts: ['10', '20', '10', '20'],
      }
      await expectRefused(NO_ACCOUNT, callOf([draftOf('x')], changes))
    })

    it('where its id has another code or currency', async () => {
      const wrong: [Column, string][] = [
        ['a_codes', `'${FUND}'`],
        ['a_codes', `'${FLOORED}'`],
        ['a_codes', 'null'],
        ['a_codes', `'${BANK} '`],
        ['a_currencies', "'USD'"],
        ['a_currencies', "'inr'"],
        ['a_currencies', 'null'],
      ]
      for (const [column, value] of wrong) {
        const columns = columnsFor([draftOf('x')], ids)
        const changed = { ...columns, [column]: [value, columns[column][1] ?? ''] }
        await expectRefused(NO_ACCOUNT, callWith(changed))
      }
    })
  })

  describe('is refused across organisations', () => {
    it('for another organisation, for none, or for all', async () => {
      const columns = columnsFor([draftOf('x')], ids)
      for (const p_org of [String(OTHER_ORG), 'null', '0', '-1', '99']) {
        await expectRefused(/^42501 bahi: /, callWith(columns, { p_org }))
      }
    })

    it('in a transaction of nobody or of everybody', async () => {
      const columns = columnsFor([draftOf('x')], ids)
      for (const setting of ["''", "'all'", "'99'", "'x'"]) {
        for (const p_org of ['1', 'null', '99']) {
          const nobody = await typingClient(books, null)
          const call = callWith(columns, { p_org })
          const refusal = await refusalOf(nobody, [`set bahi.org_id = ${setting}`, call])
          expect(refusal, `${setting} ${p_org}`).to.match(/^(42501|P0002|22P02) /)
          await nobody.end()
        }
      }
    })

    it('with an account that only another organisation has', async () => {
      // Opened there under a number and in a currency that are free here.
      await books.own(
        `insert into accounts (org_id, account_id, code, name, type, normal, currency)
         values (${OTHER_ORG}, 77, '${FUND}', 'x', 'equity', 'credit', 'EUR')
         on conflict do nothing`,
      )
      const [bank = ''] = columnsFor([draftOf('x')], ids).a_ids
      const changes = { a_ids: [bank, '77'], a_currencies: ["'INR'", "'EUR'"] }
      await expectRefused(NO_ACCOUNT, callOf([draftOf('x')], changes))
    })
  })

  describe('is refused by its month', () => {
    const days: [day: string, metadata: Record<string, string>][] = [
      [`${CLOSED_MONTH}-01`, {}],
      [`${CLOSED_MONTH}-28`, {}],
      [`${CLOSED_MONTH}-14`, { late_reason: 'the bank was late' }],
      ['2026-01-31', {}],
      ['0001-01-01', { late_reason: 'before all closed months' }],
      [`${SOFT_CLOSED_MONTH}-01`, {}],
      [`${SOFT_CLOSED_MONTH}-31`, { reason: 'late_reason' }],
    ]
    for (const [effectiveOn, metadata] of days) {
      it(`on ${effectiveOn} with ${JSON.stringify(metadata)}, alone or among others`, async () => {
        const draft = draftOf('x', { effectiveOn, metadata })
        await expectRefused(/^23000 bahi: the period of /, callOf([draft]))
        const drafts = [draftOf('w', { effectiveOn: '2026-12-31' }), draft, draftOf('y')]
        await expectRefused(/^23000 bahi: the period of /, callOf(drafts))
      })
    }

    it('in a time zone that leaves out the first day of the month', async () => {
      for (const zone of ['XXX0YYY-24,J60/0,J300/0', 'XXX24YYY-24,J59/12,J300/0']) {
        for (const day of [`${CLOSED_MONTH}-14`, `${SOFT_CLOSED_MONTH}-15`]) {
          const call = callOf([draftOf('x', { effectiveOn: day })])
          await expectRefused(/^23000 bahi: the period of /, `set timezone = '${zone}'`, call)
        }
      }
    })

    for (const day of ['infinity', '-infinity', '0044-03-15 BC', '10000-01-01']) {
      it(`on the day ${day}`, async () => {
        await expectRefused(REFUSED, callOf([draftOf('x')], { d_days: [`'${day}'`] }))
        const two = [draftOf('x'), draftOf('y')]
        await expectRefused(REFUSED, callOf(two, { d_days: ["'2026-05-04'", `'${day}'`] }))
      })
    }
  })

  describe('is refused as a correction', () => {
    const opposite = [credit(BANK, 100n), debit(FUND, 100n)]
    const wrong: Record<string, DraftLine[]> = {
      'of another amount': [credit(BANK, 99n), debit(FUND, 99n)],
      'on the same side': [debit(BANK, 100n), credit(FUND, 100n)],
      'in another order': [debit(FUND, 100n), credit(BANK, 100n)],
      'in more lines': [credit(BANK, 50n), credit(BANK, 50n), debit(FUND, 100n)],
      'with lines too many': [...opposite, debit(BANK, 1n), credit(FUND, 1n)],
      'of another account': [credit(FLOORED, 100n), debit(FUND, 100n)],
      'of another currency': [credit(BANK, 100n, 'USD'), debit(FUND, 100n, 'USD')],
    }
    for (const [title, lines] of Object.entries(wrong)) {
      it(title, async () => {
        const draft = draftOf('x', { reverses: CORRECTABLE, lines })
        await expectRefused(NOT_OPPOSITE, callOf([draft]))
        await expectRefused(NOT_OPPOSITE, callOf([draftOf('w'), draft, draftOf('y')]))
      })
    }

    it('of what was reversed before, in the books or in the same call', async () => {
      const draft = (key: string, reverses: bigint) => draftOf(key, { reverses, lines: opposite })
      await expectRefused(/^23505 /, callOf([draft('x', REVERSED)]))
      await expectRefused(/^23505 /, callOf([draft('x', CORRECTABLE), draft('y', CORRECTABLE)]))
    })

    it('of an entry that is not there, of the same call, or of itself', async () => {
      for (const target of [77n, 0n, -1n, ENTRIES + 1n, ENTRIES + 2n, ENTRIES + 3n]) {
        const drafts = [draftOf('x'), draftOf('y', { reverses: target, lines: opposite })]
        await expectRefused(REFUSED, callOf(drafts))
        await expectRefused(REFUSED, callOf([draftOf('x'), draftOf('y', { adjusts: target })]))
      }
    })
  })

  describe('is refused for what it says', () => {
    const wrong: [Column, string][] = [
      ['d_keys', `'a'`],
      ['d_keys', `''`],
      ['d_keys', `repeat('k', 201)`],
      ['d_fingerprints', `''`],
      ['d_fingerprints', `decode(repeat('00', 31), 'hex')`],
      ['d_fingerprints', `decode(repeat('00', 33), 'hex')`],
      ['d_metadata', `'["late_reason"]'`],
      ['d_metadata', `'"a"'`],
      ['d_metadata', `'null'`],
      ['d_metadata', `'{"a": 1}'`],
      ['d_metadata', `'{"a": null}'`],
      ['d_metadata', `'{"a": {"b": "c"}}'`],
      ['d_metadata', `jsonb_build_object('a', repeat('x', 1000000))`],
    ]
    for (const [column, value] of wrong) {
      it(`with ${value} in ${column}`, async () => {
        await expectRefused(REFUSED, callOf([draftOf('x')], { [column]: [value] }))
      })
    }

    it('with the same key twice', async () => {
      await expectRefused(/^23505 /, callOf([draftOf('x'), draftOf('x')]))
    })
  })
})
