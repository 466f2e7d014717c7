/** What Razorpay's refunds and disputes tell: each step with the ones before it. */
import { expect } from 'chai'
import { factOf, keysOf, kindsOf } from './facts.ts'
import { ACCOUNT, disputeEvent, NEW_YEAR, readEvent, refundEvent } from './razorpay-bodies.ts'
import { detailOf } from './thrown.ts'

const refused = (content: object) => detailOf('malformed_event', () => readEvent(content))
const at = (seconds: number) => new Date(seconds * 1000)

describe('Razorpay refunds', () => {
  it('reads a refund that was begun, with our own reference', () => {
    expect(readEvent(refundEvent('created', { receipt: 'BAHIREFUND0001' }))).to.deep.equal({
      type: 'refund.created',
      facts: [
        {
          kind: 'refund_created',
          key: `rzp:${ACCOUNT}:rfnd:rfnd_TESTBahi00001:created`,
          gateway: 'razorpay',
          account: ACCOUNT,
          gatewayRefundId: 'rfnd_TESTBahi00001',
          gatewayPaymentId: 'pay_TESTBahi000001',
          amount: 50_000n,
          currency: 'INR',
          occurredAt: at(NEW_YEAR),
          reference: 'BAHIREFUND0001',
        },
      ],
    })
  })

  it('tells the beginning with the end, so that the order of the events does not matter', () => {
    const processed = readEvent(refundEvent('processed', { status: 'processed' }))
    expect(keysOf(processed)).to.deep.equal([
      'rfnd:rfnd_TESTBahi00001:created',
      'rfnd:rfnd_TESTBahi00001:processed',
    ])
    const failed = readEvent(refundEvent('failed', { status: 'failed' }))
    expect(keysOf(failed)).to.deep.equal([
      'rfnd:rfnd_TESTBahi00001:created',
      'rfnd:rfnd_TESTBahi00001:failed',
    ])
    const begun = readEvent(refundEvent('created'))
    for (const told of [processed, failed]) {
      expect(told.facts[0]).to.deep.equal(begun.facts[0])
    }
    expect(processed.facts[1]?.occurredAt).to.deep.equal(at(NEW_YEAR + 600))
  })

  it('goes by the status where it is further than the event, and by the event where not', () => {
    const both = ['refund_created', 'refund_processed']
    expect(kindsOf(readEvent(refundEvent('created', { status: 'processed' })))).to.deep.equal(both)
    expect(kindsOf(readEvent(refundEvent('processed', { status: 'pending' })))).to.deep.equal(both)
    expect(kindsOf(readEvent(refundEvent('processed', { status: null })))).to.deep.equal(both)
    expect(kindsOf(readEvent(refundEvent('speed_changed', { status: 'pending' })))).to.deep.equal([
      'refund_created',
    ])
    expect(kindsOf(readEvent(refundEvent('speed_changed', { status: 'processed' })))).to.deep.equal(
      both,
    )
    const returned = refundEvent('processed', { status: 'failed' })
    expect(kindsOf(readEvent(returned))).to.deep.equal([...both, 'refund_failed'])
    expect(refused(refundEvent('failed', { status: 'processed' }))).to.contain('processed')
    refused(refundEvent('created', { status: 'settled' }))
  })

  it("takes the bank's reference where it is told, the ARN first", () => {
    const referenceOf = (acquirer_data: unknown) => {
      const event = refundEvent('processed', { status: 'processed', acquirer_data })
      return factOf(readEvent(event), 'refund_processed').bankReference
    }
    expect(referenceOf({ arn: '10000000000000', rrn: 'R' })).to.equal('10000000000000')
    expect(referenceOf({ arn: null, rrn: 'R' })).to.equal('R')
    expect(referenceOf({ arn: 10000000000000 })).to.equal('10000000000000')
    for (const none of [{}, { arn: null }, [], null, undefined]) {
      expect(referenceOf(none)).to.equal(null)
    }
  })

  it('calls a refund of what was never captured void, whatever its event is', () => {
    for (const name of ['created', 'processed', 'failed', 'speed_changed']) {
      const status = name === 'failed' ? 'failed' : 'processed'
      const authorized = { captured: false, status: 'authorized' }
      const told = readEvent(refundEvent(name, { status }, authorized))
      expect(kindsOf(told)).to.deep.equal(['refund_voided'])
      expect(keysOf(told)).to.deep.equal(['rfnd:rfnd_TESTBahi00001:void'])
    }
    const refunded = refundEvent('processed', {}, { captured: false, status: 'refunded' })
    expect(kindsOf(readEvent(refunded))).to.deep.equal(['refund_voided'])
  })

  it('calls no other refund void: an odd "captured" means nothing beside the status', () => {
    for (const payment of [{ captured: false }, { captured: '1' }, { captured: null }, null]) {
      const told = readEvent(refundEvent('created', {}, payment))
      expect(kindsOf(told)).to.deep.equal(['refund_created'])
    }
  })

  it('dates a refund by the time in the payload, and by itself where there is none', () => {
    const event = refundEvent('processed', { status: 'processed' }, {}, { created_at: undefined })
    const inside = {
      ...event,
      payload: { ...(event as { payload: object }).payload, created_at: NEW_YEAR + 900 },
    }
    expect(factOf(readEvent(inside), 'refund_processed').occurredAt).to.deep.equal(
      at(NEW_YEAR + 900),
    )
    expect(factOf(readEvent(event), 'refund_processed').occurredAt).to.deep.equal(at(NEW_YEAR))
  })

  it('refuses refunds without usable ids, amount or currency', () => {
    for (const change of [
      { id: null },
      { id: 'rfnd_a:b' },
      { payment_id: '' },
      { payment_id: undefined },
      { amount: 0 },
      { amount: -1 },
      { amount: '50000' },
      { amount: 1.5 },
      { currency: 'inr' },
      { created_at: 'today' },
    ]) {
      refused(refundEvent('created', change))
    }
    refused({ event: 'refund.created', payload: {} })
    refused({ event: 'refund.created', payload: { refund: { entity: [] } } })
  })
})

