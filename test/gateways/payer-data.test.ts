/** Taking the payer out of what gateways sent: all of him, nothing else, no byte beside. */
import { expect } from 'chai'
import fc from 'fast-check'
import { readFileSync } from 'node:fs'
import { ERASED, refsIn, withoutPayer } from '../../src/gateways/payer-data.ts'
import { gateways } from '../../src/gateways/registry.ts'

const JSON_TYPE = 'application/json'
const FORM = 'application/x-www-form-urlencoded'

const fixture = (path: string) => readFileSync(new URL(`../fixtures/${path}`, import.meta.url))
const clean = (text: string, type = JSON_TYPE) => withoutPayer(Buffer.from(text), type)?.toString()

describe('a stored call without its payer', () => {
  it('has no contact and no card name of a Razorpay event, and is read as before', () => {
    const body = fixture('razorpay/payment.authorized.card.json')
    const redacted = withoutPayer(body, JSON_TYPE) ?? Buffer.alloc(0)
    expect(redacted.toString()).to.not.match(/asha|9000000001|Rao/i)
    const read = (bytes: Buffer) =>
      gateways.razorpay.read(
        { body: bytes, contentType: JSON_TYPE, receivedAt: new Date(), signedBy: 'whs_1' },
        'acc_TESTBahi000001',
        null,
      )
    const [before, after] = [read(body).facts[0], read(redacted).facts[0]]
    expect(before?.key).to.be.a('string')
    expect(JSON.stringify({ ...after, amount: '', payer: null })).to.equal(
      JSON.stringify({ ...before, amount: '', payer: null }),
    )
    expect(refsIn(body, JSON_TYPE)).to.deep.equal(['pay_TESTBahi000001', 'order_TESTBahi0001'])
    expect(refsIn(redacted, JSON_TYPE)).to.deep.equal(refsIn(body, JSON_TYPE))
  })

  it('keeps every other byte: spaces, order, doubled names, numbers that no double holds', () => {
    const text =
      '{ "a" : 12345678901234567890.10,"email":"x@y.in","a":[1, {"EMAIL" :"z", "b":"é"}] ,' +
      '"phone": 919999999999, "contact":null, "note":"who@where", "u":"\\u0061\\"@" }'
    const due = text
      .replace('"x@y.in"', `"${ERASED}"`)
      .replace('"z"', `"${ERASED}"`)
      .replace('919999999999', `"${ERASED}"`)
      .replace('"who@where"', `"${ERASED}"`)
    expect(clean(text)).to.equal(due)
    expect(clean('{"\\u0065mail":"x"}')).to.equal(`{"\\u0065mail":"${ERASED}"}`)
    const whole = '{"payer_bank_account":{"ifsc":"A","n":[1]},"after":"kept"}'
    expect(clean(whole)).to.equal(
      `{"payer_bank_account":{"ifsc":"${ERASED}","n":["${ERASED}"]},"after":"kept"}`,
    )
  })

  it('has no contact of a PayU form, whose other fields stay byte for byte', () => {
    const text =
      'mihpayid=403993715&txnid=t%2B1_a&firstname=Asha+Rao&email=a%40b.in&phone=9&udf1=x%40ok' +
      '&empty=&lone&amount=10.00&productinfo=a+b%20c&lastname='
    const erased = encodeURIComponent(ERASED)
    expect(clean(text, FORM)).to.equal(
      `mihpayid=403993715&txnid=t%2B1_a&firstname=${erased}&email=${erased}&phone=${erased}` +
        `&udf1=${erased}&empty=&lone&amount=10.00&productinfo=a+b%20c&lastname=`,
    )
    expect(refsIn(Buffer.from(text), FORM)).to.deep.equal(['403993715'])
    const json = Buffer.from('{"mihpayid":40399371551234567,"txnid":"abc"}')
    expect(refsIn(json, JSON_TYPE)).to.deep.equal(['40399371551234567', 'abc'])
  })

  it('is none where nobody can say what the bytes mean', () => {
    for (const [text, type] of [
      ['', JSON_TYPE],
      ['not json at all', JSON_TYPE],
      ['{"email":', JSON_TYPE],
      ['a=b', 'multipart/form-data; boundary=x'],
    ] as const) {
      expect(withoutPayer(Buffer.from(text), type), text).to.equal(null)
      expect(refsIn(Buffer.from(text), type), text).to.deep.equal([])
    }
    const binary = Buffer.from([0x7b, 0x22, 0x61, 0x22, 0x3a, 0x22, 0xff, 0xfe, 0x22, 0x7d])
    expect(withoutPayer(binary, JSON_TYPE)).to.deep.equal(binary)
  })

  it('is valid JSON for any JSON, the same the second time, and has no address in it', () => {
    const name = fc.oneof(fc.string(), fc.constantFrom('email', 'Contact', 'name', 'id', 'card'))
    const { json } = fc.letrec((tie) => ({
      json: fc.oneof(
        { maxDepth: 4 },
        fc.oneof(fc.string(), fc.double(), fc.boolean(), fc.constant(null)),
        fc.emailAddress(),
        fc.array(tie('json'), { maxLength: 4 }),
        fc.dictionary(name, tie('json'), { maxKeys: 4 }),
      ),
    }))
    fc.assert(
      fc.property(json, fc.emailAddress(), (value, email) => {
        const text = JSON.stringify({ value, deep: [{ email }] })
        const once = clean(text) ?? ''
        expect(() => JSON.parse(once) as unknown).to.not.throw()
        expect(clean(once)).to.equal(once)
        expect(once).to.not.contain(JSON.stringify(email))
        expect(Object.keys(JSON.parse(once) as object)).to.deep.equal(['value', 'deep'])
      }),
    )
  })

  it('is bounded: fifty refs, and depth and length cost what they are', () => {
    const many = JSON.stringify(Array.from({ length: 500 }, (_one, n) => `pay_${n}`))
    expect(refsIn(Buffer.from(many), JSON_TYPE)).to.have.length(50)
    const deep = `${'['.repeat(5000)}${'"x@y.in",'.repeat(20_000)}1${']'.repeat(5000)}`
    const begun = performance.now()
    expect(clean(deep)).to.not.contain('@')
    expect(performance.now() - begun).to.be.lessThan(2000)
  })
})
