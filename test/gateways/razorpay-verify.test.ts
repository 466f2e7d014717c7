/** Razorpay's signatures: which bytes are accepted under which secrets. */
import { expect } from 'chai'
import { razorpay } from '../../src/gateways/razorpay.ts'
import { razorpaySignature, razorpayWebhook } from '../support/sign.ts'
import { own, ownText } from './bodies.ts'
import { detailOf } from './thrown.ts'

interface Vector {
  name: string
  secret: string
  body_base64: string
  signature: string
  signature_if_reserialised: string
  reserialisation_safe: boolean
}

const ACCOUNT = 'acc_TESTBahi000001'
const SECRET = 'test_webhook_secret_2'
const SECRETS = [{ secretId: 'new', value: SECRET }]
const vectors = own('razorpay/vectors.json')['webhook'] as Vector[]

function signed(body: Buffer | string, signature: string, eventId?: string) {
  const headers: Record<string, string> = { 'x-razorpay-signature': signature }
  if (eventId !== undefined) {
    headers['x-razorpay-event-id'] = eventId
  }
  const receivedAt = new Date('2026-01-02T06:00:00Z')
  return { body: Buffer.from(body), contentType: 'application/json', headers, receivedAt }
}

describe('Razorpay signatures', () => {
  for (const vector of vectors) {
    const body = Buffer.from(vector.body_base64, 'base64')
    const secrets = [{ secretId: 'one', value: vector.secret }]

    it(`accepts the published vector "${vector.name}" over its raw bytes`, () => {
      const webhook = signed(body, vector.signature)
      expect(razorpay.verify(webhook, ACCOUNT, secrets).secretId).to.equal('one')
    })

    it(`judges "${vector.name}" by its bytes and not by what they mean`, () => {
      const again = Buffer.from(JSON.stringify(JSON.parse(body.toString())))
      expect(again.equals(body)).to.equal(vector.reserialisation_safe)
      const webhook = signed(again, vector.signature)
      if (vector.reserialisation_safe) {
        expect(razorpay.verify(webhook, ACCOUNT, secrets).secretId).to.equal('one')
      } else {
        detailOf('bad_signature', () => razorpay.verify(webhook, ACCOUNT, secrets))
      }
    })
  }

  it('has a vector in which writing the JSON again breaks the signature', () => {
    expect(vectors.filter((vector) => !vector.reserialisation_safe)).to.have.length.above(1)
  })

  it('refuses a body with a newline added at its end', () => {
    const body = ownText('razorpay/payment.captured.upi.json')
    const webhook = signed(`${body}\n`, razorpaySignature(body, SECRET))
    detailOf('bad_signature', () => razorpay.verify(webhook, ACCOUNT, SECRETS))
  })

  it('refuses a body with one byte changed', () => {
    const { body, headers } = razorpayWebhook(ownText('razorpay/order.paid.upi.json'), SECRET)
    body.writeUInt8(body.readUInt8(40) ^ 1, 40)
    const webhook = { body, headers, contentType: 'application/json', receivedAt: new Date() }
    detailOf('bad_signature', () => razorpay.verify(webhook, ACCOUNT, SECRETS))
  })

  it('never accepts an empty or blank secret, even when the signature was made with it', () => {
    for (const value of ['', ' ', '\t\n']) {
      const webhook = razorpayWebhook('{"event":"payment.captured"}', value)
      const secrets = [{ secretId: 'blank', value }, ...SECRETS]
      detailOf('bad_signature', () => razorpay.verify(webhook, ACCOUNT, secrets))
    }
  })

  it('refuses every call while the endpoint has no secret', () => {
    const webhook = razorpayWebhook('{}', SECRET)
    detailOf('bad_signature', () => razorpay.verify(webhook, ACCOUNT, []))
  })

  it('accepts a second secret and says which one signed', () => {
    const secrets = [
      { secretId: 'new', value: 'another_secret' },
      { secretId: 'old', value: SECRET },
    ]
    const verified = razorpay.verify(razorpayWebhook('{}', SECRET, 'evt_1'), ACCOUNT, secrets)
    expect(verified).to.deep.equal({ secretId: 'old', gatewayEventId: 'evt_1' })
  })

  it('refuses missing, short, long and odd signatures', () => {
    const right = razorpaySignature('{}', SECRET)
    const odd = [
      '',
      right.slice(0, -1),
      right.slice(0, 2),
      `${right}00`,
      `${right}\n`,
      right.toUpperCase(),
      `sha256=${right}`,
      'g'.repeat(64),
      'é'.repeat(32),
      '\0'.repeat(64),
    ]
    for (const signature of odd) {
      const webhook = signed('{}', signature)
      detailOf('bad_signature', () => razorpay.verify(webhook, ACCOUNT, SECRETS))
    }
    const bare = { ...signed('{}', ''), headers: {} }
    detailOf('bad_signature', () => razorpay.verify(bare, ACCOUNT, SECRETS))
  })

  it('takes the event id from its header, and none where it is missing or unusable', () => {
    const signature = razorpaySignature('{}', SECRET)
    const idOf = (eventId?: string) =>
      razorpay.verify(signed('{}', signature, eventId), ACCOUNT, SECRETS).gatewayEventId
    expect(idOf('evt_TEST0001')).to.equal('evt_TEST0001')
    expect(idOf(' evt_TEST0001 ')).to.equal('evt_TEST0001')
    for (const unusable of [undefined, '', ' ', 'a b', 'x'.repeat(101), 'é']) {
      expect(idOf(unusable)).to.equal(null)
    }
  })

  it('names no secret in its refusal', () => {
    const webhook = signed('{}', '0'.repeat(64))
    const detail = detailOf('bad_signature', () => razorpay.verify(webhook, ACCOUNT, SECRETS))
    expect(detail).not.to.contain(SECRET)
  })
})
