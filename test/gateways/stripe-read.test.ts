/** What Stripe's events tell of charges and refunds, from what Stripe answers about them. */
import { expect } from 'chai'
import type { Fact } from '../../src/gateways/fact.ts'
import { stripe } from '../../src/gateways/stripe.ts'
import {
  ACCOUNT,
  answer,
  charge,
  CREATED,
  event,
  refund,
  stored,
  txn,
  type Json,
} from './stripe-objects.ts'
import { detailOf } from './thrown.ts'

const CHARGE = `stripe:${ACCOUNT}:ch:ch_TESTBahi1`
const REFUND = `stripe:${ACCOUNT}:re:re_TESTBahi1`
const at = (seconds: number): Date => new Date((CREATED + seconds) * 1000)

function read(told: Json, path: string, object: Json | undefined): Fact[] {
  const webhook = stored(told)
  expect(stripe.needsConfirmation(webhook)).to.deep.equal({ ref: path })
  return stripe.read(webhook, ACCOUNT, answer(path, object)).facts
}

/** The facts of an event about the charge, which is as it is by now. */
function ofCharge(now: Json, type = 'charge.succeeded'): Fact[] {
  return read(event(type, { id: 'ch_TESTBahi1', object: 'charge' }), 'charges/ch_TESTBahi1', now)
}

function ofRefund(now: Json, type = 'refund.updated'): Fact[] {
  return read(event(type, { id: 're_TESTBahi1' }), 'refunds/re_TESTBahi1', now)
}

/** The facts of the refund alone, without those of its charge. */
function ownOf(facts: readonly Fact[]): [string, string][] {
  return facts.filter(({ key }) => key.includes(':re:')).map(({ kind, key }) => [kind, key])
}

const keysOf = (facts: readonly Fact[]): string[] => facts.map(({ key }) => key)

