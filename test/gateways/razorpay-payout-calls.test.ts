/** What Razorpay is told and asked of payouts and transfers, and what its answers mean. */
import { expect } from 'chai'
import nock from 'nock'
import type { NewPayout } from '../../src/gateways/asked.ts'
import { razorpay } from '../../src/gateways/razorpay.ts'
import { findPayout, payout } from '../../src/gateways/razorpay/pay-out.ts'
import { findTransfer, transfer } from '../../src/gateways/razorpay/pass-on.ts'
import { HOST, isSafe, RAZORPAY, SECRET, soon, withoutNetwork } from './calls.ts'
import { rejectionOf } from './thrown.ts'

const REFERENCE = '0123456789abcdefghjkmnp'

const PAYOUT: NewPayout = {
  fromAccount: '2323230000000001',
  amount: 150_000n,
  currency: 'INR',
  mode: 'IMPS',
  purpose: 'vendor bill',
  narration: 'Books for Pune',
  beneficiary: {
    type: 'bank_account',
    name: 'Ravi Rao',
    account_number: '50100123456789',
    ifsc: 'HDFC0000053',
  },
  reference: REFERENCE,
}

const TRANSFER = {
  gatewayPaymentId: 'pay_TESTBahi000001',
  recipient: 'acc_WEAVER',
  amount: 1000n,
  currency: 'INR',
  reference: REFERENCE,
}

const entity = (more: object = {}) => ({
  id: 'pout_TESTBahi0001',
  entity: 'payout',
  amount: 150_000,
  currency: 'INR',
  fees: 0,
  tax: 0,
  status: 'processing',
  reference_id: REFERENCE,
  created_at: 1_795_000_000,
  ...more,
})

const transferred = (more: object = {}) => ({
  id: 'trf_TESTBahi0001',
  entity: 'transfer',
  source: 'pay_TESTBahi000001',
  recipient: 'acc_WEAVER',
  amount: 1000,
  currency: 'INR',
  fees: 0,
  tax: 0,
  status: 'processed',
  notes: { reference: REFERENCE },
  created_at: 1_795_000_000,
  ...more,
})

const kinds = (body: Buffer | undefined): string[] => {
  const told = { body: body ?? Buffer.alloc(0), contentType: 'application/json' }
  const event = { ...told, receivedAt: new Date(1_795_000_000_000), signedBy: null }
  return razorpay.read(event, RAZORPAY.account, null).facts.map(({ kind }) => kind)
}

