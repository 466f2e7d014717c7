/** Razorpay's calls that move money or ask about it: captures, refunds, payments. */
import { expect } from 'chai'
import nock from 'nock'
import type { NewRefund, Told } from '../../src/gateways/asked.ts'
import { razorpay } from '../../src/gateways/razorpay.ts'
import {
  capture,
  fetchOrder,
  fetchPayment,
  findRefund,
  fetchRefund,
  refund,
} from '../../src/gateways/razorpay/money.ts'
import { HOST, isSafe, RAZORPAY, soon, withoutNetwork } from './calls.ts'
import { keysOf, kindsOf } from './facts.ts'
import { rejectionOf } from './thrown.ts'

const PAYMENT = {
  id: 'pay_TESTBahi000001',
  entity: 'payment',
  amount: 250_000,
  currency: 'INR',
  status: 'captured',
  captured: true,
  method: 'upi',
  fee: 5900,
  tax: 900,
  created_at: 1_767_225_600,
}
const REFUND = {
  id: 'rfnd_TESTBahi00001',
  entity: 'refund',
  amount: 50_000,
  currency: 'INR',
  payment_id: PAYMENT.id,
  receipt: 'BAHIREFUND0001',
  status: 'processed',
  created_at: 1_767_225_700,
}
const WANTED: NewRefund = {
  gatewayPaymentId: PAYMENT.id,
  amount: 50_000n,
  currency: 'INR',
  reference: 'BAHIREFUND0001',
  speed: 'normal',
}
const CAPTURE = {
  gatewayPaymentId: PAYMENT.id,
  amount: 250_000n,
  currency: 'INR',
  reference: 'BAHICAPTURE001',
}
const paymentPath = `/v1/payments/${PAYMENT.id}`
const unknownId = { error: { description: 'The id provided does not exist' } }

/** What is read in what Razorpay told when it was asked. */
function readTold(told: Told | null | undefined) {
  return told === null || told === undefined
    ? expect.fail('nothing was told')
    : razorpay.read(told.event, RAZORPAY.account, told.confirmation)
}

describe('Razorpay: a payment that is asked about', () => {
  withoutNetwork()

  const ask = () => fetchPayment(RAZORPAY, { gatewayPaymentId: PAYMENT.id, orderRef: null }, soon())

  it('comes as the event that would have told it, dated by itself', async () => {
    const authorization = `Basic ${Buffer.from('rzp_test_key:TESTSALT123').toString('base64')}`
    nock(HOST, { reqheaders: { authorization } }).get(paymentPath).reply(200, PAYMENT)
    const told = await ask()
    expect(told?.id).to.equal(PAYMENT.id)
    const event = readTold(told)
    expect(event.type).to.equal('payment.captured')
    expect(keysOf(event)).to.deep.equal([`pay:${PAYMENT.id}:captured`, `pay:${PAYMENT.id}:fee`])
    expect(event.facts[0]?.occurredAt).to.deep.equal(new Date('2026-01-01T00:00:00Z'))
  })

  it('tells what its status says, of a refunded one what came before', async () => {
    for (const [change, kinds] of [
      [{ status: 'authorized', captured: false }, ['payment_authorized']],
      [{ status: 'failed', captured: false }, ['payment_failed']],
      [{ status: 'created', captured: false }, []],
      [{ status: 'refunded', captured: true }, ['payment_captured', 'payment_fee']],
      [{ status: 'refunded', captured: false }, ['payment_authorized']],
    ] as const) {
      nock(HOST)
        .get(paymentPath)
        .reply(200, { ...PAYMENT, ...change })
      expect(kindsOf(readTold(await ask()))).to.deep.equal(kinds)
    }
  })

  it('is null where Razorpay knows none, and no other refusal is', async () => {
    nock(HOST).get(paymentPath).reply(400, unknownId)
    expect(await ask()).to.equal(null)
    nock(HOST)
      .get(paymentPath)
      .reply(401, { error: { description: 'The api key provided is invalid' } })
    const problem = await rejectionOf(ask())
    expect(problem.code).to.equal('gateway_refused')
    isSafe(problem)
    nock(HOST).get(paymentPath).reply(200, { entity: 'order', id: 'order_1' })
    expect((await rejectionOf(ask())).code).to.equal('gateway_unavailable')
  })

  it('is asked about by its order, with every attempt to pay it', async () => {
    const items = [{ ...PAYMENT, id: 'pay_TESTfailed', status: 'failed' }, PAYMENT]
    nock(HOST)
      .get('/v1/orders/order_TEST1/payments')
      .reply(200, { entity: 'collection', count: 2, items })
    const told = await fetchOrder(RAZORPAY, 'order_TEST1', soon())
    expect(told.map(({ id }) => id)).to.deep.equal(['pay_TESTfailed', PAYMENT.id])
    nock(HOST).get('/v1/orders/order_none/payments').reply(400, unknownId)
    expect(await fetchOrder(RAZORPAY, 'order_none', soon())).to.deep.equal([])
    nock(HOST).get('/v1/orders/order_TEST1/payments').reply(200, { items: 'none' })
    const odd = await rejectionOf(fetchOrder(RAZORPAY, 'order_TEST1', soon()))
    expect(odd.code).to.equal('gateway_unavailable')
    const climbing = await rejectionOf(fetchOrder(RAZORPAY, '../payments', soon()))
    expect(climbing.code).to.equal('gateway_refused')
  })

  it('cannot be named so that another address is asked', async () => {
    for (const gatewayPaymentId of ['../refunds', 'pay_1?x=1', '', 'pay_1/refund']) {
      const call = fetchPayment(RAZORPAY, { gatewayPaymentId, orderRef: null }, soon())
      expect((await rejectionOf(call)).code).to.equal('gateway_refused')
    }
  })
})