describe('Stripe charges', () => {
  it('tell capture and fee by their balance transaction, and no name', () => {
    expect(ofCharge(charge())).to.deep.equal([
      {
        kind: 'payment_captured',
        key: `${CHARGE}:captured`,
        gateway: 'stripe',
        account: ACCOUNT,
        gatewayPaymentId: 'ch_TESTBahi1',
        orderRef: 'r0000000000000000000001',
        amount: 250_000n,
        currency: 'INR',
        occurredAt: at(5),
        method: 'card',
        payer: { name: null, email: null, phone: null },
        bankReference: null,
        subscriptionRef: null,
      },
      {
        kind: 'payment_fee',
        key: `${CHARGE}:fee`,
        gateway: 'stripe',
        account: ACCOUNT,
        gatewayPaymentId: 'ch_TESTBahi1',
        occurredAt: at(5),
        currency: 'INR',
        fee: 8850n,
        tax: 1350n,
      },
    ])
  })

  it('tell the same whichever event names them, and how often', () => {
    const facts = ofCharge(charge())
    for (const type of ['charge.captured', 'charge.updated']) {
      expect(ofCharge(charge(), type)).to.deep.equal(facts)
    }
    const intent = { id: 'pi_TESTBahi1', latest_charge: 'ch_TESTBahi1' }
    const succeeded = event('payment_intent.succeeded', intent, { id: 'evt_another' })
    expect(read(succeeded, 'charges/ch_TESTBahi1', charge())).to.deep.equal(facts)
    const old = event('payment_intent.succeeded', { id: 'pi_TESTBahi1', charges: { data: [] } })
    const expanded = { id: 'pi_TESTBahi1', livemode: false, latest_charge: charge() }
    expect(read(old, 'payment_intents/pi_TESTBahi1', expanded)).to.deep.equal(facts)
    for (const type of ['completed', 'async_payment_succeeded']) {
      const session = { id: 'cs_1', payment_status: 'paid', payment_intent: 'pi_TESTBahi1' }
      const told = event(`checkout.session.${type}`, session)
      expect(read(told, 'payment_intents/pi_TESTBahi1', expanded)).to.deep.equal(facts)
    }
    const paid = event('invoice.paid', { id: 'in_1', charge: 'ch_TESTBahi1' })
    expect(read(paid, 'charges/ch_TESTBahi1', charge())).to.deep.equal(facts)
  })

  it('tell nothing of a session that is completed and not paid', () => {
    for (const status of ['unpaid', 'no_payment_required', undefined]) {
      const session = { id: 'cs_1', payment_status: status, payment_intent: 'pi_TESTBahi1' }
      const webhook = stored(event('checkout.session.completed', session))
      expect(stripe.needsConfirmation(webhook)).to.equal(null)
      expect(stripe.read(webhook, ACCOUNT, null).facts).to.deep.equal([])
    }
  })

  it('wait for the balance transaction of a capture', () => {
    const early = charge({ balance_transaction: null })
    const detail = detailOf('gateway_unavailable', () => ofCharge(early))
    expect(detail).to.contain('no balance transaction')
  })

  it('tell an authorisation, and again with its capture', () => {
    const intent = { id: 'pi_TESTBahi1', capture_method: 'manual' }
    const changes = { payment_intent: intent, captured: false, amount_captured: 0 }
    const open = ofCharge(charge({ ...changes, balance_transaction: null }))
    expect(open).to.have.length(1)
    expect(open[0]).to.include({
      kind: 'payment_authorized',
      key: `stripe:${ACCOUNT}:pi:pi_TESTBahi1:authorized`,
      amount: 250_000n,
      gatewayPaymentId: 'ch_TESTBahi1',
    })
    const part = { amount_captured: 200_000, balance_transaction: txn('txn_TESTin', 200_000, 600) }
    const captured = ofCharge(charge({ payment_intent: intent, ...part }), 'charge.captured')
    expect(captured.map(({ kind }) => kind)).to.deep.equal([
      'payment_authorized',
      'payment_captured',
      'payment_fee',
    ])
    expect(captured[0]).to.deep.equal(open[0])
    expect(captured[1]).to.include({ amount: 200_000n })
    const alone = charge({ ...changes, payment_intent: null, balance_transaction: null })
    expect(keysOf(ofCharge(alone))).to.deep.equal([`${CHARGE}:authorized`])
  })

  it('tell a failure, with a charge and without one', () => {
    const failed = charge({
      status: 'failed',
      captured: false,
      balance_transaction: null,
      failure_code: 'card_declined',
      failure_message: 'The card was declined.',
    })
    const facts = ofCharge(failed, 'charge.failed')
    expect(keysOf(facts)).to.deep.equal([`${CHARGE}:failed`])
    expect(facts[0]).to.include({ kind: 'payment_failed', reason: 'The card was declined.' })
    const error = { charge: 'ch_TESTBahi1', code: 'card_declined' }
    const told = event('payment_intent.payment_failed', { id: 'pi_1', last_payment_error: error })
    expect(read(told, 'charges/ch_TESTBahi1', failed)).to.deep.equal(facts)
    const attempt = event('payment_intent.payment_failed', {
      id: 'pi_TESTBahi1',
      amount: 250_000,
      currency: 'inr',
      metadata: { bahi_reference: 'r1' },
      last_payment_error: { code: 'payment_intent_authentication_failure' },
    })
    const intent = { id: 'pi_TESTBahi1', latest_charge: null }
    const [only, ...more] = read(attempt, 'payment_intents/pi_TESTBahi1', intent)
    expect(more).to.deep.equal([])
    expect(only).to.include({
      kind: 'payment_failed',
      key: `stripe:${ACCOUNT}:pi:pi_TESTBahi1:failed:${CREATED + 10}`,
      gatewayPaymentId: 'pi_TESTBahi1',
      orderRef: 'r1',
      reason: 'payment_intent_authentication_failure',
    })
    expect(ofCharge(charge({ status: 'pending', captured: true }))).to.deep.equal([])
  })

  it('leave a capture that was taken back to a person', () => {
    const back = charge({ status: 'failed', failure_balance_transaction: txn('txn_b', -250_000) })
    expect(detailOf('malformed_event', () => ofCharge(back))).to.contain('by hand')
  })

  it('name the intent where no reference of ours is in its metadata, and the subscription', () => {
    const refs = (changes: Json) =>
      ofCharge(charge({ metadata: {}, ...changes })).map((fact) =>
        fact.kind === 'payment_captured' ? [fact.orderRef, fact.subscriptionRef] : [],
      )[0]
    const intent = { id: 'pi_1', metadata: { bahi_reference: 'r2' } }
    expect(refs({})).to.deep.equal(['pi_TESTBahi1', null])
    expect(refs({ payment_intent: intent })).to.deep.equal(['r2', null])
    expect(refs({ payment_intent: 'pi_2' })).to.deep.equal(['pi_2', null])
    expect(refs({ payment_intent: null })).to.deep.equal([null, null])
    const invoice = { id: 'in_1', subscription: 'sub_1' }
    expect(refs({ invoice })).to.deep.equal(['pi_TESTBahi1', 'sub_1'])
  })

  it('count what the balance gets, in its currency, where the payer paid in another', () => {
    const inRupees = txn('txn_TESTin', 830_000, 33_200, { exchange_rate: 83 })
    const [captured, fee] = ofCharge(
      charge({
        amount: 10_000,
        amount_captured: 10_000,
        currency: 'usd',
        balance_transaction: inRupees,
      }),
    )
    expect(captured).to.include({ amount: 830_000n, currency: 'INR' })
    expect(fee).to.include({ fee: 33_200n, currency: 'INR' })
  })

  it('refuse balance transactions that do not add up', () => {
    const odd: Json[] = [
      txn('txn_1', 250_000, 8850, { net: 250_000 }),
      txn('txn_1', 250_000, 8850, { fee_details: [] }),
      txn('txn_1', 100, 50, { fee_details: [{ amount: 80, type: 'tax' }, { amount: -30 }] }),
      txn('txn_1', 240_000),
      txn('txn_1', -250_000),
      txn('txn_1', 250_000, -10),
      txn('txn_1', 250_000, 0, { currency: 'xxx' }),
      txn('txn_1', 250_000, 0, { created: 0 }),
      txn('txn 1', 250_000),
      { ...txn('txn_1', 250_000), amount: '250000' },
    ]
    for (const movement of odd) {
      detailOf('malformed_event', () => ofCharge(charge({ balance_transaction: movement })))
    }
    detailOf('malformed_event', () => ofCharge(charge({ balance_transaction: 'txn_1' })))
  })
})

