/** Orders at Razorpay: what is sent, and which answers are believed. */
import { expect } from 'chai'
import nock from 'nock'
import { razorpay } from '../../src/gateways/razorpay.ts'
import { HOST, isSafe, OPENED, ORDER, RAZORPAY, SECRET, soon, withoutNetwork } from './calls.ts'
import { rejectionOf } from './thrown.ts'

describe('Razorpay: a new order', () => {
  withoutNetwork()

  it('posts amount, currency, receipt and notes with basic authentication', async () => {
    const scope = nock(HOST, { reqheaders: { 'content-type': 'application/json' } })
      .post('/v1/orders', {
        amount: 1000,
        currency: 'INR',
        receipt: 'T1001',
        notes: { reference: 'T1001', description: 'Widget' },
      })
      .basicAuth({ user: 'rzp_test_key', pass: SECRET })
      .reply(200, { ...OPENED, receipt: 'T1001', status: 'created', unknown: [1] })
    expect(await razorpay.createOrder(RAZORPAY, ORDER, soon())).to.deep.equal({
      orderRef: 'order_TEST1',
      checkout: {
        gateway: 'razorpay',
        keyId: 'rzp_test_key',
        orderId: 'order_TEST1',
        amount: 1000,
        currency: 'INR',
      },
    })
    scope.done()
  })

  it("refuses with Razorpay's own words, without secrets in them", async () => {
    const description = `The amount must be an integer. (${SECRET})`
    nock(HOST)
      .post('/v1/orders')
      .reply(400, { error: { code: 'BAD_REQUEST_ERROR', description } })
    const problem = await rejectionOf(razorpay.createOrder(RAZORPAY, ORDER, soon()))
    expect(problem.code).to.equal('gateway_refused')
    expect(problem.message).to.contain('The amount must be an integer.')
    isSafe(problem)
  })

  it('believes no answer that is another order than the one it asked for', async () => {
    const odd = [
      [{ ...OPENED, id: undefined }, 'gateway_unavailable'],
      [{ ...OPENED, id: 'a b' }, 'gateway_unavailable'],
      [{ ...OPENED, entity: 'payment' }, 'gateway_unavailable'],
      [{ ...OPENED, amount: 1001 }, 'gateway_refused'],
      [{ ...OPENED, amount: '1000' }, 'gateway_refused'],
      [{ ...OPENED, currency: 'USD' }, 'gateway_refused'],
    ] as const
    for (const [answer, code] of odd) {
      nock(HOST).post('/v1/orders').reply(200, answer)
      const problem = await rejectionOf(razorpay.createOrder(RAZORPAY, ORDER, soon()))
      expect(problem.code).to.equal(code)
    }
  })

  it('asks Razorpay for nothing that no order can have', async () => {
    for (const change of [{ amount: 0n }, { amount: -1n }, { currency: 'XXX' }]) {
      const order = { ...ORDER, ...change }
      const problem = await rejectionOf(razorpay.createOrder(RAZORPAY, order, soon()))
      expect(problem.code).to.equal('invalid_request')
    }
  })
})
