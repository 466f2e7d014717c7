/** PayU's calls that move money or ask about it: refunds, captures, payments. */
import { expect } from 'chai'
import nock from 'nock'
import type { NewRefund, Told } from '../../src/gateways/asked.ts'
import { payu } from '../../src/gateways/payu.ts'
import {
  capture,
  fetchOrder,
  fetchPayment,
  fetchRefund,
  findRefund,
  refund,
} from '../../src/gateways/payu/money.ts'
import { own } from './bodies.ts'
import { HOST, isSafe, PAYU, soon, withoutNetwork } from './calls.ts'
import { keysOf, kindsOf } from './facts.ts'
import { rejectionOf } from './thrown.ts'

const PATH = '/merchant/postservice.php?form=2'
const PAYMENT = '999000000000101'
const WANTED: NewRefund = {
  gatewayPaymentId: PAYMENT,
  amount: 250_050n,
  currency: 'INR',
  reference: 'BAHIREFUND0001',
  speed: 'normal',
}
const CAPTURE = { ...WANTED, reference: 'BAHICAPTURE001' }
const ACTION = {
  mihpayid: PAYMENT,
  bank_ref_num: '527013524405',
  request_id: '8000000001',
  amt: '2500.50',
  mode: 'UPI',
  action: 'refund',
  token: 'BAHIREFUND0001',
  status: 'success',
  bank_arn: null,
}

const sha512 = (name: string) =>
  (own('payu/vectors.json')['vectors'] as { name: string; sha512: string }[]).find(
    (one) => one.name === name,
  )?.sha512

/** PayU's answer to the next call of that command. */
function answers(command: string, answer: object | string, status = 200): nock.Scope {
  return nock(HOST)
    .post(PATH, (body: Record<string, string>) => body['command'] === command)
    .reply(status, answer)
}

function readTold(told: Told | null | undefined) {
  return told === null || told === undefined
    ? expect.fail('nothing was told')
    : payu.read(told.event, PAYU.account, told.confirmation)
}

