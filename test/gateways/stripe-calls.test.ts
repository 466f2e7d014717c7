/** Calls to Stripe: sessions, captures, refunds and questions; which answers are believed. */
import { expect } from 'chai'
import nock from 'nock'
import type { GatewayAccount } from '../../src/gateways/gateway.ts'
import { stripe } from '../../src/gateways/stripe.ts'
import {
  capture,
  fetchPayment,
  fetchRefund,
  findRefund,
  refund,
} from '../../src/gateways/stripe/calls.ts'
import { HOST, ORDER, soon, withoutNetwork } from './calls.ts'
import { ACCOUNT, charge, refund as refundOf, txn, type Json } from './stripe-objects.ts'
import { rejectionOf } from './thrown.ts'

const KEY = 'sk_test_TESTBahi0000000000000001'
const STRIPE: GatewayAccount = {
  gateway: 'stripe',
  account: ACCOUNT,
  keyId: ACCOUNT,
  keySecret: KEY,
  apiUrl: `${HOST}/`,
}
const SESSION = {
  id: 'cs_test_1',
  object: 'checkout.session',
  amount_total: 1000,
  currency: 'inr',
  url: 'https://checkout.stripe.test/c/pay/cs_test_1',
}
const REFUND = {
  gatewayPaymentId: 'ch_TESTBahi1',
  amount: 100_000n,
  currency: 'INR',
  reference: 'rfd_0000000000001',
  speed: 'normal',
} as const
const CAPTURE = {
  gatewayPaymentId: 'ch_TESTBahi1',
  amount: 250_000n,
  currency: 'INR',
  reference: 'cap_0000000000001',
}

function host(idempotencyKey?: string): nock.Scope {
  const sent = { authorization: `Bearer ${KEY}`, 'stripe-version': '2024-06-20' }
  const key = idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }
  return nock(HOST, { reqheaders: { ...sent, ...key } })
}

/** Answers a question about a path whatever is expanded; gives what was to be expanded. */
function answers(path: string, status: number, body: Json): { expanded: string[] } {
  const seen: { expanded: string[] } = { expanded: [] }
  host()
    .get(`/v1/${path}`)
    .query(true)
    .reply((asked: Request) => {
      seen.expanded = new URL(asked.url).searchParams.getAll('expand[]')
      return [status, body]
    })
  return seen
}

const error = (message: string, type = 'invalid_request_error') => ({ error: { type, message } })

describe('Stripe: a checkout session', () => {
  withoutNetwork()

  it('is asked for with our reference as key, and in the metadata of the payment', async () => {
    let form = new URLSearchParams()
    const scope = host('order-T1001')
      .post('/v1/checkout/sessions', (body: Record<string, string>) => {
        form = new URLSearchParams(body)
        return true
      })
      .matchHeader('content-type', 'application/x-www-form-urlencoded')
      .reply(200, SESSION)
    expect(await stripe.createOrder(STRIPE, ORDER, soon())).to.deep.equal({
      orderRef: 'T1001',
      checkout: { gateway: 'stripe', url: SESSION.url },
    })
    scope.done()
    expect(Object.fromEntries(form)).to.deep.equal({
      mode: 'payment',
      submit_type: 'donate',
      client_reference_id: 'T1001',
      customer_email: 'asha@example.com',
      success_url: 'https://ngo.example/thanks',
      cancel_url: 'https://ngo.example/thanks',
      'line_items[0][quantity]': '1',
      'line_items[0][price_data][currency]': 'inr',
      'line_items[0][price_data][unit_amount]': '1000',
      'line_items[0][price_data][product_data][name]': 'Widget',
      'metadata[bahi_reference]': 'T1001',
      'payment_intent_data[description]': 'Widget',
      'payment_intent_data[metadata][bahi_reference]': 'T1001',
    })
  })

  it('is refused with Stripe’s own words, without the key in them', async () => {
    host()
      .post('/v1/checkout/sessions')
      .reply(400, error(`Invalid email (${KEY}).`))
    const problem = await rejectionOf(stripe.createOrder(STRIPE, ORDER, soon()))
    expect(problem.code).to.equal('gateway_refused')
    expect(problem.message).to.contain('Invalid email').and.not.to.contain(KEY)
    expect(problem.extras.moved).to.equal('no')
  })

  it('is believed only where it is a page for what was asked', async () => {
    const odd = [
      [{ ...SESSION, object: 'charge' }, 'gateway_unavailable'],
      [{ ...SESSION, url: null }, 'gateway_unavailable'],
      [{ ...SESSION, url: 'javascript:alert(1)' }, 'gateway_unavailable'],
      [{ ...SESSION, amount_total: 1001 }, 'gateway_refused'],
      [{ ...SESSION, currency: 'usd' }, 'gateway_refused'],
      ['[]', 'gateway_unavailable'],
    ] as const
    for (const [body, code] of odd) {
      host().post('/v1/checkout/sessions').reply(200, body)
      expect((await rejectionOf(stripe.createOrder(STRIPE, ORDER, soon()))).code).to.equal(code)
    }
    for (const change of [
      { amount: 0n },
      { amount: 5124n, currency: 'KWD' },
      { currency: 'XXX' },
    ]) {
      const order = { ...ORDER, ...change }
      const problem = await rejectionOf(stripe.createOrder(STRIPE, order, soon()))
      expect(problem.code).to.equal('invalid_request')
    }
  })
})

