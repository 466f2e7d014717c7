/** Reports of small books to the paisa, as tables; and that none is given that disagrees. */
import { expect } from 'chai'
import { parse } from 'csv-parse/sync'
import fc from 'fast-check'
import { csvLine } from '../../reports/csv.ts'
import { Disagreement } from '../../src/exports/make.ts'
import type { ReportName } from '../../src/exports/registry.ts'
import { journal } from '../../src/exports/reports/journal.ts'
import { csvOf } from '../../src/exports/tables.ts'
import { openBooks as readBooks } from '../../src/exports/books.ts'
import { closeYear } from '../../src/ledger/closing/year-end.ts'
import { credit, debit, draftOf, openBooks, ORG, OTHER_ORG, type Books } from '../ledger/books.ts'
import { cellsOfXlsx } from './read-xlsx.ts'
import { exported, fillSmall, HOSTILE_TEXTS, NOTHING } from './small-books.ts'

describe('reports of small books', () => {
  let books: Books

  before(async () => {
    books = await openBooks()
    await fillSmall(books)
  })

  after(async () => {
    await books.close()
  })

  async function cells(
    report: ReportName,
    parameters: Parameters<typeof exported>[3] = {},
  ): Promise<string[][]> {
    const { text, manifest } = await exported(books, report, 'csv', parameters)
    const [, ...rows] = parse(text)
    expect(manifest).to.include({ report, agrees: true, format: 'bahi/export/1' })
    return rows
  }

  it('are the same journal from Postgres and from its table, byte for byte', async () => {
    const state = await readBooks(books.db, ORG, 23n)
    for (const asked of [
      NOTHING,
      { ...NOTHING, from: '2026-04-01', to: '2026-04-05' },
      { ...NOTHING, from: '2026-04-10' },
      { ...NOTHING, kind: 'manual' },
      { ...NOTHING, kind: 'none' },
    ]) {
      let slow = ''
      for await (const piece of csvOf(journal)(state, asked)) {
        slow += String(piece)
      }
      const fast = await exported(books, 'journal', 'csv', asked, 23n)
      expect(fast.text).to.equal(slow)
    }
  })

  it('have cells from Postgres as reports/csv.ts has them, whatever the text', async () => {
    const unit = fc.constantFrom("'", '=', '+', '-', '@', '\t', '\r', '\n', '"', ',', ';', 'x', 'ह')
    const texts = [
      ...HOSTILE_TEXTS,
      ...fc.sample(fc.string({ unit, maxLength: 8 }), { numRuns: 3000, seed: 7 }),
      ...fc.sample(fc.string({ unit: 'grapheme', maxLength: 30 }), { numRuns: 300, seed: 7 }),
    ].map((text) => text.replaceAll('\0', ''))
    const rows = await books.read<{ cell: string }>(
      'select csv_cell(t) as cell from unnest($1::text[]) with ordinality as x (t, n) order by n',
      [texts],
    )
    expect(rows.map(({ cell }) => cell)).to.deep.equal(
      texts.map((text) => csvLine([text]).slice(0, -2)),
    )
  })

  it('have the journal with minor units, decimals of each currency and every text', async () => {
    const rows = await cells('journal')
    const pick = (entry: string) =>
      rows
        .filter((row) => row[0] === entry)
        .map((row) => [row[1], row[5], row[6], row[7], row[8], row[9], row[10]].join(' '))
    expect(pick('je_3')).to.deep.equal([
      '2026-04-02 assets:bank:_odd- debit 1234 KWD 1.234 ',
      '2026-04-02 equity:general-fund credit 1234 KWD  1.234',
    ])
    expect(pick('je_4')[0]).to.equal('2026-04-03 assets:bank:main debit 977 JPY 977 ')
    expect(pick('je_5')[0]).to.equal('2026-04-03 equity:trading:pts4 debit 7 PTS4 0.0007 ')
    const texts = rows.filter((row) => row[5] === 'assets:cash').map((row) => row[11] ?? '')
    const read = texts.map((text) => (/^'+[=+\-@\t\r]/.test(text) ? text.slice(1) : text))
    expect(read.slice(1, -1)).to.deep.equal(HOSTILE_TEXTS)
  })

  it('have the day book by effective day', async () => {
    const rows = await cells('day_book')
    const days = rows.map((row) => row[1] ?? '')
    expect(days).to.deep.equal(days.toSorted())
    expect(rows).to.have.length((await cells('journal')).length)
    // Posted last, effective a week before.
    expect(rows.findIndex((row) => row[0] === 'je_23')).to.equal(4)
  })

  it('have an account’s statement from its opening to its closing', async () => {
    const [bank] = await books.read<{ account_id: number }>(
      `select account_id from accounts where code = 'assets:bank:main' and currency = 'INR'`,
    )
    const rows = await cells('account_statement', {
      account: bank?.account_id ?? 0,
      from: '2026-03-31',
    })
    expect(rows.map((row) => [row[0], row[1], row[8], row[9], row[13]])).to.deep.equal([
      ['2026-03-31', '', '', '', '50000.01'],
      ['2026-03-31', 'je_2', '', '35400', '49646.01'],
      ['2026-04-04', 'je_6', '', '832500', '41321.01'],
      ['2026-04-05', 'je_7', '', '100', '41320.01'],
      ['', '', '', '', '41320.01'],
    ])
  })

  it('have a trial balance as of a day whose sides are equal in each currency', async () => {
    const { manifest } = await exported(books, 'trial_balance', 'csv', { to: '2026-03-31' })
    const inr = { currency: 'INR', debit: 5_000_051, credit: 5_000_051 }
    expect(manifest.totals.find(({ currency }) => currency === 'INR')).to.deep.equal(inr)
    const rows = await cells('trial_balance')
    expect(rows.find((row) => row[0] === 'assets:bank:_odd-')).to.deep.equal([
      'assets:bank:_odd-',
      "'=assets:bank:_odd-",
      'asset',
      'KWD',
      '1234',
      '0',
      '1.234',
      '0.000',
    ])
  })

  it('have receipts and payments by head, without what moves between cash and bank', async () => {
    const rows = await cells('receipts_and_payments', { from: '2026-03-01', to: '2026-03-31' })
    expect(rows.map((row) => [row[0], row[1], row[5]])).to.deep.equal([
      ['receipts', 'income:donations:education', '50000.01'],
      ['receipts', 'income:donations:health', '0.50'],
      ['payments', 'expenses:bank-charges', '354.00'],
      ['closing', 'assets:bank:main', '49646.01'],
      ['closing', 'assets:cash', '0.50'],
    ])
    const april = await cells('receipts_and_payments', { from: '2026-04-01', to: '2026-04-30' })
    expect(
      april.filter((row) => row[3] === 'INR').map((row) => [row[0], row[1], row[5]]),
    ).to.deep.equal([
      ['opening', 'assets:bank:main', '49646.01'],
      ['opening', 'assets:cash', '0.50'],
      ['receipts', 'income:donations:health', '1.50'],
      ['payments', 'equity:trading:inr', '8325.00'],
      ['closing', 'assets:bank:main', '41320.01'],
      ['closing', 'assets:cash', '3.00'],
    ])
  })

  it('read the books up to one entry, whatever is posted meanwhile or known later', async () => {
    for (const report of ['journal', 'day_book', 'trial_balance', 'balance_sheet'] as const) {
      const before = await exported(books, report, 'csv', {}, 10n)
      const key = `meanwhile ${report}`
      await books.post([draftOf(key, { effectiveOn: '2026-04-02' })])
      const after = await exported(books, report, 'csv', {}, 10n)
      expect(after.manifest).to.deep.equal(before.manifest)
      expect(after.manifest.agrees).to.equal(true)
    }
  })

  it('come as Excel files with numbers as numbers and texts as texts', async () => {
    const { bytes, manifest } = await exported(books, 'journal', 'xlsx', { from: '2026-04-10' })
    const rows = cellsOfXlsx(bytes)
    expect(rows[0]?.slice(0, 3)).to.deep.equal(['entry', 'effective_on', 'posted_at'])
    expect(rows).to.have.length(manifest.rows + 1)
    // No formula is in it: what looks like one is a text, and every text is whole.
    const texts = rows.slice(1).filter((_row, at) => at % 2 === 0)
    expect(texts.map((row) => row[11] ?? '')).to.deep.equal(HOSTILE_TEXTS)
    expect(rows[1]?.slice(7, 10)).to.deep.equal([10, 'INR', 0.1])
  })

  it('are nobody’s where they do not agree with the books', async () => {
    const damaged = await openBooks()
    try {
      await fillSmall(damaged)
      await damaged.own(`alter table postings disable trigger append_only`)
      await damaged.own(`update postings set amount = amount + 1 where entry_no = 2`)
      for (const [report, format] of [
        ['journal', 'csv'],
        ['day_book', 'csv'],
        ['books', 'hledger'],
        ['books', 'tally_xml'],
        ['audit_trail', 'csv'],
      ] as const) {
        const thrown = await exported(damaged, report, format).catch((error: unknown) => error)
        expect(thrown, report).to.be.instanceOf(Disagreement)
        expect((thrown as Disagreement).manifest.agrees).to.equal(false)
        expect((thrown as Disagreement).message).to.contain('assets:bank:main INR')
      }
    } finally {
      await damaged.close()
    }
  })
})

describe('reports of a closed year', () => {
  let books: Books

  before(async () => {
    books = await openBooks()
    const gift = [debit('assets:bank:main', 90_000n), credit('income:donations:general', 90_000n)]
    const charge = [debit('expenses:bank-charges', 1_180n), credit('assets:bank:main', 1_180n)]
    await books.post([
      draftOf('gift', { effectiveOn: '2025-06-01', lines: gift }),
      draftOf('charge', { effectiveOn: '2026-03-31', lines: charge, kind: 'manual' }),
      draftOf('next', { effectiveOn: '2026-04-01', lines: charge, kind: 'manual' }),
    ])
    const by = { actor: 'test', reason: 'year end', today: '2026-05-01' }
    await books.db.transact(ORG, async (trx) => await closeYear(trx, '2025-26', by), {
      queue: 'journal',
    })
  })

  after(async () => {
    await books.close()
  })

  it('show its income and expenditure, although both stand at zero', async () => {
    const { text } = await exported(books, 'income_and_expenditure', 'csv', {
      from: '2025-04-01',
      to: '2026-03-31',
    })
    expect(text.split('\r\n').slice(1)).to.deep.equal([
      'income,Donations,income:donations:general,"Donations, general fund",INR,90000,900.00',
      'expenditure,Expenses,expenses:bank-charges,Bank charges,INR,1180,11.80',
      'surplus,,,Surplus of the period,INR,88820,888.20',
      '',
    ])
  })

  it('show the next year’s alone, and a balance sheet that balances', async () => {
    const days = { from: '2026-04-01', to: '2027-03-31' }
    const next = await exported(books, 'income_and_expenditure', 'csv', days)
    expect(next.text).to.contain('surplus,,,Surplus of the period,INR,-1180,-11.80')
    const sheet = await exported(books, 'balance_sheet', 'csv')
    expect(sheet.text.split('\r\n').slice(1)).to.deep.equal([
      'assets,Bank,assets:bank:main,"Bank, main account",INR,87640,876.40',
      'equity and funds,Equity and funds,equity:general-fund,General fund,INR,88820,888.20',
      'equity and funds,,,Surplus not yet closed,INR,-1180,-11.80',
      '',
    ])
  })

  it('are empty, and agree, where nothing was posted', async () => {
    for (const report of ['journal', 'day_book', 'trial_balance', 'balance_sheet'] as const) {
      const { manifest } = await exported(books, report, 'csv', {}, 0n)
      expect([manifest.agrees, manifest.totals.every(({ debit: sum }) => sum === 0)]).to.deep.equal(
        [true, true],
      )
    }
    const other = await readBooks(books.db, OTHER_ORG, 0n)
    expect(other.hash).to.have.length(32)
  })
})
