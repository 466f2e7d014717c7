/** What is written down of a call: what helps to find out what happened, and nothing of anybody. */
import { expect } from 'chai'
import fc from 'fast-check'
import { CALL_TEXT_MAX, textOfCall, type CallText } from '../../src/base/call-text.ts'
import type { Exchange } from '../../src/base/calls-out.ts'

const SECRET = 'TESTSALT123'

function said(more: Partial<Exchange>): CallText {
  return textOfCall({
    method: 'POST',
    url: 'https://api.gateway.test/v1/things',
    requestHeaders: {},
    requestBody: '',
    begunAt: new Date(),
    tookMs: 1,
    status: 200,
    answer: null,
    retryAfter: null,
    requestId: null,
    failure: null,
    ...more,
  })
}

const everything = (text: CallText): string =>
  JSON.stringify([text.path, text.idempotencyKey, text.request, text.answer])

const basic = (key: string, secret: string) =>
  `Basic ${Buffer.from(`${key}:${secret}`).toString('base64')}`

describe('the text of a call', () => {
  it('shows ids, amounts and states of a refund at Razorpay', () => {
    const text = said({
      url: 'https://api.razorpay.com/v1/payments/pay_29QQoUBi66xm2f/refund',
      requestHeaders: {
        authorization: basic('rzp_live_k', SECRET),
        'x-refund-idempotency': 'rfd_1',
      },
      requestBody: JSON.stringify({ amount: 10_050, speed: 'normal', receipt: 'rfd_1' }),
      answer: JSON.stringify({
        id: 'rfnd_FP8QHiV938haTz',
        entity: 'refund',
        amount: 10_050,
        notes: { by: 'Asha Rao' },
        acquirer_data: { arn: '10000000000000' },
        status: 'processed',
      }),
    })
    expect(text.path).to.equal('/v1/payments/pay_29QQoUBi66xm2f/refund')
    expect(text.idempotencyKey).to.equal('rfd_1')
    expect(text.request).to.equal('{"amount":10050,"speed":"normal","receipt":"rfd_1"}')
    expect(JSON.parse(text.answer ?? '')).to.deep.equal({
      id: 'rfnd_FP8QHiV938haTz',
      entity: 'refund',
      amount: 10_050,
      notes: { '…': [] },
      acquirer_data: { arn: '10000000000000' },
      status: 'processed',
    })
  })

  it('shows a command to PayU and its answer without key, hash and names', () => {
    const text = said({
      url: 'https://info.payu.in/merchant/postservice.php?form=2',
      requestBody: `key=gtKFFx&command=verify_payment&var1=T1%7CT2&hash=${'ab'.repeat(64)}`,
      answer: JSON.stringify({
        status: 1,
        msg: '1 out of 2 Transactions Fetched Successfully',
        transaction_details: {
          T1: {
            mihpayid: '403993715527',
            amt: '100.00',
            firstname: 'Asha',
            card_no: '5123XXXX2346',
          },
        },
      }),
    })
    expect(text.path).to.equal('/merchant/postservice.php?form=2')
    expect(text.request).to.equal('{"command":"verify_payment","var1":"T1|T2","…":[]}')
    expect(text.answer).to.contain('403993715527').and.to.contain('"100.00"')
    expect(everything(text)).to.not.match(/gtKFFx|abab|Asha|5123/)
  })

  it('shows why Stripe says no, without the address and the key that it quotes', () => {
    const key = 'sk_test_TESTBahi0000000000000001'
    const text = said({
      requestHeaders: { authorization: `Bearer ${key}`, 'idempotency-key': 'order-T1' },
      requestBody:
        'mode=payment&customer_email=asha%40example.org' +
        '&line_items[0][price_data][unit_amount]=1000' +
        '&metadata[bahi_reference]=T1&expand[0]=charge&expand[1]=refund',
      answer: JSON.stringify({
        error: {
          type: 'invalid_request_error',
          message: `Invalid email asha@example.org (key ${key}); call +91 98765 43210`,
          param: 'customer_email',
        },
      }),
    })
    expect(JSON.parse(text.request ?? '')).to.deep.equal({
      mode: 'payment',
      unit_amount: '1000',
      bahi_reference: 'T1',
      expand: ['charge', 'refund'],
      '…': [],
    })
    expect(JSON.parse(text.answer ?? '')).to.deep.equal({
      error: {
        type: 'invalid_request_error',
        message: 'Invalid email … (key …); call …',
        param: 'customer_email',
      },
    })
    expect(text.clean(`Stripe refused: asha@example.org with ${key}`)).to.equal(
      'Stripe refused: … with …',
    )
  })

  it('shows nothing that only looks harmless by its name', () => {
    const odd = {
      id: 'asha@upi',
      status: 'paid by ABCPK1234F',
      receipt: 'ABCPK1234F',
      reference: '234567890124',
      code: '<script>alert(1)</script>',
      method: { vpa: 'asha@okbank', id: 'm_1' },
      type: 'x'.repeat(201),
      message: 'PAN ABCPK1234F, card 4111 1111 1111 1111, account 50100012345678',
    }
    const text = said({ answer: JSON.stringify(odd) })
    expect(JSON.parse(text.answer ?? '')).to.deep.equal({
      id: '…',
      status: '…',
      receipt: '…',
      reference: '…',
      code: '…',
      method: { '…': [], id: 'm_1' },
      type: '…',
      message: 'PAN …, card …, account …',
    })
  })

  it('shows a path without what is no id, and a query by its names', () => {
    const { path } = said({
      url:
        'https://api.gateway.test/v1/payers/asha@upi/a%20b/ABCPK1234F' +
        '?email=asha@example.org&limit=100&created[gte]=17000&expand[]=data.refund',
    })
    expect(path).to.equal('/v1/payers/…/…/…?…=…&limit=100&gte=17000&expand=data.refund')
    expect(said({ url: `https://x.test/${'a/'.repeat(2000)}` }).path).to.have.length(500)
  })

  it('is bounded, whatever was said, and can always be stored', () => {
    const rows = Array.from({ length: 300 }, (_, index) => ({ id: `pay_${index}`, amount: index }))
    let deep: unknown = { id: 'bottom' }
    for (let depth = 0; depth < 100; depth += 1) {
      deep = { data: deep, 'x\u0000': 'y\u0000' }
    }
    const bodies = [
      JSON.stringify({ items: rows }),
      JSON.stringify(deep),
      JSON.stringify({ message: '\ud83d\ude00'.repeat(5000) }),
      JSON.stringify({ message: '\ud800 \u0000' }),
      JSON.stringify({ message: 'x'.repeat(60_000), error: '9 '.repeat(30_000) }),
      JSON.stringify({ message: `${'x'.repeat(990)} asha.rao@example.org` }),
      JSON.stringify(Object.fromEntries(rows.map(({ id }) => [id, id]))),
      `"${'x'.repeat(100_000)}"`,
      '[[[[',
      '',
      'null',
      '7',
      '{"__proto__":{"id":1},"constructor":{"id":2}}',
    ]
    const begun = performance.now()
    for (const body of bodies) {
      const text = said({ requestBody: body, answer: body })
      for (const one of [text.request, text.answer]) {
        expect((one ?? '').length).to.be.at.most(CALL_TEXT_MAX)
        expect((one ?? '').isWellFormed(), body.slice(0, 40)).to.equal(true)
        expect(one ?? '')
          .to.not.contain('\u0000')
          .and.to.not.contain('asha')
      }
    }
    expect(said({ answer: JSON.stringify({ items: rows }) }).answer).to.contain('"amount":19},"…"]')
    expect(performance.now() - begun, 'no text makes it slow').to.be.lessThan(1000)
    expect(({} as { id?: unknown }).id).to.equal(undefined)
  })

  it('has no secret that went in, wherever it was and wherever it comes back', () => {
    // Nothing of our own words looks like it.
    const secret = fc
      .tuple(fc.stringMatching(/^[a-z0-9_@.+-]{0,20}$/), fc.constantFrom('', ' ', '-', '@'))
      .map(([rest, between]) => `zq${between}${rest}qz`)
    const names =
      'email contact name vpa card hash key salt account_number ifsc pan description phone notes'
    const place = fc.constantFrom(...names.split(' '), 'firstname', 'customer_email', 'return_url')
    const shape = fc.constantFrom(
      (name: string, value: string): unknown => ({ [name]: value }),
      (name: string, value: string): unknown => ({ payment: { [name]: { first: [value] } } }),
      (name: string, value: string): unknown => ({ items: [{ id: 'x', [name]: value }] }),
      (_name: string, value: string): unknown => ({ [value]: { id: value, status: value } }),
    )
    fc.assert(
      fc.property(secret, place, shape, fc.boolean(), (value, name, into, isForm) => {
        const body = into(name, value)
        const inUrl = encodeURIComponent(value)
        const text = said({
          url: `https://x.test/v1/${inUrl}?${name}=${inUrl}`,
          requestHeaders: { authorization: basic('rzp_key', value), 'x-api-key': value },
          requestBody: isForm
            ? new URLSearchParams([[`payer[${name}]`, value]]).toString()
            : JSON.stringify(body),
          answer: JSON.stringify({
            ...(body as object),
            id: value,
            error: { description: `No: ${value}.`, reason: value, code: value },
            msg: `${value} is wrong`,
          }),
        })
        expect(everything(text) + text.clean(`It said ${value}`)).to.not.contain(value)
      }),
      { numRuns: 300, seed: 20_261_121 },
    )
  })

  it('has no personal data that comes back without having gone in', () => {
    const person = fc.record({
      name: fc.constantFrom('zqAsha Rao', 'zqमीरा जोशी', "zqO'Neil"),
      email: fc.constantFrom('zq.asha@example.org', 'zq+1@x.in'),
      contact: fc.constantFrom('+919876543210', '98765 43210'),
      vpa: fc.constantFrom('zqasha@okhdfc'),
      card: fc.constantFrom('4111111111111111', '4111 1111 1111 1111'),
      account: fc.constantFrom('50100012345678'),
      pan: fc.constantFrom('ABCPK1234F'),
      aadhaar: fc.constantFrom('234567890124', '2345 6789 0124'),
    })
    const words = fc.constantFrom('error', 'msg', 'message', 'reason', 'remark', 'id', 'receipt')
    fc.assert(
      fc.property(person, words, (one, name) => {
        for (const [kind, value] of Object.entries(one)) {
          // A bare name in words cannot be told from other words.
          const inWords = kind === 'name' ? { [kind]: value } : {}
          const body = { items: [{ [kind]: value, ...inWords, [name]: `So: ${value}` }], ...one }
          const text = said({ answer: JSON.stringify(body) })
          expect(everything(text), kind).to.not.contain(value)
        }
      }),
      { numRuns: 100 },
    )
  })
})