describe('PayU: a refund', () => {
  withoutNetwork()

  it('is asked for with our reference as its token, in rupees as text', async () => {
    const scope = nock(HOST)
      .post(PATH, {
        key: 'gtKFFx',
        command: 'cancel_refund_transaction',
        var1: '7043873219',
        var2: 'BAHIREFUND0001',
        var3: '2500.50',
        hash: sha512('general-api/cancel_refund_transaction') ?? '',
      })
      .reply(200, { status: 1, msg: 'Queued', request_id: '8000000001', error_code: 102 })
    const answer = await refund(PAYU, { ...WANTED, gatewayPaymentId: '7043873219' }, soon())
    scope.done()
    expect(answer).to.include({ gatewayRefundId: '8000000001', state: 'pending' })
    const event = readTold(answer.told)
    expect(keysOf(event)).to.deep.equal(['refund:8000000001:created'])
    expect(event.facts[0]).to.include({ amount: 250_050n, reference: 'BAHIREFUND0001' })
  })

  it('that PayU takes without saying that it is queued tells nothing yet', async () => {
    const captured = { status: 1, msg: 'Capture is done today', request_id: '8000000001' }
    answers('cancel_refund_transaction', captured)
    expect(await refund(PAYU, WANTED, soon())).to.deep.equal({
      gatewayRefundId: '8000000001',
      state: 'pending',
      told: null,
    })
    answers('cancel_refund_transaction', { status: 1, msg: 'Cancel', txn_update_id: '8000000009' })
    expect(await refund(PAYU, WANTED, soon())).to.deep.equal({
      gatewayRefundId: null,
      state: 'pending',
      told: null,
    })
  })

  it('whose token PayU knows is the one that was asked for before', async () => {
    const reused = { status: 0, msg: 'token already used or request pending' }
    const other = { ...ACTION, request_id: '8000000002', token: 'OTHERREFUND001' }
    const taken = { ...ACTION, request_id: '1', action: 'capture' }
    const all = { '1': taken, '8000000002': other, '8000000001': ACTION }
    answers('cancel_refund_transaction', reused)
    answers('check_action_status', { status: 1, transaction_details: { [PAYMENT]: all } })
    const answer = await refund(PAYU, WANTED, soon())
    expect(answer).to.include({ gatewayRefundId: '8000000001', state: 'processed' })
    expect(kindsOf(readTold(answer.told))).to.deep.equal(['refund_created', 'refund_processed'])
    answers('cancel_refund_transaction', reused)
    const none = { status: 1, transaction_details: { [PAYMENT]: { '1': taken } } }
    answers('check_action_status', none)
    const problem = await rejectionOf(refund(PAYU, WANTED, soon()))
    expect([problem.code, problem.extras.moved]).to.deep.equal(['gateway_unavailable', 'unknown'])
  })

  it("is refused in PayU's words, and then nothing moved", async () => {
    answers('cancel_refund_transaction', { status: 0, msg: 'token is empty TESTSALT123' })
    const problem = await rejectionOf(refund(PAYU, WANTED, soon()))
    expect(problem.code).to.equal('gateway_refused')
    expect(problem.message).to.contain('token is empty')
    isSafe(problem)
  })

  it('of which the answer is lost is unknown', async () => {
    for (const [answer, status] of [
      ['', 500],
      ['<html>', 200],
    ] as const) {
      answers('cancel_refund_transaction', answer, status)
      const problem = await rejectionOf(refund(PAYU, WANTED, soon()))
      expect([problem.code, problem.extras.moved]).to.deep.equal(['gateway_unavailable', 'unknown'])
    }
  })

  it('is found again by its token, and asked about by its id', async () => {
    const which = { gatewayPaymentId: PAYMENT, reference: 'BAHIREFUND0001' }
    const nothing = { status: 0, transaction_details: { [PAYMENT]: 'No action status found' } }
    answers('check_action_status', nothing)
    expect(await findRefund(PAYU, which, soon())).to.equal(null)
    const failed = { ...ACTION, status: 'FAILURE' }
    const details = { [PAYMENT]: { '8000000001': failed } }
    answers('check_action_status', { status: 1, transaction_details: details })
    expect(await findRefund(PAYU, which, soon())).to.include({ state: 'failed' })
    const one = { '8000000001': { '8000000001': ACTION } }
    answers('check_action_status', { status: 1, transaction_details: one })
    const told = await fetchRefund(PAYU, '8000000001', soon())
    expect(kindsOf(readTold(told))).to.deep.equal(['refund_created', 'refund_processed'])
    const unknown = { '8000000001': 'No action status found' }
    answers('check_action_status', { status: 0, transaction_details: unknown })
    expect(await fetchRefund(PAYU, '8000000001', soon())).to.equal(null)
  })

  it('never leaves with a reference, amount or currency that cannot be', async () => {
    for (const change of [
      { reference: 'short' },
      { reference: 'x'.repeat(24) },
      { amount: 0n },
      { currency: 'USD' },
    ]) {
      const problem = await rejectionOf(refund(PAYU, { ...WANTED, ...change }, soon()))
      expect(problem.extras.moved).to.equal('no')
    }
  })
})

describe('PayU: confirmations of refunds', () => {
  withoutNetwork()

  it('are asked one by one beside the orders, and one that fails spoils no other', async () => {
    const order = { T1001: { mihpayid: PAYMENT, status: 'success' } }
    answers('verify_payment', { status: 1, transaction_details: order })
    const of = (id: string) => ({ [id]: { [id]: { ...ACTION, request_id: id } } })
    const asked = (id: string) =>
      nock(HOST).post(PATH, (body: Record<string, string>) => body['var1'] === id)
    asked('8000000001').reply(200, { status: 1, transaction_details: of('8000000001') })
    asked('8000000002').reply(503, '')
    asked('8000000003').reply(200, {
      status: 0,
      transaction_details: { '8000000003': 'No action status found' },
    })
    const refs = ['refund:8000000001', 'order:T1001', 'refund:8000000002', 'refund:8000000003']
    const confirmed = await payu.confirm(PAYU, refs, soon())
    expect([...confirmed.keys()].sort()).to.deep.equal([
      'order:T1001',
      'refund:8000000001',
      'refund:8000000003',
    ])
    expect(confirmed.get('refund:8000000001')).to.include({ status: 'success', amt: '2500.50' })
    expect(confirmed.get('refund:8000000003')).to.include({ status: 'Not Found' })
  })

  it('fail where none of them was answered', async () => {
    answers('check_action_status', { status: 0, msg: 'Invalid Hash.' })
    const problem = await rejectionOf(payu.confirm(PAYU, ['refund:8000000001'], soon()))
    expect(problem.code).to.equal('gateway_refused')
    expect(problem.message).to.contain('Invalid Hash.')
  })
})

