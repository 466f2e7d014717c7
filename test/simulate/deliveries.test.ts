/** The webhook calls of a run: bytes and signatures, and the order they go out in. */
import { expect } from 'chai'
import { createHash, createHmac } from 'node:crypto'
import { deliveriesOf, settlementOf } from '../../scripts/simulate/deliveries.ts'
import type { Delivery, PlayedLife } from '../../scripts/simulate/deliveries.ts'
import { planLives, type Outcome, type SimulatedGateway } from '../../scripts/simulate/lives.ts'
import { razorpayFee } from '../../scripts/simulate/razorpay-bodies.ts'
import { schedule } from '../../scripts/simulate/schedule.ts'

const endpoints = {
  razorpay: {
    path: '/webhooks/razorpay/whe_1',
    account: 'acc_TEST0000000001',
    secret: 'rzp secret',
  },
  payu: { path: '/webhooks/payu/whe_2', account: 'gtKFFx', secret: 'TESTSALT123' },
  stripe: { path: '/webhooks/stripe/whe_3', account: 'acct_1', secret: 'whsec_1' },
}
const now = new Date('2026-05-04T06:30:00Z')
const shares = { seed: 7, duplicates: 0.1, reorder: 0.2, badSignatures: 0.02, endpoints }

interface Played {
  gateway: SimulatedGateway
  outcome: Outcome
  amount: bigint
  played: PlayedLife
}

function playAll(run = 'a'): Played[] {
  const lives = planLives({ seed: 7, payments: 300, gateways: ['razorpay', 'payu', 'stripe'] })
  return lives.map((life) => {
    const { gateway, amount, donor } = life.request
    const fields: Record<string, string> = {
      amount: life.number % 2 === 0 ? '501.00' : '501',
      productinfo: 'Donation & more',
      firstname: donor.name,
      email: donor.email,
      udf1: 'one',
    }
    const donation = {
      life,
      donationId: `don_${life.number}`,
      orderRef: `${run}${life.number}`,
      fields,
    }
    const played = deliveriesOf(donation, { seed: 7, endpoint: endpoints[gateway], now })
    return { gateway, outcome: life.outcome, amount, played }
  })
}

const lives = playAll()
const calls = lives.flatMap(({ played }) => played.deliveries)
const razorpayCalls = calls.filter((call) => call.gateway === 'razorpay')
const payuCalls = calls.filter((call) => call.gateway === 'payu')
const payuForms = payuCalls.filter(
  ({ headers }) => headers['content-type'] === 'application/x-www-form-urlencoded',
)

/** The verifier's side, written out a second time. */
function isSigned(call: Delivery): boolean {
  if (call.gateway === 'razorpay') {
    const mac = createHmac('sha256', 'rzp secret').update(Buffer.from(call.body)).digest('hex')
    return call.headers['x-razorpay-signature'] === mac
  }
  if (call.gateway === 'stripe') {
    const { secret, body, secondsAgo } = call.signing ?? { secret: '', body: '', secondsAgo: 0 }
    return secret === 'whsec_1' && body === call.body && secondsAgo === 0
  }
  if (call.headers['content-type'] === 'application/json') {
    return isPayuJson(call)
  }
  const form = new URLSearchParams(call.body)
  const at = (name: string): string => form.get(name) ?? ''
  const text =
    `TESTSALT123|${at('status')}||||||${at('udf5')}|${at('udf4')}|${at('udf3')}|${at('udf2')}|` +
    `${at('udf1')}|${at('email')}|${at('firstname')}|${at('productinfo')}|${at('amount')}|` +
    `${at('txnid')}|${at('key')}`
  const charges = at('additionalCharges')
  const sum = createHash('sha512').update(charges === '' ? text : `${charges}|${text}`)
  return at('key') === 'gtKFFx' && at('hash') === sum.digest('hex')
}

/** A refund carries no signature, a dispute one over some of its fields. */
function isPayuJson({ body, headers }: Delivery): boolean {
  const told = JSON.parse(body) as Record<string, string>
  if (told['action'] === 'refund') {
    return told['key'] === 'gtKFFx'
  }
  const fields = ['txn_id', 'cb_amount', 'cb_id', 'cb_type', 'cb_status'].map((name) => told[name])
  const text = `gtKFFx|${fields.join('|')}|TESTSALT123`.replaceAll(' ', '')
  const digest = createHash('sha512').update(text).digest('hex')
  return headers['x-payu-dispute-webhook-signature-v2'] === digest
}

function outline(gateway: SimulatedGateway, outcome: Outcome): string[] {
  const life = lives.find((one) => one.gateway === gateway && one.outcome === outcome)
  const ids: string[] = []
  return (life?.played.deliveries ?? []).map((call) => {
    const id = paymentIdOf(call)
    ids.push(...(ids.includes(id) ? [] : [id]))
    return `${call.name} ${ids.indexOf(id) + 1}`
  })
}

