/** Reports of the reconciliation: from the books' balance to the bank's; settlements proved. */
import { expect } from 'chai'
import { parse } from 'csv-parse/sync'
import type { ReportName } from '../../src/exports/registry.ts'
import { openBooks, BANK, credit, debit, draftOf, ORG, type Books } from '../ledger/books.ts'
import {
  captured,
  fee,
  refunded,
  report,
  runOver,
  settled,
  statement,
  tell,
} from '../recon/told.ts'
import { cellsOfXlsx } from './read-xlsx.ts'
import { exported, NOTHING } from './small-books.ts'

type Row = Record<string, string>

describe('reports of the reconciliation', () => {
  let books: Books
  let bank = 0

  before(async () => {
    books = await openBooks()
    await books.post([
      draftOf('opening', {
        effectiveOn: '2026-05-01',
        lines: [debit(BANK, 50_000n), credit('equity:general-fund', 50_000n)],
        description: '=opening, "balance"',
      }),
      draftOf('rent', {
        effectiveOn: '2026-05-03',
        lines: [debit('expenses:bank-charges', 7_000n), credit(BANK, 7_000n)],
        description: 'Cheque 17, not presented',
      }),
      draftOf('wrong', {
        effectiveOn: '2026-05-03',
        lines: [debit(BANK, 99n), credit('equity:general-fund', 99n)],
      }),
    ])
    await books.post([
      draftOf('back', {
        kind: 'reversal',
        effectiveOn: '2026-05-03',
        reverses: 3n,
        lines: [credit(BANK, 99n), debit('equity:general-fund', 99n)],
      }),
    ])
    await tell(
      books,
      captured('pay_1', 10_000n),
      fee('pay_1', 236n, 36n),
      captured('pay_2', 5_000n),
      fee('pay_2', 118n, 18n),
      captured('pay_3', 800n),
      ...refunded('rfnd_1', 'pay_1', 1_000n),
      settled('setl_1', 13_646n, 'UTRONE0001'),
      settled('setl_2', 640n, 'UTRTWO0002'),
    )
    await report(books, 1, [
      { id: 'pay_1', amount: 10_000n, fee: 236n, tax: 36n },
      { id: 'pay_2', amount: 5_000n, fee: 118n, tax: 18n },
      { id: 'rfnd_1', kind: 'refund', amount: 1_000n },
      { id: 'adj_1', kind: 'adjustment', amount: 0n, net: 0n },
      { id: 'pay_9', amount: 50n },
    ])
    await statement(books, 2, [
      { amount: 50_000n, text: 'BALANCE B/F', on: '2026-05-01' },
      { amount: 13_646n, text: 'NEFT UTRONE0001 RAZORPAY', on: '2026-05-05' },
      { amount: -295n, text: '+CHARGES, "quarter"', on: '2026-05-05' },
      { amount: 1n, text: 'later', on: '2026-05-20' },
    ])
    await runOver(books, [1, 2], '2026-05-20')
    const [found] = await books.read<{ account_id: number }>(
      `select account_id from accounts where code = $1 and currency = 'INR'`,
      [BANK],
    )
    bank = found?.account_id ?? 0
  })

  after(async () => {
    await books.close()
  })

  async function rowsOf(
    name: ReportName,
    parameters: Parameters<typeof exported>[3] = {},
  ): Promise<Row[]> {
    const { text, manifest } = await exported(books, name, 'csv', parameters)
    expect(manifest.agrees, name).to.equal(true)
    return parse(text, { columns: true })
  }

  const said = (rows: readonly Row[]) =>
    rows.map(({ section, item, amount_minor: amount }) => [section, item, amount].join(' | '))

  it('lead from the books’ balance to the bank’s, item by item', async () => {
    const rows = await rowsOf('reconciliation_statement', { account: bank, to: '2026-05-10' })
    expect(said(rows.slice(0, 7))).to.deep.equal([
      'balance as per our books |  | 56646',
      `less: received in our books, not at the bank | '=opening, "balance" | -50000`,
      'add: paid in our books, not by the bank | Cheque 17, not presented | 7000',
      'add: received by the bank, not in our books | BALANCE B/F | 50000',
      `less: paid by the bank, not in our books | '+CHARGES, "quarter" | -295`,
      'balance as per the bank, computed |  | 63351',
      'open items of razorpay, payment | opening | 0',
    ])
    const early = await rowsOf('reconciliation_statement', { account: bank, to: '2026-05-04' })
    expect(said(early).find((one) => one.includes('computed'))).to.contain('| 50000')
    const late = await rowsOf('reconciliation_statement', { account: bank, to: '2026-05-31' })
    expect(said(late).find((one) => one.includes('computed'))).to.contain('| 63352')
  })

  it('end in the balance that the statement says, with the difference', async () => {
    await books.database.asOwner(async (client) => {
      await client.query(`set bahi.org_id = '${ORG}'`)
      await client.query('alter table bank_lines disable trigger no_change')
      await client.query(`update bank_lines set balance_after = 63360 where row_no = 3`)
      await client.query(`update bank_lines set balance_after = 50009 where row_no = 1`)
      await client.query('alter table bank_lines enable trigger no_change')
    })
    const rows = await rowsOf('reconciliation_statement', { account: bank, to: '2026-05-10' })
    expect(said(rows).filter((one) => /before|statement|difference/.test(one))).to.deep.equal([
      'add: received by the bank, not in our books | ' +
        'balance before the first line that we have | 9',
      'balance as per the bank’s statement |  | 63360',
      'difference |  | 0',
    ])
  })

  it('roll the open items of a gateway forward through a period', async () => {
    const parameters = { account: bank, from: '2026-05-04', to: '2026-05-10' }
    const rows = await rowsOf('reconciliation_statement', parameters)
    const payments = rows.filter(({ section }) => section === 'open items of razorpay, payment')
    expect(payments.map((row) => [row['item'], row['count'], row['amount_minor']])).to.deep.equal([
      ['opening', '0', '0'],
      ['new', '3', '15800'],
      ['cleared', '2', '-15000'],
      ['closing', '1', '800'],
    ])
    const next = await rowsOf('reconciliation_statement', { ...parameters, from: '2026-05-05' })
    const opening = next.find(
      ({ section, item }) => section?.endsWith('payment') === true && item === 'opening',
    )
    expect(opening).to.include({ count: '1', amount_minor: '800' })
  })

  it('prove each settlement from its lines to the bank', async () => {
    const rows = await rowsOf('settlement_proof')
    const of = (id: string) => rows.find((row) => row['gateway_settlement_id'] === id)
    const [first, second] = [of('setl_1'), of('setl_2')]
    expect(first).to.include({
      gateway_settlement_id: 'setl_1',
      lines: '5',
      gross_minor: '15050',
      refunds_minor: '1000',
      fees_minor: '300',
      tax_minor: '54',
      net_minor: '13696',
      unexplained_minor: '0',
      sent_minor: '13646',
      net_less_sent_minor: '50',
      bank_minor: '13646',
      sent_less_bank_minor: '0',
      bank_line: '2-2',
      matched_by: 'utr',
      proven: 'no',
    })
    expect(second).to.include({ lines: '0', bank_minor: '', matched_by: '', proven: 'no' })
    expect(await rowsOf('settlement_proof', { gateway: 'payu' })).to.deep.equal([])
  })

  it('list exceptions with their age, and matches with their reasons', async () => {
    const open = await rowsOf('exceptions', { state: 'open' })
    const kinds = open.map(({ kind, subject }) => `${kind} ${subject}`.split(' pmt_')[0])
    expect(kinds).to.include('missing_internal line 1 5')
    expect(open.every(({ ageing, age_days: age }) => Number(age) > 90 && ageing !== '')).to.equal(
      true,
    )
    expect(await rowsOf('exceptions', { kind: 'ambiguous' })).to.deep.equal([])
    const matches = await rowsOf('matches')
    expect(matches.map((row) => [row['line'], row['rule'], row['agrees']])).to.deep.equal([
      ['1-1', 'id', 'id amount currency fee tax day net'],
      ['1-2', 'id', 'id amount currency fee tax day net'],
      ['1-3', 'id', 'id amount currency day net'],
    ])
    const { manifest } = await exported(books, 'matches', 'csv')
    expect(manifest.checks).to.deep.equal([
      { what: 'captures that were matched', currency: 'INR', export: 15_000, books: 15_000 },
    ])
    expect(await rowsOf('matches', { from: '2026-05-05' })).to.deep.equal([])
  })

  it('come as Excel files too, and are refused where no bank could be', async () => {
    for (const name of ['settlement_proof', 'exceptions', 'matches'] as const) {
      const { bytes, manifest } = await exported(books, name, 'xlsx')
      expect(cellsOfXlsx(bytes)).to.have.length(manifest.rows + 1)
    }
    const [other] = await books.read<{ account_id: number }>(
      `select account_id from accounts where code = 'equity:general-fund'`,
    )
    const asked = { ...NOTHING, to: '2026-05-10' }
    for (const account of [other?.account_id ?? 0, 999_999]) {
      const refused = await exported(books, 'reconciliation_statement', 'csv', {
        ...asked,
        account,
      }).catch((error: unknown) => error)
      expect(refused).to.be.instanceOf(Error)
    }
  })
})
