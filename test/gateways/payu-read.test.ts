/** What PayU's callbacks tell once PayU has confirmed them, and what is refused. */
import { expect } from 'chai'
import { payu } from '../../src/gateways/payu.ts'
import type { Confirmation } from '../../src/gateways/gateway.ts'
import { payuForm, payuJson } from '../support/sign.ts'
import { payuFields } from './bodies.ts'
import { factOf } from './facts.ts'
import { detailOf } from './thrown.ts'

const ACCOUNT = 'gtKFFx'
const PAYMENT = '999000000000101'
const KEY = `payu:${ACCOUNT}:${PAYMENT}`

type Changes = Readonly<Record<string, string>>

function confirmed(changes: Changes = {}): Confirmation {
  return {
    status: 'success',
    unmappedstatus: 'captured',
    mihpayid: PAYMENT,
    txnid: 'BAHI0001',
    amt: '2500.00',
    transaction_amount: '2500.00',
    mode: 'UPI',
    bank_ref_num: '600000000002',
    addedon: '2026-01-01 05:30:07',
    ...changes,
  }
}

function read(changes: Changes, confirmation: Confirmation | null = confirmed()) {
  return payu.read(payuForm(payuFields('success', changes)), ACCOUNT, confirmation)
}

function refusal(changes: Changes, confirmation: Confirmation | null = confirmed()): string {
  return detailOf('malformed_event', () => read(changes, confirmation))
}

