/** PayU's refunds and disputes: hints that it has to confirm, and disputes that it signed. */
import { expect } from 'chai'
import { USUAL_TERMS, type Confirmation, type StoredWebhook } from '../../src/gateways/gateway.ts'
import { payu } from '../../src/gateways/payu.ts'
import { payuHash } from '../../src/gateways/payu/callback.ts'
import { payuCallbackHash, payuForm, payuJson } from '../support/sign.ts'
import { own, payuFields } from './bodies.ts'
import { factOf, keysOf, kindsOf } from './facts.ts'
import { detailOf } from './thrown.ts'

const KEY = 'gtKFFx'
const SALT = 'TESTSALT123'
const SALTS = [{ secretId: 'v1', value: SALT }]
const UPFRONT = { disputesDebitedUpfront: true }

type Changes = Readonly<Record<string, unknown>>

const refundBody = (changes: Changes = {}) => ({ ...own('payu/refund.success.json'), ...changes })
const disputeBody = (changes: Changes = {}) => ({ ...own('payu/dispute.new.json'), ...changes })

/** What PayU answers about the refund of the fixture. */
function answer(changes: Readonly<Record<string, string>> = {}): Confirmation {
  return {
    mihpayid: '999000000000101',
    request_id: '8000000001',
    action: 'refund',
    status: 'success',
    amt: '2500.00',
    token: 'BAHIREFUND0001',
    bank_ref_num: '600000000003',
    ...changes,
  }
}

function refund(changes: Changes = {}, confirmation: Confirmation | null = answer()) {
  const hint = { ...payuJson(refundBody(changes)), signedBy: null }
  return payu.read(hint, KEY, confirmation)
}

describe('PayU refunds', () => {
  it('are taken in as hints that nobody signed, of the own merchant key only', () => {
    const verify = (content: object) => payu.verify(payuJson(content), KEY, SALTS)
    const hint = { secretId: null, gatewayEventId: null }
    expect(verify(refundBody())).to.deep.equal(hint)
    expect(verify(refundBody({ hash: '0'.repeat(128) }))).to.deep.equal(hint)
    detailOf('bad_signature', () => verify(refundBody({ key: 'Other1' })))
    detailOf('bad_signature', () => verify(refundBody({ key: null })))
    detailOf('bad_signature', () => verify(refundBody({ request_id: 'a b' })))
    const form = payuForm(refundBody() as Record<string, string>)
    detailOf('bad_signature', () => payu.verify(form, KEY, SALTS))
  })

  it('are each asked about, whatever they say', () => {
    for (const status of ['success', 'failure', 'odd', null]) {
      const hint = payuJson(refundBody({ status }))
      expect(payu.needsConfirmation(hint)).to.deep.equal({ ref: 'refund:8000000001' })
    }
    expect(payu.needsConfirmation(payuJson(refundBody({ request_id: null })))).to.equal(null)
  })

  it('are read as PayU confirms them, the beginning with the end', () => {
    const paid = refund()
    expect(paid.type).to.equal('refund.success')
    expect(keysOf(paid)).to.deep.equal(['refund:8000000001:created', 'refund:8000000001:success'])
    expect(factOf(paid, 'refund_created')).to.deep.equal({
      kind: 'refund_created',
      key: `payu:${KEY}:refund:8000000001:created`,
      gateway: 'payu',
      account: KEY,
      gatewayRefundId: '8000000001',
      gatewayPaymentId: '999000000000101',
      amount: 250_000n,
      currency: 'INR',
      occurredAt: new Date('2026-01-02T06:00:00Z'),
      reference: 'BAHIREFUND0001',
    })
    const failed = refund(
      { status: 'failure', remark: 'Account closed' },
      answer({ status: 'failure' }),
    )
    expect(keysOf(failed)).to.deep.equal(['refund:8000000001:created', 'refund:8000000001:failure'])
    expect(factOf(failed, 'refund_failed').reason).to.equal('Account closed')
    expect(kindsOf(refund({ status: 'failure' }))).to.deep.equal([
      'refund_created',
      'refund_processed',
    ])
  })

  it('take the ARN of the second delivery, under the key of the first', () => {
    const first = factOf(refund(), 'refund_processed')
    const hint = { bank_arn: 308239782136 }
    const second = factOf(refund(hint, answer({ bank_arn: '308239782136' })), 'refund_processed')
    expect(second.key).to.equal(first.key)
    expect([first.bankReference, second.bankReference]).to.deep.equal([
      '600000000003',
      '308239782136',
    ])
    const none = answer({ bank_ref_num: 'null', bank_arn: '0' })
    expect(factOf(refund({}, none), 'refund_processed').bankReference).to.equal(null)
  })

  it('wait while PayU has not answered, or is not as far as the hint', () => {
    const waits = (confirmation: Confirmation | null) =>
      detailOf('gateway_unavailable', () => refund({}, confirmation))
    expect(waits(null)).to.contain('not yet confirmed')
    expect(waits(answer({ status: 'queued' }))).to.contain('queued')
    expect(waits(answer({ status: '' }))).to.contain('nothing')
    expect(kindsOf(refund({ status: 'queued' }, answer({ status: 'queued' })))).to.deep.equal([
      'refund_created',
    ])
  })

  it('are refused where PayU answers about anything else', () => {
    const refused = (changes: Changes, told: Confirmation) =>
      detailOf('malformed_event', () => refund(changes, told))
    expect(refused({}, { request_id: '8000000001', status: 'Not Found' })).to.contain('not know')
    expect(refused({}, answer({ request_id: '8000000002' }))).to.contain('another')
    expect(refused({}, answer({ mihpayid: '77' }))).to.contain('77')
    expect(refused({}, answer({ amt: '2400.00' }))).to.contain('240000')
    expect(refused({}, answer({ action: 'capture' }))).to.contain('capture')
    refused({ amt: '0' }, answer({ amt: '0' }))
    refused({ mihpayid: 'Not Found' }, answer())
    refused({ key: 'Other1' }, answer())
    refused({}, {})
  })

  it('cannot borrow the hash of a payment: what is no JSON is a payment', () => {
    const fields = { ...payuFields('success'), action: 'refund', event: 'dispute', cb_id: '1' }
    const form = payuForm({ ...fields, hash: payuCallbackHash(fields, SALT) })
    expect(payu.verify(form, KEY, SALTS).secretId).to.equal('v1')
    expect(payu.needsConfirmation(form)).to.deep.equal({ ref: 'order:BAHI0001' })
    detailOf('gateway_unavailable', () => payu.read(form, KEY, null))
  })
})

