/** What Razorpay's events tell of payments: facts, their natural keys, and what is refused. */
import { expect } from 'chai'
import { razorpay } from '../../src/gateways/razorpay.ts'
import { razorpayWebhook } from '../support/sign.ts'
import { razorpayEvent } from './bodies.ts'
import { factOf, kindsOf } from './facts.ts'
import { detailOf } from './thrown.ts'

const ACCOUNT = 'acc_TESTBahi000001'
const KEY = `rzp:${ACCOUNT}:pay:pay_TESTBahi000001`

const SIBLINGS = [
  'order.paid',
  'invoice.paid',
  'invoice.partially_paid',
  'payment_link.paid',
  'payment_link.partially_paid',
  'subscription.charged',
  'qr_code.credited',
  'virtual_account.credited',
]

function read(content: object | string | Buffer) {
  return razorpay.read(razorpayWebhook(content, 'secret'), ACCOUNT, null)
}

function refusal(content: object | string | Buffer): string {
  return detailOf('malformed_event', () => read(content))
}

describe('Razorpay events', () => {
  it('reads a captured payment with fee, tax, reference and payer', () => {
    const { type, facts } = read(razorpayEvent('payment.captured.upi'))
    expect(type).to.equal('payment.captured')
    expect(facts).to.deep.equal([
      {
        kind: 'payment_captured',
        key: `${KEY}:captured`,
        gateway: 'razorpay',
        account: ACCOUNT,
        gatewayPaymentId: 'pay_TESTBahi000001',
        orderRef: 'order_TESTBahi0001',
        amount: 250000n,
        currency: 'INR',
        bankReference: '600000000001',
        subscriptionRef: null,
        occurredAt: new Date('2026-01-01T00:00:00Z'),
        method: 'upi',
        payer: { name: null, email: 'asha@example.com', phone: '+919000000001' },
      },
      {
        kind: 'payment_fee',
        key: `${KEY}:fee`,
        gateway: 'razorpay',
        account: ACCOUNT,
        gatewayPaymentId: 'pay_TESTBahi000001',
        currency: 'INR',
        fee: 5900n,
        tax: 900n,
        occurredAt: new Date('2026-01-01T00:00:00Z'),
      },
    ])
  })

  it('gives one capture the same key in every event that tells it', () => {
    for (const event of SIBLINGS) {
      const { type, facts } = read(razorpayEvent('payment.captured.upi', {}, { event }))
      expect(type).to.equal(event)
      expect(facts.map((fact) => [fact.kind, fact.key])).to.deep.equal([
        ['payment_captured', `${KEY}:captured`],
        ['payment_fee', `${KEY}:fee`],
      ])
    }
    for (const name of ['order.paid.upi', 'subscription.charged.card']) {
      expect(read(razorpayEvent(name)).facts[0]?.key).to.equal(`${KEY}:captured`)
    }
  })

  it('reads an authorised payment with the name on its card', () => {
    const told = read(razorpayEvent('payment.authorized.card'))
    const fact = factOf(told, 'payment_authorized')
    expect(told.facts).to.have.length(1)
    expect(fact.key).to.equal(`${KEY}:authorized`)
    expect(fact.payer.name).to.equal('Asha Rao')
  })

  it('says which subscription charged a payment', () => {
    const [capture] = read(razorpayEvent('subscription.charged.card')).facts
    expect(capture).to.include({ subscriptionRef: 'sub_TESTBahi00001' })
  })

  it('reads a failed payment with its reason, keyed by the time of the failure', () => {
    const [fact] = read(razorpayEvent('payment.failed.upi')).facts
    expect(fact).to.include({
      kind: 'payment_failed',
      key: `${KEY}:failed:1767225660`,
      reason: 'The donor cancelled in the UPI app.',
    })
    const empty = { error_description: '', error_reason: null, error_code: 'GATEWAY_ERROR' }
    const [coded] = read(razorpayEvent('payment.failed.upi', empty)).facts
    expect(coded).to.include({ reason: 'GATEWAY_ERROR' })
  })

  it('decides on the status and never on "captured"', () => {
    for (const captured of [false, true, '1', null, undefined]) {
      const told = read(razorpayEvent('payment.captured.upi', { captured }))
      expect(kindsOf(told)).to.deep.equal(['payment_captured', 'payment_fee'])
    }
    for (const status of ['created', 'authorized', 'failed']) {
      const told = read(razorpayEvent('order.paid.upi', { status, captured: true }))
      expect(told.facts).to.deep.equal([])
      expect(told.note).to.contain(`the payment in it is ${status}`)
    }
  })

  it('takes from a payment that is further than its event the steps in between too', () => {
    const kinds = (name: string, status: string) =>
      kindsOf(read(razorpayEvent(name, { status, fee: null })))
    const [authorized, captured] = ['payment_authorized', 'payment_captured']
    expect(kinds('payment.authorized.card', 'captured')).to.deep.equal([authorized, captured])
    expect(kinds('payment.failed.upi', 'captured')).to.deep.equal(['payment_failed', captured])
    expect(kinds('payment.failed.upi', 'authorized')).to.deep.equal(['payment_failed', authorized])
    expect(kinds('order.paid.upi', 'refunded')).to.deep.equal([captured])
    // Given back without ever having been captured, for all that this event says.
    expect(kinds('payment.authorized.card', 'refunded')).to.deep.equal([authorized])
    expect(kinds('payment.failed.upi', 'refunded')).to.deep.equal([])
    expect(kinds('payment.authorized.card', 'failed')).to.deep.equal([])
  })

  it('tells the fee once Razorpay has told it and its tax, and takes zero for zero', () => {
    const chargesOf = (fee: unknown, tax: unknown, currency = 'INR') => {
      const { facts } = read(razorpayEvent('payment.captured.upi', { fee, tax, currency }))
      expect(facts[0]?.kind).to.equal('payment_captured')
      return facts.flatMap((fact) => (fact.kind === 'payment_fee' ? [fact.fee, fact.tax] : []))
    }
    expect(chargesOf(null, null)).to.deep.equal([])
    expect(chargesOf(undefined, undefined)).to.deep.equal([])
    expect(chargesOf(236, null)).to.deep.equal([])
    expect(chargesOf(0, 0)).to.deep.equal([0n, 0n])
    expect(chargesOf(238, 0)).to.deep.equal([238n, 0n])
    // Fees are told in rupees, which this payment is not in: the settlement tells them.
    expect(chargesOf(236, 36, 'USD')).to.deep.equal([])
  })

  it('survives the oddities of the published samples', () => {
    const oddities = [
      { notes: [] },
      { notes: { a: 'b' } },
      { notes: 'text' },
      { notes: null },
      { contact: '++919900000000' },
      { contact: 'CONTACT_MASKED' },
      { error_code: '' },
      { upi: { vpa: null }, vpa: undefined },
      { acquirer_data: [] },
      { acquirer_data: null },
      { card: [] },
      { order_id: 'TESTWithoutPrefix' },
      { never_seen_before: { nested: [1.5, null] } },
    ]
    for (const oddity of oddities) {
      expect(read(razorpayEvent('payment.captured.upi', oddity)).facts).to.have.length(2)
    }
  })

  it('reads a payment without an order', () => {
    for (const none of [null, undefined, '']) {
      const told = read(razorpayEvent('payment.captured.upi', { order_id: none }))
      expect(factOf(told, 'payment_captured').orderRef).to.equal(null)
    }
  })

  it('finds the reference of the bank statement, the likeliest first', () => {
    const referenceOf = (acquirer: object) => {
      const event = razorpayEvent('payment.captured.upi', { acquirer_data: acquirer })
      const [fact] = read(event).facts
      return fact?.kind === 'payment_captured' ? fact.bankReference : undefined
    }
    expect(referenceOf({ auth_code: 'A', utr: 'U', bank_transaction_id: 'B' })).to.equal('B')
    expect(referenceOf({ auth_code: 'A', rrn: null, upi_transaction_id: 'T' })).to.equal('T')
    expect(referenceOf({ auth_code: 'A', rrn: ' ' })).to.equal('A')
    expect(referenceOf({})).to.equal(null)
    const credited = read(razorpayEvent('virtual_account.credited.neft'))
    const transfer = factOf(credited, 'payment_captured')
    expect(transfer.bankReference).to.equal('TESTN600000000001')
    expect(transfer.payer.name).to.equal('Asha Rao')
  })

  it('dates a capture by the payment, whichever event tells it, a failure by the event', () => {
    const timeOf = (name: string, payment: object, envelope: object) =>
      read(razorpayEvent(name, { ...payment }, { ...envelope })).facts[0]?.occurredAt
    const [made, told] = [new Date('2026-01-01T00:00:00Z'), new Date('2026-01-01T00:01:01Z')]
    const envelope = { created_at: 1767225661 }
    expect(timeOf('payment.captured.upi', {}, envelope)).to.deep.equal(made)
    expect(timeOf('order.paid.upi', {}, envelope)).to.deep.equal(made)
    expect(timeOf('payment.captured.upi', { created_at: null }, envelope)).to.deep.equal(told)
    expect(timeOf('payment.failed.upi', {}, envelope)).to.deep.equal(told)
    for (const unusable of ['1767225661', 0, -1, 1.5, 1767225661000, true]) {
      refusal(razorpayEvent('payment.captured.upi', { created_at: unusable }))
    }
  })

  it('refuses an event of another account and accepts one that names none', () => {
    const named = (account_id: unknown) => razorpayEvent('order.paid.upi', {}, { account_id })
    expect(refusal(named('acc_TESTOther00001'))).to.contain('acc_TESTOther00001')
    refusal(named(12))
    refusal(named(''))
    expect(kindsOf(read(named(undefined)))).to.include('payment_captured')
    expect(kindsOf(read(named(null)))).to.include('payment_captured')
  })

  it('refuses amounts that are not whole minor units above zero', () => {
    for (const amount of [0, -1, 0.5, 100.01, '100', null, undefined, true, [100], 1e21]) {
      refusal(razorpayEvent('payment.captured.upi', { amount }))
    }
    const text = JSON.stringify(razorpayEvent('payment.captured.upi'))
    refusal(text.replace('"amount":250000', '"amount":9007199254740993'))
    const largest = text.replace('"amount":250000', '"amount":9007199254740991')
    expect(factOf(read(largest), 'payment_captured').amount).to.equal(9007199254740991n)
  })

  it('refuses fees and taxes that cannot be', () => {
    for (const charge of [
      { fee: -1, tax: null },
      { fee: null, tax: -1 },
      { fee: '236' },
      { fee: 2.5 },
      { tax: 1e300 },
    ]) {
      refusal(razorpayEvent('payment.captured.upi', charge))
    }
    expect(refusal(razorpayEvent('payment.captured.upi', { fee: 10, tax: 11 }))).to.contain('tax')
  })

  it('refuses a payment without a usable id, order id, currency or status', () => {
    const unusable = [
      { id: undefined },
      { id: 'pay_a:captured' },
      { id: '' },
      { order_id: 'a b' },
      { order_id: 5 },
      { currency: 'inr' },
      { currency: 'XXX' },
      { currency: null },
      { status: 'Captured' },
      { status: null },
    ]
    for (const change of unusable) {
      refusal(razorpayEvent('payment.captured.upi', change))
    }
  })

  it('refuses a body without an event name, a payload, or the payment it must have', () => {
    const bodies = [
      '',
      'null',
      '[]',
      '"payment.captured"',
      '{',
      '{}',
      '{"event":"payment.captured"}',
      '{"event":"payment.captured","payload":[]}',
      '{"event":"payment.captured","payload":{}}',
      '{"event":"payment.captured","payload":{"payment":null}}',
      '{"event":"payment.captured","payload":{"payment":{"entity":[]}}}',
      '{"event":7,"payload":{}}',
      '{"event":"","payload":{}}',
      `{"event":"${'x'.repeat(101)}","payload":{}}`,
      '{"__proto__":{"event":"payment.captured","payload":{}}}',
    ]
    for (const body of bodies) {
      refusal(body)
    }
    refusal(Buffer.from([0xff, 0xfe, 0x00]))
    refusal('['.repeat(200_000))
  })

  it('makes text fit for storage: no control characters, no halves of characters', () => {
    const contact = '+91\u0000900\ud800'
    const told = read(razorpayEvent('payment.captured.upi', { contact }))
    expect(factOf(told, 'payment_captured').payer.phone).to.equal('+91 900\ufffd')
  })

  it('asks for no confirmation, because the signature covers every byte', async () => {
    const webhook = razorpayWebhook(razorpayEvent('payment.captured.upi'), 'secret')
    expect(razorpay.needsConfirmation(webhook)).to.equal(null)
    const account = { gateway: 'razorpay', account: ACCOUNT, keyId: '', keySecret: '' } as const
    const options = { signal: AbortSignal.timeout(1000) }
    const answers = await razorpay.confirm({ ...account, apiUrl: '' }, ['order_1'], options)
    expect(answers.size).to.equal(0)
  })
})
