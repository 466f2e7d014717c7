/** What is unfinished for too long is asked about by itself, and settled by the answer. */
import { expect } from 'chai'
import { openFor } from '../donations/facts.ts'
import { rowsOf } from '../http/seeded.ts'
import { razorpayEvent } from '../support/bodies.ts'
import { startPolling, type Polling } from '../support/polling.ts'
import { listedPayment, listedRefund, minutesAgo } from '../support/razorpay-lists.ts'

const DAY = 24 * 60

describe('what is unfinished for too long', () => {
  let polling: Polling

  beforeEach(async () => {
    polling = await startPolling()
    // Lists that begin just now, so that they find nothing of all this.
    await polling.service.rows(
      `update gateway_accounts set created_at = now() - interval '5 minutes'`,
    )
  })

  afterEach(async () => {
    await polling.stop()
  })

  async function authorized(id: string, minutes: number): Promise<void> {
    const createdAt = minutesAgo(minutes)
    const payment = { id, orderId: null, amount: 50_000, createdAt }
    await polling.service.deliver('razorpay', razorpayEvent('payment.authorized', payment))
    await polling.poll('all')
  }

  const asksAbout = (path: string): number =>
    polling.razorpay.asked.filter((one) => one.startsWith(path)).length

  async function makeDue(): Promise<void> {
    await polling.service.rows('update gateway_questions set next_ask_at = now()')
    await polling.service.rows(
      `update gateway_polls set next_due_at = now() + interval '1 hour' where failures = 0`,
    )
    await polling.poll('due')
  }

  async function questions(): Promise<{ about: string; gateway_ref: string; attempts: number }[]> {
    return await polling.service.rows(
      'select about, gateway_ref, attempts, next_ask_at, last_problem from gateway_questions',
    )
  }

  it('as a payment is captured in our books when the gateway says so', async () => {
    polling.razorpay.rows.payments = [listedPayment('pay_Q1'), listedPayment('pay_Q2')]
    await authorized('pay_Q1', 2 * DAY)
    await authorized('pay_Q2', 60)
    expect(asksAbout('/v1/payments/pay_Q1')).to.equal(1)
    expect(asksAbout('/v1/payments/pay_Q2'), 'it is young').to.equal(0)
    const states = await polling.service.rows(
      'select gateway_payment_id as id, state from payments order by 1',
    )
    expect(states).to.deep.equal([
      { id: 'pay_Q1', state: 'captured' },
      { id: 'pay_Q2', state: 'authorized' },
    ])
    const list = await polling.service.call('GET', '/v1/inbox-events?told=asked')
    expect(rowsOf(list.json)).to.have.length(1)
    await makeDue()
    expect(await questions()).to.deep.equal([])
    expect(asksAbout('/v1/payments/pay_Q1')).to.equal(1)
  })

  it('as a payment is overdue beyond the gateway’s own limit, until it is finished', async () => {
    await authorized('pay_Q3', 5 * DAY)
    polling.razorpay.rows.payments = [
      listedPayment('pay_Q3', { status: 'authorized', captured: false }),
    ]
    await polling.poll('all')
    await makeDue()
    expect((await questions())[0]).to.include({ about: 'payment', attempts: 2 })
    const open = await polling.service.call('GET', '/v1/gateway-differences?kind=overdue')
    expect(rowsOf(open.json)).to.have.length(1)
    expect(rowsOf(open.json)[0]).to.include({ gateway_id: 'pay_Q3', resolved_at: null })
    polling.razorpay.rows.payments = [listedPayment('pay_Q3', { created_at: minutesAgo(5 * DAY) })]
    await makeDue()
    await makeDue()
    const left = await polling.service.call('GET', '/v1/gateway-differences?state=open')
    expect(rowsOf(left.json)).to.deep.equal([])
    expect(await questions()).to.deep.equal([])
  })

  it('as a refund is processed when the gateway says so', async () => {
    const { service, razorpay } = polling
    const payment = { id: 'pay_Q4', orderId: null, amount: 50_000, createdAt: minutesAgo(9 * DAY) }
    await service.deliver('razorpay', razorpayEvent('payment.captured', payment))
    const made = { created_at: minutesAgo(8 * DAY) }
    razorpay.rows.payments = [listedPayment('pay_Q4')]
    razorpay.rows.refunds = [listedRefund('rfnd_Q4', 'pay_Q4', { ...made, status: 'pending' })]
    await service.rows(`update gateway_accounts set created_at = now() - interval '20 days'`)
    await polling.poll('all')
    razorpay.rows.refunds = [listedRefund('rfnd_Q4', 'pay_Q4', made)]
    await polling.poll('all')
    await makeDue()
    const [refund] = await service.rows<{ state: string }>('select state from refunds')
    expect(refund?.state).to.equal('processed')
  })

  it('as an order is paid when the gateway lists a payment of it', async () => {
    const { service, razorpay } = polling
    for (const order of ['order_Q5', 'order_Q6', 'order_Q7']) {
      await openFor(service.parts, { order })
    }
    await service.rows(`update donations set opened_at = now() - interval '40 minutes'
      where order_ref <> 'order_Q7'`)
    razorpay.rows.payments = [
      listedPayment('pay_Q5a', { order_id: 'order_Q5', status: 'failed', captured: false }),
      listedPayment('pay_Q5b', { order_id: 'order_Q5' }),
    ]
    await polling.poll('all')
    await polling.poll('all')
    expect(asksAbout('/v1/orders/order_Q5/payments')).to.equal(1)
    expect(asksAbout('/v1/orders/order_Q6/payments')).to.equal(1)
    expect(asksAbout('/v1/orders/order_Q7/payments')).to.equal(0)
    const paid = await service.rows(`select order_ref from donations where state = 'paid'`)
    expect(paid).to.deep.equal([{ order_ref: 'order_Q5' }])
    // The other was given up by its donor: a few questions, and no more.
    for (let tries = 0; tries < 6; tries += 1) {
      await makeDue()
    }
    expect(asksAbout('/v1/orders/order_Q6/payments')).to.be.within(3, 7)
    expect(asksAbout('/v1/orders/order_Q5/payments')).to.equal(1)
  })

  it('is asked about again where the gateway was away, and the try does not count', async () => {
    await authorized('pay_Q8', 2 * DAY)
    polling.razorpay.before = (path) => (path.startsWith('/v1/payments/') ? 500 : 200)
    await polling.service.rows('delete from gateway_questions')
    await polling.poll('all')
    expect((await questions())[0]).to.include({ attempts: 0 })
    polling.razorpay.before = () => 200
    polling.razorpay.rows.payments = [listedPayment('pay_Q8')]
    await makeDue()
    const [payment] = await polling.service.rows<{ state: string }>('select state from payments')
    expect(payment?.state).to.equal('captured')
  })
})
