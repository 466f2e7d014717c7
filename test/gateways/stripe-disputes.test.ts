/** What Stripe's events tell of disputes and payouts, and which events tell nothing. */
import { expect } from 'chai'
import type { Fact } from '../../src/gateways/fact.ts'
import { currencyOf, fromStripe, toStripe } from '../../src/gateways/stripe/amounts.ts'
import { stripe } from '../../src/gateways/stripe.ts'
import {
  ACCOUNT,
  answer,
  charge,
  CREATED,
  dispute,
  event,
  payout,
  stored,
  txn,
  type Json,
} from './stripe-objects.ts'
import { detailOf } from './thrown.ts'

const DISPUTE = `stripe:${ACCOUNT}:dp:du_TESTBahi1`
const PAYOUT = `stripe:${ACCOUNT}:po:po_TESTBahi1`
const at = (seconds: number): Date => new Date((CREATED + seconds) * 1000)

function ofDispute(now: Json, type = 'updated'): Fact[] {
  const webhook = stored(event(`charge.dispute.${type}`, { id: 'du_TESTBahi1' }))
  return stripe.read(webhook, ACCOUNT, answer('disputes/du_TESTBahi1', now)).facts
}

function ofPayout(now: Json, type = 'paid'): Fact[] {
  const webhook = stored(event(`payout.${type}`, { id: 'po_TESTBahi1' }))
  return stripe.read(webhook, ACCOUNT, answer('payouts/po_TESTBahi1', now)).facts
}

const toldBy = (facts: readonly Fact[]) => facts.map(({ kind, key }) => [kind, key])

// As in dj-stripe's sample: the charge of ₹1,500 is taken with the money, and may come back too.
const OUT = txn('txn_TESTout', -250_000, 150_000, { created: CREATED + 7300, type: 'adjustment' })
const BACK = txn('txn_TESTback', 250_000, -150_000, { created: CREATED + 90_000 })

describe('Stripe disputes', () => {
  it('tell that they were opened, and until when evidence is due', () => {
    expect(ofDispute(dispute(), 'created')).to.deep.equal([
      {
        kind: 'dispute_opened',
        key: `${DISPUTE}:opened`,
        gateway: 'stripe',
        account: ACCOUNT,
        gatewayDisputeId: 'du_TESTBahi1',
        gatewayPaymentId: 'ch_TESTBahi1',
        amount: 250_000n,
        currency: 'INR',
        occurredAt: at(7200),
        phase: 'chargeback',
        reason: 'fraudulent',
        respondBy: at(700_000),
      },
    ])
    const inquiry = dispute({ status: 'warning_needs_response', payment_method_details: null })
    expect(ofDispute(inquiry)[0]).to.include({ phase: 'inquiry' })
  })

  it('tell each balance transaction once, with the signs of either side', () => {
    const won = dispute({ status: 'won', balance_transactions: [BACK, OUT] })
    const facts = ofDispute(won, 'funds_reinstated')
    expect(toldBy(facts)).to.deep.equal([
      ['dispute_opened', `${DISPUTE}:opened`],
      ['dispute_debited', `stripe:${ACCOUNT}:txn:txn_TESTout`],
      ['dispute_credited', `stripe:${ACCOUNT}:txn:txn_TESTback`],
    ])
    const money = { amount: 250_000n, fee: 150_000n, tax: 0n, currency: 'INR' }
    expect(facts[1]).to.deep.include({ ...money, occurredAt: at(7300) })
    expect(facts[2]).to.deep.include({ ...money, occurredAt: at(90_000) })
    const kept = txn('txn_TESTback', 250_000, 0, { created: CREATED + 90_000 })
    const withoutFee = ofDispute(dispute({ balance_transactions: [OUT, kept] }))
    expect(withoutFee[2]).to.include({ amount: 250_000n, fee: 0n })
  })

  it('are decided by the event that closes them, and lose what was withdrawn', () => {
    const lost = dispute({ status: 'lost', balance_transactions: [OUT] })
    expect(toldBy(ofDispute(lost, 'funds_withdrawn'))).to.have.length(2)
    const facts = ofDispute(lost, 'closed')
    expect(facts.at(-1)).to.deep.include({
      kind: 'dispute_lost',
      key: `${DISPUTE}:lost`,
      amount: 250_000n,
      currency: 'INR',
      from: 'debited',
      occurredAt: at(10),
    })
    const part = txn('txn_TESTback', 100_000)
    const mixed = dispute({ status: 'lost', balance_transactions: [OUT, part] })
    expect(ofDispute(mixed, 'closed').at(-1)).to.include({ amount: 150_000n })
    for (const status of ['won', 'warning_closed']) {
      const told = ofDispute(dispute({ status }), 'closed').at(-1)
      expect(told).to.include({ kind: 'dispute_won', key: `${DISPUTE}:${status}` })
    }
    for (const status of ['prevented', 'under_review', 'something_new', null]) {
      expect(ofDispute(dispute({ status }), 'closed')).to.have.length(1)
    }
  })

  it('wait for the withdrawal of a lost one, and leave odd movements to a person', () => {
    const bare = dispute({ status: 'lost' })
    detailOf('gateway_unavailable', () => ofDispute(bare, 'closed'))
    for (const movement of [txn('t', 0, 1500), txn('t', -100, -5), txn('t', 100, 5)]) {
      const odd = dispute({ balance_transactions: [movement] })
      expect(detailOf('malformed_event', () => ofDispute(odd))).to.contain('by hand')
    }
    const inTwo = [OUT, txn('txn_usd', -5, 0, { currency: 'usd' })]
    const both = dispute({ status: 'lost', balance_transactions: inTwo })
    detailOf('malformed_event', () => ofDispute(both, 'closed'))
    detailOf('malformed_event', () => ofDispute(dispute({ balance_transactions: 'x' })))
  })
})