describe('Razorpay payouts', () => {
  withoutNetwork()

  it('are told with their key, whom they go to, and our reference', async () => {
    let sent: unknown
    nock(HOST, { reqheaders: { 'x-payout-idempotency': REFERENCE } })
      .post('/v1/payouts', (body) => {
        sent = body
        return true
      })
      .reply(200, entity())
    const answer = await payout(RAZORPAY, PAYOUT, soon())
    expect(sent).to.deep.equal({
      account_number: '2323230000000001',
      amount: 150_000,
      currency: 'INR',
      mode: 'IMPS',
      purpose: 'vendor bill',
      narration: 'Books for Pune',
      reference_id: REFERENCE,
      queue_if_low_balance: true,
      fund_account: {
        account_type: 'bank_account',
        bank_account: { name: 'Ravi Rao', ifsc: 'HDFC0000053', account_number: '50100123456789' },
        contact: { name: 'Ravi Rao', reference_id: REFERENCE },
      },
    })
    expect(answer).to.include({ gatewayPayoutId: 'pout_TESTBahi0001', state: 'pending' })
    expect(kinds(answer.told.event.body)).to.deep.equal(['payout_pending'])
  })

  it('are told to a UPI address, and answer with how they ended', async () => {
    const beneficiary = { type: 'vpa', name: 'Ravi', address: 'ravi@okbank' } as const
    for (const [status, state, facts] of [
      ['processed', 'processed', ['payout_processed']],
      ['reversed', 'reversed', ['payout_processed', 'payout_reversed']],
      ['rejected', 'failed', ['payout_failed']],
      ['cancelled', 'failed', ['payout_failed']],
    ] as const) {
      const vpa = { address: 'ravi@okbank' }
      nock(HOST)
        .post('/v1/payouts', (body: { fund_account: { vpa: object } }) => {
          return JSON.stringify(body.fund_account.vpa) === JSON.stringify(vpa)
        })
        .reply(200, entity({ status }))
      const answer = await payout(RAZORPAY, { ...PAYOUT, mode: 'UPI', beneficiary }, soon())
      expect(answer.state).to.equal(state)
      expect(kinds(answer.told.event.body)).to.deep.equal(facts)
    }
  })

  it('that are refused moved nothing; another answer, or none, is unknown', async () => {
    const error = { error: { description: `No balance, ${SECRET}` } }
    nock(HOST).post('/v1/payouts').reply(400, error)
    const refused = await rejectionOf(payout(RAZORPAY, PAYOUT, soon()))
    expect(refused.code).to.equal('gateway_refused')
    isSafe(refused)
    const inDoubt: [number, object][] = [
      [409, error],
      [500, {}],
      [200, entity({ amount: 1 })],
      [200, entity({ reference_id: 'another' })],
      [200, entity({ id: null })],
      [200, { entity: 'collection' }],
    ]
    for (const [status, body] of inDoubt) {
      nock(HOST).post('/v1/payouts').reply(status, body)
      const problem = await rejectionOf(payout(RAZORPAY, PAYOUT, soon()))
      expect(problem.code).to.equal('gateway_unavailable')
      expect(problem.extras.moved, JSON.stringify(body)).to.equal('unknown')
    }
  })

  it('are found by our reference, in whatever the list gives', async () => {
    const query = { account_number: PAYOUT.fromAccount, reference_id: REFERENCE, count: '100' }
    const found = async (items: unknown) => {
      nock(HOST).get('/v1/payouts').query(query).reply(200, { entity: 'collection', items })
      return await findPayout(RAZORPAY, PAYOUT, soon())
    }
    const other = entity({ id: 'pout_OTHER', reference_id: 'other' })
    expect(await found([])).to.equal(null)
    expect(await found([other])).to.equal(null)
    expect(await found([other, entity({ status: 'processed' })])).to.include({
      gatewayPayoutId: 'pout_TESTBahi0001',
      state: 'processed',
    })
    for (const items of [null, Array.from({ length: 100 }, () => other)]) {
      expect((await rejectionOf(found(items))).code).to.equal('gateway_unavailable')
    }
    nock(HOST)
      .get('/v1/payouts')
      .query(query)
      .reply(400, { error: { description: 'not valid id' } })
    expect((await rejectionOf(findPayout(RAZORPAY, PAYOUT, soon()))).code).to.equal(
      'gateway_refused',
    )
  })
})

describe('Razorpay transfers', () => {
  withoutNetwork()

  const path = '/v1/payments/pay_TESTBahi000001/transfers'

  it('are told with our reference in their notes, and tell how they ended', async () => {
    nock(HOST)
      .post(path, {
        transfers: [
          {
            account: 'acc_WEAVER',
            amount: 1000,
            currency: 'INR',
            notes: { reference: REFERENCE },
            on_hold: false,
          },
        ],
      })
      .reply(200, { entity: 'collection', items: [transferred()] })
    const answer = await transfer(RAZORPAY, TRANSFER, soon())
    expect(answer).to.include({ gatewayTransferId: 'trf_TESTBahi0001', state: 'processed' })
    expect(kinds(answer.told?.event.body)).to.deep.equal(['transfer_processed'])
    for (const [status, state] of [
      ['created', 'pending'],
      ['failed', 'failed'],
    ] as const) {
      nock(HOST)
        .post(path)
        .reply(200, { items: [transferred({ status })] })
      expect((await transfer(RAZORPAY, TRANSFER, soon())).state).to.equal(state)
    }
  })

  it('of which the answer tells something else are unknown', async () => {
    for (const items of [
      [],
      [transferred({ amount: 1 })],
      [transferred({ recipient: 'acc_OTHER' })],
      [transferred({ notes: [] })],
      null,
    ]) {
      nock(HOST).post(path).reply(200, { items })
      const problem = await rejectionOf(transfer(RAZORPAY, TRANSFER, soon()))
      expect([problem.code, problem.extras.moved]).to.deep.equal(['gateway_unavailable', 'unknown'])
    }
  })

  it('are found by their notes', async () => {
    const other = transferred({ id: 'trf_OTHER', notes: { reference: 'other' } })
    nock(HOST)
      .get(path)
      .reply(200, { items: [other, transferred()] })
    expect(await findTransfer(RAZORPAY, TRANSFER, soon())).to.include({
      gatewayTransferId: 'trf_TESTBahi0001',
    })
    nock(HOST)
      .get(path)
      .reply(200, { items: [other] })
    expect(await findTransfer(RAZORPAY, TRANSFER, soon())).to.equal(null)
  })
})
