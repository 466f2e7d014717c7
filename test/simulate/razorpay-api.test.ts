/** Razorpay of the test gateways, asked by the service's own client. */
import { expect } from 'chai'
import { razorpay } from '../../src/gateways/razorpay.ts'
import type { Told } from '../../src/gateways/asked.ts'
import { allOf, onTestGateways, problemOf, soon, type Ground } from './clients.ts'

const { capture, refund, findRefund, fetchRefund, fetchPayment, list } = razorpay
if (!capture || !refund || !findRefund || !fetchRefund || !fetchPayment || !list) {
  throw new Error('Razorpay lacks a call.')
}

const order = {
  reference: 'BAHI000000000000000000001',
  amount: 100_000n,
  currency: 'INR',
  description: 'Donation',
  payer: { name: 'Asha', email: 'asha@example.org', phone: null },
  returnUrl: 'https://ngo.example/thanks',
}

function kindsIn({ event }: Told, ground: Ground): string[] {
  const { facts } = razorpay.read(event, ground.account('razorpay').account, null)
  return facts.map(({ kind }) => kind)
}

describe('the Razorpay of the test gateways', () => {
  const ground = onTestGateways()
  const account = () => ground.account('razorpay')
  const reference = 'rfd_0000000001'

  async function paid(capture = true): Promise<string> {
    const { orderRef } = await razorpay.createOrder(account(), order, soon())
    ground.later(1)
    return ground.gateways.razorpay.pay({ order: orderRef, capture }).id
  }

  it('opens an order, and its payment is read as captured and charged for', async () => {
    const payment = { gatewayPaymentId: await paid(), orderRef: null }
    const told = await fetchPayment(account(), payment, soon())
    const { facts } = razorpay.read(
      told?.event ?? expect.fail('no payment'),
      account().account,
      null,
    )
    expect(facts.map(({ kind }) => kind)).to.deep.equal(['payment_captured', 'payment_fee'])
    expect(facts[0]).to.include({ amount: 100_000n })
    expect(facts[1]).to.include({ fee: 2360n, tax: 360n })
    expect(
      await fetchPayment(account(), { ...payment, gatewayPaymentId: 'pay_0' }, soon()),
    ).to.equal(null)
  })

  it('captures what was authorised once, and refuses another amount', async () => {
    const gatewayPaymentId = await paid(false)
    const wanted = { gatewayPaymentId, amount: 100_000n, currency: 'INR', reference }
    const other = await problemOf(capture(account(), { ...wanted, amount: 99_999n }, soon()))
    expect(other.message).to.include('must be equal to the amount authorized')
    expect((await capture(account(), wanted, soon())).state).to.equal('captured')
    expect((await capture(account(), wanted, soon())).state).to.equal('captured')
    const captures = ground.gateways.webhooks.sent.filter(
      ({ type, about }) => type === 'payment.captured' && about === gatewayPaymentId,
    )
    expect(captures).to.have.length(1)
  })

  it('gives money back once for one reference, and finds it again', async () => {
    const gatewayPaymentId = await paid()
    const speed = 'normal' as const
    const wanted = { gatewayPaymentId, amount: 40_000n, currency: 'INR', reference, speed }
    const first = await refund(account(), wanted, soon())
    const again = await refund(account(), wanted, soon())
    expect(again.gatewayRefundId).to.equal(first.gatewayRefundId)
    const found = await findRefund(account(), wanted, soon())
    expect(found).to.include({ gatewayRefundId: first.gatewayRefundId, state: 'processed' })
    const refundId = first.gatewayRefundId ?? ''
    const told = await fetchRefund(account(), refundId, soon())
    expect(kindsIn(told ?? expect.fail('no refund'), ground)).to.deep.equal([
      'refund_created',
      'refund_processed',
    ])
    expect(await fetchRefund(account(), 'rfnd_0', soon())).to.equal(null)
  })

  it('refuses another content under a reference, and more than is left', async () => {
    const gatewayPaymentId = await paid()
    const wanted = { gatewayPaymentId, currency: 'INR', speed: 'normal' as const }
    const one = { ...wanted, amount: 60_000n, reference: 'rfd_0000000002' }
    await refund(account(), one, soon())
    const other = await problemOf(refund(account(), { ...one, amount: 1000n }, soon()))
    expect([other.code, other.extras?.moved]).to.deep.equal(['gateway_refused', 'no'])
    const rest = { ...one, reference: 'rfd_0000000003' }
    const more = await problemOf(refund(account(), rest, soon()))
    expect(more.message).to.include('greater than the refund payment amount')
  })

  it('pays a refund once for many calls at the same time', async () => {
    const gatewayPaymentId = await paid()
    const wanted = { gatewayPaymentId, amount: 10_000n, currency: 'INR', speed: 'normal' } as const
    const calls = Array.from({ length: 8 }, async () => {
      return await refund(account(), { ...wanted, reference: 'rfd_0000000004' }, soon())
    })
    const answers = await Promise.all(calls)
    expect(new Set(answers.map(({ gatewayRefundId }) => gatewayRefundId)).size).to.equal(1)
    const told = await fetchPayment(account(), { gatewayPaymentId, orderRef: null }, soon())
    expect(told?.event.body.toString()).to.include('"amount_refunded":10000,')
  })

  it('lists payments of a time in pages, none twice and none left out', async () => {
    const made = Array.from({ length: 205 }, () => {
      ground.later(1)
      return ground.gateways.razorpay.pay({ amount: 5000 }).id
    })
    const page = await allOf(ground, 'razorpay', list.payments)
    expect(page.pages).to.equal(3)
    const ids = page.items.map(({ id }) => id)
    expect(ids).to.include.members(made)
    expect(new Set(ids).size).to.equal(ids.length)
    expect(page.unreadable).to.deep.equal([])
  })

  it('tells of a dispute that is opened and lost, in its list too', async () => {
    const payment = await paid()
    const { id } = ground.gateways.razorpay.dispute({ payment, amount: 30_000 })
    ground.gateways.razorpay.decide({ dispute: id, status: 'lost' })
    const { items } = await allOf(ground, 'razorpay', list.disputes)
    const told = items.find((one) => one.id === id) ?? expect.fail('not listed')
    expect(kindsIn(told, ground)).to.deep.equal(['dispute_opened', 'dispute_lost'])
  })

  it('settles everything once, and the lines come to the sum', async () => {
    const settlement = ground.gateways.razorpay.settle({})
    const lines = await allOf(ground, 'razorpay', list.settlementLines)
    const own = lines.items.filter(({ settlementId }) => settlementId === settlement.id)
    expect(new Set(own.map(({ type }) => type))).to.deep.equal(
      new Set(['payment', 'refund', 'adjustment']),
    )
    const sum = own.reduce((total, { credit, debit }) => total + credit - debit, 0n)
    expect(sum).to.equal(BigInt(settlement['amount'] as number))
    const listed = await allOf(ground, 'razorpay', list.settlements)
    expect(listed.items.map(({ id }) => id)).to.deep.equal([settlement.id])
    expect(() => ground.gateways.razorpay.settle({})).to.throw('nothing to settle')
    const refunds = await allOf(ground, 'razorpay', list.refunds)
    expect(refunds.items).to.have.length(3)
  })

  it('refuses a call without a key, and pages that no list has', async () => {
    const { url } = ground.gateways
    const authorization = `Basic ${btoa('rzp_test_1:secret-1')}`
    const status = async (path: string, headers: Record<string, string> = { authorization }) =>
      (await fetch(url + path, { headers })).status
    expect(await status('/v1/payments', {})).to.equal(401)
    for (const query of ['count=0', 'count=101', 'count=x', 'skip=-1']) {
      expect(await status(`/v1/payments?${query}`), query).to.equal(400)
    }
    expect(await status('/v1/settlements/recon/combined')).to.equal(400)
    expect(await status('/v1/payments?count=100&skip=999999')).to.equal(200)
  })
})

