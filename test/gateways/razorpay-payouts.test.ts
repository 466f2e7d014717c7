/** What Razorpay's payouts, transfers, settlements and downtimes tell. */
import { expect } from 'chai'
import { razorpay } from '../../src/gateways/razorpay.ts'
import { factOf, keysOf, kindsOf } from './facts.ts'
import {
  ACCOUNT,
  downtimeEvent,
  lineEvent,
  NEW_YEAR,
  payoutEvent,
  readEvent,
  settlementEvent,
  transferEvent,
} from './razorpay-bodies.ts'
import { detailOf } from './thrown.ts'

const refused = (content: object) => detailOf('malformed_event', () => readEvent(content))
const at = (seconds: number) => new Date(seconds * 1000)

describe('RazorpayX payouts', () => {
  it('reads the states before the money moves, each under its own key', () => {
    for (const [name, state] of [
      ['queued', 'queued'],
      ['pending', 'pending'],
      ['initiated', 'processing'],
    ] as const) {
      const told = readEvent(payoutEvent(name, { status: state }))
      expect(keysOf(told)).to.deep.equal([`pout:pout_TESTBahi00001:${state}`])
      expect(factOf(told, 'payout_pending')).to.include({
        state,
        amount: 100_000n,
        fee: 590n,
        tax: 90n,
        reference: 'BAHIPAYOUT0001',
      })
    }
  })

  it('reads a processed payout with its charge, of which the tax is a part', () => {
    const told = readEvent(payoutEvent('processed', { utr: 'TESTUTR0001' }))
    expect(keysOf(told)).to.deep.equal(['pout:pout_TESTBahi00001:processed'])
    expect(factOf(told, 'payout_processed')).to.include({
      amount: 100_000n,
      fee: 590n,
      tax: 90n,
      utr: 'TESTUTR0001',
    })
    const nameless = readEvent(payoutEvent('processed', { utr: 'null' }))
    expect(factOf(nameless, 'payout_processed').utr).to.equal(null)
  })

  it('reads a reversal as paid and come back, days after it was processed even', () => {
    const told = readEvent(payoutEvent('reversed'))
    expect(keysOf(told)).to.deep.equal([
      'pout:pout_TESTBahi00001:processed',
      'pout:pout_TESTBahi00001:reversed',
    ])
    const { amount, fee, tax, reason } = factOf(told, 'payout_reversed')
    expect([amount, fee, tax, reason]).to.deep.equal([100_000n, 590n, 90n, 'It is on its way.'])
    const first = readEvent(payoutEvent('processed')).facts[0]
    const { occurredAt: _, ...paid } = factOf(told, 'payout_processed')
    expect(first).to.include(paid)
  })

  it('reads failed, rejected and cancelled payouts as ended without money', () => {
    for (const [name, status] of [
      ['failed', 'failed'],
      ['rejected', 'rejected'],
      ['updated', 'cancelled'],
    ] as const) {
      const told = readEvent(payoutEvent(name, { status, fees: null, tax: null }))
      expect(keysOf(told)).to.deep.equal(['pout:pout_TESTBahi00001:failed'])
    }
  })

  it('takes the state of an update from the payout, and says where it knows none', () => {
    expect(kindsOf(readEvent(payoutEvent('updated', { status: 'processed' })))).to.deep.equal([
      'payout_processed',
    ])
    for (const status of ['scheduled', 'brand_new', null]) {
      const told = readEvent(payoutEvent('updated', { status }))
      expect(told.facts).to.deep.equal([])
      expect(told.note).to.contain('nothing was paid')
    }
  })

  it('goes on to where the payout is, and refuses a payout that is behind its event', () => {
    const ahead = payoutEvent('initiated', { status: 'processed' })
    expect(kindsOf(readEvent(ahead))).to.deep.equal(['payout_pending', 'payout_processed'])
    const back = payoutEvent('processed', { status: 'reversed' })
    expect(kindsOf(readEvent(back))).to.deep.equal(['payout_processed', 'payout_reversed'])
    for (const [name, status] of [
      ['processed', 'processing'],
      ['processed', 'failed'],
      ['reversed', 'processed'],
      ['failed', 'processed'],
      ['failed', 'reversed'],
      ['rejected', 'queued'],
    ] as const) {
      refused(payoutEvent(name, { status }))
    }
  })

  it('refuses a paid payout whose charge is not told, or cannot be', () => {
    for (const charge of [{ fees: null }, { tax: undefined }, { fees: 1, tax: 2 }, { fees: -1 }]) {
      refused(payoutEvent('processed', charge))
    }
    refused(payoutEvent('processed', { amount: 0 }))
    refused(payoutEvent('processed', { id: '' }))
  })
})