/** The signature that PayU makes where it was asked to, spelled out as the documentation has it. */
function signed(body: object, salt = SALT): StoredWebhook & { headers: Record<string, string> } {
  const values = new Map(Object.entries(body).map(([name, value]) => [name, String(value)]))
  const of = (name: string) => values.get(name) ?? ''
  const status = of('cb_status').replaceAll(' ', '')
  const text = [KEY, of('txn_id'), of('cb_amount'), of('cb_id'), of('cb_type'), status, salt]
  const webhook = payuJson(body)
  const signature = payuHash(text)
  const headers = { ...webhook.headers, 'x-payu-dispute-webhook-signature-v2': signature }
  return { ...webhook, headers, signedBy: 'v1' }
}

function dispute(changes: Changes = {}, terms = USUAL_TERMS) {
  return payu.read(signed(disputeBody(changes)), KEY, null, terms)
}

describe('PayU disputes', () => {
  it('are signed as the published vector says', () => {
    const vector = '2570deec39958a0e93ce7385d421fe8016edcb133c7649ff6f958d06cc878e3375cc843d22150'
    const body = {
      event: 'dispute',
      txn_id: '403993715515239610',
      cb_amount: '1500.0',
      cb_id: 987,
      cb_type: 'Chargeback',
      cb_status: 'Pending Response',
    }
    const text = ['JBZaLc', body.txn_id, body.cb_amount, '987', body.cb_type, 'PendingResponse']
    const signature = payuHash([...text, 'awdgfjrfjk'])
    expect(signature.startsWith(vector)).to.equal(true)
    const salts = [{ secretId: 'docs', value: 'awdgfjrfjk' }]
    const headers = { 'x-payu-dispute-webhook-signature-v2': signature }
    const webhook = { ...payuJson(body), headers }
    expect(payu.verify(webhook, 'JBZaLc', salts).secretId).to.equal('docs')
  })

  it('say which salt signed them, and are refused under a wrong one', () => {
    const salts = [{ secretId: 'v2', value: 'OTHERSALT' }, ...SALTS]
    expect(payu.verify(signed(disputeBody()), KEY, salts).secretId).to.equal('v1')
    expect(payu.verify(signed(disputeBody(), 'OTHERSALT'), KEY, salts).secretId).to.equal('v2')
    detailOf('bad_signature', () => payu.verify(signed(disputeBody(), 'WRONG'), KEY, salts))
    detailOf('bad_signature', () => payu.verify(signed(disputeBody()), 'Other1', salts))
    const piped = disputeBody({ cb_type: 'Charge|back' })
    detailOf('bad_signature', () => payu.verify(signed(piped), KEY, salts))
    const { headers } = signed(disputeBody())
    for (const change of [{ cb_amount: '1.0' }, { cb_id: 7 }, { cb_status: 'Closed' }]) {
      const other = { ...payuJson(disputeBody(change)), headers }
      detailOf('bad_signature', () => payu.verify(other, KEY, salts))
    }
  })

  it('are taken in without a signature, and then post nothing and say why', () => {
    const hint = payuJson(disputeBody({ cb_status: 'Closed Customer Favour' }))
    expect(payu.verify(hint, KEY, SALTS)).to.deep.equal({ secretId: null, gatewayEventId: null })
    expect(payu.needsConfirmation(hint)).to.equal(null)
    const told = payu.read({ ...hint, signedBy: null }, KEY, null, UPFRONT)
    expect(told.facts).to.deep.equal([])
    expect(told.type).to.equal('dispute.lost')
    expect(told.note).to.match(/1000001.*Closed Customer Favour/)
  })

  it('are opened with their phase, reason and time limit', () => {
    const told = dispute({ due_date: '2026-01-20', reason_code: 'Fraud', cb_type: 'Arbitration' })
    expect(told.type).to.equal('dispute.open')
    expect(keysOf(told)).to.deep.equal(['cb:1000001:opened'])
    expect(factOf(told, 'dispute_opened')).to.deep.include({
      gatewayDisputeId: '1000001',
      gatewayPaymentId: '999000000000101',
      amount: 250_000n,
      occurredAt: new Date('2026-01-05T04:30:00Z'),
      respondBy: new Date('2026-01-20T18:29:59Z'),
      reason: 'Fraud',
      phase: 'Arbitration',
    })
    const bare = factOf(dispute({ created_at: 'soon', due_date: '2026-02-30' }), 'dispute_opened')
    expect(bare.respondBy).to.equal(null)
    expect(bare.occurredAt).to.deep.equal(new Date('2026-01-02T06:00:00Z'))
  })

  /** cb_status, kinds of facts as usual, and where contested money is taken upfront. */
  const OPEN = ['opened']
  const TABLE: [string, string[], string[]][] = [
    ['New', OPEN, ['opened', 'debited']],
    ['Pending Response', OPEN, ['opened', 'debited']],
    ['pending doc review', OPEN, ['opened', 'debited']],
    ['Submitted to Bank', OPEN, ['opened', 'debited']],
    ['Insufficient Document', OPEN, ['opened', 'debited']],
    ['Closed Customer Favour', ['opened', 'lost'], ['opened', 'debited', 'lost']],
    ['Closed in Merchant Favour', ['opened', 'won'], ['opened', 'debited', 'credited', 'won']],
    ['Closed under Fraud Liability', ['opened', 'won'], ['opened', 'debited', 'credited', 'won']],
    ['Bank Comm Sent', OPEN, OPEN],
    ['Closed', OPEN, OPEN],
  ]
  for (const [cb_status, usual, upfront] of TABLE) {
    it(`are read as ${usual.join(', ')} where the status is "${cb_status}"`, () => {
      const steps = (terms: typeof USUAL_TERMS) =>
        dispute({ cb_status }, terms).facts.map((fact) => fact.kind.replace('dispute_', ''))
      expect(steps(USUAL_TERMS)).to.deep.equal(usual)
      expect(steps(UPFRONT)).to.deep.equal(upfront)
      const isKnown = !['Bank Comm Sent', 'Closed'].includes(cb_status)
      expect(dispute({ cb_status }).note === undefined).to.equal(isKnown)
    })
  }

  it('are lost out of what was taken, where it was taken upfront', () => {
    const cb_status = 'Closed Customer Favour'
    expect(factOf(dispute({ cb_status }), 'dispute_lost').from).to.equal('clearing')
    expect(factOf(dispute({ cb_status }, UPFRONT), 'dispute_lost').from).to.equal('debited')
  })

  it('are refused without usable ids or amount', () => {
    for (const change of [
      { cb_id: null },
      { txn_id: 'a b' },
      { cb_amount: '0' },
      { cb_amount: 'x' },
    ]) {
      detailOf('malformed_event', () => dispute(change))
    }
  })
})