describe('payouts and transfers of the test Razorpay', () => {
  const ground = onTestGateways()

  async function call(method: string, path: string, more: { body?: unknown; key?: string } = {}) {
    const response = await fetch(ground.gateways.url + path, {
      method,
      headers: {
        authorization: `Basic ${btoa('rzp_test_1:secret-1')}`,
        ...(more.key === undefined ? {} : { 'x-payout-idempotency': more.key }),
      },
      ...(more.body === undefined ? {} : { body: JSON.stringify(more.body) }),
    })
    return { status: response.status, json: (await response.json()) as Record<string, unknown> }
  }

  const payout = {
    account_number: '7878780080316316',
    fund_account_id: 'fa_00000000000001',
    amount: 1_000_000,
    currency: 'INR',
    mode: 'IMPS',
    purpose: 'payout',
    reference_id: 'po_0000000001',
  }

  it('need a key, and one key pays once', async () => {
    expect((await call('POST', '/v1/payouts', { body: payout })).status).to.equal(400)
    const one = await call('POST', '/v1/payouts', { body: payout, key: 'po_0000000001' })
    const again = await call('POST', '/v1/payouts', { body: payout, key: 'po_0000000001' })
    expect(one.json['status']).to.equal('processing')
    // A known key answers what became of it since.
    expect(again.json).to.include({ id: one.json['id'], status: 'processed' })
    const other = { ...payout, amount: 5000 }
    const refused = await call('POST', '/v1/payouts', { body: other, key: 'po_0000000001' })
    expect(refused.status).to.equal(409)
    const account = `account_number=${payout.account_number}`
    const found = await call('GET', `/v1/payouts?${account}&reference_id=po_0000000001`)
    expect(found.json['count']).to.equal(1)
    const none = await call('GET', `/v1/payouts?${account}&reference_id=po_0`)
    expect(none.json['count']).to.equal(0)
  })

  it('come back days later, and then do not move any more', async () => {
    ground.gateways.razorpay.finishes({ payouts: false })
    const made = await call('POST', '/v1/payouts', { body: payout, key: 'po_0000000002' })
    const id = String(made.json['id'])
    ground.gateways.razorpay.movePayout({ payout: id, status: 'processed' })
    ground.gateways.razorpay.movePayout({ payout: id, status: 'reversed' })
    expect(() => ground.gateways.razorpay.movePayout({ payout: id, status: 'processed' })).to.throw(
      'reversed',
    )
    const types = ground.gateways.webhooks.sent.filter(({ about }) => about === id)
    expect(types.map(({ type }) => type)).to.deep.equal([
      'payout.initiated',
      'payout.processed',
      'payout.reversed',
    ])
  })

  it('give parts of a payment to linked accounts, and not more than it has', async () => {
    const { id } = ground.gateways.razorpay.pay({ amount: 50_000 })
    const body = { transfers: [{ account: 'acc_linked', amount: 30_000, currency: 'INR' }] }
    const made = await call('POST', `/v1/payments/${id}/transfers`, { body })
    expect(made.status).to.equal(200)
    expect((await call('POST', `/v1/payments/${id}/transfers`, { body })).status).to.equal(400)
    expect((await call('GET', `/v1/payments/${id}/transfers`)).json['count']).to.equal(1)
  })
})
