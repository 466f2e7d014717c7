/** The test gateways answer as the gateways' own APIs do, also to nonsense. */
import { expect } from 'chai'
import { createHash } from 'node:crypto'
import { startTestGateways, type TestGateways } from '../../scripts/simulate/gateway-server.ts'

const payment = {
  key: 'gtKFFx',
  salt: 'TESTSALT123',
  mihpayid: '403993715515239610',
  amount: '40.00',
  net_amount_debit: '40.00',
  status: 'success',
  unmappedstatus: 'captured',
  mode: 'UPI',
  bank_ref_num: '431998369241',
}

describe('the test gateways', () => {
  let gateways: TestGateways

  beforeEach(async () => {
    gateways = await startTestGateways({ port: 0, clock: () => new Date('2026-05-04T06:30:00Z') })
  })

  afterEach(() => gateways.close())

  function order(body: string, authorization = `Basic ${btoa('rzp_test_1:secret')}`) {
    return fetch(`${gateways.url}/v1/orders`, { method: 'POST', body, headers: { authorization } })
  }

  function tell(txnid: string, body: object): Promise<Response> {
    const url = `${gateways.url}/_test/payu/payments/${txnid}`
    return fetch(url, { method: 'PUT', body: JSON.stringify(body) })
  }

  async function ask(fields: Record<string, string>): Promise<string> {
    const response = await fetch(`${gateways.url}/merchant/postservice.php?form=2`, {
      method: 'POST',
      body: new URLSearchParams(fields),
    })
    expect(response.status).to.equal(200)
    return response.text()
  }

  function signed(var1: string, command = 'verify_payment'): Record<string, string> {
    const text = `gtKFFx|${command}|${var1}|TESTSALT123`
    return { key: 'gtKFFx', command, var1, hash: createHash('sha512').update(text).digest('hex') }
  }

  it('are in good health', async () => {
    const response = await fetch(`${gateways.url}/health`)
    expect(response.status).to.equal(200)
  })

  it('create a Razorpay order with an id of its own', async () => {
    const body = JSON.stringify({
      amount: 50_100,
      currency: 'INR',
      receipt: 'don1',
      notes: { a: 'b' },
    })
    const one = (await (await order(body)).json()) as Record<string, unknown>
    const other = (await (await order(body)).json()) as Record<string, unknown>
    expect(one['id']).to.match(/^order_[0-9A-Za-z]{14}$/)
    expect(one['id']).to.not.equal(other['id'])
    expect(one).to.deep.include({ entity: 'order', status: 'created', attempts: 0 })
    expect(one).to.deep.include({ amount: 50_100, amount_due: 50_100, amount_paid: 0 })
    expect(one).to.deep.include({ receipt: 'don1', notes: { a: 'b' }, created_at: 1_777_876_200 })
  })

  it('refuse a Razorpay order without key and secret', async () => {
    for (const authorization of ['', 'Bearer x', `Basic ${btoa('key only')}`]) {
      const response = await order('{"amount":50100,"currency":"INR"}', authorization)
      expect(response.status).to.equal(401)
    }
  })

  const nonsense = {
    'no JSON': ['{', undefined],
    'no amount': ['{"currency":"INR"}', 'amount'],
    'a fraction of a paisa': ['{"amount":100.5,"currency":"INR"}', 'amount'],
    'less than one rupee': ['{"amount":99,"currency":"INR"}', 'amount'],
    'an amount in quotes': ['{"amount":"100","currency":"INR"}', 'amount'],
    'no such currency': ['{"amount":100,"currency":"rupees"}', 'currency'],
    'a long receipt': [`{"amount":100,"currency":"INR","receipt":"${'x'.repeat(41)}"}`, 'receipt'],
  } as const
  for (const [name, [body, field]] of Object.entries(nonsense)) {
    it(`refuse a Razorpay order with ${name} in the shape of Razorpay`, async () => {
      const response = await order(body)
      const { error } = (await response.json()) as { error: Record<string, unknown> }
      expect(response.status).to.equal(400)
      expect(error['code']).to.equal('BAD_REQUEST_ERROR')
      expect(error['field']).to.equal(field)
    })
  }

  it('refuse a body that is too long, and a path they do not have', async () => {
    expect((await order(`{"receipt":"${'x'.repeat(70_000)}"}`)).status).to.equal(413)
    expect((await fetch(`${gateways.url}/v1/refunds/all`)).status).to.equal(401)
    expect((await fetch(`${gateways.url}/v1/nothing`)).status).to.equal(404)
    expect((await fetch(`${gateways.url}/_test/nothing`)).status).to.equal(404)
  })

  it('tell of a PayU payment what they were told, in the shape of PayU', async () => {
    expect((await tell('T1', payment)).status).to.equal(200)
    const text = await ask(signed('T1'))
    // A JSON number with its decimals, as PayU writes it.
    expect(text).to.include('"net_amount_debit":40.00,')
    const {
      status,
      msg,
      transaction_details: details,
    } = JSON.parse(text) as {
      status: number
      msg: string
      transaction_details: Record<string, Record<string, string>>
    }
    expect([status, msg]).to.deep.equal([1, '1 out of 1 Transactions Fetched Successfully'])
    expect(details['T1']).to.include({ txnid: 'T1', mihpayid: '403993715515239610', amt: '40.00' })
    expect(details['T1']).to.include({ status: 'success', unmappedstatus: 'captured' })
  })

  it('know the last state of a PayU payment', async () => {
    await tell('T1', { ...payment, status: 'pending', unmappedstatus: 'pending' })
    await tell('T1', payment)
    expect(await ask(signed('T1'))).to.include('"unmappedstatus":"captured"')
  })

  it('find some of several PayU payments, and say so of the others', async () => {
    await tell('T1', payment)
    const some = JSON.parse(await ask(signed('T1|T2'))) as Record<string, unknown>
    expect(some).to.include({ status: 1, msg: '1 out of 2 Transactions Fetched Successfully' })
    expect(JSON.parse(await ask(signed('T2')))).to.deep.equal({
      status: 0,
      msg: '0 out of 1 Transactions Fetched Successfully',
      transaction_details: { T2: { mihpayid: 'Not Found', status: 'Not Found' } },
    })
  })

  it('refuse a wrong PayU hash, an unknown command and no txnid, with status 0', async () => {
    const early = { ...signed('T1'), hash: 'none' }
    expect(await ask(early)).to.equal('{"status":0,"msg":"Invalid Hash."}')
    await tell('T1', payment)
    const wrong = { ...signed('T1'), hash: 'a'.repeat(128) }
    expect(await ask(wrong)).to.equal('{"status":0,"msg":"Invalid Hash."}')
    expect(await ask(signed('T1', 'refund_everything'))).to.include('"status":0')
    expect(await ask(signed(''))).to.include('"status":0')
  })

  it('refuse to be told nonsense of a PayU payment', async () => {
    expect((await tell('T1', { ...payment, amount: 40 })).status).to.equal(400)
    expect((await tell('T1', { ...payment, status: 'won' })).status).to.equal(400)
    expect((await tell('x'.repeat(121), payment)).status).to.equal(404)
  })

  it('forget the oldest PayU payments beyond their limit', async () => {
    const small = await startTestGateways({ port: 0, limit: 2 })
    for (const [index, txnid] of ['T1', 'T2', 'T3'].entries()) {
      const told = { ...payment, status: 'success', mihpayid: `4039937155152396${index}` } as const
      small.payu.know({ txnid, payment: told })
    }
    const response = await fetch(`${small.url}/merchant/postservice.php?form=2`, {
      method: 'POST',
      body: new URLSearchParams(signed('T1|T2|T3')),
    })
    const text = await response.text()
    await small.close()
    expect(text).to.include('2 out of 3').and.to.include('"T1":{"mihpayid":"Not Found"')
  })
})