describe('Stripe refunds', () => {
  it('tell their charge too, and each step before', () => {
    const facts = ofRefund(refund(), 'refund.created')
    expect(keysOf(facts)).to.deep.equal([
      `${CHARGE}:captured`,
      `${CHARGE}:fee`,
      `${REFUND}:created`,
      `${REFUND}:processed`,
    ])
    expect(facts[2]).to.deep.equal({
      kind: 'refund_created',
      key: `${REFUND}:created`,
      gateway: 'stripe',
      account: ACCOUNT,
      gatewayRefundId: 're_TESTBahi1',
      gatewayPaymentId: 'ch_TESTBahi1',
      amount: 100_000n,
      currency: 'INR',
      occurredAt: at(3600),
      reference: 'rfd_0000000000001',
    })
    expect(facts[3]).to.include({ bankReference: '74000000000000000000001' })
    for (const type of ['refund.updated', 'charge.refund.updated']) {
      expect(ofRefund(refund(), type)).to.deep.equal(facts)
    }
  })

  it('tell no processing before it succeeded', () => {
    for (const status of ['pending', 'requires_action']) {
      const told = ofRefund(refund({ status, balance_transaction: null }))
      expect(ownOf(told)).to.deep.equal([['refund_created', `${REFUND}:created`]])
      expect(told[2]).to.include({ amount: 100_000n, currency: 'INR' })
    }
  })

  it('tell every partial refund of a charge by itself', () => {
    const one = refund({ charge: 'ch_TESTBahi1' })
    const two = { ...one, id: 're_TESTBahi2', amount: 5000 }
    const movement = { balance_transaction: txn('txn_TEST2', -5000) }
    const data = [one, { ...two, ...movement }]
    const now = charge({ amount_refunded: 105_000, refunds: { data, has_more: false } })
    const second = REFUND.replace('Bahi1', 'Bahi2')
    expect(ownOf(ofCharge(now, 'charge.refunded'))).to.deep.equal([
      ['refund_created', `${REFUND}:created`],
      ['refund_processed', `${REFUND}:processed`],
      ['refund_created', `${second}:created`],
      ['refund_processed', `${second}:processed`],
    ])
    // A capture does not wait for what came of it.
    expect(keysOf(ofCharge(now))).to.deep.equal([`${CHARGE}:captured`, `${CHARGE}:fee`])
  })

  it('tell a refund that failed after it was paid, the same in any order', () => {
    const back = txn('txn_TESTback', 100_000, 0, {
      type: 'refund_failure',
      created: CREATED + 9000,
    })
    const failed = refund({
      status: 'failed',
      failure_reason: 'expired_or_canceled_card',
      failure_balance_transaction: back,
    })
    const facts = ofRefund(failed, 'refund.failed')
    expect(ownOf(facts)).to.deep.equal([
      ['refund_created', `${REFUND}:created`],
      ['refund_processed', `${REFUND}:processed`],
      ['refund_failed', `${REFUND}:failed`],
    ])
    expect(facts.at(-1)).to.deep.include({
      amount: 100_000n,
      occurredAt: at(9000),
      reason: 'expired_or_canceled_card',
    })
    expect(ofRefund(failed, 'refund.created')).to.deep.equal(facts)
    const early = refund({ status: 'failed' })
    detailOf('gateway_unavailable', () => ofRefund(early, 'refund.failed'))
    const odd = refund({ status: 'failed', failure_balance_transaction: txn('txn_b', 99_000) })
    expect(detailOf('malformed_event', () => ofRefund(odd))).to.contain('by hand')
  })

  it('tell one that never left our balance as created and failed', () => {
    for (const status of ['failed', 'canceled']) {
      const told = ofRefund(refund({ status, balance_transaction: null }))
      expect(ownOf(told).map(([kind]) => kind)).to.deep.equal(['refund_created', 'refund_failed'])
      expect(told.at(-1)).to.deep.include({ occurredAt: at(10), reason: status })
    }
  })

  it('are only memos where the charge was never captured', () => {
    const never = charge({ captured: false, amount_captured: 0, balance_transaction: null })
    const released = refund({ charge: never, balance_transaction: null })
    expect(ownOf(ofRefund(released))).to.deep.equal([['refund_voided', `${REFUND}:void`]])
  })

  it('count what the balance loses, and wait for it in another currency', () => {
    const paid = charge({ currency: 'usd', balance_transaction: txn('txn_TESTin', 830_000) })
    const usd = { charge: paid, currency: 'usd', amount: 5000 }
    const converted = ofRefund(refund({ ...usd, balance_transaction: txn('txn_o', -420_000) }))
    expect(converted[2]).to.include({ amount: 420_000n, currency: 'INR' })
    const pending = refund({ ...usd, balance_transaction: null, status: 'pending' })
    expect(ownOf(ofRefund(pending))).to.deep.equal([])
  })

  it('tell a fee of their own, and leave one that is given back to a person', () => {
    const told = ofRefund(refund({ balance_transaction: txn('txn_o', -100_000, 500, {}, 76) }))
    const fee = told.find(({ kind }) => kind === 'refund_fee')
    expect(fee).to.include({ key: `${REFUND}:fee`, fee: 500n, tax: 76n })
    const given = refund({ balance_transaction: txn('txn_o', -100_000, -500) })
    expect(detailOf('malformed_event', () => ofRefund(given))).to.contain('by hand')
    const wrong = refund({ balance_transaction: txn('txn_o', 100_000) })
    detailOf('malformed_event', () => ofRefund(wrong))
    expect(ofRefund(refund({ charge: null }))).to.deep.equal([])
  })
})