describe('Razorpay: a capture', () => {
  withoutNetwork()

  it('is of the amount that was authorised, and tells what was captured', async () => {
    const body = { amount: 250_000, currency: 'INR' }
    nock(HOST).post(`${paymentPath}/capture`, body).reply(200, PAYMENT)
    const { state, told } = await capture(RAZORPAY, CAPTURE, soon())
    expect(state).to.equal('captured')
    expect(kindsOf(readTold(told))).to.include('payment_captured')
  })

  it('that is refused because it was done before is done', async () => {
    const description = 'This payment has already been captured'
    nock(HOST).post(`${paymentPath}/capture`).reply(400, { error: { description } })
    nock(HOST).get(paymentPath).reply(200, PAYMENT)
    expect((await capture(RAZORPAY, CAPTURE, soon())).state).to.equal('captured')
    nock(HOST)
      .post(`${paymentPath}/capture`)
      .reply(400, { error: { description: 'No.' } })
    nock(HOST)
      .get(paymentPath)
      .reply(200, { ...PAYMENT, status: 'authorized' })
    const problem = await rejectionOf(capture(RAZORPAY, CAPTURE, soon()))
    expect([problem.code, problem.extras.moved]).to.deep.equal(['gateway_refused', 'no'])
  })

  it('whose answer is lost, or is of something else, may have happened', async () => {
    nock(HOST).post(`${paymentPath}/capture`).reply(502, '')
    nock(HOST).post(`${paymentPath}/capture`).replyWithError(new Error('the line was cut'))
    nock(HOST)
      .post(`${paymentPath}/capture`)
      .reply(200, { ...PAYMENT, amount: 1 })
    nock(HOST).post(`${paymentPath}/capture`).reply(200, '<html>')
    for (let time = 0; time < 4; time += 1) {
      const problem = await rejectionOf(capture(RAZORPAY, CAPTURE, soon()))
      expect([problem.code, problem.extras.moved]).to.deep.equal(['gateway_unavailable', 'unknown'])
    }
  })

  it('that never left, or was turned away for coming too often, did not happen', async () => {
    nock(HOST).post(`${paymentPath}/capture`).reply(429, '')
    const refusedThere = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })
    nock(HOST).post(`${paymentPath}/capture`).replyWithError(refusedThere)
    for (let time = 0; time < 2; time += 1) {
      const problem = await rejectionOf(capture(RAZORPAY, CAPTURE, soon()))
      expect([problem.code, problem.extras.moved]).to.deep.equal(['gateway_unavailable', 'no'])
    }
  })
})

