/** Every webhook that the gateways print in their documentation, if those samples are at hand. */
import { expect } from 'chai'
import type { Confirmation, RawWebhook, StoredWebhook } from '../../src/gateways/gateway.ts'
import { payu } from '../../src/gateways/payu.ts'
import { razorpay } from '../../src/gateways/razorpay.ts'
import { payuForm, payuJson, payuWebhook, razorpayWebhook } from '../support/sign.ts'
import { samples } from './bodies.ts'
import { kindsOf } from './facts.ts'
import { detailOf } from './thrown.ts'

const SECRET = 'test_secret_of_the_samples'
const SECRETS = [{ secretId: 'one', value: SECRET }]

const CAPTURED = ['payment_captured', 'payment_fee']
const REFUNDED = ['refund_created', 'refund_processed']

/** The facts in each Razorpay sample that has one; every other sample gives none. */
const RAZORPAY_FACTS: Record<string, string[]> = {
  'invoice.paid__card-2.json': CAPTURED,
  'invoice.partially_paid__card.json': CAPTURED,
  'order.paid__card-2.json': CAPTURED,
  'payment.authorized__card-2.json': ['payment_authorized'],
  'payment.captured.json': CAPTURED,
  'payment.dispute.action_required.json': ['dispute_opened'],
  'payment.dispute.closed.json': ['dispute_opened', 'dispute_won'],
  'payment.dispute.created.json': ['dispute_opened'],
  'payment.dispute.lost.json': ['dispute_opened', 'dispute_lost'],
  'payment.dispute.under_review.json': ['dispute_opened'],
  'payment.dispute.won.json': ['dispute_opened', 'dispute_won'],
  'payment.failed__card.json': ['payment_failed'],
  'payment_link.paid__payment-link-paid-standard.json': CAPTURED,
  'payout.failed.repaired.json': ['payout_failed'],
  'payout.initiated.repaired.json': ['payout_pending'],
  'payout.pending.repaired.json': ['payout_pending'],
  'payout.processed.repaired.json': ['payout_processed'],
  'payout.queued.repaired.json': ['payout_pending'],
  'payout.rejected.repaired.json': ['payout_failed'],
  'payout.reversed.repaired.json': ['payout_processed', 'payout_reversed'],
  'payout.updated.repaired.json': ['payout_processed'],
  'qr_code.credited.json': CAPTURED,
  'refund.created__normal-refunds.json': REFUNDED,
  'refund.failed__normal-refunds.json': ['refund_created', 'refund_failed'],
  'refund.processed__normal-refunds.json': REFUNDED,
  'refund.speed_changed.json': REFUNDED,
  'settlement.processed.json': ['settled'],
  'subscription.charged.json': CAPTURED,
  'transfer.failed.json': ['transfer_failed'],
  'transfer.processed-2.json': ['transfer_processed'],
  'transfer.processed.json': ['transfer_processed'],
  'virtual_account.credited__bank-transfer-with-tpv.json': CAPTURED,
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
    const kinds = RAZORPAY_FACTS[name] ?? []
    it(`verifies ${name} and reads ${kinds.join(', ') || 'no fact'} in it`, () => {
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
  'dispute.bank-comm-sent.json': (text) => isDispute(text, 'dispute.unknown'),
  'dispute.pending-response.signed-shape.json': (text) => isDispute(text, 'dispute.open'),
  'refund.arn-update.json': (text) => isRefund(text, 'success', REFUNDED),
  'refund.failure.json': (text) => isRefund(text, 'failure', ['refund_created', 'refund_failed']),
  'refund.success.without-arn.json': (text) => isRefund(text, 'success', REFUNDED),
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

/** Unsigned it is for a person; signed it is opened, with a note where its status is unknown. */
function isDispute(text: string, type: string): void {
  const webhook = payuJson(JSON.parse(text) as object)
  expect(payu.verify(webhook, 'gtKFFx', SECRETS).secretId).to.equal(null)
  expect(payu.needsConfirmation(webhook)).to.equal(null)
  const hint = payu.read({ ...webhook, signedBy: null }, 'gtKFFx', null)
  expect([hint.type, hint.facts]).to.deep.equal([type, []])
  expect(hint.note).to.be.a('string')
  const signed = payu.read(webhook, 'gtKFFx', null)
  expect(kindsOf(signed)).to.deep.equal(['dispute_opened'])
  expect(signed.note === undefined).to.equal(type === 'dispute.open')
}

/** A hint that says nothing until PayU has said the same. */
function isRefund(text: string, status: string, kinds: string[]): void {
  const body = JSON.parse(text) as Record<string, string>
  const webhook = payuJson(body)
  const { key = '', request_id = '', mihpayid = '', amt = '' } = body
  expect(payu.verify(webhook, key, SECRETS).secretId).to.equal(null)
  expect(payu.needsConfirmation(webhook)).to.deep.equal({ ref: `refund:${request_id}` })
  detailOf('gateway_unavailable', () => payu.read(webhook, key, null))
  const answer = { request_id, mihpayid: mihpayid.trim(), amt, status, action: 'refund' }
  expect(kindsOf(payu.read(webhook, key, answer))).to.deep.equal(kinds)
}

function isNotACallback(text: string): void {
  const webhook = payuJson(JSON.parse(text) as object)
  detailOf('bad_signature', () => payu.verify(webhook, 'gtKFFx', SECRETS))
  detailOf('malformed_event', () => payu.read(webhook, 'gtKFFx', null))
}

function tells(
  webhook: RawWebhook & StoredWebhook,
  fields: Record<string, string>,
  kind: string,
  confirmation: Confirmation | null = null,
): void {
  const { key = '' } = fields
  expect(payu.verify(webhook, key, SECRETS).secretId).to.equal('one')
  const { facts } = payu.read(webhook, key, confirmation)
  expect(facts.map((fact) => fact.kind)).to.deep.equal([kind])
}
