/** Faults of the test gateways, as the service's own clients meet them. */
import { expect } from 'chai'
import { payu } from '../../src/gateways/payu.ts'
import { razorpay } from '../../src/gateways/razorpay.ts'
import { stripe } from '../../src/gateways/stripe.ts'
import { onTestGateways, problemOf, soon } from './clients.ts'

const { refund, findRefund, fetchPayment } = razorpay
if (!refund || !findRefund || !fetchPayment || !payu.refund || !stripe.refund) {
  throw new Error('A gateway lacks a call.')
}
const refunds = { razorpay: refund, payu: payu.refund, stripe: stripe.refund }

describe('faults of the test gateways', () => {
  const ground = onTestGateways()
  let asked = 1000
  const wanted = (gatewayPaymentId: string) => ({
    gatewayPaymentId,
    amount: 1000n,
    currency: 'INR',
    reference: `rfd_00000000${(asked += 1)}`,
    speed: 'normal' as const,
  })
  const paid = () => ground.gateways.razorpay.pay({ amount: 5000 }).id

  afterEach(() => ground.gateways.faults.clear())

  for (const status of [500, 502, 503, 429]) {
    it(`answer ${status} once, and do nothing`, async () => {
      const operation = 'razorpay.refunds.create'
      ground.gateways.faults.add({ operation, kind: 'refuse', status, retry_after: 7 })
      const refunding = wanted(paid())
      const problem = await problemOf(refund(ground.account('razorpay'), refunding, soon()))
      expect(problem.code).to.equal('gateway_unavailable')
      expect(problem.extras).to.include({ retryAfter: 7, moved: status === 429 ? 'no' : 'unknown' })
      expect(await findRefund(ground.account('razorpay'), refunding, soon())).to.equal(null)
      await refund(ground.account('razorpay'), refunding, soon())
    })
  }

  it('never answer, and do nothing', async () => {
    ground.gateways.faults.add({ operation: 'razorpay.*', kind: 'silent' })
    const refunding = wanted(paid())
    const problem = await problemOf(refund(ground.account('razorpay'), refunding, soon(50)))
    expect(problem.extras).to.include({ moved: 'unknown' })
    expect(await findRefund(ground.account('razorpay'), refunding, soon())).to.equal(null)
  })

  it('do it and lose the answer: the same reference finds it, paid once', async () => {
    const payments = {
      razorpay: paid(),
      payu: ground.gateways.payu.pay({ txnid: 'T1', amount: 5000 }).mihpayid,
      stripe: ground.gateways.stripe.pay({ amount: 5000 }).id,
    }
    const operations = {
      razorpay: 'razorpay.refunds.create',
      payu: 'payu.cancel_refund_transaction',
      stripe: 'stripe.refunds.create',
    }
    for (const gateway of ['razorpay', 'payu', 'stripe'] as const) {
      ground.gateways.faults.add({ operation: operations[gateway], kind: 'lose' })
      const refunding = wanted(payments[gateway])
      const before = ground.gateways.webhooks.sent.length
      const account = ground.account(gateway)
      const lost = await problemOf(refunds[gateway](account, refunding, soon()))
      expect(lost.extras, gateway).to.include({ moved: 'unknown' })
      const found = await refunds[gateway](account, refunding, soon())
      expect(found.gatewayRefundId, gateway).to.be.a('string')
      const events = ground.gateways.webhooks.sent.slice(before)
      const begun = events.filter(({ type }) => /^refund\.(created|success)$/.test(type))
      expect(begun, gateway).to.have.length(1)
    }
  })

  it('do it and answer late', async () => {
    const operation = 'razorpay.payments.fetch'
    ground.gateways.faults.add({ operation, kind: 'slow', ms: 60 })
    const began = performance.now()
    const payment = { gatewayPaymentId: paid(), orderRef: null }
    expect(await fetchPayment(ground.account('razorpay'), payment, soon())).to.not.equal(null)
    expect(performance.now() - began).to.be.above(55)
  })

  it('hit as many calls as they were asked to, in turn, and only their own', async () => {
    const operation = 'razorpay.payments.fetch'
    ground.gateways.faults.add({ operation, kind: 'refuse', status: 500, times: 2 })
    ground.gateways.faults.add({ operation: '*', kind: 'refuse', status: 502, times: null })
    const payment = { gatewayPaymentId: paid(), orderRef: null }
    const ask = async () => {
      return (await problemOf(fetchPayment(ground.account('razorpay'), payment, soon()))).message
    }
    const answers = [await ask(), await ask(), await ask()].map((one) => /\d+/.exec(one)?.[0])
    expect(answers).to.deep.equal(['500', '500', '502'])
    ground.gateways.faults.clear()
    expect(await fetchPayment(ground.account('razorpay'), payment, soon())).to.not.equal(null)
    const called = ground.gateways.calls.filter((call) => call.operation === operation)
    expect(called.length).to.be.at.least(4)
  })

  it('do not hold up the end of the server', async () => {
    ground.gateways.faults.add({ operation: '*', kind: 'slow', ms: 600_000, times: null })
    const payment = { gatewayPaymentId: paid(), orderRef: null }
    const call = problemOf(fetchPayment(ground.account('razorpay'), payment, soon(50)))
    expect((await call).code).to.equal('gateway_unavailable')
  })
})
