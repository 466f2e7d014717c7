/** Stripe of the test gateways, asked by the service's own client. */
import { expect } from 'chai'
import { stripe } from '../../src/gateways/stripe.ts'
import { wordAt } from '../../scripts/simulate/gateways/wire.ts'
import type { Told } from '../../src/gateways/asked.ts'
import { allOf, onTestGateways, pageOf, problemOf, soon } from './clients.ts'

const { capture, refund, findRefund, fetchRefund, fetchPayment, list } = stripe
if (!capture || !refund || !findRefund || !fetchRefund || !fetchPayment || !list) {
  throw new Error('Stripe lacks a call.')
}

const KEY = { authorization: 'Bearer sk_test_000000000001' }

describe('the Stripe of the test gateways', () => {
  const ground = onTestGateways()
  const account = () => ground.account('stripe')
  let orders = 0

  const order = () => ({
    reference: `BAHI00000000000000000000${(orders += 1)}`,
    amount: 250_000n,
    currency: 'INR',
    description: 'Donation',
    payer: { name: 'Asha', email: 'asha@example.org', phone: null },
    returnUrl: 'https://ngo.example/thanks',
  })

  async function paid(): Promise<string> {
    const { orderRef } = await stripe.createOrder(account(), order(), soon())
    ground.later(1)
    return ground.gateways.stripe.pay({ reference: orderRef }).id
  }

  function factsIn(told: Told | null | undefined) {
    const { event, confirmation } = told ?? expect.fail('nothing was told')
    return stripe.read(event, account().account, confirmation).facts
  }

  const kindsIn = (told: Told | null | undefined) => factsIn(told).map(({ kind }) => kind)

  it('opens a page to pay on, the same one for the same reference', async () => {
    const wanted = order()
    const one = await stripe.createOrder(account(), wanted, soon())
    const again = await stripe.createOrder(account(), wanted, soon())
    expect(again).to.deep.equal(one)
    const other = await problemOf(stripe.createOrder(account(), { ...wanted, amount: 1n }, soon()))
    expect(other.message).to.include('same parameters')
  })

  it('answers a charge with its movement, fee and our reference', async () => {
    const gatewayPaymentId = await paid()
    const told = await fetchPayment(account(), { gatewayPaymentId, orderRef: null }, soon())
    const [captured, fee] = factsIn(told)
    expect(captured).to.include({
      kind: 'payment_captured',
      amount: 250_000n,
      orderRef: `BAHI00000000000000000000${orders}`,
    })
    expect(fee).to.include({ kind: 'payment_fee', fee: 5900n, tax: 900n })
    const none = { gatewayPaymentId: 'ch_0', orderRef: null }
    expect(await fetchPayment(account(), none, soon())).to.equal(null)
  })

  it('confirms charges, intents, refunds, disputes and payouts by their paths', async () => {
    const { stripe: there } = ground.gateways
    const charge = there.pay({ amount: 90_000 })
    const refunded = there.refund({ charge: charge.id, amount: 10_000 })
    const contested = there.dispute({ charge: charge.id })
    const payout = there.settle({})
    const refs = [
      `charges/${charge.id}`,
      `payment_intents/${wordAt(charge, 'payment_intent')}`,
      `refunds/${refunded.id}`,
      `disputes/${contested.id}`,
      `payouts/${payout.id}`,
    ]
    const answers = await stripe.confirm(account(), [...refs, 'charges/ch_0'], soon())
    expect([...answers.keys()]).to.have.members([...refs, 'charges/ch_0'])
    expect(answers.get('charges/ch_0')).to.include({ missing: 'true' })
    const disputed = answers.get(`disputes/${contested.id}`)?.['object'] ?? ''
    expect(disputed).to.include('"amount":-90000').and.to.include('"fee":1500')
  })

  it('captures an intent that was authorised, once', async () => {
    const intent = await fetch(`${ground.gateways.url}/v1/payment_intents`, {
      method: 'POST',
      headers: KEY,
      body: new URLSearchParams({ amount: '50000', currency: 'inr', capture_method: 'manual' }),
    })
    const { id } = (await intent.json()) as { id: string }
    const charge = ground.gateways.stripe.pay({ intent: id })
    const wanted = { gatewayPaymentId: charge.id, amount: 50_000n, currency: 'INR' }
    const first = await capture(account(), { ...wanted, reference: 'cap_0000000001' }, soon())
    expect(first.state).to.equal('captured')
    expect(kindsIn(first.told)).to.include('payment_captured')
    const again = await capture(account(), { ...wanted, reference: 'cap_0000000002' }, soon())
    expect(again.state).to.equal('captured')
  })

  it('gives money back once for one reference, and finds it again', async () => {
    const gatewayPaymentId = await paid()
    const money = { amount: 100_000n, currency: 'INR', speed: 'normal' as const }
    const wanted = { ...money, gatewayPaymentId, reference: 'rfd_0000000001' }
    const calls = Array.from({ length: 5 }, async () => await refund(account(), wanted, soon()))
    const ids = new Set((await Promise.all(calls)).map(({ gatewayRefundId }) => gatewayRefundId))
    expect(ids.size).to.equal(1)
    const [id = ''] = ids
    const found = await findRefund(account(), wanted, soon())
    expect(found).to.include({ gatewayRefundId: id, state: 'processed' })
    const told = await fetchRefund(account(), id ?? '', soon())
    expect(kindsIn(told)).to.include.members(['refund_created', 'refund_processed'])
    const other = await problemOf(refund(account(), { ...wanted, amount: 1000n }, soon()))
    expect(other.message).to.include('same parameters')
    const more = { ...wanted, amount: 150_001n, reference: 'rfd_0000000002' }
    expect((await problemOf(refund(account(), more, soon()))).message).to.include('greater than')
  })

  it('tells a refund that failed with the money that came back', async () => {
    const { stripe: there } = ground.gateways
    const charge = there.pay({ amount: 70_000 })
    const { id } = there.refund({ charge: charge.id })
    there.finishRefund({ refund: id, status: 'failed' })
    expect(kindsIn(await fetchRefund(account(), id, soon()))).to.include.members([
      'refund_processed',
      'refund_failed',
    ])
  })

  it('shows more than ten refunds of a charge', async () => {
    const charge = ground.gateways.stripe.pay({ amount: 70_000 })
    for (let index = 0; index < 12; index += 1) {
      ground.gateways.stripe.refund({ charge: charge.id, amount: 1000 })
    }
    const payment = { gatewayPaymentId: charge.id, orderRef: null }
    const kinds = kindsIn(await fetchPayment(account(), payment, soon()))
    expect(kinds.filter((kind) => kind === 'refund_created')).to.have.length(12)
  })

  it('lists charges in pages, and refunds, disputes and payouts', async () => {
    for (let index = 0; index < 120; index += 1) {
      ground.gateways.stripe.pay({ amount: 5000 })
    }
    ground.later(1)
    const charges = await allOf(ground, 'stripe', list.payments)
    expect(charges.pages).to.equal(2)
    expect(new Set(charges.items.map(({ id }) => id)).size).to.equal(charges.items.length)
    for (const call of [list.refunds, list.disputes, list.settlements]) {
      const { items, unreadable } = await pageOf(ground, 'stripe', call)
      expect(items.length).to.be.above(0)
      expect(unreadable).to.deep.equal([])
      items.forEach(factsIn)
    }
  })

  it('itemises payouts, and their lines come to the sum', async () => {
    ground.later(1)
    const payout = ground.gateways.stripe.settle({})
    ground.later(1)
    const lines = await allOf(ground, 'stripe', list.settlementLines)
    const own = lines.items.filter(({ settlementId }) => settlementId === payout.id)
    const sum = own.reduce((total, { credit, debit }) => total + credit - debit, 0n)
    expect(own.length).to.be.above(100)
    expect(sum).to.equal(BigInt(payout['amount'] as number))
  })

  it('keeps to one version, one key and what can be expanded', async () => {
    const { url } = ground.gateways
    const { id } = ground.gateways.stripe.pay({ amount: 5000 })
    const get = async (path: string, headers: Record<string, string> = KEY) =>
      await fetch(`${url}/v1/${path}`, { headers })
    const good = await get(`charges/${id}`, { ...KEY, 'stripe-version': '2024-06-20' })
    expect(good.headers.get('stripe-version')).to.equal('2024-06-20')
    expect(good.headers.get('request-id')).to.match(/^req_/)
    for (const [path, status] of [
      [`charges/${id}?expand[]=nothing`, 400],
      [`charges/${id}?expand[]=a.b.c.d.e`, 400],
      [`charges/${id}?expand[0]=payment_intent.latest_charge.balance_transaction`, 200],
      ['charges?limit=0', 400],
      ['charges?limit=101', 400],
      ['charges?starting_after=ch_0', 400],
      ['charges/ch_0', 404],
      ['nothing', 404],
      ['events?limit=1', 200],
    ] as const) {
      expect((await get(path)).status, path).to.equal(status)
    }
    for (const authorization of ['Bearer pk_test_1', 'Bearer x']) {
      expect((await get('charges', { authorization })).status).to.equal(401)
    }
    const odd = await get('charges', { ...KEY, 'stripe-version': 'newest' })
    expect(odd.status).to.equal(400)
  })
})
