/** Tests of what facts become: payments that move forward, paid donations, one entry a capture. */
import { expect } from 'chai'
import { verifyDonations } from '../../src/inbox/verify.ts'
import { verifyLedger } from '../../src/ledger/checks/verify.ts'
import { openBooks, type Books } from '../ledger/books.ts'
import { authorized, captured, failed, NOON, openFor, record } from './facts.ts'

const LATER = new Date(NOON.getTime() + 60_000)

describe('facts', () => {
  let books: Books
  let org = 500

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

  const tell = async (...facts: Parameters<typeof record>[1]) => await record(books, facts, org)

  async function payments(): Promise<Record<string, unknown>[]> {
    return await books.read(
      `select gateway_payment_id as id, state, amount, currency, bank_reference, subscription_ref,
              booked_to, donation_id, entry_no, captured_at, authorized_at, failed_at,
              failure_reason
         from payments order by gateway_payment_id`,
      [],
      org,
    )
  }

  /** Entries as `kind amount currency credited-account`. */
  async function entries(): Promise<string[]> {
    const rows = await books.read<{ text: string }>(
      `select e.kind || ' ' || p.amount || ' ' || a.currency || ' ' || a.code as text
         from journal_entries e
         join postings p using (org_id, entry_no) join accounts a using (org_id, account_id)
        where p.direction = 'credit' order by e.entry_no`,
      [],
      org,
    )
    return rows.map((row) => row.text)
  }

  async function donations(): Promise<Record<string, unknown>[]> {
    return await books.read(
      `select order_ref, state, paid_at, payment_id is not null as has_payment
         from donations order by order_ref`,
      [],
      org,
    )
  }

  async function promises(): Promise<string[]> {
    const rows = await books.read<{ subject: string }>('select subject from outbox', [], org)
    return rows.map((row) => row.subject)
  }

  it('of a capture post the donation, mark it paid and promise its receipt', async () => {
    const donationId = await openFor(books, { order: 'order_1', orgId: org })
    expect(await tell(captured({ payment: 'pay_1', order: 'order_1' }))).to.deep.equal([null])
    const [payment] = await payments()
    expect(payment).to.include({ state: 'captured', donation_id: donationId, entry_no: 1n })
    expect(payment).to.include({ booked_to: 'income:donations:education' })
    expect(payment?.['captured_at']).to.deep.equal(NOON)
    expect(await entries()).to.deep.equal([
      'donation_captured 50000 INR income:donations:education',
    ])
    expect(await donations()).to.deep.equal([
      { order_ref: 'order_1', state: 'paid', paid_at: NOON, has_payment: true },
    ])
    expect(await promises()).to.deep.equal([donationId])
  })

  it('are dated by India’s calendar', async () => {
    await tell(captured({ payment: 'pay_1', at: new Date('2026-03-31T18:29:59Z') }))
    await tell(captured({ payment: 'pay_2', at: new Date('2026-03-31T18:30:00Z') }))
    expect(
      await books.read('select effective_on from journal_entries order by entry_no', [], org),
    ).to.deep.equal([{ effective_on: '2026-03-31' }, { effective_on: '2026-04-01' }])
  })

  it('capture a payment that failed before', async () => {
    await openFor(books, { order: 'order_1', orgId: org })
    await tell(failed({ payment: 'pay_1', order: 'order_1' }))
    expect((await payments())[0]).to.include({ state: 'failed', entry_no: null })
    await tell(captured({ payment: 'pay_1', order: 'order_1', at: LATER }))
    const [payment] = await payments()
    expect(payment).to.include({ state: 'captured', entry_no: 1n })
    expect(payment?.['failed_at']).to.deep.equal(NOON)
    expect(await donations()).to.have.length(1)
  })

  for (const [what, late] of [
    ['an authorisation', authorized({ payment: 'pay_1', order: 'order_1', at: LATER })],
    ['a failure', failed({ payment: 'pay_1', order: 'order_1', at: LATER })],
  ] as const) {
    it(`keep a payment captured when ${what} comes after it`, async () => {
      await openFor(books, { order: 'order_1', orgId: org })
      await tell(captured({ payment: 'pay_1', order: 'order_1' }))
      const before = [await entries(), await donations(), await promises()]
      expect(await tell(late)).to.deep.equal([null])
      expect((await payments())[0]).to.include({ state: 'captured', entry_no: 1n })
      expect([await entries(), await donations(), await promises()]).to.deep.equal(before)
    })
  }

  it('keep a payment authorised when an older failure comes after it', async () => {
    await tell(authorized({ payment: 'pay_1', at: LATER }))
    await tell(failed({ payment: 'pay_1' }))
    expect((await payments())[0]).to.include({ state: 'authorized', entry_no: null })
    expect(await entries()).to.deep.equal([])
  })

  it('post nothing for an authorisation or a failure', async () => {
    await openFor(books, { order: 'order_1', orgId: org })
    await tell(authorized({ payment: 'pay_1', order: 'order_1' }))
    await tell(failed({ payment: 'pay_2', order: 'order_1' }))
    expect(await entries()).to.deep.equal([])
    expect(await promises()).to.deep.equal([])
    expect((await donations())[0]).to.include({ state: 'open', has_payment: false })
  })

  it('told again change nothing, in one batch and later', async () => {
    await openFor(books, { order: 'order_1', orgId: org })
    const fact = captured({ payment: 'pay_1', order: 'order_1' })
    expect(await tell(fact, fact, fact)).to.deep.equal([null, null, null])
    const before = [await payments(), await entries(), await donations(), await promises()]
    expect(await tell(fact, fact)).to.deep.equal([null, null])
    expect([await payments(), await entries(), await donations(), await promises()]).to.deep.equal(
      before,
    )
    expect(await books.read('select fact_key from facts', [], org)).to.have.length(1)
  })

  for (const together of [true, false]) {
    it(`contradict each other ${together ? 'at once' : 'later'}: the first stands`, async () => {
      await openFor(books, { order: 'order_1', orgId: org })
      const first = captured({ payment: 'pay_1', order: 'order_1' })
      const others = [
        captured({ payment: 'pay_1', order: 'order_1', amount: 50_001n }),
        captured({ payment: 'pay_1', order: 'order_1', currency: 'USD' }),
      ]
      const sound = captured({ payment: 'pay_2' })
      const outcomes = together
        ? await tell(first, ...others, sound)
        : [...(await tell(first)), ...(await tell(...others, sound))]
      expect(outcomes).to.deep.equal([null, 'idempotency_conflict', 'idempotency_conflict', null])
      expect(await entries()).to.deep.equal([
        'donation_captured 50000 INR income:donations:education',
        'unidentified_captured 50000 INR liabilities:unidentified-receipts',
      ])
    })
  }

  it('of another merchant account are facts of another payment', async () => {
    const fact = captured({ payment: 'pay_1' })
    const other = {
      ...fact,
      account: 'acc_other',
      key: fact.key.replace(fact.account, 'acc_other'),
    }
    expect(await tell(fact, other)).to.deep.equal([null, null])
    expect(await payments()).to.have.length(2)
  })

  it('take bank reference and subscription from whichever telling has them', async () => {
    const told = { payment: 'pay_1', order: 'order_1' }
    await openFor(books, { order: 'order_1', orgId: org })
    await tell(captured(told))
    expect((await payments())[0]).to.include({ bank_reference: null, subscription_ref: null })
    await tell(captured(told, { subscriptionRef: 'sub_1' }))
    await tell(captured(told, { bankReference: '412345678901' }))
    await tell(captured(told, { subscriptionRef: 'sub_9', bankReference: '9' }), captured(told))
    expect((await payments())[0]).to.include({
      subscription_ref: 'sub_1',
      bank_reference: '412345678901',
    })
    expect(await entries()).to.have.length(1)
  })

  describe('of money that nobody can place', () => {
    const UNIDENTIFIED = 'liabilities:unidentified-receipts'

    it('post a capture without an order as unidentified, without a receipt', async () => {
      await openFor(books, { order: 'order_1', orgId: org })
      await tell(captured({ payment: 'pay_1' }))
      expect(await entries()).to.deep.equal([`unidentified_captured 50000 INR ${UNIDENTIFIED}`])
      expect((await payments())[0]).to.include({ state: 'captured', donation_id: null })
      expect(await promises()).to.deep.equal([])
    })

    it('post a capture for an order that we do not know as unidentified', async () => {
      await tell(captured({ payment: 'pay_1', order: 'order_unknown' }))
      expect(await entries()).to.deep.equal([`unidentified_captured 50000 INR ${UNIDENTIFIED}`])
      expect(await promises()).to.deep.equal([])
    })

    for (const together of [true, false]) {
      it(`post a second payment of a donation so ${together ? 'at once' : 'later'}`, async () => {
        const donationId = await openFor(books, { order: 'order_1', orgId: org })
        const one = captured({ payment: 'pay_1', order: 'order_1' })
        const other = captured({ payment: 'pay_2', order: 'order_1', at: LATER })
        const outcomes = together
          ? await tell(one, other)
          : [...(await tell(one)), ...(await tell(other))]
        expect(outcomes).to.deep.equal([null, null])
        expect(await entries()).to.deep.equal([
          'donation_captured 50000 INR income:donations:education',
          `unidentified_captured 50000 INR ${UNIDENTIFIED}`,
        ])
        expect(await promises()).to.deep.equal([donationId])
        expect((await payments()).map((row) => row['donation_id'])).to.deep.equal([
          donationId,
          null,
        ])
      })
    }

    it('post another currency than the donation’s as unidentified, and leave it open', async () => {
      await openFor(books, { order: 'order_1', orgId: org })
      await tell(captured({ payment: 'pay_1', order: 'order_1', currency: 'USD' }))
      expect(await entries()).to.deep.equal([`unidentified_captured 50000 USD ${UNIDENTIFIED}`])
      expect((await donations())[0]).to.include({ state: 'open' })
      await tell(captured({ payment: 'pay_2', order: 'order_1' }))
      expect((await donations())[0]).to.include({ state: 'paid' })
    })

    it('do not take an order of the same name at another gateway', async () => {
      await openFor(books, { order: 'order_1', orgId: org })
      const fact = captured({ payment: 'pay_1', order: 'order_1' })
      await tell({ ...fact, gateway: 'payu' })
      expect((await entries())[0]).to.include(UNIDENTIFIED)
      expect((await donations())[0]).to.include({ state: 'open' })
    })

    it('do not take another organisation’s order', async () => {
      await openFor(books, { order: 'order_elsewhere' })
      await tell(captured({ payment: 'pay_1', order: 'order_elsewhere' }))
      expect((await entries())[0]).to.include(UNIDENTIFIED)
    })
  })

  describe('of which one is refused', () => {
    beforeEach(async () => {
      await tell(captured({ payment: 'pay_0', currency: 'USD' }))
      await books.own(`update accounts set open = false where org_id = ${org} and currency = 'USD'`)
    })

    it('let the others of the batch through, and leave no trace of it', async () => {
      await openFor(books, { order: 'order_1', orgId: org })
      expect(
        await tell(
          captured({ payment: 'pay_1', order: 'order_1' }),
          captured({ payment: 'pay_2', currency: 'USD' }),
          authorized({ payment: 'pay_3' }),
        ),
      ).to.deep.equal([null, 'account_closed', null])
      expect(
        (await payments()).map((row) => `${String(row['id'])} ${String(row['state'])}`),
      ).to.deep.equal(['pay_0 captured', 'pay_1 captured', 'pay_3 authorized'])
      expect(
        await books.read(`select * from facts where fact_key like '%pay_2%'`, [], org),
      ).to.have.length(0)
    })

    it('record it when it is told again after the cause is gone', async () => {
      const refused = captured({ payment: 'pay_2', currency: 'USD' })
      expect(await tell(refused)).to.deep.equal(['account_closed'])
      await books.own(`update accounts set open = true where org_id = ${org}`)
      expect(await tell(refused)).to.deep.equal([null])
      expect(await entries()).to.have.length(2)
    })

    it('tell every event of a refused fact that it was not recorded', async () => {
      const refused = captured({ payment: 'pay_2', currency: 'USD' })
      expect(await tell(refused, refused)).to.deep.equal(['account_closed', 'account_closed'])
    })

    it('leave the donation open for the next payment', async () => {
      await openFor(books, { order: 'order_1', orgId: org })
      // Both accounts in rupees come to be with the first donation, so they are closed after it.
      await tell(captured({ payment: 'pay_1', order: 'order_1' }))
      await openFor(books, { order: 'order_2', orgId: org })
      await books.own(`update accounts set open = false where org_id = ${org}`)
      expect(await tell(captured({ payment: 'pay_2', order: 'order_2' }))).to.deep.equal([
        'account_closed',
      ])
      expect((await donations())[1]).to.include({ order_ref: 'order_2', state: 'open' })
      await books.own(`update accounts set open = true where org_id = ${org}`)
      expect(await tell(captured({ payment: 'pay_3', order: 'order_2' }))).to.deep.equal([null])
      expect((await donations())[1]).to.include({ state: 'paid' })
    })
  })
})