describe('Stripe payouts', () => {
  const back = txn('txn_TESTpoBack', 950_000, 0, { created: CREATED + 400_000 })

  it('are settled when they are paid, by the day on which they left', () => {
    expect(ofPayout(payout())).to.deep.equal([
      {
        kind: 'settled',
        key: `${PAYOUT}:paid`,
        gateway: 'stripe',
        account: ACCOUNT,
        gatewaySettlementId: 'po_TESTBahi1',
        amount: 950_000n,
        currency: 'INR',
        occurredAt: at(5),
        utr: 'UTR0000000001',
      },
    ])
    expect(ofPayout(payout(), 'reconciliation_completed')).to.deep.equal(ofPayout(payout()))
    for (const status of ['pending', 'in_transit', 'canceled', 'new']) {
      expect(ofPayout(payout({ status }), 'updated')).to.deep.equal([])
    }
  })

  it('come back when they fail, even after they were called paid', () => {
    const failed = payout({
      status: 'failed',
      failure_balance_transaction: back,
      failure_code: 'account_closed',
      failure_message: 'The bank account has been closed.',
    })
    const facts = ofPayout(failed, 'failed')
    expect(toldBy(facts)).to.deep.equal([
      ['settled', `${PAYOUT}:paid`],
      ['settlement_returned', `${PAYOUT}:failed`],
    ])
    expect(facts[1]).to.deep.include({
      amount: 950_000n,
      occurredAt: at(400_000),
      reason: 'The bank account has been closed.',
    })
    // The earlier event, read late, tells the same.
    expect(ofPayout(failed, 'paid')).to.deep.equal(facts)
  })

  it('wait for their balance transactions, and leave a fee of their own to a person', () => {
    for (const early of [payout({ status: 'failed' }), payout({ balance_transaction: null })]) {
      detailOf('gateway_unavailable', () => ofPayout(early))
    }
    for (const sent of [
      txn('t', -950_000, 5000),
      txn('t', -940_000),
      txn('t', 950_000),
      txn('t', -950_000, 0, { currency: 'usd' }),
    ]) {
      const odd = payout({ balance_transaction: sent })
      expect(detailOf('malformed_event', () => ofPayout(odd))).to.contain('by hand')
    }
    detailOf('malformed_event', () => ofPayout(payout({ amount: -950_000 })))
  })
})