function paymentIdOf(call: Delivery): string {
  const id = /"(?:id|charge|latest_charge)":"((?:pay|ch)_[0-9A-Za-z]{14})"/.exec(call.body)?.[1]
  const ofPayu = /"(?:mihpayid|txn_id)":" ?(\d{18}) ?"/.exec(call.body)?.[1]
  return id ?? ofPayu ?? new URLSearchParams(call.body).get('mihpayid') ?? 'none'
}

describe('the webhook calls of a life', () => {
  it('are the same bytes and headers for the same seed and the same orders', () => {
    expect(playAll()).to.deep.equal(lives)
  })

  it('belong to other payments when the same seed is played again on new orders', () => {
    const idsOf = (played: Played[]): string[] =>
      played.flatMap((life) => life.played.deliveries.map(paymentIdOf))
    expect(idsOf(playAll('b')).filter((id) => idsOf(lives).includes(id))).to.deep.equal([])
  })

  it('are signed as the gateways sign', () => {
    expect(calls.filter((call) => !isSigned(call))).to.deep.equal([])
  })

  it('tell a Razorpay payment from its authorisation to the paid order', () => {
    const paid = ['payment.authorized 1', 'payment.captured 1', 'order.paid 1']
    expect(outline('razorpay', 'captured')).to.deep.equal(paid)
    expect(outline('razorpay', 'late_captured')).to.deep.equal(['payment.failed 1', ...paid])
    expect(outline('razorpay', 'failed_then_captured')).to.deep.equal([
      'payment.failed 1',
      'payment.authorized 2',
      'payment.captured 2',
      'order.paid 2',
    ])
  })

  it('tell a PayU payment with a new id for each attempt on the txnid', () => {
    expect(outline('payu', 'captured')).to.deep.equal(['captured 1'])
    expect(outline('payu', 'pending_then_captured')).to.deep.equal(['pending 1', 'captured 1'])
    expect(outline('payu', 'authorised_only')).to.deep.equal(['auth 1'])
    const [failed, captured] = outline('payu', 'failed_then_captured')
    expect(failed).to.match(/^(failed|bounced|userCancelled) 1$/)
    expect(captured).to.equal('captured 2')
  })

  it('tell a Stripe payment by its charge and its intent', () => {
    const paid = ['charge.succeeded 1', 'payment_intent.succeeded 1']
    expect(outline('stripe', 'captured')).to.deep.equal(paid)
    expect(outline('stripe', 'failed_then_captured')).to.deep.equal([
      'charge.failed 1',
      'charge.succeeded 2',
      'payment_intent.succeeded 2',
    ])
    expect(outline('stripe', 'authorised_only')).to.deep.equal(['charge.succeeded 1'])
  })

  it('tell what goes back and what is contested after the capture', () => {
    expect(outline('razorpay', 'refunded').slice(3)).to.deep.equal([
      'refund.created 1',
      'refund.processed 1',
    ])
    expect(outline('razorpay', 'dispute_lost').at(-1)).to.equal('payment.dispute.lost 1')
    expect(outline('payu', 'refunded')).to.deep.equal(['captured 1', 'refund 1'])
    expect(outline('payu', 'dispute_won').slice(1)).to.deep.equal([
      'dispute New 1',
      'dispute Closed in Merchant Favour 1',
    ])
    expect(outline('stripe', 'dispute_won').slice(2)).to.deep.equal([
      'charge.dispute.created 1',
      'charge.dispute.funds_withdrawn 1',
      'charge.dispute.funds_reinstated 1',
      'charge.dispute.closed 1',
    ])
  })

  it('end in a settlement of what they come to, but at PayU', () => {
    const settled = { life: 999, owed: 123_456n, stream: 'run 1' }
    const made = (['razorpay', 'payu', 'stripe'] as const).map((gateway) =>
      settlementOf(gateway, settled, { seed: 7, endpoint: endpoints[gateway], now }),
    )
    const [razorpay, payu, stripe] = made
    expect(razorpay?.deliveries.map(({ name }) => name)).to.deep.equal(['settlement.processed'])
    expect(razorpay?.deliveries.every(isSigned)).to.equal(true)
    expect(payu).to.equal(null)
    expect(JSON.stringify(stripe?.deliveries[0]?.truth?.body)).to.include('"amount":-123456')
    const nothing = { ...settled, owed: -1n }
    const none = settlementOf('razorpay', nothing, { seed: 7, endpoint: endpoints.razorpay, now })
    expect(none).to.equal(null)
  })

  it('expect a capture of exactly the lives that end in one, under the id that was told', () => {
    for (const { outcome, amount, played } of lives) {
      const telling = played.deliveries.filter((call) => call.captures)
      expect(played.capture === null).to.equal(['failed', 'authorised_only'].includes(outcome))
      expect(telling.length > 0).to.equal(played.capture !== null)
      for (const call of telling) {
        expect(played.capture).to.include({ amount, gatewayPaymentId: paymentIdOf(call) })
      }
    }
  })

  it('give no payment id and no event id twice', () => {
    const ids = lives.map(({ played }) => new Set(played.deliveries.map(paymentIdOf)))
    const total = ids.reduce((sum, own) => sum + own.size, 0)
    expect(total).to.be.above(lives.length)
    expect(new Set(ids.flatMap((own) => [...own])).size).to.equal(total)
    const events = new Set(razorpayCalls.map((call) => call.headers['x-razorpay-event-id']))
    expect(events.size).to.equal(razorpayCalls.length)
  })
})

