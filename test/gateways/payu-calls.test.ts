/** What PayU is asked and told: confirmations of payments, and the form of a new one. */
import { expect } from 'chai'
import nock from 'nock'
import type { NewOrder } from '../../src/gateways/gateway.ts'
import { payu } from '../../src/gateways/payu.ts'
import { own, ownText, samples } from './bodies.ts'
import { HOST, isSafe, ORDER, PAYU, SECRET, soon, withoutNetwork } from './calls.ts'
import { rejectionOf } from './thrown.ts'
import { payuJson } from '../support/sign.ts'

const ORDERS = ['order:BAHI0001', 'order:BAHI0002', 'order:BAHI0003']

interface Vector {
  name: string
  sha512: string
}

function vector(name: string): string | undefined {
  const vectors = own('payu/vectors.json')['vectors'] as Vector[]
  return vectors.find((entry) => entry.name === name)?.sha512
}

describe('PayU: a confirmation', () => {
  withoutNetwork()

  const path = '/merchant/postservice.php?form=2'

  it('posts the form with the published hash', async () => {
    const scope = nock(HOST)
      .post(path, {
        key: 'gtKFFx',
        command: 'verify_payment',
        var1: 'T1001',
        hash: vector('general-api/verify_payment') ?? '',
      })
      .reply(200, { status: 1, transaction_details: { T1001: { status: 'success' } } })
    const answers = await payu.confirm(PAYU, ['order:T1001'], soon())
    expect(answers.get('order:T1001')).to.deep.equal({ status: 'success' })
    scope.done()
  })

  it('gives every order its own answer, as text and without names or cards', async () => {
    nock(HOST)
      .post(path, (body: Record<string, string>) => body['var1'] === 'BAHI0001|BAHI0002|BAHI0003')
      .reply(200, ownText('payu/verify_payment.captured.json'))
    const answers = await payu.confirm(PAYU, ORDERS, soon())
    expect([...answers.keys()]).to.deep.equal(['order:BAHI0001', 'order:BAHI0002'])
    expect(answers.get('order:BAHI0002')).to.deep.equal({
      mihpayid: 'Not Found',
      status: 'Not Found',
    })
    const captured = answers.get('order:BAHI0001') ?? {}
    expect(captured).to.include({
      mihpayid: '403993715533296817',
      net_amount_debit: '2500.0',
      transaction_amount: '2500.00',
      unmappedstatus: 'captured',
      bank_ref_num: '600000000002',
      Settled_At: '0000-00-00 00:00:00',
    })
    expect(captured).not.to.have.any.keys('firstname', 'card_no', 'Merchant_UTR', 'request_id')
  })

  it('reads a payment with the answer that it got', async () => {
    nock(HOST).post(path).reply(200, ownText('payu/verify_payment.captured.json'))
    const answers = await payu.confirm(PAYU, ['order:BAHI0001'], soon())
    const fields = { ...own('payu/payment.success.json'), mihpayid: '403993715533296817' }
    const answer = answers.get('order:BAHI0001') ?? null
    const { facts } = payu.read(payuJson(fields), 'gtKFFx', answer)
    expect(facts[0]?.kind).to.equal('payment_captured')
  })

  it('takes "Not Found" of the only order for an answer and not for an error', async () => {
    nock(HOST).post(path).reply(200, ownText('payu/verify_payment.not-found.json'))
    const answers = await payu.confirm(PAYU, ['order:BAHI0009'], soon())
    expect(answers.get('order:BAHI0009')?.['status']).to.equal('Not Found')
  })

  it("refuses with PayU's own words when it says an error with HTTP 200", async () => {
    for (const details of [undefined, [], {}, null]) {
      const answer = { status: 0, msg: `Invalid Hash. ${SECRET}`, transaction_details: details }
      nock(HOST).post(path).reply(200, answer)
      const problem = await rejectionOf(payu.confirm(PAYU, ['order:T1001'], soon()))
      expect(problem.code).to.equal('gateway_refused')
      expect(problem.message).to.contain('Invalid Hash.')
      isSafe(problem)
    }
  })

  it('leaves out an order that the answer leaves out, even one named like a property', async () => {
    const answer = { status: 1, msg: '0 out of 1', transaction_details: {} }
    nock(HOST).post(path).reply(200, answer)
    const answers = await payu.confirm(PAYU, ['order:constructor', 'order:__proto__'], soon())
    expect(answers.size).to.equal(0)
  })

  it('asks nothing about no order, and refuses questions that it cannot ask', async () => {
    expect((await payu.confirm(PAYU, [], soon())).size).to.equal(0)
    const many = Array.from({ length: 21 }, (_, index) => `order:T${index}`)
    for (const refs of [['order:A|B'], ['order:'], [''], ['T1001'], ['dispute:1'], many]) {
      expect((await rejectionOf(payu.confirm(PAYU, refs, soon()))).code).to.equal('internal')
    }
  })

  const printed = samples('payu/api')?.filter(({ name }) => name.startsWith('verify_payment.'))
  if (printed === undefined) {
    it('(skipped: ../shared/fixtures/payu is not here)')
  }
  for (const { name, text } of printed ?? []) {
    it(`understands the printed answer ${name}`, async () => {
      const { transaction_details } = JSON.parse(text) as { transaction_details: object }
      const refs = Object.keys(transaction_details).map((orderRef) => `order:${orderRef}`)
      nock(HOST).post(path).reply(200, text)
      const answers = await payu.confirm(PAYU, refs, soon())
      expect([...answers.keys()]).to.deep.equal(refs)
      expect(answers.get(refs[0] ?? '')?.['status']).to.be.oneOf([
        'success',
        'failure',
        'Not Found',
      ])
    })
  }
})

