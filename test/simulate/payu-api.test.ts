/** PayU of the test gateways, asked by the service's own client. */
import { expect } from 'chai'
import { payu } from '../../src/gateways/payu.ts'
import type { Told } from '../../src/gateways/asked.ts'
import { allOf, onTestGateways, problemOf, soon } from './clients.ts'

const { capture, refund, findRefund, fetchRefund, fetchPayment, list } = payu
if (!capture || !refund || !findRefund || !fetchRefund || !fetchPayment || !list) {
  throw new Error('PayU lacks a call.')
}

describe('the PayU of the test gateways', () => {
  const ground = onTestGateways()
  const account = () => ground.account('payu')
  let txnid = 0

  function paid(state: 'captured' | 'auth' = 'captured') {
    txnid += 1
    const fields = { productinfo: 'Donation', firstname: 'Asha', email: 'asha@example.org' }
    return ground.gateways.payu.pay({ txnid: `T${txnid}`, amount: 250_050, state, fields })
  }

  function kindsIn(told: Told | null): string[] {
    const { event, confirmation } = told ?? expect.fail('nothing was told')
    return payu.read(event, account().account, confirmation).facts.map(({ kind }) => kind)
  }

  it('confirms a payment by its order and by its own id', async () => {
    const { mihpayid } = paid()
    const byOrder = await fetchPayment(
      account(),
      { gatewayPaymentId: mihpayid, orderRef: `T${txnid}` },
      soon(),
    )
    const byId = await fetchPayment(
      account(),
      { gatewayPaymentId: mihpayid, orderRef: null },
      soon(),
    )
    expect(kindsIn(byOrder)).to.deep.equal(['payment_captured'])
    expect(kindsIn(byId)).to.deep.equal(['payment_captured'])
    const unknown = { gatewayPaymentId: '4039', orderRef: null }
    expect(await fetchPayment(account(), unknown, soon())).to.equal(null)
  })

  it('answers nothing to another salt', async () => {
    paid()
    const other = { ...account(), keySecret: 'another' }
    const wanted = { gatewayPaymentId: '1', orderRef: `T${txnid}` }
    const problem = await problemOf(fetchPayment(other, wanted, soon()))
    expect(problem.message).to.include('Invalid Hash')
    const of = { ...account(), account: 'Other', keyId: 'Other' }
    expect(await fetchPayment(of, wanted, soon())).to.equal(null)
  })

  it('captures what was authorised, and says so the second time', async () => {
    const { mihpayid } = paid('auth')
    const money = { amount: 250_050n, currency: 'INR' }
    const wanted = { ...money, gatewayPaymentId: mihpayid, reference: 'cap_0000000001' }
    expect((await capture(account(), wanted, soon())).state).to.equal('pending')
    expect((await capture(account(), wanted, soon())).state).to.equal('captured')
    const now = await fetchPayment(account(), { ...wanted, orderRef: `T${txnid}` }, soon())
    expect(kindsIn(now)).to.deep.equal(['payment_captured'])
  })

  it('takes a token once, and gives back no more than there is', async () => {
    const { mihpayid: gatewayPaymentId } = paid()
    const base = { gatewayPaymentId, currency: 'INR', speed: 'normal' as const }
    const wanted = { ...base, amount: 100_000n, reference: 'rfd_0000000001' }
    const first = await refund(account(), wanted, soon())
    expect(first).to.include({ state: 'pending' })
    const again = await refund(account(), wanted, soon())
    expect(again).to.include({ gatewayRefundId: first.gatewayRefundId, state: 'processed' })
    expect(kindsIn(again.told)).to.deep.equal(['refund_created', 'refund_processed'])
    const more = { ...wanted, amount: 150_051n, reference: 'rfd_0000000002' }
    const problem = await problemOf(refund(account(), more, soon()))
    expect([problem.code, problem.extras?.moved]).to.deep.equal(['gateway_refused', 'no'])
    const found = await findRefund(account(), wanted, soon())
    expect(found?.gatewayRefundId).to.equal(first.gatewayRefundId)
    expect(await findRefund(account(), more, soon())).to.equal(null)
    const fetched = await fetchRefund(account(), first.gatewayRefundId ?? '', soon())
    expect(kindsIn(fetched)).to.deep.equal(['refund_created', 'refund_processed'])
    expect(await fetchRefund(account(), '123', soon())).to.equal(null)
  })

  it('lets go what was only authorised, without a refund of its own', async () => {
    const { mihpayid: gatewayPaymentId } = paid('auth')
    const wanted = { gatewayPaymentId, amount: 250_050n, currency: 'INR', speed: 'normal' as const }
    const answer = await refund(account(), { ...wanted, reference: 'rfd_0000000003' }, soon())
    expect(answer).to.deep.equal({ gatewayRefundId: null, state: 'pending', told: null })
  })

  it('ends a refund when it is told to, and the ARN comes later', async () => {
    ground.gateways.payu.finishes({ refunds: false })
    const { mihpayid: gatewayPaymentId } = paid()
    const wanted = { gatewayPaymentId, amount: 100_000n, currency: 'INR', speed: 'normal' as const }
    const { gatewayRefundId } = await refund(
      account(),
      { ...wanted, reference: 'rfd_0000000004' },
      soon(),
    )
    const id = gatewayRefundId ?? ''
    expect(kindsIn(await fetchRefund(account(), id, soon()))).to.deep.equal(['refund_created'])
    ground.gateways.payu.finishRefund({ refund: id, status: 'success' })
    ground.gateways.payu.finishRefund({ refund: id, status: 'success', arn: '308239782136' })
    expect(() => ground.gateways.payu.finishRefund({ refund: id, status: 'failure' })).to.throw()
    const told = await fetchRefund(account(), id, soon())
    expect(told?.confirmation).to.include({ bank_arn: '308239782136' })
    ground.gateways.payu.finishes({ refunds: true })
  })

  it('lists its payments and its settlements, whose lines come to the sum', async () => {
    ground.later(60)
    const { items } = await allOf(ground, 'payu', list.payments)
    expect(items.length).to.equal(txnid)
    const settled = ground.gateways.payu.settle({})
    const listed = await allOf(ground, 'payu', list.settlements)
    expect(listed.items.map(({ id }) => id)).to.deep.equal([settled.id])
    const lines = await allOf(ground, 'payu', list.settlementLines)
    expect(lines.unreadable).to.deep.equal([])
    const sum = lines.items.reduce((total, { credit, debit }) => total + credit - debit, 0n)
    expect(sum).to.equal(BigInt(settled.amount))
    expect(new Set(lines.items.map(({ type }) => type))).to.deep.equal(
      new Set(['capture', 'refund']),
    )
    expect(() => ground.gateways.payu.settle({})).to.throw('nothing to settle')
  })
})
