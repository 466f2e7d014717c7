/** A fourth gateway, made up: one file, and the line that puts it into the registry. */
import { createHmac } from 'node:crypto'
import { expect } from 'chai'
import { Problem } from '../../src/base/problem.ts'
import type { Fact, GatewayName } from '../../src/gateways/fact.ts'
import type { Gateway, RawWebhook } from '../../src/gateways/gateway.ts'
import { isObject, parseJson } from '../../src/gateways/json.ts'
import { gateways } from '../../src/gateways/registry.ts'
import { signerOf } from '../../src/gateways/signature.ts'
import { idOf, textOf } from '../../src/gateways/text.ts'
import { factOf } from './facts.ts'
import { detailOf } from './thrown.ts'

/** Stands in for the name that a real one adds to `GatewayName`. */
const NAME = 'kauri' as GatewayName

const malformed = (detail: string) => new Problem('malformed_event', { detail })

/** All that src/gateways/kauri.ts would be: what it cannot do, it leaves out. */
const kauri: Gateway = {
  name: NAME,
  verify(webhook, _account, secrets) {
    const given = webhook.headers['x-kauri-signature'] ?? ''
    const secretId = signerOf(secrets, given, (secret) => [
      createHmac('sha256', secret).update(webhook.body).digest('hex'),
    ])
    if (secretId === undefined) {
      throw new Problem('bad_signature')
    }
    return { secretId, gatewayEventId: textOf(webhook.headers['x-kauri-event']) }
  },
  needsConfirmation: () => null,
  confirm: () => Promise.resolve(new Map()),
  read(webhook, account) {
    const event = parseJson(webhook.body.toString('utf8'))
    const id = isObject(event) ? idOf(event['payment']) : undefined
    const paise = isObject(event) ? event['paise'] : undefined
    if (!isObject(event) || id === undefined || !Number.isSafeInteger(paise)) {
      throw malformed('This is none of Kauri’s events.')
    }
    const type = textOf(event['type']) ?? 'unknown'
    const captured: Fact = {
      kind: 'payment_captured',
      key: `kauri:${account}:pay:${id}:captured`,
      gateway: NAME,
      account,
      occurredAt: webhook.receivedAt,
      gatewayPaymentId: id,
      orderRef: null,
      amount: BigInt(Number(paise)),
      currency: 'INR',
      method: null,
      payer: { name: null, email: null, phone: null },
      bankReference: null,
      subscriptionRef: null,
    }
    return { type, facts: type === 'paid' ? [captured] : [] }
  },
  createOrder: () => {
    throw new Problem('invalid_request', { detail: 'Kauri takes no orders.' })
  },
}

const SECRETS = [{ secretId: 'one', value: 'secret' }]

function webhook(content: object): RawWebhook {
  const body = Buffer.from(JSON.stringify(content))
  const signature = createHmac('sha256', 'secret').update(body).digest('hex')
  const headers = { 'x-kauri-signature': signature, 'x-kauri-event': 'k1' }
  const receivedAt = new Date('2026-01-02T06:00:00Z')
  return { body, contentType: 'application/json', headers, receivedAt }
}

describe('A fourth gateway', () => {
  it('is one file that fits the shape, and one line in the registry', () => {
    const registry: Record<string, Gateway> = { ...gateways, kauri }
    expect(Object.keys(registry)).to.have.length(Object.keys(gateways).length + 1)
    const paid = webhook({ type: 'paid', payment: 'k_1', paise: 12_300 })
    const verified = kauri.verify(paid, 'acc', SECRETS)
    expect(verified).to.deep.equal({ secretId: 'one', gatewayEventId: 'k1' })
    const stored = { ...paid, signedBy: verified.secretId }
    expect(kauri.needsConfirmation(stored)).to.equal(null)
    const capture = factOf(kauri.read(stored, 'acc', null), 'payment_captured')
    expect([capture.key, capture.amount]).to.deep.equal(['kauri:acc:pay:k_1:captured', 12_300n])
    const other = webhook({ type: 'brand_new', payment: 'k_1', paise: 1 })
    const ignored = kauri.read({ ...other, signedBy: 'one' }, 'acc', null)
    expect(ignored).to.deep.equal({ type: 'brand_new', facts: [] })
    const forged = { ...paid, headers: {} }
    detailOf('bad_signature', () => kauri.verify(forged, 'acc', SECRETS))
    detailOf('malformed_event', () => kauri.read({ ...webhook([]), signedBy: null }, 'acc', null))
  })

  it('says what it cannot do by leaving it out, so that a caller can ask before', () => {
    const { capture, refund, fetchPayment, list } = kauri
    expect([capture, refund, fetchPayment, list]).to.deep.equal([
      undefined,
      undefined,
      undefined,
      undefined,
    ])
    for (const name of ['razorpay', 'payu'] as const) {
      const { capture: captures, refund: refunds, findRefund: finds } = gateways[name]
      const all = [captures, refunds, finds, gateways[name].list?.payments]
      expect(all.every((one) => typeof one === 'function')).to.equal(true)
    }
  })
})
