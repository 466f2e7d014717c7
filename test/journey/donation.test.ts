/** Read this one first: the way of one donation from the checkout to the receipt in the mailbox. */
import { expect } from 'chai'
import nock from 'nock'
import { startWorker, type RunningWorker } from '../../jobs/worker.ts'
import { sha256 } from '../../src/base/crypto.ts'
import { signToken } from '../../src/http/auth.ts'
import { verifyBooks } from '../../scripts/verify-books.ts'
import { donationRequest, payuCallback, payuVerified, razorpayEvent } from '../support/bodies.ts'
import { mailTo } from '../support/mailbox.ts'
import { GATEWAYS_URL, startTestService, type TestService } from '../support/service.ts'
import { until } from '../support/until.ts'
import { startNock, stopNock } from '../support/nock.ts'

describe('the way of one donation', () => {
  let service: TestService
  let worker: RunningWorker

  before(async () => {
    startNock()
    service = await startTestService()
    worker = startWorker(service.parts)
  })

  after(async () => {
    stopNock()
    await worker.close()
    await service.stop()
  })

  it('goes from a Razorpay checkout to the books and to the donor’s mailbox', async () => {
    // The donor's browser asks our website, and the website asks us.
    const razorpay = nock(GATEWAYS_URL)
      .post('/v1/orders', (body: { amount: number }) => body.amount === 250_050)
      .reply(200, { id: 'order_TESTjourney001', entity: 'order', amount: 250_050, currency: 'INR' })
    const opened = await service.call('POST', '/v1/donations', {
      role: 'service',
      body: donationRequest({ donor: { ...donor, email: 'journey@example.org' } }),
    })
    expect(opened.status).to.equal(201)
    expect(opened.json).to.deep.include({ state: 'open', order_ref: 'order_TESTjourney001' })
    expect(razorpay.isDone()).to.equal(true)

    // The donor pays; Razorpay tells it twice in two events, the first of them delivered twice.
    const payment = { id: 'pay_TESTjourney001', orderId: 'order_TESTjourney001', amount: 250_050 }
    const captured = razorpayEvent('payment.captured', payment)
    for (const webhook of [captured, captured, razorpayEvent('order.paid', payment)]) {
      expect((await service.deliver('razorpay', webhook)).status).to.equal(200)
    }

    // The email is the last thing to happen.
    const mail = await mailTo('journey@example.org')
    expect(mail.subject).to.equal('Receipt 80G/2026-27/000001 for your donation to Test Trust')
    const [attachment] = mail.attachments
    expect(attachment?.bytes.subarray(0, 5).toString()).to.equal('%PDF-')

    const payments = await service.call('GET', '/v1/payments')
    expect(payments.json['data']).to.have.length(1)
    const [paid] = payments.json['data'] as Record<string, unknown>[]
    expect(paid).to.include({
      state: 'captured',
      amount: 250_050,
      donation: opened.json['id'],
      journal_entry: 'je_1',
    })

    const entry = await service.call('GET', '/v1/journal-entries/je_1')
    expect(entry.json).to.include({ kind: 'donation_captured', effective_on: '2026-11-18' })
    expect(
      (entry.json['postings'] as Record<string, unknown>[]).map(({ code, direction, amount }) => [
        code,
        direction,
        amount,
      ]),
    ).to.deep.equal([
      ['assets:clearing:razorpay', 'debit', 250_050],
      ['income:donations:education', 'credit', 250_050],
    ])

    // The mail is there a moment before the worker has noted that it was sent.
    await until(async () => {
      const sent = await service.call('GET', '/v1/receipts?email_state=sent')
      return (sent.json['data'] as object[]).length === 1
    })
    const receipts = await service.call('GET', '/v1/receipts')
    const [receipt] = receipts.json['data'] as Record<string, string>[]
    expect(receipt).to.include({ number: '80G/2026-27/000001', amount: 250_050 })
    const pdf = await fetch(`${service.url}/v1/receipts/${receipt?.['id']}/pdf`, {
      headers: { authorization: bearerOf(service) },
    })
    const bytes = Buffer.from(await pdf.arrayBuffer())
    expect(sha256(bytes).toString('hex')).to.equal(receipt?.['pdf_sha256'])
    expect(bytes.equals(attachment?.bytes ?? Buffer.alloc(0))).to.equal(true)
  })

  it('goes from a PayU checkout through verify_payment to the books', async () => {
    const opened = await service.call('POST', '/v1/donations', {
      role: 'service',
      body: donationRequest({
        gateway: 'payu',
        amount: 100_000,
        donor: { name: 'Ravi Rao', email: 'ravi@example.org', citizenship: 'indian' },
      }),
    })
    expect(opened.status).to.equal(201)
    const { fields } = opened.json['checkout'] as { fields: Record<string, string> }
    const txnid = opened.json['order_ref'] as string
    expect(fields['hash']).to.match(/^[0-9a-f]{128}$/)

    nock(GATEWAYS_URL)
      .post('/merchant/postservice.php')
      .query(true)
      .reply(200, payuVerified(txnid, { amt: '1000.00', transaction_amount: '1000.00' }))
    const callback = payuCallback({
      txnid,
      amount: fields['amount'] ?? '',
      productinfo: fields['productinfo'] ?? '',
      firstname: fields['firstname'] ?? '',
      email: fields['email'] ?? '',
    })
    expect((await service.deliver('payu', callback)).status).to.equal(200)

    const mail = await mailTo('ravi@example.org')
    // Without address and tax id there is nothing to claim with: a general receipt.
    expect(mail.subject).to.equal('Receipt GEN/2026-27/000001 for your donation to Test Trust')
  })

  it('leaves books that balance and that verify', async () => {
    const balance = await service.call('GET', '/v1/trial-balance')
    expect(balance.json['totals']).to.deep.equal([
      { currency: 'INR', debit: 350_050, credit: 350_050 },
    ])
    await until(async () => {
      const [row] = await service.rows<{ n: number }>(
        `select count(*)::integer as n from receipt_emails where state <> 'sent'`,
      )
      return row?.n === 0
    })
    const verification = await verifyBooks(service.parts.db, () => undefined)
    expect(verification.findings).to.deep.equal([])
    expect(verification.entries).to.equal(2n)

    const trail = await service.call('GET', '/v1/audit-trail.csv', { role: 'auditor' })
    expect(trail.text.trimEnd().split('\r\n')).to.have.length(7)
  })
})

const donor = donationRequest()['donor'] as object

function bearerOf(service: TestService): string {
  const principal = { subject: 'test', orgId: 1, role: 'finance' } as const
  return `Bearer ${signToken(principal, service.config.jwtSecret, 60)}`
}
