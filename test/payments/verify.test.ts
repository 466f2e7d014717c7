/** That verification sees each way in which gateways' rows, facts and entries can disagree. */
import { expect } from 'chai'
import { verifyDonations } from '../../src/inbox/verify.ts'
import { PAYMENT_CHECKS } from '../../src/payments/verify.ts'
import { captured, record } from '../donations/facts.ts'
import { openBooks, type Books } from '../ledger/books.ts'
import {
  disputeLost,
  disputeMoved,
  disputeOpened,
  minutes,
  paymentFee,
  payoutProcessed,
  payoutReversed,
  refundCreated,
  refundFailed,
  refundProcessed,
  settled,
  settlementReturned,
  transferProcessed,
  transferReversed,
} from './facts.ts'

const REFUND = { refund: 'rfnd_1', payment: 'pay_1' }
const DISPUTE = { dispute: 'disp_1', payment: 'pay_1' }

/** What is spoilt, as the owner of the tables could, and what shows it. */
const SPOILT: readonly [check: string, sql: string, detail: RegExp][] = [
  ['refunds above the capture', 'update refunds set amount = 50001', /50001 INR refunded/],
  ['refunds above the capture', `update refunds set currency = 'USD'`, /10000 USD refunded/],
  [
    'refunds and captures',
    `update refunds set gateway_payment_id = 'pay_x'`,
    /its payment pay_x is not known/,
  ],
  ['entries of gateways', 'update refunds set amount = 9', /refund rfnd_1: entry \d+ is no refund/],
  ['entries of gateways', 'update refunds set created_entry = 1', /entry 1 is no refund_created/],
  ['entries of gateways', 'update settlements set amount = 9', /settlement setl_1/],
  ['entries of gateways', 'update gateway_payouts set amount = 9', /payout pout_1/],
  ['entries of gateways', 'update gateway_transfers set amount = 14999', /transfer trf_1/],
  [
    'facts of gateways',
    `update facts set fact_key = 'x' where kind = 'payment_fee'`,
    /fact x has no entry/,
  ],
  ['fees of payments', 'update payments set fee = 9, tax = 0', /has fee 9 and tax 0/],
  ['steps without a beginning', 'update refunds set created_entry = null', /never begun/],
  ['steps without a beginning', 'update refunds set returned_entry = null', /is not returned/],
  [
    'steps without a beginning',
    'update settlements set settled_entry = null, settled_at = null',
    /never sent/,
  ],
  [
    'steps without a beginning',
    'update gateway_payouts set processed_entry = null, processed_at = null',
    /never paid/,
  ],
  ['steps without a beginning', 'update gateway_transfers set reversed = 15001', /15001 of 15000/],
  ['money of disputes', 'update disputes set held = held + 1', /20001 held and 20000 lost/],
  ['money of disputes', 'update disputes set lost = 1', /20000 held and 1 lost/],
  ['disputes that ended', 'select 1', /was lost, and 20000 of it is still held back/],
  [
    'parked facts',
    `update parked_facts set parked_at = now() - interval '25 hours'`,
    /waits for payment pay_later/,
  ],
]

describe('verification of gateways’ money', () => {
  let books: Books
  let org = 850

  before(async () => {
    books = await openBooks()
  })

  after(async () => {
    await books.close()
  })

  async function live(more: Parameters<typeof record>[1] = []): Promise<void> {
    org += 1
    await books.addOrganisation(org)
    const facts = [
      captured({ payment: 'pay_1' }),
      paymentFee('pay_1'),
      refundCreated(REFUND),
      refundProcessed({ ...REFUND, at: minutes(5) }),
      disputeOpened(DISPUTE),
      disputeMoved('dispute_debited', DISPUTE, { fee: 0n, tax: 0n }),
      settled({ id: 'setl_1' }),
      payoutProcessed({ id: 'pout_1' }),
      transferProcessed({ id: 'trf_1' }),
      transferReversed({ id: 'trf_1', amount: 10n }, 'rvrsl_1'),
      refundCreated({ refund: 'rfnd_later', payment: 'pay_later' }),
      ...more,
    ]
    expect(await record(books, facts, org)).to.deep.equal(facts.map(() => null))
  }

  it('finds nothing where nothing is off', async () => {
    await live([
      disputeLost(DISPUTE, 'debited'),
      refundFailed({ ...REFUND, at: minutes(9) }),
      settlementReturned({ id: 'setl_1' }),
      payoutReversed({ id: 'pout_1' }),
    ])
    expect(await verifyDonations(books.db, org)).to.deep.equal([])
  })

  for (const [check, sql, detail] of SPOILT) {
    it(`shows by “${check}” what this spoils: ${sql}`, async () => {
      const isReturned = /returned|never/.test(detail.source)
      await live([
        ...(isReturned ? [refundFailed({ ...REFUND, at: minutes(9) })] : []),
        ...(isReturned ? [settlementReturned({ id: 'setl_1' })] : []),
        ...(isReturned ? [payoutReversed({ id: 'pout_1' })] : []),
        // Held back at first, and then taken a second time out of what the gateway owes us.
        disputeLost(DISPUTE, 'clearing'),
      ])
      const before = await verifyDonations(books.db, org)
      expect(before.map((one) => one.check)).to.deep.equal(['disputes that ended'])
      const where = sql.includes(' where ') ? `${sql} and` : `${sql} where`
      const spoil = sql.startsWith('update') ? `${where} org_id = ${org}` : sql
      await books.own(`set session_replication_role = replica; ${spoil}`)
      const found = await verifyDonations(books.db, org)
      const shown = found.filter((one) => one.check === check && detail.test(one.detail))
      expect(shown).to.not.deep.equal([])
    })
  }

  it('has a row here for each of its checks', () => {
    expect(new Set(SPOILT.map(([check]) => check))).to.deep.equal(
      new Set(PAYMENT_CHECKS.map(({ check }) => check)),
    )
  })
})
