/** Stripe's signatures: which bytes are accepted under which secrets, and for how long. */
import { createHmac } from 'node:crypto'
import { expect } from 'chai'
import type { RawWebhook } from '../../src/gateways/gateway.ts'
import { stripe } from '../../src/gateways/stripe.ts'
import { own } from './bodies.ts'
import { detailOf } from './thrown.ts'

interface Vector {
  name: string
  secret: string
  timestamp: number
  payload: string
  header: string
}

const SECRET = 'whsec_test_one'
const SECRETS = [{ secretId: 'new', value: SECRET }]
const NOW = 1_700_000_000
const ACCOUNT = 'acct_TESTBahi000001'
const BODY = '{"id":"evt_TEST1","object":"event","type":"charge.succeeded"}'
const vectors = own('stripe/vectors.json')['vectors'] as Vector[]

/** Spelled out once more, so that it shares no mistake with the verifier. */
function v1(body: string | Buffer, secret: string, time: number | string = NOW): string {
  const bytes = Buffer.concat([Buffer.from(`${time}.`), Buffer.from(body)])
  return createHmac('sha256', secret).update(bytes).digest().toString('hex')
}

function call(header: string | null, body: string | Buffer = BODY, late = 0): RawWebhook {
  return {
    body: Buffer.from(body),
    contentType: 'application/json',
    headers: header === null ? {} : { 'stripe-signature': header },
    receivedAt: new Date((NOW + late) * 1000),
  }
}

function isRefused(webhook: RawWebhook, secrets = SECRETS): string {
  return detailOf('bad_signature', () => stripe.verify(webhook, ACCOUNT, secrets))
}

describe('Stripe signatures', () => {
  for (const { name, secret, timestamp, payload, header } of vectors) {
    it(`accept the vector ${name}, and not with a byte more`, () => {
      const secrets = [{ secretId: 'vector', value: secret }]
      const receivedAt = new Date(timestamp * 1000)
      const webhook = { ...call(header, payload), receivedAt }
      expect(stripe.verify(webhook, ACCOUNT, secrets).secretId).to.equal('vector')
      isRefused({ ...webhook, body: Buffer.from(`${payload}\n`) }, secrets)
      isRefused(webhook, [{ secretId: 'other', value: `${secret}x` }])
    })
  }

  it('accept any one of several v1 and of several secrets, and say which secret it was', () => {
    const secrets = [
      { secretId: 'other', value: 'whsec_test_two' },
      { secretId: 'mine', value: SECRET },
    ]
    const wrong = v1(BODY, 'whsec_nobody')
    const right = v1(BODY, SECRET)
    for (const order of [
      [wrong, right],
      [right, wrong],
    ]) {
      const header = `t=${NOW},${order.map((one) => `v1=${one}`).join(',')},v0=${wrong}`
      const verified = stripe.verify(call(header), ACCOUNT, secrets)
      expect(verified).to.deep.equal({ secretId: 'mine', gatewayEventId: 'evt_TEST1' })
    }
    isRefused(call(`t=${NOW},v1=${wrong},v1=${wrong}`), secrets)
    isRefused(call(`t=${NOW},v0=${right}`), secrets)
  })

  it('are good for 300 seconds and no longer, though one that lies ahead is taken', () => {
    const header = `t=${NOW},v1=${v1(BODY, SECRET)}`
    for (const late of [-3600, 0, 300]) {
      expect(stripe.verify(call(header, BODY, late), ACCOUNT, SECRETS).secretId).to.equal('new')
    }
    expect(isRefused(call(header, BODY, 301))).to.contain('300 seconds')
    // A retry is signed anew, with another time over the same bytes.
    const again = `t=${NOW + 3600},v1=${v1(BODY, SECRET, NOW + 3600)}`
    expect(stripe.verify(call(again, BODY, 3601), ACCOUNT, SECRETS).secretId).to.equal('new')
    // Nobody can make an old signature young.
    isRefused(call(header.replace(`t=${NOW}`, `t=${NOW + 300}`), BODY, 301))
  })

  it('are over the raw bytes', () => {
    const body = '{"name":"\\u0930", "id":"evt_2"}'
    const header = `t=${NOW},v1=${v1(body, SECRET)}`
    expect(stripe.verify(call(header, body), ACCOUNT, SECRETS).gatewayEventId).to.equal('evt_2')
    isRefused(call(header, JSON.stringify(JSON.parse(body))))
    const bytes = Buffer.from([0xff, 0x00, 0x7b])
    const odd = `t=${NOW},v1=${v1(bytes, SECRET)}`
    expect(stripe.verify(call(odd, bytes), ACCOUNT, SECRETS).gatewayEventId).to.equal(null)
  })

  it('refuse a blank secret, and any without one', () => {
    for (const blank of ['', '  ']) {
      const header = `t=${NOW},v1=${v1(BODY, blank)}`
      isRefused(call(header), [{ secretId: 'blank', value: blank }])
    }
    isRefused(call(`t=${NOW},v1=${v1(BODY, SECRET)}`), [])
  })

  it('refuse missing, doubled and odd headers without naming a secret', () => {
    const right = v1(BODY, SECRET)
    const odd = [
      null,
      '',
      `v1=${right}`,
      `t=${NOW}`,
      `t=,v1=${right}`,
      `t=${NOW},t=${NOW + 1},v1=${right}`,
      `t=${NOW}.0,v1=${right}`,
      `t=-${NOW},v1=${right}`,
      `t=${'9'.repeat(13)},v1=${right}`,
      `t=${NOW},v1=${right.toUpperCase()}`,
      `t=${NOW},v1=${right.slice(1)}`,
      `t=${NOW},v1=${right}00`,
      `t=${NOW}${`,v1=${right}`.repeat(9)}`,
      right,
      '=,=,=',
    ]
    for (const header of odd) {
      expect(isRefused(call(header)), String(header)).not.to.contain(SECRET)
    }
  })

  it('leave out an event id that is none', () => {
    for (const id of ['', 'a b', 7, null, { a: 1 }, 'x'.repeat(65)]) {
      const body = JSON.stringify({ id })
      const header = `t=${NOW},v1=${v1(body, SECRET)}`
      expect(stripe.verify(call(header, body), ACCOUNT, SECRETS).gatewayEventId).to.equal(null)
    }
  })
})
