/** Tests that a verification finds where matches, entries and clearing accounts part. */
import { expect } from 'chai'
import { verifyDonations } from '../../src/inbox/verify.ts'
import { reverse } from '../../src/ledger/posting/correct.ts'
import { undo } from '../../src/recon/undo.ts'
import { verifyRecon } from '../../src/recon/verify.ts'
import { openBooks, ORG, type Books } from '../ledger/books.ts'
import { captured, fee, report, runOver, settled, statement, tell } from './told.ts'

describe('the verification of a reconciliation', () => {
  let books: Books

  before(async () => {
    books = await openBooks()
    await tell(books, captured('pay_1', 10_000n), fee('pay_1', 236n, 36n))
    await tell(books, settled('setl_1', 9764n, 'UTRONE0001'), settled('setl_2', 500n, 'UTRTWO002'))
    await tell(books, captured('pay_2', 20_000n), settled('setl_3', 19_600n, null))
    await report(books, 1, [
      { id: 'pay_1', amount: 10_000n, fee: 236n, tax: 36n },
      { id: 'pay_2', amount: 20_000n, fee: 400n, tax: 60n, settlement: 'setl_3' },
      { id: 'pay_x', amount: 10_000n },
    ])
    await statement(books, 2, [
      { amount: 9764n, text: 'NEFT UTRONE0001 RAZORPAY' },
      { amount: 500n, text: 'NEFT UTRTWO002 RAZORPAY' },
    ])
    await runOver(books, [1, 2])
  })

  after(async () => {
    await books.close()
  })

  async function found(): Promise<string[]> {
    return (await verifyRecon(books.db, ORG)).map(({ check, detail }) => `${check}: ${detail}`)
  }

  /** Changes something behind the service’s back, and gives what is found then. */
  async function foundAfter(change: string, back: string): Promise<string[]> {
    const ownly = async (sql: string) =>
      await books.own(`begin; set local bahi.org_id = '${ORG}';
        set local session_replication_role = replica; ${sql}; commit`)
    await ownly(change)
    try {
      return await found()
    } finally {
      await ownly(back)
    }
  }

  it('finds nothing in sound books, whoever ended an exception', async () => {
    expect(await found()).to.deep.equal([])
    const [told] = await books.read(
      `select 1 from recon_exceptions where state = 'resolved' and kind = 'fee_missing'`,
    )
    expect(told, 'a fee that the report told').to.not.equal(undefined)
    expect(await verifyDonations(books.db, ORG)).to.deep.equal([])
  })

  it('finds an exception that nothing resolved', async () => {
    const change = (state: string) => `update recon_exceptions set state = '${state}',
      ended_at = case when '${state}' = 'open' then null else now() end
      where subject like 'line 1 3%'`
    await books.own(`begin; set local bahi.org_id = '${ORG}'; ${change('resolved')}; commit`)
    const findings = await verifyDonations(books.db, ORG)
    await books.own(`begin; set local bahi.org_id = '${ORG}'; ${change('open')}; commit`)
    expect(findings.map(({ check }) => check)).to.deep.equal(['resolutions and exceptions'])
  })

  it('finds a match of another sum than its entry, and one whose entry is another', async () => {
    const one = await foundAfter(
      `update recon_bank_matches set amount = amount - 1 where file_no = 2 and row_no = 1`,
      `update recon_bank_matches set amount = amount + 1 where file_no = 2 and row_no = 1`,
    )
    expect(one).to.have.length(1)
    expect(one[0]).to.match(/^bank matches and entries: bank line 2-1: its matches come to 9763/)
    const entryOf = (row: number) =>
      `(select entry_no from recon_bank_matches where file_no = 2 and row_no = ${row})`
    const [{ first, second } = { first: 0n, second: 0n }] = await books.read<{
      first: bigint
      second: bigint
    }>(`select ${entryOf(1)} as first, ${entryOf(2)} as second`)
    const swapped = await foundAfter(
      `update recon_bank_matches set entry_no = ${first} where file_no = 2 and row_no = 2`,
      `update recon_bank_matches set entry_no = ${second} where file_no = 2 and row_no = 2`,
    )
    expect(swapped.map((text) => text.split(':')[0])).to.have.members([
      'bank matches and entries',
      'bank entries and matches',
      'bank entries and matches',
    ])
  })

  it('finds an entry that no match stands behind', async () => {
    const findings = await foundAfter(
      `update recon_bank_matches set entry_no = null where file_no = 2 and row_no = 1`,
      `update recon_bank_matches m set entry_no = e.entry_no from journal_entries e
        where m.file_no = 2 and m.row_no = 1 and e.org_id = m.org_id
          and e.kind = 'bank_credited' and e.metadata ->> 'settlements' = m.settlement_id`,
    )
    expect(findings).to.have.length(1)
    expect(findings[0]).to.match(/^bank entries and matches: entry \d+ credits the bank, and 0/)
  })

  it('finds what no item of a clearing account explains', async () => {
    const findings = await foundAfter(
      `update payments set fee = coalesce(fee, 0) + 7 where gateway_payment_id = 'pay_1'`,
      `update payments set fee = fee - 7 where gateway_payment_id = 'pay_1'`,
    )
    expect(findings).to.have.length(1)
    expect(findings[0]).to.match(/^clearing account: razorpay INR: 7 minor units /)
  })

  it('finds a match whose entry was reversed, until it is taken apart', async () => {
    const [match] = await books.read<{ entry_no: bigint }>(
      `select entry_no from recon_bank_matches where file_no = 2 and row_no = 2`,
    )
    const asked = { by: 'test', because: 'of another', today: '2026-05-06', mayPost: true }
    await books.db.transact(
      ORG,
      async (trx) =>
        await reverse(trx, match?.entry_no ?? 0n, {
          reason: 'it was another',
          effectiveOn: null,
          today: asked.today,
          actor: 'test',
          lateReason: null,
        }),
      { queue: 'journal' },
    )
    const [finding = ''] = await found()
    expect(finding).to.match(/bank line 2-2: .* was reversed by/)
    await books.db.transact(ORG, async (trx) => await undo(trx, { fileNo: 2, rowNo: 2 }, asked), {
      queue: 'journal',
    })
    expect(await found()).to.deep.equal([])
  })
})