describe('Razorpay: a refund', () => {
  withoutNetwork()

  it('is asked for with its idempotency header and our reference as its receipt', async () => {
    const body = { amount: 50_000, speed: 'normal', receipt: 'BAHIREFUND0001' }
    const scope = nock(HOST, { reqheaders: { 'x-refund-idempotency': 'BAHIREFUND0001' } })
      .post(`${paymentPath}/refund`, body)
      .reply(200, REFUND)
    const answer = await refund(RAZORPAY, WANTED, soon())
    scope.done()
    expect(answer).to.include({ gatewayRefundId: REFUND.id, state: 'processed' })
    expect(keysOf(readTold(answer.told))).to.deep.equal([
      `rfnd:${REFUND.id}:created`,
      `rfnd:${REFUND.id}:processed`,
    ])
  })

  it('may be instant, and is pending until Razorpay says more', async () => {
    nock(HOST)
      .post(`${paymentPath}/refund`, (body: { speed: string }) => body.speed === 'optimum')
      .reply(200, { ...REFUND, status: 'pending' })
    const answer = await refund(RAZORPAY, { ...WANTED, speed: 'instant' }, soon())
    expect(answer.state).to.equal('pending')
    expect(kindsOf(readTold(answer.told))).to.deep.equal(['refund_created'])
  })

  it('is refused in the words of Razorpay, and then nothing moved', async () => {
    const description = 'The total refund amount is greater than the refund payment amount'
    nock(HOST).post(`${paymentPath}/refund`).reply(400, { error: { description } })
    const problem = await rejectionOf(refund(RAZORPAY, WANTED, soon()))
    expect([problem.code, problem.extras.moved]).to.deep.equal(['gateway_refused', 'no'])
    expect(problem.message).to.contain('greater than')
  })

  it('of which the answer is lost is unknown, and found again by its reference', async () => {
    nock(HOST).post(`${paymentPath}/refund`).reply(504, '')
    const problem = await rejectionOf(refund(RAZORPAY, WANTED, soon()))
    expect(problem.extras.moved).to.equal('unknown')
    const others = [{ ...REFUND, id: 'rfnd_other', receipt: null }, 'odd', REFUND]
    nock(HOST)
      .get(`${paymentPath}/refunds?count=100`)
      .times(2)
      .reply(200, { entity: 'collection', count: 3, items: others })
    const ask = (reference: string) =>
      findRefund(RAZORPAY, { gatewayPaymentId: PAYMENT.id, reference }, soon())
    expect(await ask('BAHIREFUND0001')).to.include({ gatewayRefundId: REFUND.id })
    expect(await ask('BAHIREFUND0002')).to.equal(null)
  })

  it('is not called missing while there may be more refunds than were looked at', async () => {
    const items = Array.from({ length: 100 }, () => ({ ...REFUND, receipt: null }))
    nock(HOST).get(`${paymentPath}/refunds?count=100`).reply(200, { items })
    const which = { gatewayPaymentId: PAYMENT.id, reference: 'BAHIREFUND0001' }
    expect((await rejectionOf(findRefund(RAZORPAY, which, soon()))).code).to.equal(
      'gateway_unavailable',
    )
  })

  it('is asked about by its id', async () => {
    nock(HOST)
      .get(`/v1/refunds/${REFUND.id}`)
      .reply(200, { ...REFUND, status: 'failed' })
    nock(HOST).get(paymentPath).reply(200, PAYMENT)
    const told = await fetchRefund(RAZORPAY, REFUND.id, soon())
    expect(kindsOf(readTold(told))).to.deep.equal(['refund_created', 'refund_failed'])
    nock(HOST).get('/v1/refunds/rfnd_none').reply(400, unknownId)
    expect(await fetchRefund(RAZORPAY, 'rfnd_none', soon())).to.equal(null)
  })

  it('of a payment that was never captured is told as given back, and no more', async () => {
    nock(HOST).get(`/v1/refunds/${REFUND.id}`).reply(200, REFUND)
    const never = { ...PAYMENT, status: 'refunded', captured: false }
    nock(HOST).get(paymentPath).reply(200, never)
    const told = await fetchRefund(RAZORPAY, REFUND.id, soon())
    expect(kindsOf(readTold(told))).to.deep.equal(['refund_voided'])
  })

  it('never leaves with a reference or an amount that cannot be', async () => {
    for (const change of [
      { reference: 'short' },
      { reference: 'with space in it' },
      { amount: 0n },
      { amount: -1n },
      { currency: 'inr' },
    ]) {
      const problem = await rejectionOf(refund(RAZORPAY, { ...WANTED, ...change }, soon()))
      expect(problem.extras.moved).to.equal('no')
    }
  })
})