describe('Stripe: questions', () => {
  withoutNetwork()

  it('are asked with the balance transactions, and their answers can be read', async () => {
    const charges = answers('charges/ch_TESTBahi1', 200, charge())
    const refunds = answers('refunds/re_TESTBahi1', 200, refundOf())
    answers('payouts/po_gone', 404, error('No such payout'))
    const refs = ['charges/ch_TESTBahi1', 'refunds/re_TESTBahi1', 'payouts/po_gone']
    const told = await stripe.confirm(STRIPE, refs, soon())
    expect([...told.keys()]).to.have.members(refs)
    expect(charges.expanded).to.have.members([
      'balance_transaction',
      'payment_intent',
      'invoice',
      'refunds.data.balance_transaction',
      'refunds.data.failure_balance_transaction',
    ])
    expect(refunds.expanded).to.include.members([
      'balance_transaction',
      'failure_balance_transaction',
      'charge.balance_transaction',
    ])
    expect(told.get('payouts/po_gone')).to.deep.equal({ ref: 'payouts/po_gone', missing: 'true' })
    expect(told.get(refs[0] ?? '')?.['object'])
      .to.be.a('string')
      .and.not.to.contain('Asha')
  })

  it('give what was answered where one fails, and throw where all do', async () => {
    answers('charges/ch_1', 503, {})
    answers('charges/ch_2', 200, charge({ id: 'ch_2' }))
    const some = await stripe.confirm(STRIPE, ['charges/ch_1', 'charges/ch_2'], soon())
    expect([...some.keys()]).to.deep.equal(['charges/ch_2'])
    answers('charges/ch_1', 503, {})
    const none = await rejectionOf(stripe.confirm(STRIPE, ['charges/ch_1'], soon()))
    expect(none.code).to.equal('gateway_unavailable')
    answers('charges/ch_1', 401, error('Invalid API Key provided'))
    const refused = await rejectionOf(stripe.confirm(STRIPE, ['charges/ch_1'], soon()))
    expect(refused.code).to.equal('gateway_refused')
    expect((await stripe.confirm(STRIPE, [], soon())).size).to.equal(0)
    const many = Array.from({ length: 21 }, (_, index) => `charges/ch_${index}`)
    expect((await rejectionOf(stripe.confirm(STRIPE, many, soon()))).code).to.equal('internal')
  })

  it('ask for all refunds of a charge that shows only some', async () => {
    const shown = { data: [refundOf({ charge: 'ch_TESTBahi1' })], has_more: true }
    answers('charges/ch_TESTBahi1', 200, charge({ refunds: shown }))
    const eleven = Array.from({ length: 11 }, (_, index) => ({ ...refundOf(), id: `re_${index}` }))
    answers('refunds', 200, { object: 'list', data: eleven, has_more: false })
    const told = await fetchPayment(
      STRIPE,
      { gatewayPaymentId: 'ch_TESTBahi1', orderRef: null },
      soon(),
    )
    if (told === null) {
      return expect.fail('nothing was told')
    }
    expect(stripe.needsConfirmation(told.event)).to.deep.equal({ ref: 'charges/ch_TESTBahi1' })
    const { type, facts } = stripe.read(told.event, ACCOUNT, told.confirmation)
    expect(type).to.equal('charge.fetched')
    expect(facts.filter(({ kind }) => kind === 'refund_created')).to.have.length(11)
  })

  it('tell of one payment or refund, or that Stripe knows none', async () => {
    answers('refunds/re_TESTBahi1', 200, refundOf())
    const told = await fetchRefund(STRIPE, 're_TESTBahi1', soon())
    expect(told?.id).to.equal('re_TESTBahi1')
    answers('refunds/re_none', 404, error('No such refund'))
    expect(await fetchRefund(STRIPE, 're_none', soon())).to.equal(null)
    const intent = { id: 'pi_1', object: 'payment_intent', latest_charge: charge() }
    answers('payment_intents/pi_1', 200, intent)
    const ref = { gatewayPaymentId: 'pi_1', orderRef: null }
    const payment = await fetchPayment(STRIPE, ref, soon())
    expect(payment?.confirmation?.['ref']).to.equal('payment_intents/pi_1')
    const odd = fetchRefund(STRIPE, '../accounts', soon())
    expect((await rejectionOf(odd)).code).to.equal('invalid_request')
  })
})