describe('PayU: a new order', () => {
  withoutNetwork()

  const create = (change: Partial<NewOrder>) =>
    payu.createOrder(PAYU, { ...ORDER, ...change }, soon())

  async function fieldsOf(change: Partial<NewOrder>): Promise<Record<string, string>> {
    const { checkout } = await create(change)
    return checkout.gateway === 'payu' ? checkout.fields : expect.fail('not a PayU checkout')
  }

  it('gives the form with the published hash and calls nobody', async () => {
    expect(await create({})).to.deep.equal({
      orderRef: 'T1001',
      checkout: {
        gateway: 'payu',
        action: `${HOST}/_payment`,
        fields: {
          key: 'gtKFFx',
          txnid: 'T1001',
          amount: '10.00',
          productinfo: 'Widget',
          firstname: 'Asha',
          email: 'asha@example.com',
          phone: '',
          surl: 'https://ngo.example/thanks',
          furl: 'https://ngo.example/thanks',
          hash: vector('request/plain'),
        },
      },
    })
  })

  it('sends forms to the host for forms, which only in production is another one', async () => {
    const actionAt = async (apiUrl: string) => {
      const { checkout } = await payu.createOrder({ ...PAYU, apiUrl }, ORDER, soon())
      return checkout.gateway === 'payu' ? checkout.action : expect.fail('not a PayU checkout')
    }
    expect(await actionAt('https://info.payu.in')).to.equal('https://secure.payu.in/_payment')
    expect(await actionAt('https://info.payu.in/')).to.equal('https://secure.payu.in/_payment')
    expect(await actionAt('https://test.payu.in')).to.equal('https://test.payu.in/_payment')
    expect(await actionAt('http://127.0.0.1:9/')).to.equal('http://127.0.0.1:9/_payment')
  })

  it('refuses "|" and emptiness in every hashed field, and names the field', async () => {
    const changes = (value: string) =>
      [
        ['/reference', { reference: value }],
        ['/description', { description: value }],
        ['/payer/name', { payer: { ...ORDER.payer, name: value } }],
        ['/payer/email', { payer: { ...ORDER.payer, email: value } }],
      ] as const
    for (const [pointer, change] of [...changes('a|b'), ...changes('')]) {
      const problem = await rejectionOf(create(change))
      expect(problem.code).to.equal('invalid_request')
      expect(problem.extras.errors?.[0]?.pointer).to.equal(pointer)
    }
    const long = { payer: { ...ORDER.payer, email: `${'a'.repeat(50)}@example.com` } }
    expect((await rejectionOf(create(long))).message).to.contain('email')
  })

  it('refuses other currencies than INR and amounts that are none', async () => {
    for (const change of [{ currency: 'USD' }, { amount: 0n }, { amount: -5n }]) {
      expect((await rejectionOf(create(change))).code).to.equal('invalid_request')
    }
  })

  it('cuts a long name between characters and never inside one', async () => {
    const firstnameOf = async (name: string) =>
      (await fieldsOf({ payer: { ...ORDER.payer, name } }))['firstname']
    expect(await firstnameOf('a'.repeat(61))).to.equal('a'.repeat(60))
    expect(await firstnameOf('कि'.repeat(30))).to.equal('कि'.repeat(30))
    expect(await firstnameOf(`a${'कि'.repeat(30)}`)).to.equal(`a${'कि'.repeat(29)}`)
    expect(await firstnameOf(`a${'😀'.repeat(30)}`)).to.equal(`a${'😀'.repeat(29)}`)
    const { productinfo } = await fieldsOf({ description: 'é'.repeat(101) })
    expect(productinfo).to.equal('é'.repeat(100))
  })

  it('keeps line ends out of the form, which browsers would rewrite', async () => {
    const payer = { name: ' Asha\r\nRao\u0000 ', email: 'asha@example.com', phone: ' 9000000001 ' }
    const fields = await fieldsOf({ payer, description: 'Meals\nfor all' })
    expect(fields).to.include({
      firstname: 'Asha Rao',
      productinfo: 'Meals for all',
      phone: '9000000001',
    })
  })
})