describe('Razorpay transfers', () => {
  it('reads a transfer to a linked account with its charge', () => {
    const told = readEvent(transferEvent('processed'))
    expect(keysOf(told)).to.deep.equal(['trf:trf_TESTBahi000001:processed'])
    const fact = factOf(told, 'transfer_processed')
    expect(fact).to.include({
      gatewayTransferId: 'trf_TESTBahi000001',
      recipient: 'acc_TESTLinked0001',
      source: 'pay_TESTBahi000001',
      amount: 80_000n,
      fee: 236n,
      tax: 36n,
    })
    expect(fact.occurredAt).to.deep.equal(at(NEW_YEAR + 60))
    const bare = readEvent(transferEvent('processed', { status: undefined, processed_at: null }))
    expect(factOf(bare, 'transfer_processed').occurredAt).to.deep.equal(at(NEW_YEAR))
  })

  it("reads a failure by the event's name, because the transfer's status says otherwise", () => {
    const error = { code: 'BAD', description: 'Transfer failed.', reason: 'insufficient_balance' }
    const told = readEvent(transferEvent('failed', { error }))
    expect(keysOf(told)).to.deep.equal(['trf:trf_TESTBahi000001:failed'])
    expect(factOf(told, 'transfer_failed').reason).to.equal('Transfer failed.')
  })

  it('reads a reversal with the transfer before it, and none without the transfer', () => {
    for (const name of ['reversed', 'reversal']) {
      const status = 'partially_reversed'
      const told = readEvent(transferEvent(name, { status }, {}))
      expect(keysOf(told)).to.deep.equal([
        'trf:trf_TESTBahi000001:processed',
        'rvrsl:rvrsl_TESTBahi0001',
      ])
      const fact = factOf(told, 'transfer_reversed')
      expect(fact).to.include({ gatewayReversalId: 'rvrsl_TESTBahi0001', amount: 30_000n, fee: 0n })
      expect(fact.occurredAt).to.deep.equal(at(NEW_YEAR + 7200))
    }
    const { payload, ...rest } = transferEvent('reversed', {}, {}) as { payload: object }
    const { transfer: _, ...alone } = payload as Record<string, object>
    const told = readEvent({ ...rest, payload: alone })
    expect(told.facts).to.deep.equal([])
    expect(told.note).to.contain('rvrsl_TESTBahi0001')
    refused(transferEvent('reversed', {}, { transfer_id: 'trf_TESTOther0001' }))
    refused(transferEvent('reversed', {}, null))
  })

  it('refuses transfers that are not as far as their event, or without a recipient', () => {
    refused(transferEvent('processed', { status: 'pending' }))
    refused(transferEvent('processed', { status: 'failed' }))
    refused(transferEvent('processed', { recipient: null }))
    refused(transferEvent('processed', { fees: null }))
  })
})

