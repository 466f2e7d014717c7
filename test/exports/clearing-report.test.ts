/** Tests of reports on what does not agree: a clearing account item by item, exceptions, a bank. */
import { expect } from 'chai'
import { parse } from 'csv-parse/sync'
import type { ReportName } from '../../src/exports/registry.ts'
import { resolveException } from '../../src/recon/resolve/resolve.ts'
import { undoResolution } from '../../src/recon/resolve/undo.ts'
import { BANK, credit, debit, openBooks, ORG, type Books } from '../ledger/books.ts'
import { captured, fee, report, runOver, settled, statement, tell } from '../recon/told.ts'
import { cellsOfXlsx } from './read-xlsx.ts'
import { exported } from './small-books.ts'

type Row = Record<string, string>

const MAKER = { actor: 'user:mira', role: 'finance', person: 'mira' }

describe('reports on what does not agree', () => {
  let books: Books

  before(async () => {
    books = await openBooks()
    await tell(
      books,
      captured('pay_1', 10_000n),
      fee('pay_1', 236n, 36n),
      captured('pay_2', 800n),
      settled('setl_1', 9_764n, 'UTRONE0001'),
    )
    await report(books, 1, [
      { id: 'pay_1', amount: 10_000n, fee: 236n, tax: 36n },
      { id: '=pay_9', amount: 50n, settlement: null },
    ])
    await statement(books, 2, [
      { amount: 9_764n, text: 'NEFT UTRONE0001 RAZORPAY' },
      { amount: 9_764n, text: 'NEFT UTRONE0001 RAZORPAY AGAIN', on: '2026-05-05' },
    ])
    await runOver(books, [1, 2], '2026-05-20')
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

  it('prove a clearing account from its items to the trial balance', async () => {
    const rows = await rowsOf('clearing_proof', { gateway: 'razorpay' })
    expect(rows[0]).to.include({ section: 'balance as per our books', amount: '8.00' })
    expect(Date.parse(rows[0]?.['at'] ?? '')).to.be.closeTo(Date.now(), 60_000)
    expect(rows[0]?.['through_entry']).to.match(/^je_\d+$/)
    const said = rows.map((row) => [row['section'], row['gateway_id'], row['amount_minor']])
    expect(said.filter(([section]) => section?.includes('item') === true)).to.deep.equal([
      ['unsettled: item', 'pay_2', '800'],
      ['lines_without_record: item', `'=pay_9`, '-50'],
      ['lines_not_settled: item', `'=pay_9`, '50'],
    ])
    expect(said).to.deep.include(['within_tolerance', '', '0'])
    expect(said.slice(-2)).to.deep.equal([
      ['explained', '', '800'],
      ['remainder', '', '0'],
    ])
    const { manifest } = await exported(books, 'clearing_proof', 'csv', { gateway: 'razorpay' })
    expect(manifest.checks).to.deep.equal([
      { what: 'assets:clearing:razorpay', currency: 'INR', export: 800, books: 800 },
    ])
    const { bytes } = await exported(books, 'clearing_proof', 'xlsx', { gateway: 'razorpay' })
    expect(cellsOfXlsx(bytes)).to.have.length(rows.length + 1)
  })

  it('are of nothing where a gateway or a currency has nothing', async () => {
    for (const asked of [{ gateway: 'payu' }, { gateway: 'razorpay', currency: 'USD' }]) {
      const rows = await rowsOf('clearing_proof', asked)
      expect(rows.map((row) => row['amount_minor'])).to.deep.equal(rows.map(() => '0'))
    }
  })

  it('are not made where records and entries are not the same', async () => {
    const change = (by: string) => `begin; set local bahi.org_id = '${ORG}';
      update payments set fee = fee ${by} where gateway_payment_id = 'pay_1'; commit`
    await books.own(change('+ 7'))
    const failed = await exported(books, 'clearing_proof', 'csv', { gateway: 'razorpay' }).catch(
      (error: unknown) => error,
    )
    await books.own(change('- 7'))
    expect(String(failed)).to.contain('does not agree with the books')
  })

  it('narrow exceptions as their list does, with whose they are and until when', async () => {
    const kinds = async (by: Parameters<typeof exported>[3]) =>
      (await rowsOf('exceptions', by)).map((row) => row['kind'])
    const all = await rowsOf('exceptions')
    expect(all.map((row) => row['kind'])).to.have.members([
      'missing_internal',
      'duplicate_external',
      'missing_external',
    ])
    for (const row of all) {
      expect(row).to.include({ owner: '', resolution: '' })
      expect(row['severity']).to.be.oneOf(['critical', 'high', 'medium', 'low'])
      expect(Number.isNaN(Date.parse(row['due_at'] ?? ''))).to.equal(false)
    }
    expect(await kinds({ amount_from: '51', amount_to: '800' })).to.deep.equal(['missing_external'])
    expect(await kinds({ kind: 'missing_internal,missing_external' })).to.have.length(2)
    expect(await kinds({ unowned: 'true', currency: 'INR' })).to.have.length(3)
    expect(await kinds({ owner: 'usr_00000000000000000000000000' })).to.deep.equal([])
    expect(await kinds({ currency: 'USD' })).to.deep.equal([])
    expect(await kinds({ gateway: 'payu' })).to.deep.equal([])
    const { severity = '' } = all[0] ?? {}
    expect((await kinds({ severity })).length).to.equal(
      all.filter((row) => row['severity'] === severity).length,
    )
    const overdue = await kinds({ overdue: 'true' })
    const not = await kinds({ overdue: 'false' })
    expect([...overdue, ...not]).to.have.members(all.map((row) => row['kind']))
  })

  it('tie the entry of a resolution to the bank’s line, until it is undone', async () => {
    const [bank] = await books.read<{ account_id: number }>(
      `select account_id from accounts where code = $1 and currency = 'INR'`,
      [BANK],
    )
    const openItems = async () =>
      (
        await rowsOf('reconciliation_statement', {
          account: bank?.account_id ?? 0,
          to: '2026-05-31',
        })
      )
        .map(({ section, amount_minor: amount }) => `${section}: ${amount}`)
        .filter((one) => /^(add|less)/.test(one))
    expect(await openItems()).to.deep.equal(['add: received by the bank, not in our books: 9764'])
    const [row] = await rowsOf('exceptions', { kind: 'duplicate_external' })
    const lines = [
      debit(BANK, 9_000n),
      debit(BANK, 764n),
      credit('liabilities:unidentified-receipts', 9_764n),
    ]
    const { resolutionId } = await books.db.transact(
      ORG,
      async (trx) =>
        await resolveException(
          trx,
          {
            exceptionId: row?.['exception'] ?? '',
            action: 'adjust',
            reasonCode: 'told_twice',
            words: 'sent twice by the gateway',
            amount: null,
            effectiveOn: '2026-05-05',
            today: '2026-05-20',
            lateReason: null,
            lines,
            askedKey: 'k1',
            fingerprint: Buffer.alloc(32, 1),
            body: {},
          },
          MAKER,
        ),
      { queue: 'journal', behind: 'recon' },
    )
    expect(await openItems()).to.deep.equal([])
    const [resolved] = await rowsOf('exceptions', { kind: 'duplicate_external' })
    expect(resolved).to.include({ state: 'resolved', resolution: resolutionId })
    expect(resolved?.['resolution_entry']).to.match(/^je_\d+$/)
    await books.db.transact(
      ORG,
      async (trx) =>
        await undoResolution(
          trx,
          {
            resolutionId,
            reason: 'it was another',
            effectiveOn: '2026-05-06',
            today: '2026-05-20',
            lateReason: null,
            body: {},
            key: 'k2',
          },
          MAKER,
        ),
      { queue: 'journal', behind: 'recon' },
    )
    expect(await openItems()).to.deep.equal(['add: received by the bank, not in our books: 9764'])
  })
})
