/** What is recorded from a line is, to the key and the money, what its gateway tells by itself. */
import { expect } from 'chai'
import { Problem } from '../../src/base/problem.ts'
import type { Fact } from '../../src/gateways/fact.ts'
import { gateways } from '../../src/gateways/registry.ts'
import { readSettlement, readSettlementLine } from '../../src/gateways/payu/settlements.ts'
import { payoutFacts } from '../../src/gateways/stripe/payout.ts'
import { refundFacts } from '../../src/gateways/stripe/refund.ts'
import { fingerprintOf } from '../../src/payments/facts.ts'
import { factsOfLine, feeOfLine, settledByLines } from '../../src/recon/resolve/told-by-line.ts'
import type { SubjectLine } from '../../src/recon/resolve/subject.ts'
import { verifyRecon } from '../../src/recon/verify.ts'
import { openBooks, ORG } from '../ledger/books.ts'
import { payuCallback, payuVerified } from '../support/bodies.ts'
import { PAYU } from '../support/organisation.ts'
import { balanceOf, tell } from './told.ts'

const said = (facts: readonly Fact[]) =>
  facts.map((fact) => `${fact.kind} ${fact.key} ${fingerprintOf(fact).toString('hex')}`)

function lineOf(more: Partial<SubjectLine>): SubjectLine {
  return {
    file_no: 1,
    row_no: 1,
    repeated: 0,
    gateway: 'payu',
    account: PAYU.account,
    kind: 'payment',
    external_id: '403993715531077182',
    payment_ref: null,
    order_ref: 'bahi1',
    settlement_ref: 'S1',
    amount: 250_050n,
    fee: null,
    tax: null,
    net: 250_050n,
    currency: 'INR',
    occurred_on: '2026-11-20',
    settled_on: null,
    ...more,
  }
}

describe('what a line tells', () => {
  it('of a payment through PayU is what its callback tells, confirmed', () => {
    const order = { txnid: 'bahi1', amount: '2500.50' }
    const { body, headers } = payuCallback(order)
    const webhook = {
      body,
      contentType: headers['content-type'] ?? '',
      receivedAt: new Date(),
      signedBy: 'whs_1',
    }
    const [verified] = Object.values(
      Object(payuVerified('bahi1', { amt: '2500.50' })) as object,
    ).filter((one) => typeof one === 'object') as Record<string, Record<string, string>>[]
    const confirmation = verified?.['bahi1'] ?? {}
    const { facts } = gateways.payu.read(webhook, PAYU.account, confirmation)
    expect(facts).to.have.length(1)
    expect(said(factsOfLine(lineOf({})))).to.deep.equal(said(facts))
  })

  it('of the fee of a payment through PayU is booked once, whoever tells it again', async () => {
    const books = await openBooks()
    const line = lineOf({ amount: 100_000n, fee: 2360n, tax: 360n, net: 97_640n })
    expect(await tell(books, ...factsOfLine(line))).to.deep.equal([null, null])
    const told = (more: object) =>
      readSettlementLine(PAYU.account, {
        action: 'capture',
        requestId: '77',
        payuId: '403993715531077182',
        transactionAmount: '1000.00',
        merchantServiceFee: '20.00',
        merchantServiceTax: '3.60',
        requestDate: '2026-11-20 10:00:00',
        ...more,
      }).facts
    expect(await tell(books, ...told({}))).to.deep.equal([null])
    expect(await tell(books, ...feeOfLine(line))).to.deep.equal([null])
    expect(
      await tell(books, ...told({ requestId: '78', merchantServiceFee: '21.00' })),
    ).to.deep.equal(['idempotency_conflict'])
    expect(await balanceOf(books, 'assets:clearing:payu')).to.equal(97_640n)
    expect(await verifyRecon(books.db, ORG)).to.deep.equal([])
    await books.close()
  })

  it('of a settlement of PayU, and of the fee of a refund, is what PayU answers', () => {
    const { facts } = readSettlement(PAYU.account, {
      settlementId: 'S1',
      settlementCompletedDate: '2026-05-06 10:00:00',
      settlementAmount: '970.00',
      utrNumber: 'AXISCN1',
    })
    const told = { gateway: 'payu', account: PAYU.account, ref: 'S1', amount: 97_000n }
    const rest = { currency: 'INR', utr: null, settledOn: '2026-05-06' }
    expect(said([settledByLines({ ...told, ...rest })])).to.deep.equal(said(facts))
    const fee = readSettlementLine(PAYU.account, {
      action: 'refund',
      requestId: '77',
      payuId: '403993715531077182',
      transactionAmount: '100.00',
      merchantServiceFee: '2.00',
      merchantServiceTax: '0.36',
      requestDate: '2026-05-06 10:00:00',
    })
    const refund = lineOf({
      kind: 'refund',
      external_id: '77',
      payment_ref: '403993715531077182',
      amount: 10_000n,
      fee: 236n,
      tax: 36n,
      net: -10_236n,
    })
    expect(said(factsOfLine(refund)).slice(2)).to.deep.equal(said(fee.facts))
  })

  it('of a refund and a payout of Stripe is what Stripe tells', () => {
    const of = (id: string, amount: number) => ({
      id,
      amount,
      fee: 0,
      net: amount,
      currency: 'inr',
      fee_details: [],
      created: 1_778_038_200,
    })
    const charge = { id: 'ch_1', captured: true, balance_transaction: of('txn_0', 50_000) }
    const refund = {
      id: 're_1',
      amount: 10_000,
      currency: 'inr',
      created: 1_778_038_200,
      status: 'succeeded',
      balance_transaction: of('txn_1', -10_000),
    }
    const stripe = { gateway: 'stripe', account: 'acct_1' }
    const line = lineOf({
      ...stripe,
      kind: 'refund',
      external_id: 're_1',
      payment_ref: 'ch_1',
      amount: 10_000n,
      fee: 0n,
      net: -10_000n,
    })
    const told = refundFacts(refund, charge, 'acct_1', new Date())
    expect(said(factsOfLine(line))).to.deep.equal(said(told))
    const payout = {
      id: 'po_1',
      amount: 97_000,
      currency: 'inr',
      status: 'paid',
      balance_transaction: of('txn_2', -97_000),
    }
    const sent = { ref: 'po_1', amount: 97_000n, currency: 'INR', utr: null }
    const fact = settledByLines({ ...stripe, ...sent, settledOn: '2026-05-06' })
    expect(said([fact])).to.deep.equal(said(payoutFacts(payout, 'acct_1')))
  })

  it('is refused where no key can be made of it', () => {
    const refused = (more: Partial<SubjectLine>): string => {
      try {
        factsOfLine(lineOf(more))
      } catch (error) {
        return error instanceof Problem ? error.code : String(error)
      }
      return 'recorded'
    }
    const unfit: Partial<SubjectLine>[] = [
      { external_id: null },
      { external_id: 'pay_1:captured' },
      { occurred_on: null },
      { gateway: 'nobody' },
      { gateway: 'stripe' },
      { kind: 'dispute' },
      { kind: 'refund' },
      { gateway: 'razorpay', fee: 10n, tax: 11n },
    ]
    for (const more of unfit) {
      expect(refused(more), String(Object.entries(more))).to.equal('resolution_unfit')
    }
    const empty = { gateway: 'razorpay', account: 'a', ref: 's', currency: 'INR', utr: null }
    expect(() => settledByLines({ ...empty, amount: -1n, settledOn: '2026-05-06' })).to.throw(
      Problem,
    )
  })
})