describe('Stripe: a refund', () => {
  withoutNetwork()

  const paid = () => answers('charges/ch_TESTBahi1', 200, charge())

  it('is asked for under our reference, once the currency of the charge is known', async () => {
    paid()
    const scope = host('refund-rfd_0000000000001')
      .post('/v1/refunds', (body: Record<string, unknown>) => {
        expect(body).to.include({
          charge: 'ch_TESTBahi1',
          amount: '100000',
          'metadata[bahi_reference]': 'rfd_0000000000001',
        })
        return true
      })
      .reply(200, refundOf({ status: 'pending', balance_transaction: null }))
    const made = await refund(STRIPE, REFUND, soon())
    scope.done()
    expect(made).to.include({ gatewayRefundId: 're_TESTBahi1', state: 'pending' })
    if (made.told === null) {
      return expect.fail('nothing was told')
    }
    const { facts } = stripe.read(made.told.event, ACCOUNT, made.told.confirmation)
    expect(facts.map(({ kind }) => kind)).to.include('refund_created')
  })

  it('is never asked for in another currency than the payer paid in', async () => {
    answers('charges/ch_TESTBahi1', 200, charge({ currency: 'usd' }))
    const problem = await rejectionOf(refund(STRIPE, REFUND, soon()))
    expect([problem.code, problem.extras.moved]).to.deep.equal(['gateway_refused', 'no'])
    answers('charges/ch_TESTBahi1', 404, error('No such charge'))
    expect((await rejectionOf(refund(STRIPE, REFUND, soon()))).code).to.equal('gateway_refused')
  })

  it('is unknown where no answer comes, and refused where Stripe says so', async () => {
    for (const [status, code, moved] of [
      [500, 'gateway_unavailable', 'unknown'],
      [409, 'gateway_unavailable', 'unknown'],
      [429, 'gateway_unavailable', 'no'],
      [400, 'gateway_refused', 'no'],
    ] as const) {
      paid()
      host().post('/v1/refunds').reply(status, error('Charge has already been refunded.'))
      const problem = await rejectionOf(refund(STRIPE, REFUND, soon()))
      expect([problem.code, problem.extras.moved], String(status)).to.deep.equal([code, moved])
    }
    paid()
    host()
      .post('/v1/refunds')
      .replyWithError(Object.assign(new Error('x'), { code: 'ECONNRESET' }))
    const cut = await rejectionOf(refund(STRIPE, REFUND, soon()))
    expect([cut.code, cut.extras.moved]).to.deep.equal(['gateway_unavailable', 'unknown'])
    paid()
    host().post('/v1/refunds').reply(200, '<html>')
    const odd = await rejectionOf(refund(STRIPE, REFUND, soon()))
    expect([odd.code, odd.extras.moved]).to.deep.equal(['gateway_unavailable', 'unknown'])
  })

  it('is unknown where the answer tells of another charge or amount', async () => {
    for (const change of [{ charge: 'ch_another' }, { amount: 99_999 }, { object: 'charge' }]) {
      paid()
      host().post('/v1/refunds').reply(200, refundOf(change))
      const odd = await rejectionOf(refund(STRIPE, REFUND, soon()))
      const said = [odd.code, odd.extras.moved]
      expect(said, JSON.stringify(change)).to.deep.equal(['gateway_unavailable', 'unknown'])
    }
  })

  it('is not called missing by an answer that is no list', async () => {
    for (const answer of [{}, { object: 'list', data: {} }]) {
      answers('refunds', 200, answer)
      const odd = await rejectionOf(findRefund(STRIPE, REFUND, soon()))
      expect(odd.code).to.equal('gateway_unavailable')
    }
  })

  it('is found again by its reference among the refunds of the charge', async () => {
    const other = refundOf({ id: 're_other', metadata: {} })
    const list = { object: 'list', data: [other, refundOf()], has_more: false }
    const seen = answers('refunds', 200, list)
    const found = await findRefund(STRIPE, REFUND, soon())
    expect(found).to.include({ gatewayRefundId: 're_TESTBahi1', state: 'processed' })
    expect(seen.expanded).to.include('data.balance_transaction')
    answers('refunds', 200, { ...list, data: [other] })
    expect(await findRefund(STRIPE, REFUND, soon())).to.equal(null)
    answers('refunds', 200, { ...list, data: [other], has_more: true })
    const unknown = await rejectionOf(findRefund(STRIPE, REFUND, soon()))
    expect(unknown.code).to.equal('gateway_unavailable')
    for (const status of ['failed', 'canceled']) {
      answers('refunds', 200, { ...list, data: [refundOf({ status })] })
      expect(await findRefund(STRIPE, REFUND, soon())).to.include({ state: 'failed' })
    }
  })
})

