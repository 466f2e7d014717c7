/** The simulator's own signatures against the published vectors and a second computation. */
import { expect } from 'chai'
import { createHash } from 'node:crypto'
import payu from '../fixtures/payu/vectors.json' with { type: 'json' }
import razorpay from '../fixtures/razorpay/vectors.json' with { type: 'json' }
import {
  payuApiHash,
  payuRequestHash,
  payuResponseHash,
  razorpaySignature,
} from '../../scripts/simulate/sign.ts'

const { key, salt } = payu

const asha = {
  key,
  txnid: 'T1001',
  amount: '10.00',
  productinfo: 'Widget',
  firstname: 'Asha',
  email: 'asha@example.com',
}

const split =
  '{"type":"absolute","splitInfo":{"imAJ7I":{"aggregatorSubTxnId":"a1","aggregatorSubAmt":"4"}}}'

function published(name: string): string {
  const vector = payu.vectors.find((candidate) => candidate.name === name)
  if (vector === undefined) {
    throw new Error(`There is no vector ${name}.`)
  }
  return vector.sha512
}

describe('the signatures of the simulator', () => {
  for (const vector of razorpay.webhook) {
    it(`sign a Razorpay webhook as published: ${vector.name}`, () => {
      const bytes = Buffer.from(vector.body_base64, 'base64')
      expect(razorpaySignature(bytes, vector.secret)).to.equal(vector.signature)
      expect(razorpaySignature(vector.body_utf8, vector.secret)).to.equal(vector.signature)
    })
  }

  it('agree with an HMAC that is built up from its definition (RFC 2104)', () => {
    const body = '{"notes":{"name":"சுந்தரம்"}}'
    const sha256 = (...parts: Uint8Array[]): Buffer =>
      createHash('sha256').update(Buffer.concat(parts)).digest()
    const padded = (pad: number): Uint8Array =>
      Buffer.from('a secret'.padEnd(64, '\0')).map((byte) => byte ^ pad)
    const inner = sha256(padded(0x36), Buffer.from(body))
    expect(razorpaySignature(body, 'a secret')).to.equal(
      sha256(padded(0x5c), inner).toString('hex'),
    )
  })

  it('hash a PayU checkout form as published', () => {
    expect(payuRequestHash(asha, salt)).to.equal(published('request/plain'))
    expect(payuRequestHash({ ...asha, udf1: 'u1', udf5: 'u5' }, salt)).to.equal(
      published('request/udf'),
    )
    expect(payuRequestHash({ ...asha, amount: '10' }, salt)).to.equal(
      published('request/amount-10'),
    )
    const unicode = { ...asha, productinfo: 'Café | ₹', firstname: "O'Neil" }
    expect(payuRequestHash(unicode, salt)).to.equal(published('request/unicode'))
  })

  it('hash a PayU callback as published, with and without charges and split', () => {
    const success = { ...asha, status: 'success' }
    const failure = { ...asha, status: 'failure', udf1: 'u1', udf5: 'u5' }
    const charges = { additionalCharges: '0.03' }
    expect(payuResponseHash(success, salt)).to.equal(published('response/success'))
    expect(payuResponseHash(failure, salt)).to.equal(published('response/failure-udf'))
    expect(payuResponseHash({ ...success, ...charges }, salt)).to.equal(
      published('response/success+additionalCharges'),
    )
    expect(payuResponseHash({ ...success, splitInfo: split }, salt)).to.equal(
      published('response/success+split'),
    )
    expect(payuResponseHash({ ...success, ...charges, splitInfo: 'SPLIT' }, salt)).to.equal(
      published('response/success+both'),
    )
  })

  it('leave empty charges out of the hash of a PayU callback', () => {
    const empty = { ...asha, status: 'success', additionalCharges: '' }
    expect(payuResponseHash(empty, salt)).to.equal(published('response/success'))
  })

  it('hash a call to the API of PayU as published', () => {
    const call = { key, command: 'verify_payment', var1: 'T1001' }
    expect(payuApiHash(call, salt)).to.equal(published('general-api/verify_payment'))
  })
})