describe('Razorpay disputes', () => {
  it('reads a dispute as opened, whatever step of it comes first', () => {
    const steps = [
      disputeEvent('created'),
      disputeEvent('under_review', { status: 'under_review' }),
      disputeEvent('action_required'),
      disputeEvent('action_required', { status: 'under_review' }),
    ]
    for (const step of steps) {
      const told = readEvent(step)
      expect(keysOf(told)).to.deep.equal(['disp:disp_TESTBahi00001:opened'])
      expect(factOf(told, 'dispute_opened')).to.include({
        gatewayDisputeId: 'disp_TESTBahi00001',
        gatewayPaymentId: 'pay_TESTBahi000001',
        amount: 39_000n,
        currency: 'INR',
        phase: 'chargeback',
        reason: 'goods_not_received',
      })
      expect(factOf(told, 'dispute_opened').respondBy).to.deep.equal(at(NEW_YEAR + 86_400))
      expect(factOf(told, 'dispute_opened').occurredAt).to.deep.equal(at(NEW_YEAR))
    }
  })

  it('loses what is deducted, out of what Razorpay owes us, and not what was contested', () => {
    const told = readEvent(disputeEvent('lost', { status: 'lost', amount_deducted: 20_000 }))
    expect(keysOf(told)).to.deep.equal([
      'disp:disp_TESTBahi00001:opened',
      'disp:disp_TESTBahi00001:lost',
    ])
    expect(factOf(told, 'dispute_lost')).to.include({ amount: 20_000n, from: 'clearing' })
    expect(factOf(told, 'dispute_opened').amount).to.equal(39_000n)
    expect(factOf(told, 'dispute_lost').occurredAt).to.deep.equal(at(NEW_YEAR + 600))
  })

  it('books no loss while nothing is deducted, and says so', () => {
    for (const amount_deducted of [0, null, undefined]) {
      const told = readEvent(disputeEvent('lost', { status: 'lost', amount_deducted }))
      expect(kindsOf(told)).to.deep.equal(['dispute_opened'])
      expect(told.note).to.contain('disp_TESTBahi00001 is lost')
    }
  })

  it('wins what is won and what is closed, under one key', () => {
    for (const name of ['won', 'closed']) {
      const told = readEvent(disputeEvent(name, { status: name, amount_deducted: 1000 }))
      expect(keysOf(told)).to.deep.equal([
        'disp:disp_TESTBahi00001:opened',
        'disp:disp_TESTBahi00001:won',
      ])
      expect(factOf(told, 'dispute_won').amount).to.equal(39_000n)
    }
  })

  it('goes by the status where it is further than the event, and refuses one that is not', () => {
    const lost = disputeEvent('under_review', { status: 'lost', amount_deducted: 39_000 })
    expect(kindsOf(readEvent(lost))).to.deep.equal(['dispute_opened', 'dispute_lost'])
    refused(disputeEvent('lost', { status: 'open', amount_deducted: 39_000 }))
    refused(disputeEvent('lost', { status: 'won' }))
    refused(disputeEvent('won', { status: 'lost', amount_deducted: 39_000 }))
    refused(disputeEvent('created', { status: 'settled' }))
    refused(disputeEvent('created', { status: undefined }))
  })

  it('refuses disputes without usable ids or money, and takes a missing time limit', () => {
    for (const change of [
      { id: 'a b' },
      { payment_id: null },
      { amount: 0 },
      { currency: 'XXX' },
      { amount_deducted: -1, status: 'lost' },
      { amount_deducted: '1', status: 'lost' },
    ]) {
      refused(disputeEvent('created', change))
    }
    const open = readEvent(disputeEvent('created', { respond_by: 0, phase: null, reason_code: '' }))
    expect(factOf(open, 'dispute_opened')).to.include({
      respondBy: null,
      phase: null,
      reason: null,
    })
  })
})
