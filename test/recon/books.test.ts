/** Tests of what a run posts: credits at the bank, and charges that only a report tells. */
import { expect } from 'chai'
import { openAccount } from '../../src/ledger/accounts/open-accounts.ts'
import type { Database } from '../../src/base/db.ts'
import type { Fact } from '../../src/gateways/fact.ts'
import { goOn } from '../../src/recon/run.ts'
import { PAYMENT_CHECKS } from '../../src/payments/verify.ts'
import { openBooks, ORG, type Books } from '../ledger/books.ts'
import {
  askFor,
  balanceOf,
  captured,
  fee,
  openBreaks,
  refunded,
  report,
  runOver,
  settled,
  statement,
  tell,
} from './told.ts'

const TRANSIT = 'assets:bank:in-transit'
const CLEARING = 'assets:clearing:razorpay'
const BANK = 'assets:bank:main'

describe('what a reconciliation posts', () => {
  let books: Books
  let file = 0

  before(async () => {
    books = await openBooks()
  })

  after(async () => {
    await books.close()
  })

  const nextFile = () => (file += 1)

  async function entries(kind: string): Promise<number> {
    const [row] = await books.read<{ n: number }>(
      'select count(*)::integer as n from journal_entries where kind = $1',
      [kind],
    )
    return row?.n ?? 0
  }

  async function lastRun(): Promise<{ posted?: number; unposted?: number; refusal?: string }> {
    const [row] = await books.read<{ progress: { posted?: number } }>(
      `select progress from recon_runs where state = 'done' order by run_no desc limit 1`,
    )
    return row?.progress ?? {}
  }

  it('clears the transit by what the bank credited, once, on the bank’s day', async () => {
    await tell(books, captured('pay_1', 10_000n), fee('pay_1', 236n, 36n))
    await tell(books, settled('setl_1', 9764n, 'UTRONE0001'))
    await report(books, nextFile(), [{ id: 'pay_1', amount: 10_000n, fee: 236n, tax: 36n }])
    await statement(books, nextFile(), [
      { amount: 9764n, text: 'NEFT UTRONE0001 RAZORPAY', on: '2026-05-05' },
    ])
    await runOver(books, [1, 2])
    expect(await balanceOf(books, TRANSIT)).to.equal(0n)
    expect(await balanceOf(books, CLEARING)).to.equal(0n)
    expect(await balanceOf(books, BANK)).to.equal(9764n)
    const [entry] = await books.read(
      `select e.effective_on, e.kind, e.actor, m.entry_no = e.entry_no as named
         from journal_entries e join recon_bank_matches m using (org_id, entry_no)`,
    )
    expect(entry).to.deep.equal({
      effective_on: '2026-05-05',
      kind: 'bank_credited',
      actor: 'job:reconcile',
      named: true,
    })
    await runOver(books, [])
    await runOver(books, [1, 2])
    expect(await entries('bank_credited')).to.equal(1)
  })

  it('posts one entry for several settlements in one credit', async () => {
    await tell(books, settled('setl_2', 500n, 'UTRTWO0002'), settled('setl_3', 700n, 'UTRTWO0002'))
    await statement(books, nextFile(), [{ amount: 1200n, text: 'UTRTWO0002' }])
    await runOver(books, [file])
    expect(await entries('bank_credited')).to.equal(2)
    expect(await balanceOf(books, TRANSIT)).to.equal(0n)
  })

  it('leaves what the books refuse, says why, and posts it once they take it', async () => {
    await tell(books, settled('setl_4', 300n, 'UTRFOUR004'), settled('setl_5', 400n, 'UTRFIVE005'))
    await statement(books, nextFile(), [
      { amount: 300n, text: 'UTRFOUR004', account: 'assets:bank:second' },
      { amount: 400n, text: 'UTRFIVE005', account: TRANSIT },
    ])
    await runOver(books, [file])
    expect(await lastRun()).to.include({ unposted: 2 })
    expect((await lastRun()).refusal).to.contain('transit itself')
    expect(await balanceOf(books, TRANSIT)).to.equal(700n)
    await books.db.transact(ORG, async (trx) => {
      await openAccount(
        trx,
        {
          code: 'assets:bank:second',
          currency: 'INR',
          name: 'Second',
        },
        'test',
      )
    })
    await runOver(books, [])
    expect(await lastRun()).to.include({ posted: 1, unposted: 1 })
    expect(await balanceOf(books, 'assets:bank:second')).to.equal(300n)
  })

  it('books what is credited in a closed month on the first day after it', async () => {
    await tell(books, settled('setl_6', 600n, 'UTRSIX0006'))
    await books.closeMonth('2026-04', 'closed')
    await statement(books, nextFile(), [{ amount: 600n, text: 'UTRSIX0006', on: '2026-04-30' }])
    await runOver(books, [file])
    const [entry] = await books.read(
      `select effective_on, metadata ->> 'happened_on' as on from journal_entries
        order by entry_no desc limit 1`,
    )
    expect(entry).to.deep.equal({ effective_on: '2026-05-01', on: '2026-04-30' })
  })

  it('books the fees that only a settlement tells, and never twice', async () => {
    const clearing = await balanceOf(books, CLEARING)
    await tell(books, captured('pay_7', 10_000n), captured('pay_8', 20_000n))
    await tell(books, ...refunded('rfnd_7', 'pay_7', 1000n))
    await tell(books, settled('setl_7', 28_400n, null))
    await report(books, nextFile(), [
      { id: 'pay_7', amount: 10_000n, fee: 200n, tax: 30n, settlement: 'setl_7' },
      { id: 'pay_8', amount: 20_000n, fee: 390n, tax: 60n, settlement: 'setl_7' },
      { id: 'rfnd_7', kind: 'refund', amount: 1000n, fee: 10n, settlement: 'setl_7' },
    ])
    await runOver(books, [file])
    expect(await balanceOf(books, CLEARING)).to.equal(clearing)
    const told = await books.read<{ state: string; entry: string }>(
      `select state, detail ->> 'entry' as entry from recon_exceptions where kind = 'fee_missing'`,
    )
    expect(told.map(({ state }) => state)).to.deep.equal(['resolved', 'resolved', 'resolved'])
    expect(told[0]?.entry).to.match(/^je_\d+$/)
    const before = await entries('gateway_fee')
    // The webhook comes after all: the same is no news, another fee is a contradiction.
    expect(await tell(books, fee('pay_7', 200n, 30n))).to.deep.equal([null])
    expect(await tell(books, fee('pay_8', 400n, 60n))).to.deep.equal(['idempotency_conflict'])
    await runOver(books, [])
    expect(await entries('gateway_fee')).to.equal(before)
  })

  it('books no fee where the lines do not come to what was sent', async () => {
    await tell(books, captured('pay_9', 10_000n), settled('setl_9', 9000n, null))
    await report(books, nextFile(), [
      { id: 'pay_9', amount: 10_000n, fee: 200n, settlement: 'setl_9' },
    ])
    await runOver(books, [file])
    expect(await openBreaks(books)).to.include(`fee_missing line ${file} 1`)
    const [payment] = await books.read(
      `select fee from payments where gateway_payment_id = 'pay_9'`,
    )
    expect(payment).to.deep.equal({ fee: null })
  })

  it('books no fee of a line whose own numbers do not come to its net', async () => {
    await tell(books, captured('pay_10', 10_000n), settled('setl_10', 9900n, null))
    await report(books, nextFile(), [
      { id: 'pay_10', amount: 10_000n, fee: 200n, net: 9900n, settlement: 'setl_10' },
    ])
    await runOver(books, [file])
    expect(await openBreaks(books)).to.include(`fee_missing line ${file} 1`)
  })

  it('books a settlement that nobody told where the bank proves it', async () => {
    await tell(books, captured('pay_11', 5000n), fee('pay_11', 100n))
    const line = { amount: 5000n, fee: 100n, tax: 0n, settlement: 'setl_11', utr: 'UTRELEVEN11' }
    await report(books, nextFile(), [{ ...line, id: 'pay_11' }])
    await runOver(books, [file])
    const unknown = 'missing_internal settlement razorpay acc_test setl_11'
    expect(await openBreaks(books)).to.include(unknown)
    await statement(books, nextFile(), [{ amount: 4900n, text: 'NEFT UTRELEVEN11' }])
    await runOver(books, [file])
    expect(await openBreaks(books)).to.not.include(unknown)
    expect(await tell(books, settled('setl_11', 4900n, 'UTRELEVEN11'))).to.deep.equal([null])
    expect(await tell(books, settled('setl_11', 4901n, null))).to.deep.equal([
      'idempotency_conflict',
    ])
    const rows = await books.read(
      `select s.amount, s.utr, e.kind from settlements s
         join recon_bank_matches m using (org_id, settlement_id)
         join journal_entries e using (org_id, entry_no)
        where s.gateway_settlement_id = 'setl_11'`,
    )
    expect(rows).to.deep.equal([{ amount: 4900n, utr: 'UTRELEVEN11', kind: 'bank_credited' }])
    expect(
      await books.read(
        `select 1 from journal_entries where kind = 'settled' and source like '%11%'`,
      ),
    ).to.have.length(1)
  })

  it('books no settlement whose credit is another sum', async () => {
    await report(books, nextFile(), [
      { id: 'pay_x', amount: 100n, settlement: 'setl_12', utr: 'UTRTWELVE12' },
    ])
    await statement(books, nextFile(), [{ amount: 99n, text: 'UTRTWELVE12' }])
    await runOver(books, [file - 1, file])
    expect(await openBreaks(books)).to.include(
      'missing_internal settlement razorpay acc_test setl_12',
    )
  })

  it('goes on part by part through more credits than one part has', async () => {
    const many = Array.from({ length: 620 }, (_none, at) => `UTRMANY${10_000 + at}`)
    await tell(books, ...many.map((utr) => settled(`setl_${utr}`, 100n, utr)))
    const credits = many.map((utr) => ({ amount: 100n, text: utr }))
    await statement(books, nextFile(), credits)
    const before = await entries('bank_credited')
    await runOver(books, [file])
    expect(await entries('bank_credited')).to.equal(before + many.length)
    expect((await lastRun()).posted).to.equal(many.length)
  })

  it('posts once where it is cut off before any commit, and where two do it at once', async () => {
    await tell(books, captured('pay_13', 1000n), settled('setl_13', 990n, 'UTRTHIRTEEN13'))
    await report(books, nextFile(), [
      { id: 'pay_13', amount: 1000n, fee: 10n, settlement: 'setl_13' },
    ])
    await statement(books, nextFile(), [{ amount: 990n, text: 'UTRTHIRTEEN13' }])
    const before = [await entries('bank_credited'), await entries('gateway_fee')]
    await askFor(books, [file - 1, file])
    for (let more = true; more;) {
      const undone = await goOn(cutBeforeCommit(books.db), ORG).catch((error: unknown) => error)
      expect(undone).to.be.instanceOf(Error).with.property('message', 'cut')
      const both = await Promise.all([goOn(books.db, ORG), goOn(books.db, ORG)])
      more = both.every(Boolean)
    }
    expect([await entries('bank_credited'), await entries('gateway_fee')]).to.deep.equal(
      before.map((count) => count + 1),
    )
  })

  it('leaves nothing for verification to find, whoever told a thing first', async () => {
    for (const { check, sql } of PAYMENT_CHECKS) {
      expect(await books.read(sql, [ORG]), check).to.deep.equal([])
    }
  })

  it('ties a line that names nothing by the bank’s reference, and says that it did', async () => {
    const fileNo = nextFile()
    const twins = ['pay_rrn_1', 'pay_rrn_2', 'pay_rrn_3'].map(
      (id, at) => ({ ...captured(id, 77_700n), bankReference: `00412345678${at}` }) as Fact,
    )
    await tell(books, ...twins)
    const line = { id: null, amount: 77_700n, settlement: null }
    await report(books, fileNo, [
      { ...line, utr: '4123456781' },
      { ...line, utr: '4123456782', amount: 1n },
    ])
    await runOver(books, [fileNo])
    const matched = await books.read(
      `select p.gateway_payment_id as id, m.rule, m.agrees & 4 as reference
         from recon_matches m join payments p on p.payment_id = m.record_id
        where m.file_no = $1`,
      [fileNo],
    )
    expect(matched).to.deep.equal([{ id: 'pay_rrn_2', rule: 'reference', reference: 4 }])
    expect(await openBreaks(books)).to.include(`reference_mismatch line ${fileNo} 2`)
  })
})

/** A database on which everything is done, and nothing committed. */
function cutBeforeCommit(db: Database): Database {
  return {
    ...db,
    transact: async (scope, work, options) =>
      await db.transact(
        scope,
        async (trx) => {
          await work(trx)
          throw new Error('cut')
        },
        options,
      ),
  }
}
