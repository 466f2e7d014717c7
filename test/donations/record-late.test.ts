/** Tests of facts that come after their month was closed: they are posted all the same. */
import { expect } from 'chai'
import { closePeriod } from '../../src/ledger/closing/period-changes.ts'
import { verifyDonations } from '../../src/inbox/verify.ts'
import { verifyLedger } from '../../src/ledger/checks/verify.ts'
import { openBooks, type Books } from '../ledger/books.ts'
import { captured, NOON, openFor, record } from './facts.ts'

const MONTH = NOON.toISOString().slice(0, 7)
const YEAR_LATER = `${NOON.getUTCFullYear() + 1}${NOON.toISOString().slice(4, 10)}`

describe('a capture that is told late', () => {
  let books: Books
  let org = 550

  before(async () => {
    books = await openBooks()
  })

  beforeEach(async () => {
    org += 1
    await books.addOrganisation(org)
  })

  afterEach(async () => {
    const ledger = await verifyLedger(books.db, org, () => undefined)
    const findings = [...ledger.findings, ...(await verifyDonations(books.db, org))]
    expect(findings).to.deep.equal([])
  })

  after(async () => {
    await books.close()
  })

  async function close(month: string, state: 'soft_closed' | 'closed'): Promise<void> {
    const change = { month, state, reason: 'filed', actor: 'test', today: YEAR_LATER }
    await books.db.transact(org, async (trx) => await closePeriod(trx, change), {
      queue: 'journal',
    })
  }

  async function entries(): Promise<object[]> {
    return await books.read(
      `select effective_on, metadata->>'late_reason' as reason, metadata->>'happened_on' as day
         from journal_entries order by entry_no`,
      [],
      org,
    )
  }

  async function tell(): Promise<void> {
    await openFor(books, { order: 'order_1', orgId: org })
    const told = await record(books, [captured({ payment: 'pay_1', order: 'order_1' })], org)
    expect(told).to.deep.equal([null])
  }

  const day = NOON.toISOString().slice(0, 10)
  const reason = 'The gateway told it after the month was closed.'
  const nextMonth = new Date(Date.UTC(NOON.getUTCFullYear(), NOON.getUTCMonth() + 1, 1))
    .toISOString()
    .slice(0, 10)

  it('is posted into its own month with a reason where that is closed softly', async () => {
    await close(MONTH, 'soft_closed')
    await tell()
    expect(await entries()).to.deep.equal([{ effective_on: day, reason, day: null }])
  })

  it('is posted on the first day after a closed month, and its own day is kept', async () => {
    await close(MONTH, 'closed')
    await tell()
    expect(await entries()).to.deep.equal([{ effective_on: nextMonth, reason: null, day }])
  })

  it('gives a reason as well where the month after the closed one is closed softly', async () => {
    await close(MONTH, 'closed')
    await close(nextMonth.slice(0, 7), 'soft_closed')
    await tell()
    expect(await entries()).to.deep.equal([{ effective_on: nextMonth, reason, day }])
  })
})
