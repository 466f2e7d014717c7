/** Every webhook that the gateways print in their documentation, if those samples are at hand. */
import { expect } from 'chai'
import type { Confirmation, RawWebhook } from '../../src/gateways/gateway.ts'
import { payu } from '../../src/gateways/payu.ts'
import { razorpay } from '../../src/gateways/razorpay.ts'
import { payuForm, payuJson, payuWebhook, razorpayWebhook } from '../support/sign.ts'
import { samples } from './bodies.ts'
import { detailOf } from './thrown.ts'

const SECRET = 'test_secret_of_the_samples'
const SECRETS = [{ secretId: 'one', value: SECRET }]

/** The fact in each Razorpay sample that has one; every other sample gives none. */
const RAZORPAY_FACTS: Record<string, string> = {
  'invoice.paid__card-2.json': 'payment_captured',
  'invoice.partially_paid__card.json': 'payment_captured',
  'order.paid__card-2.json': 'payment_captured',
  'payment.authorized__card-2.json': 'payment_authorized',
  'payment.captured.json': 'payment_captured',
  'payment.failed__card.json': 'payment_failed',
  'payment_link.paid__payment-link-paid-standard.json': 'payment_captured',
  'qr_code.credited.json': 'payment_captured',
  'subscription.charged.json': 'payment_captured',
  'virtual_account.credited__bank-transfer-with-tpv.json': 'payment_captured',
}

const razorpaySamples = samples('razorpay/webhooks')
const payuSamples = samples('payu/webhooks')

describe("Razorpay's printed webhooks", () => {
  if (razorpaySamples === undefined) {
    it('(skipped: ../shared/fixtures/razorpay is not here)')
  } else {
    it('include every sample that a fact is expected of', () => {
      const names = razorpaySamples.map(({ name }) => name)
      expect(names).to.include.members(Object.keys(RAZORPAY_FACTS))
    })
  }
  for (const { name, text } of razorpaySamples ?? []) {
    const kinds = RAZORPAY_FACTS[name] === undefined ? [] : [RAZORPAY_FACTS[name]]
    it(`verifies ${name} and reads ${kinds[0] ?? 'no fact'} in it`, () => {
      const parsed = JSON.parse(text) as { account_id?: string; event: string }
      const account = parsed.account_id ?? 'acc_none'
      const webhook = razorpayWebhook(text, SECRET)
      expect(razorpay.verify(webhook, account, SECRETS).secretId).to.equal('one')
      const { type, facts } = razorpay.read(webhook, account, null)
      expect(type).to.equal(parsed.event)
      expect(facts.map((fact) => fact.kind)).to.deep.equal(kinds)
    })
  }
})

/** What each PayU sample must do; a new one fails until it is given a line here. */
const PAYU_CHECKS: Record<string, (text: string) => void> = {
  'dispute.bank-comm-sent.json': (text) => isUnhashed(text, 'dispute'),
  'dispute.pending-response.signed-shape.json': (text) => isUnhashed(text, 'dispute'),
  'refund.arn-update.json': (text) => isUnhashed(text, 'refund'),
  'refund.failure.json': (text) => isUnhashed(text, 'refund'),
  'refund.success.without-arn.json': (text) => isUnhashed(text, 'refund'),
  'refund.bulk-arn-callback.reconstructed.json': isNotACallback,
  'payment.failed-with-additionalCharges.delivery-log.json': (text) => {
    isNotACallback(text)
    const log = JSON.parse(text) as { event_payload: Record<string, string> }
    const fields = log.event_payload
    const charges = fields['additionalCharges'] ?? ''
    tells(payuWebhook(fields, SECRET, { charges }), fields, 'payment_failed')
  },
  'payment.failed.form.txt': (text) => {
    const fields = Object.fromEntries(new URLSearchParams(text))
    tells(payuWebhook(fields, SECRET), fields, 'payment_failed')
    const asPrinted = { ...payuForm({}), body: Buffer.from(text) }
    const { key = '' } = fields
    detailOf('bad_signature', () => payu.verify(asPrinted, key, SECRETS))
    expect(payu.read(asPrinted, key, null).facts).to.have.length(1)
  },
  'payment.successful.decoded.json': (text) => {
    const fields = JSON.parse(text) as Record<string, string>
    const confirmation = { ...fields, transaction_amount: '40.00' }
    tells(payuWebhook(fields, SECRET), fields, 'payment_captured', confirmation)
    const { key = '' } = fields
    detailOf('gateway_unavailable', () => payu.read(payuForm(fields), key, null))
  },
}

describe("PayU's printed webhooks", () => {
  if (payuSamples === undefined) {
    it('(skipped: ../shared/fixtures/payu is not here)')
  }
  for (const { name, text } of payuSamples ?? []) {
    it(`verifies and reads ${name}, or refuses it for the expected reason`, () => {
      const check = PAYU_CHECKS[name]
      expect(check, 'what this sample must do').to.be.a('function')
      check?.(text)
    })
  }
})

function isUnhashed(text: string, kind: string): void {
  const webhook = payuJson(JSON.parse(text) as object)
  const { key = 'gtKFFx' } = JSON.parse(text) as { key?: string }
  const detail = detailOf('bad_signature', () => payu.verify(webhook, key, SECRETS))
  expect(detail).to.contain(`${kind} webhooks carry no hash`)
  expect(payu.read(webhook, key, null)).to.deep.equal({ type: kind, facts: [] })
  expect(payu.needsConfirmation(webhook)).to.equal(null)
}

function isNotACallback(text: string): void {
  const webhook = payuJson(JSON.parse(text) as object)
  detailOf('bad_signature', () => payu.verify(webhook, 'gtKFFx', SECRETS))
  detailOf('malformed_event', () => payu.read(webhook, 'gtKFFx', null))
}

function tells(
  webhook: RawWebhook,
  fields: Record<string, string>,
  kind: string,
  confirmation: Confirmation | null = null,
): void {
  const { key = '' } = fields
  expect(payu.verify(webhook, key, SECRETS).secretId).to.equal('one')
  const { facts } = payu.read(webhook, key, confirmation)
  expect(facts.map((fact) => fact.kind)).to.deep.equal([kind])
}