describe('Stripe: a capture', () => {
  withoutNetwork()

  const intent = { id: 'pi_TESTBahi1', capture_method: 'manual' }
  const open = charge({ captured: false, balance_transaction: null, payment_intent: intent })

  it('goes through the intent of the charge, under our reference', async () => {
    answers('charges/ch_TESTBahi1', 200, open)
    const now = charge({ payment_intent: intent, balance_transaction: txn('txn_1', 250_000) })
    const scope = host('capture-cap_0000000000001')
      .post('/v1/payment_intents/pi_TESTBahi1/capture', /amount_to_capture=250000/)
      .reply(200, { ...intent, status: 'succeeded', latest_charge: now })
    const made = await capture(STRIPE, CAPTURE, soon())
    scope.done()
    expect(made.state).to.equal('captured')
    if (made.told === null) {
      return expect.fail('nothing was told')
    }
    const { facts } = stripe.read(made.told.event, ACCOUNT, made.told.confirmation)
    expect(facts.map(({ kind }) => kind)).to.include('payment_captured')
  })

  it('goes through the charge where it has no intent, and is not repeated', async () => {
    answers('charges/ch_TESTBahi1', 200, { ...open, payment_intent: null })
    const scope = host()
      .post('/v1/charges/ch_TESTBahi1/capture', /amount=250000/)
      .reply(200, charge({ payment_intent: null }))
    expect((await capture(STRIPE, CAPTURE, soon())).state).to.equal('captured')
    scope.done()
    answers('charges/ch_TESTBahi1', 200, charge())
    expect((await capture(STRIPE, CAPTURE, soon())).state).to.equal('captured')
    answers('charges/ch_TESTBahi1', 200, { ...open, currency: 'usd' })
    expect((await rejectionOf(capture(STRIPE, CAPTURE, soon()))).code).to.equal('gateway_refused')
    answers('charges/ch_TESTBahi1', 404, error('No such charge'))
    expect((await rejectionOf(capture(STRIPE, CAPTURE, soon()))).code).to.equal('gateway_refused')
  })
})