describe('the bodies', () => {
  it('break in some Razorpay events when they are parsed and printed again', () => {
    const broken = razorpayCalls.filter(
      ({ body }) => JSON.stringify(JSON.parse(body)) !== body,
    ).length
    expect(broken / razorpayCalls.length).to.be.within(0.4, 0.9)
    expect(razorpayCalls.some(({ body }) => body.includes(String.raw`\/`))).to.equal(true)
    expect(razorpayCalls.some(({ body }) => body.includes(String.raw`\u09`))).to.equal(true)
    expect(razorpayCalls.some(({ body }) => body.includes('"notes":[]'))).to.equal(true)
  })

  it('carry fee and tax only once a Razorpay payment is captured', () => {
    expect(razorpayFee(10_000n)).to.deep.equal({ fee: 236n, tax: 36n })
    expect(razorpayFee(498_800n)).to.deep.equal({ fee: 11_772n, tax: 1796n })
    for (const { body, name } of razorpayCalls) {
      const isCaptured = !['payment.authorized', 'payment.failed'].includes(name)
      expect(/"fee":\d+/.test(body)).to.equal(isCaptured)
      expect(/"tax":\d+/.test(body)).to.equal(isCaptured)
    }
  })

  it('give a PayU form back as it was posted, the amount to the letter', () => {
    const amounts = new Set(payuForms.map(({ body }) => new URLSearchParams(body).get('amount')))
    expect([...amounts]).to.have.members(['501', '501.00'])
    expect(payuForms.every(({ body }) => body.includes('productinfo=Donation+%26+more'))).to.equal(
      true,
    )
  })

  it('have additional charges in some PayU calls, empty ones in others, mostly none', () => {
    const texts = payuCalls.map(({ body }) => new URLSearchParams(body).get('additionalCharges'))
    for (const kind of [null, '', '3.00']) {
      expect(texts).to.include(kind)
    }
  })

  it('say success of a PayU payment that is only authorised', () => {
    const only = payuCalls.find((call) => call.name === 'auth')
    const form = new URLSearchParams(only?.body)
    expect([form.get('status'), form.get('unmappedstatus')]).to.deep.equal(['success', 'auth'])
    expect(JSON.stringify(only?.truth?.body)).to.include('"unmappedstatus":"auth"')
  })
})

describe('the order of the calls', () => {
  const perLife = lives.map(({ played }) => played.deliveries)
  const scheduled = schedule(perLife, shares)
  const genuine = scheduled.filter((call) => call.kind === 'genuine')

  it('is the same for the same seed', () => {
    expect(schedule(perLife, shares)).to.deep.equal(scheduled)
    expect(schedule(perLife, { ...shares, seed: 8 })).to.not.deep.equal(scheduled)
  })

  it('loses no call and has the shares of duplicates and forgeries asked for', () => {
    const count = (kind: Delivery['kind']): number =>
      scheduled.filter((call) => call.kind === kind).length
    expect(genuine).to.have.members(calls)
    expect(count('duplicate')).to.equal(Math.round(calls.length * 0.1))
    expect(count('forged')).to.equal(Math.round(calls.length * 0.02))
  })

  it('repeats the exact bytes and headers in a duplicate', () => {
    for (const call of scheduled.filter(({ kind }) => kind === 'duplicate')) {
      const same = genuine.filter(
        ({ body, headers }) => body === call.body && headers === call.headers,
      )
      expect(same).to.have.length(1)
    }
  })

  it('has no forged call that verifies, in any of the ways to forge', () => {
    const forged = schedule(perLife, { ...shares, badSignatures: 1 }).filter(
      ({ kind }) => kind === 'forged',
    )
    const ways = new Set(forged.map(({ gateway, name }) => `${gateway} ${name.split(', ')[1]}`))
    expect(forged.filter(isSigned)).to.deep.equal([])
    expect(forged.some((call) => call.captures || call.truth !== null)).to.equal(false)
    expect(ways.size).to.equal(13)
  })

  it('keeps the order of each life without reordering, and changes that of some with it', () => {
    const inOrder = schedule(perLife, { ...shares, reorder: 0 }).filter(
      ({ kind }) => kind === 'genuine',
    )
    const turned = (list: readonly Delivery[]): number =>
      perLife.filter((own) => {
        const first = list.filter(({ life }) => life === own[0]?.life)
        return first.some((call, index) => call !== own[index])
      }).length
    expect(turned(inOrder)).to.equal(0)
    expect(turned(genuine)).to.be.above(lives.length / 10)
  })
})