describe('PayU: a capture', () => {
  withoutNetwork()

  it('is queued, and safe to repeat', async () => {
    for (const [answer, state] of [
      [{ status: 1, msg: 'Capture Request Queued', request_id: '1' }, 'pending'],
      [{ status: 0, msg: 'Token already exists.', error_code: 106 }, 'pending'],
      [{ status: 0, msg: 'Capture already successful', error_code: '301' }, 'captured'],
    ] as const) {
      answers('capture_transaction', answer)
      expect(await capture(PAYU, CAPTURE, soon())).to.deep.equal({ state, told: null })
    }
    answers('capture_transaction', { status: 0, msg: 'Capture failed', error_code: 109 })
    const problem = await rejectionOf(capture(PAYU, CAPTURE, soon()))
    expect([problem.code, problem.extras.moved]).to.deep.equal(['gateway_refused', 'no'])
    answers('capture_transaction', '', 502)
    const lost = await rejectionOf(capture(PAYU, CAPTURE, soon()))
    expect(lost.extras.moved).to.equal('unknown')
  })
})

describe('PayU: a payment that is asked about', () => {
  withoutNetwork()

  const entry = (changes: object = {}) => ({
    mihpayid: PAYMENT,
    txnid: 'BAHI0001',
    status: 'success',
    unmappedstatus: 'captured',
    amt: '2400.00',
    transaction_amount: '2500.00',
    addedon: '2026-01-01 05:30:07',
    mode: 'UPI',
    firstname: 'Asha',
    ...changes,
  })

  it('comes as the callback that would have told it, by our order or by its id', async () => {
    const details = { BAHI0001: entry() }
    answers('verify_payment', { status: 1, transaction_details: details })
    const byOrder = { gatewayPaymentId: PAYMENT, orderRef: 'BAHI0001' }
    const told = await fetchPayment(PAYU, byOrder, soon())
    const event = readTold(told)
    expect(keysOf(event)).to.deep.equal([`${PAYMENT}:captured`])
    expect(event.facts[0]).to.include({ amount: 250_000n })
    for (const answered of [entry(), { [PAYMENT]: entry() }]) {
      answers('check_payment', { status: 1, transaction_details: answered })
      const byId = { gatewayPaymentId: PAYMENT, orderRef: null }
      expect(readTold(await fetchPayment(PAYU, byId, soon()))).to.deep.equal(event)
    }
  })

  it('is asked about by the order alone, which may have none', async () => {
    answers('verify_payment', { status: 1, transaction_details: { BAHI0001: entry() } })
    const told = await fetchOrder(PAYU, 'BAHI0001', soon())
    expect(told.map(({ id }) => id)).to.deep.equal([PAYMENT])
    const nothing = { BAHI0001: { mihpayid: 'Not Found', status: 'Not Found' } }
    answers('verify_payment', { status: 0, transaction_details: nothing })
    expect(await fetchOrder(PAYU, 'BAHI0001', soon())).to.deep.equal([])
  })

  it('tells what PayU says of it', async () => {
    for (const [change, kinds] of [
      [{ unmappedstatus: 'auth' }, ['payment_authorized']],
      [{ status: 'failure', unmappedstatus: 'dropped' }, ['payment_failed']],
      [{ status: 'failure', unmappedstatus: 'autoRefund' }, ['payment_failed', 'refund_voided']],
      [{ status: 'pending', unmappedstatus: 'in progress' }, []],
    ] as const) {
      const details = { BAHI0001: entry(change) }
      answers('verify_payment', { status: 1, transaction_details: details })
      const which = { gatewayPaymentId: PAYMENT, orderRef: 'BAHI0001' }
      expect(kindsOf(readTold(await fetchPayment(PAYU, which, soon())))).to.deep.equal(kinds)
    }
  })

  it('is null where PayU knows none', async () => {
    const nothing = { BAHI0001: { mihpayid: 'Not Found', status: 'Not Found' } }
    answers('verify_payment', { status: 0, transaction_details: nothing })
    const which = { gatewayPaymentId: PAYMENT, orderRef: 'BAHI0001' }
    expect(await fetchPayment(PAYU, which, soon())).to.equal(null)
    answers('check_payment', { status: 0, msg: 'Transaction not found' })
    expect(await fetchPayment(PAYU, { ...which, orderRef: null }, soon())).to.equal(null)
    answers('check_payment', { status: 0, msg: 'Invalid Hash.' })
    const problem = await rejectionOf(fetchPayment(PAYU, { ...which, orderRef: null }, soon()))
    expect(problem.code).to.equal('gateway_refused')
  })
})