describe('Razorpay settlements', () => {
  it('reads a settlement in rupees, dated by itself and not by its event', () => {
    const told = readEvent(settlementEvent())
    expect(keysOf(told)).to.deep.equal(['setl:setl_TESTBahi00001:processed'])
    expect(factOf(told, 'settled')).to.include({
      amount: 244_100n,
      currency: 'INR',
      utr: 'TESTN600000000009',
    })
    expect(factOf(told, 'settled').occurredAt).to.deep.equal(at(NEW_YEAR))
    const asked = readEvent(settlementEvent({}, { created_at: undefined }))
    expect(asked.facts).to.deep.equal(told.facts)
  })

  it('books nothing of a settlement that is not processed, and says so', () => {
    for (const status of ['created', 'failed', null]) {
      const told = readEvent(settlementEvent({ status }))
      expect(told.facts).to.deep.equal([])
      expect(told.note).to.contain('setl_TESTBahi00001')
    }
  })

  it('refuses a settlement of an amount or a currency that it cannot have', () => {
    refused(settlementEvent({ amount: 0 }))
    refused(settlementEvent({ amount: null }))
    refused(settlementEvent({ currency: 'inr' }))
  })

  it('finds the fee of a payment in a line, under the key that the payment would have', () => {
    const told = readEvent(lineEvent())
    expect(keysOf(told)).to.deep.equal(['pay:pay_TESTBahi000001:fee'])
    expect(factOf(told, 'payment_fee')).to.include({ fee: 2900n, tax: 442n, currency: 'INR' })
    const refund = readEvent(lineEvent({ type: 'refund', entity_id: 'rfnd_TESTBahi00001' }))
    expect(keysOf(refund)).to.deep.equal(['rfnd:rfnd_TESTBahi00001:fee'])
  })

  it('finds nothing to post in any other line', () => {
    for (const line of [
      { type: 'refund', entity_id: 'rfnd_TESTBahi00001', fee: 0, tax: 0 },
      { type: 'adjustment', entity_id: 'adj_TESTBahi000001' },
      { type: 'something_new' },
      { type: null },
      { fee: null },
      { currency: 'USD' },
    ]) {
      const told = readEvent(lineEvent(line))
      expect(told.facts).to.deep.equal([])
      expect(told.note).to.contain('reconciliation')
    }
  })
})

describe('Razorpay downtimes', () => {
  it('reads a downtime of payments with what it is about', () => {
    const told = readEvent(downtimeEvent('payment', 'started'))
    expect(keysOf(told)).to.deep.equal(['down:down_TESTBahi00001:started'])
    expect(factOf(told, 'downtime')).to.deep.include({
      downtimeId: 'down_TESTBahi00001',
      method: 'card',
      instrument: 'HDFC credit',
      severity: 'high',
      state: 'started',
      beganAt: at(NEW_YEAR - 300),
      endedAt: null,
    })
    const resolved = readEvent(downtimeEvent('payment', 'resolved', { end: NEW_YEAR + 60 }))
    expect(factOf(resolved, 'downtime').endedAt).to.deep.equal(at(NEW_YEAR + 60))
  })

  it('gives each update its own key, and one event told twice the same', () => {
    const first = keysOf(readEvent(downtimeEvent('payment', 'updated')))
    const second = keysOf(
      readEvent(downtimeEvent('payment', 'updated', {}, { created_at: NEW_YEAR + 700 })),
    )
    expect(first).to.deep.equal(keysOf(readEvent(downtimeEvent('payment', 'updated'))))
    expect(first).not.to.deep.equal(second)
  })

  it('reads a downtime of payouts, of which most of the envelope is missing', () => {
    const { event, payload } = downtimeEvent('payout', 'resolved') as Record<string, unknown>
    const told = readEvent({ event, payload })
    expect(factOf(told, 'downtime')).to.include({
      account: ACCOUNT,
      method: 'payout IMPS, NEFT',
      state: 'resolved',
    })
    const times = { created_at: null, updated_at: null, begin: null }
    const bare = readEvent({
      ...downtimeEvent('payout', 'started', { ...times, method: [], instrument: null }),
      created_at: undefined,
    })
    expect(factOf(bare, 'downtime')).to.include({ method: 'payout unknown', instrument: null })
    expect(factOf(bare, 'downtime').occurredAt).to.deep.equal(new Date('2026-01-02T06:00:00Z'))
  })
})

describe('Razorpay events that tell nothing', () => {
  it('are kept without a fact and without complaint', () => {
    for (const event of [
      'transaction.created',
      'subscription.halted',
      'token.confirmed',
      'new.x',
    ]) {
      expect(readEvent({ event, payload: {} })).to.deep.equal({ type: event, facts: [] })
    }
  })

  it('are refused where they are of a linked account', () => {
    const event = { ...settlementEvent(), account_id: 'acc_TESTLinked0001' }
    expect(refused(event)).to.contain('acc_TESTLinked0001')
    expect(razorpay.name).to.equal('razorpay')
  })
})