describe('Stripe events', () => {
  const succeeded = event('charge.succeeded', { id: 'ch_TESTBahi1' })
  const about = answer('charges/ch_TESTBahi1', charge())

  it('of no concern are kept as ignored, with their type', () => {
    for (const type of ['customer.created', 'charge.pending', 'payout.created', 'v9.new_thing']) {
      const webhook = stored(event(type, { id: 'x_1' }))
      expect(stripe.needsConfirmation(webhook)).to.equal(null)
      expect(stripe.read(webhook, ACCOUNT, null)).to.deep.equal({ type, facts: [] })
    }
    const thin = { id: 'evt_1', object: 'v2.core.event', type: 'v1.billing.meter.no_meter_found' }
    expect(stripe.read(stored(thin), ACCOUNT, null).facts).to.deep.equal([])
  })

  it('tell nothing before Stripe was asked, nor by an answer about something else', () => {
    detailOf('gateway_unavailable', () => stripe.read(stored(succeeded), ACCOUNT, null))
    for (const other of [
      answer('charges/ch_other', charge()),
      answer('charges/ch_TESTBahi1', charge({ id: 'ch_other' })),
      answer('charges/ch_TESTBahi1', undefined),
      { ref: 'charges/ch_TESTBahi1', object: '[]' },
      { ref: 'charges/ch_TESTBahi1' },
      {},
    ]) {
      detailOf('malformed_event', () => stripe.read(stored(succeeded), ACCOUNT, other))
    }
  })

  it('are of this account and of the mode of its key', () => {
    const read = (changes: Json) =>
      stripe.read(stored({ ...succeeded, ...changes }), ACCOUNT, about).facts
    expect(read({ account: ACCOUNT })).to.have.length(2)
    detailOf('malformed_event', () => read({ account: 'acct_other' }))
    expect(detailOf('malformed_event', () => read({ livemode: true }))).to.contain('mode')
  })

  it('that cannot be read are refused when they are read, not when they come in', () => {
    for (const content of ['', '[]', '{}', '{"type":"a b"}', '{"type":7}', 'null']) {
      expect(stripe.needsConfirmation(stored(content))).to.equal(null)
      detailOf('malformed_event', () => stripe.read(stored(content), ACCOUNT, null))
    }
    for (const id of [undefined, '', 'a/b', '../x', 7, 'x'.repeat(65)]) {
      const webhook = stored(event('charge.succeeded', { id }))
      expect(stripe.needsConfirmation(webhook)).to.equal(null)
      detailOf('malformed_event', () => stripe.read(webhook, ACCOUNT, null))
    }
  })

  it('leave neither names nor cards in what is kept of an answer', () => {
    const kept = JSON.stringify(about)
    for (const personal of ['Asha', 'asha@example.com', '4242', 'visa', 'stays there']) {
      expect(kept).not.to.contain(personal)
    }
    const text = JSON.stringify(answer('disputes/du_TESTBahi1', dispute()))
    expect(text).not.to.contain('Asha')
  })
})

describe('Stripe amounts', () => {
  it('are minor units, but for the currencies that Stripe counts otherwise', () => {
    const cases: [string, number, bigint][] = [
      ['inr', 12_345, 12_345n],
      ['usd', -1, -1n],
      ['jpy', 500, 500n],
      ['krw', 7, 7n],
      ['kwd', 5120, 5120n],
      ['isk', 500, 5n],
      ['ugx', 500, 5n],
      ['mga', 5, 500n],
      ['huf', 1045, 1045n],
    ]
    for (const [code, units, minor] of cases) {
      const currency = currencyOf(code)
      expect(fromStripe(units, currency), code).to.equal(minor)
      if (units > 1) {
        expect(toStripe(minor, currency), code).to.equal(units)
      }
    }
  })

  it('are refused where one side knows no such fraction', () => {
    for (const [units, currency] of [
      [550, 'ISK'],
      [1, 'UGX'],
      [1.5, 'INR'],
      ['5', 'INR'],
      [2 ** 53, 'INR'],
      [null, 'INR'],
    ] as const) {
      detailOf('malformed_event', () => fromStripe(units, currency))
    }
    for (const [minor, currency] of [
      [5124n, 'KWD'],
      [150n, 'MGA'],
      [0n, 'INR'],
      [-1n, 'INR'],
      [1n, 'XXX'],
    ] as const) {
      detailOf('invalid_request', () => toStripe(minor, currency))
    }
    for (const word of ['', 'rupees', null, 7, 'xxx', 'xau']) {
      detailOf('malformed_event', () => currencyOf(word))
    }
  })
})