describe('PayU callbacks', () => {
  it('reads a confirmed capture with the amount of the order', () => {
    const changes = { net_amount_debit: '2550', additionalCharges: '50.00', lastname: 'Rao' }
    expect(read(changes)).to.deep.equal({
      type: 'payment.captured',
      facts: [
        {
          kind: 'payment_captured',
          key: `${KEY}:captured`,
          gateway: 'payu',
          account: ACCOUNT,
          gatewayPaymentId: PAYMENT,
          orderRef: 'BAHI0001',
          amount: 250000n,
          currency: 'INR',
          subscriptionRef: null,
          bankReference: '600000000002',
          occurredAt: new Date('2026-01-01T00:00:07Z'),
          method: 'UPI',
          payer: { name: 'Asha Rao', email: 'asha@example.com', phone: '9000000001' },
        },
      ],
    })
  })

  it('lets PayU decide between captured and authorised, whatever the callback says', () => {
    const kindOf = (callback: string, confirmation: string) => {
      const told = read({ unmappedstatus: callback }, confirmed({ unmappedstatus: confirmation }))
      return [told.type, told.facts[0]?.kind, told.facts[0]?.key]
    }
    const [captured, authorized] = ['payment_captured', 'payment_authorized']
    expect(kindOf('auth', 'captured')).to.deep.equal(['payment.auth', captured, `${KEY}:captured`])
    expect(kindOf('captured', 'auth')).to.deep.equal([
      'payment.captured',
      authorized,
      `${KEY}:auth`,
    ])
    expect(kindOf('auth', 'auth')).to.deep.equal(['payment.auth', authorized, `${KEY}:auth`])
    expect(kindOf('', 'Captured')).to.deep.equal(['payment.success', captured, `${KEY}:captured`])
    expect(kindOf('odd', 'captured')[0]).to.equal('payment.success')
  })

  it('asks to confirm every success, and only a success', () => {
    const asks = (name: 'success' | 'failure' | 'pending', changes: Changes = {}) =>
      payu.needsConfirmation(payuForm(payuFields(name, changes)))
    const expected = { ref: 'order:BAHI0001' }
    expect(asks('success')).to.deep.equal(expected)
    expect(asks('success', { unmappedstatus: 'auth' })).to.deep.equal(expected)
    expect(asks('success', { mihpayid: ` ${PAYMENT} `, txnid: ' BAHI0001' })).to.deep.equal(
      expected,
    )
    expect(asks('success', { status: ' Success ' })).to.deep.equal(expected)
    expect(asks('failure')).to.equal(null)
    expect(asks('pending')).to.equal(null)
  })

  it('asks nothing of a body that it cannot read, and then refuses to read it', () => {
    const bodies = [
      payuForm({}),
      payuForm(payuFields('success', { mihpayid: '' })),
      payuForm(payuFields('success', { txnid: 'A|B' })),
      { ...payuJson({}), body: Buffer.from('[]') },
      { ...payuForm(payuFields('success')), contentType: 'multipart/form-data' },
    ]
    for (const webhook of bodies) {
      expect(payu.needsConfirmation(webhook)).to.equal(null)
      detailOf('malformed_event', () => payu.read(webhook, ACCOUNT, null))
    }
  })

  it('posts nothing before PayU has answered, or while it calls the payment pending', () => {
    const notYet = (confirmation: Confirmation | null) =>
      detailOf('gateway_unavailable', () => read({}, confirmation))
    expect(notYet(null)).to.contain('not yet confirmed')
    expect(notYet(confirmed({ status: 'pending', unmappedstatus: 'pending' }))).to.contain(
      'pending',
    )
    expect(notYet(confirmed({ status: 'pending', unmappedstatus: 'in progress' }))).to.be.a(
      'string',
    )
  })

  it('refuses a success that PayU does not confirm, and says what disagrees', () => {
    const notFound = { mihpayid: 'Not Found', status: 'Not Found' }
    expect(refusal({}, notFound)).to.contain('does not know order BAHI0001')
    expect(refusal({}, confirmed({ mihpayid: '77' }))).to.contain('PayU has 77')
    expect(refusal({}, confirmed({ txnid: 'BAHI0002' }))).to.contain('PayU has BAHI0002')
    expect(refusal({}, confirmed({ transaction_amount: '2400.00' }))).to.contain('PayU says 240000')
    for (const unmappedstatus of ['dropped', 'autoRefund', 'bounced', 'userCancelled', '', 'odd']) {
      const failure = confirmed({ status: 'failure', unmappedstatus })
      expect(refusal({}, failure)).to.contain('PayU calls it failure')
      refusal({}, confirmed({ unmappedstatus }))
    }
    refusal({}, {})
    refusal({}, confirmed({ status: 'failure' }))
    refusal({}, confirmed({ transaction_amount: 'odd' }))
  })

  it("compares with the order's amount where PayU granted a discount", () => {
    const discounted = confirmed({ amt: '2400.00', transaction_amount: '2500.00' })
    expect(factOf(read({}, discounted), 'payment_captured').amount).to.equal(250000n)
    const { transaction_amount: _, ...older } = confirmed({ amt: '2500' })
    expect(factOf(read({}, older), 'payment_captured').amount).to.equal(250000n)
  })

  it('reads amounts of any scale exactly', () => {
    for (const [text, paise] of [
      ['40', 4000n],
      ['40.00', 4000n],
      ['10.0', 1000n],
      ['239.6000', 23960n],
      ['0.01', 1n],
      [' 159.2 ', 15920n],
      ['90071992547409.91', 9007199254740991n],
    ] as const) {
      const confirmation = confirmed({ transaction_amount: text })
      const told = read({ amount: text }, confirmation)
      expect(factOf(told, 'payment_captured').amount).to.equal(paise)
    }
  })

  it('refuses amounts that are none, whatever PayU confirms', () => {
    for (const amount of [
      '',
      '0',
      '0.00',
      '-1',
      '1e3',
      '2.001',
      '1,000',
      'NaN',
      '90071992547409.92',
    ]) {
      refusal({ amount }, confirmed({ transaction_amount: amount }))
      refusal({ amount, status: 'failure', unmappedstatus: 'failed' }, null)
    }
  })

  it('reads failures of every kind as failed, without asking PayU', () => {
    for (const unmapped of [
      'failed',
      'dropped',
      'bounced',
      'userCancelled',
      'USER CANCELLED',
      '',
    ]) {
      const webhook = payuForm(payuFields('failure', { unmappedstatus: unmapped }))
      const [fact] = payu.read(webhook, ACCOUNT, null).facts
      expect(fact).to.include({
        kind: 'payment_failed',
        key: `payu:${ACCOUNT}:999000000000102:failed`,
        reason: 'Transaction failed at the bank.',
        amount: 250000n,
      })
    }
  })

  it('notes a refund that PayU made by itself beside the failure: nothing of it reached us', () => {
    for (const unmapped of ['autoRefund', 'autorefund', 'Auto Refund']) {
      const webhook = payuForm(payuFields('failure', { unmappedstatus: unmapped }))
      const told = payu.read(webhook, ACCOUNT, null)
      expect(told.type).to.equal('payment.autorefund')
      expect(told.facts.map(({ kind, key }) => [kind, key])).to.deep.equal([
        ['payment_failed', `payu:${ACCOUNT}:999000000000102:failed`],
        ['refund_voided', `payu:${ACCOUNT}:999000000000102:autorefund`],
      ])
      expect(factOf(told, 'refund_voided').amount).to.equal(250000n)
    }
  })

  it('gives no fact while a payment is pending, and none for a status it does not know', () => {
    for (const unmapped of ['pending', 'initiated', 'in progress', 'In Progress']) {
      const webhook = payuForm(payuFields('pending', { unmappedstatus: unmapped }))
      expect(payu.read(webhook, ACCOUNT, null).facts).to.deep.equal([])
    }
    const odd = { status: 'settled', unmappedstatus: 'settled' }
    expect(read(odd, null)).to.deep.equal({ type: 'payment.unknown', facts: [] })
    const oddFailure = payuForm(payuFields('failure', { unmappedstatus: 'under review' }))
    const event = { type: 'payment.failure', facts: [] }
    expect(payu.read(oddFailure, ACCOUNT, null)).to.deep.equal(event)
  })

  it('refuses a failure that calls itself captured', () => {
    expect(refusal({ status: 'failure' }, null)).to.contain('captured')
  })

  it('trims ids, so that one payment has one key', () => {
    const told = read({ mihpayid: ` ${PAYMENT} `, txnid: ' BAHI0001 ' })
    const fact = factOf(told, 'payment_captured')
    expect([fact.key, fact.orderRef]).to.deep.equal([`${KEY}:captured`, 'BAHI0001'])
    expect(read({}, confirmed({ mihpayid: ` ${PAYMENT}` })).facts).to.have.length(1)
  })

  it('refuses ids that could not be part of a key', () => {
    for (const mihpayid of ['', ' ', '1:captured', 'Not Found', '9'.repeat(65)]) {
      refusal({ mihpayid })
    }
    for (const txnid of ['', 'A|B', 'x'.repeat(101), 'a\u0000b']) {
      refusal({ txnid })
    }
  })

  it('takes the bank reference from PayU and never from the callback', () => {
    const referenceOf = (bank_ref_num: string) => {
      const [fact] = read({ bank_ref_num: 'FORGED' }, confirmed({ bank_ref_num })).facts
      return fact?.kind === 'payment_captured' ? fact.bankReference : undefined
    }
    expect(referenceOf('431998369241')).to.equal('431998369241')
    for (const none of ['null', '0', '', ' ']) {
      expect(referenceOf(none)).to.equal(null)
    }
  })

  it("dates a payment by PayU's answer, then by the callback, in Indian time", () => {
    const timeOf = (callback: string, confirmation: string) =>
      read({ addedon: callback }, confirmed({ addedon: confirmation })).facts[0]?.occurredAt
    const [zero, first] = ['0000-00-00 00:00:00', new Date('2025-12-31T18:30:00Z')]
    expect(timeOf('2026-02-02 00:00:00', '2026-01-01 00:00:00')).to.deep.equal(first)
    expect(timeOf('2026-01-01 00:00:00', zero)).to.deep.equal(first)
    for (const unusable of [zero, '0001-01-01 00:00:00', 'yesterday', '2026-01-01']) {
      expect(refusal({ addedon: unusable }, confirmed({ addedon: '' }))).to.contain('addedon')
    }
  })

  it('refuses a callback of another merchant key or without a status', () => {
    expect(refusal({ key: 'Other1' })).to.contain('key')
    expect(refusal({ status: '' })).to.contain('status')
  })

  it('reads a JSON callback as it reads a form, with ids beyond 2^53 unharmed', () => {
    const webhook = payuJson({ ...payuFields('success'), payment_source: null, extra: { a: 1 } })
    expect(payu.read(webhook, ACCOUNT, confirmed())).to.deep.equal(read({}))
    const text = webhook.body.toString().replace(`"${PAYMENT}"`, '403993715533296817')
    const large = { ...webhook, body: Buffer.from(text) }
    const confirmation = confirmed({ mihpayid: '403993715533296817' })
    const fact = factOf(payu.read(large, ACCOUNT, confirmation), 'payment_captured')
    expect(fact.gatewayPaymentId).to.equal('403993715533296817')
  })
})
