/** Donations that are given back: their receipts, second payments, and what donors hear. */
import { expect } from 'chai'
import { verifyBooks } from '../../scripts/verify-books.ts'
import { donationRequest, razorpayEvent } from '../support/bodies.ts'
import type { JsonObject } from '../support/service.ts'
import { textIn } from '../http/seeded.ts'
import { idIn, openShop, type Shop } from './shop.ts'

describe('a donation that is given back', () => {
  let shop: Shop

  before(async () => {
    shop = await openShop()
  })

  after(async () => {
    await shop.close()
  })

  beforeEach(() => {
    shop.razorpay.status.refund = 'processed'
  })

  /** Opens a donation, lets it be paid, and gives its payment. */
  async function donate(amount: number, id: string): Promise<{ payment: string; order: string }> {
    const opened = await shop.service.call('POST', '/v1/donations', {
      body: donationRequest({ amount }),
    })
    const order = textIn(opened.json, 'order_ref')
    await pay(id, order, amount)
    const [row] = await shop.service.rows<{ id: string }>(
      'select payment_id as id from payments where gateway_payment_id = $1',
      [id],
    )
    return { payment: row?.id ?? '', order }
  }

  async function pay(id: string, orderId: string, amount: number): Promise<void> {
    shop.razorpay.payments.set(id, { amount, captured: true })
    const createdAt = Date.parse('2026-05-10T06:30:00Z') / 1000
    const event = razorpayEvent('payment.captured', { id, orderId, amount, createdAt })
    await shop.service.deliver('razorpay', event)
    await shop.service.runJobs()
  }

  const refund = async (payment: string, body: object = {}) =>
    await shop.post(`/v1/payments/${payment}/refunds`, { reason: 'By mistake', ...body })

  async function receiptsOf(payment: string): Promise<JsonObject[]> {
    const rows = await shop.service.call('GET', '/v1/receipts?limit=100')
    return (rows.json['data'] as JsonObject[]).filter((one) => one['payment'] === payment)
  }

  async function mails(receipt: string): Promise<{ kind: string; state: string }[]> {
    return await shop.service.rows(
      'select kind, state from receipt_emails where receipt_id = $1 order by email_id',
      [receipt],
    )
  }

  it('has no receipt that stands, keeps its number, and its donor hears of it', async () => {
    const { payment } = await donate(5000, 'pay_GIVENBACK1')
    const [receipt] = await receiptsOf(payment)
    expect(receipt).to.include({ state: 'issued', refunded: 0 })
    idIn(await refund(payment))
    await shop.work()
    const [cancelled] = await receiptsOf(payment)
    expect(cancelled).to.include({
      state: 'cancelled',
      refunded: 5000,
      number: receipt?.['number'],
    })
    await shop.service.runJobs()
    expect(await mails(textIn(cancelled, 'id'))).to.deep.equal([
      { kind: 'issued', state: 'sent' },
      { kind: 'cancelled', state: 'sent' },
    ])
    const only = await shop.service.call('GET', '/v1/receipts?state=cancelled')
    expect(only.json['data']).to.have.length(1)
    const pdf = await shop.service.call('GET', `/v1/receipts/${textIn(cancelled, 'id')}/pdf`)
    expect(pdf.headers.get('content-disposition')).to.contain('cancelled-receipt')
  })

  it('in part keeps its receipt, which says how much', async () => {
    const { payment } = await donate(5000, 'pay_GIVENBACK2')
    idIn(await refund(payment, { amount: 2000 }))
    await shop.work()
    expect((await receiptsOf(payment))[0]).to.include({ state: 'issued', refunded: 2000 })
    idIn(await refund(payment))
    await shop.work()
    expect((await receiptsOf(payment))[0]).to.include({ state: 'cancelled', refunded: 5000 })
  })

  it('gets another receipt where the refund fails after all', async () => {
    shop.razorpay.status.refund = 'pending'
    const { payment } = await donate(5000, 'pay_GIVENBACK3')
    const id = idIn(await refund(payment))
    await shop.work()
    const reference = textIn((await shop.get(id)).json, 'reference')
    expect((await receiptsOf(payment))[0]).to.include({ state: 'cancelled' })
    const entity = shop.razorpay.entity('refund', reference)
    await shop.webhook('refund.failed', { refund: { entity: { ...entity, status: 'failed' } } })
    await shop.service.runJobs()
    const states = (await receiptsOf(payment)).map((one) => one['state'])
    expect(states).to.deep.equal(['issued', 'cancelled'])
  })

  it('gets no receipt where it was given back before there was one', async () => {
    const { payment } = await donate(5000, 'pay_GIVENBACK4')
    const receipts = await receiptsOf(payment)
    expect(receipts).to.have.length(1)
    // As if its receipt had waited.
    const again = await shop.service.call('POST', '/v1/donations', { body: donationRequest() })
    const order = textIn(again.json, 'order_ref')
    shop.razorpay.payments.set('pay_GIVENBACK5', { amount: 250_050, captured: true })
    const paid = { id: 'pay_GIVENBACK5', orderId: order, amount: 250_050 }
    await shop.service.deliver('razorpay', razorpayEvent('payment.captured', paid))
    await shop.work()
    const [row] = await shop.service.rows<{ id: string }>(
      `select payment_id as id from payments where gateway_payment_id = 'pay_GIVENBACK5'`,
    )
    idIn(await refund(row?.id ?? ''))
    await shop.work()
    await shop.service.runJobs()
    expect(await receiptsOf(row?.id ?? '')).to.deep.equal([])
  })

  it('is given back by itself when it is paid twice only if the organisation says so', async () => {
    const { order } = await donate(6000, 'pay_SECOND1')
    await pay('pay_SECOND2', order, 6000)
    await shop.service.rows(
      `alter table payments disable trigger guard;
       update payments set captured_at = now() - interval '25 hours'
        where gateway_payment_id like 'pay_SECOND%';
       alter table payments enable trigger guard`,
    )
    const before = shop.razorpay.moved.length
    await shop.work()
    expect(shop.razorpay.moved.length).to.equal(before)
    const set = async (hours: number | null) =>
      await shop.service.call('PATCH', '/v1/organisation', {
        role: 'admin',
        body: { refund_duplicates_after_hours: hours },
      })
    expect((await set(0)).status).to.equal(400)
    expect((await set(26)).json).to.include({ refund_duplicates_after_hours: 26 })
    await shop.work()
    expect(shop.razorpay.moved.length).to.equal(before)
    await set(24)
    await shop.work()
    await shop.work()
    const [moved, ...more] = shop.razorpay.moved.slice(before)
    expect([moved?.amount, more]).to.deep.equal([6000, []])
    const list = await shop.service.call('GET', `/v1/instructions?reference=${moved?.reference}`)
    expect((list.json['data'] as JsonObject[])[0]).to.include({
      asked_by: 'job:send-instructions',
      state: 'done',
    })
    await set(null)
  })

  it('leaves books that agree with themselves', async () => {
    const { findings } = await verifyBooks(shop.service.parts.db, () => undefined)
    expect(findings.map(({ finding }) => finding.detail)).to.deep.equal([])
  })
})
