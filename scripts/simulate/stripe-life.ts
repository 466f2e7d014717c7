/** A life at Stripe as webhook calls, each with what Stripe knows when it is asked about it. */
import { minorToJson } from '../../src/base/money.ts'
import type { Calls, DeliveryOptions, OpenedDonation } from './deliveries.ts'
import type { Entity } from './gateways/wire.ts'
import {
  chargeObject,
  disputeObject,
  intentObject,
  movementObject,
  payoutObject,
  refundObject,
  usualCharge,
} from './gateways/stripe/objects.ts'
import { endsCaptured, type Life } from './lives.ts'
import { idFrom } from './random.ts'
import { partOf } from './razorpay-after.ts'

type Call = Calls['deliveries'][number]

const DISPUTE_FEE = 1500

/** An event, and what there is at Stripe from then on. */
interface Step {
  type: string
  object: Entity
  known: Entity[]
}

export function stripeCalls(donation: OpenedDonation, options: DeliveryOptions): Calls {
  const { life, orderRef } = donation
  const stream = `${options.seed}/payment/${life.number}/${orderRef}`
  const at = Math.floor(options.now.getTime() / 1000)
  const steps = stepsOf(life, orderRef, stream, at)
  const known = new Map<string, Entity>()
  let paymentId = ''
  const deliveries = steps.map((step, index): Call => {
    // Whichever event comes first, Stripe knows everything that led to it.
    for (const object of step.known) {
      known.set(object.id, object)
    }
    paymentId = step.object['object'] === 'charge' ? step.object.id : paymentId
    const objects = [...known.values()]
    const truth = { of: orderRef, step: index + 1, path: 'stripe/know', body: { objects } }
    const captures = step.type === 'charge.succeeded' && step.object['captured'] === true
    return { ...callOf(step, `${stream}/event/${index}`, at, options), captures, truth }
  })
  return { deliveries, paymentId, owed: owedOf(life) }
}

/** That the balance went to the bank. */
export function stripePayout(amount: bigint, stream: string, options: DeliveryOptions): Call {
  const at = Math.floor(options.now.getTime() / 1000)
  const made = { ...payoutObject(minorToJson(amount), 'inr', at), id: `po_${idFrom(stream)}` }
  const trace_id = { status: 'supported', value: `BAHIS${idFrom(stream).toUpperCase()}` }
  const moved = { source: made.id, amount: -minorToJson(amount), fee: 0, tax: 0, at }
  const txn: Entity = {
    ...movementObject({ ...moved, type: 'payout', category: 'payout', currency: 'inr' }),
    id: `txn_${idFrom(stream)}`,
  }
  const destination = `ba_${idFrom(stream)}`
  const payout: Entity = { ...made, destination, trace_id, balance_transaction: txn.id }
  const step = { type: 'payout.paid', object: payout, known: [txn, payout] }
  const body = { objects: step.known }
  const truth = { of: payout.id, step: 1, path: 'stripe/know', body }
  return { ...callOf(step, `${stream}/event`, at, options), captures: false, truth }
}

function callOf(
  { type, object }: Step,
  stream: string,
  at: number,
  { endpoint }: DeliveryOptions,
): Omit<Call, 'captures' | 'truth'> {
  const body = JSON.stringify({
    id: `evt_${idFrom(stream)}`,
    object: 'event',
    api_version: '2020-08-27',
    created: at,
    data: { object },
    livemode: false,
    pending_webhooks: 1,
    request: { id: null, idempotency_key: null },
    type,
  })
  return {
    name: type,
    headers: { 'content-type': 'application/json; charset=utf-8', 'user-agent': 'Stripe/1.0' },
    body,
    signing: { secret: endpoint.secret, body, secondsAgo: 0 },
  }
}

function owedOf({ outcome, request }: Life): bigint {
  if (!endsCaptured(outcome)) {
    return 0n
  }
  const { amount } = request
  const net = amount - BigInt(usualCharge(minorToJson(amount)).fee)
  switch (outcome) {
    case 'refunded':
      return net - partOf(amount)
    case 'dispute_lost':
      return net - amount - BigInt(DISPUTE_FEE)
    default:
      return net
  }
}

function stepsOf(life: Life, orderRef: string, stream: string, at: number): Step[] {
  const intent = (attempt: number): Entity => {
    const wanted = {
      amount: minorToJson(life.request.amount),
      currency: 'inr',
      metadata: { bahi_reference: orderRef },
      description: 'Donation',
      isManual: life.outcome === 'authorised_only',
      at: at - 100,
    }
    const id = `pi_${idFrom(stream)}`
    const latest_charge = `ch_${idFrom(`${stream}/${attempt}`)}`
    return { ...intentObject(wanted), id, client_secret: null, latest_charge }
  }
  const charge = (attempt: number): Entity => {
    const id = `ch_${idFrom(`${stream}/${attempt}`)}`
    return { ...chargeObject(intent(attempt), at - (attempt === 1 ? 60 : 0)), id }
  }
  const declined = (): Step => {
    const failure = { failure_code: 'card_declined', failure_message: 'Your card was declined.' }
    const object: Entity = { ...charge(1), ...failure, paid: false, status: 'failed' }
    return { type: 'charge.failed', object, known: [intent(1), object] }
  }
  const paid = (attempt: number): Step[] => {
    const amount = minorToJson(life.request.amount)
    const txn = movement(`${stream}/txn`, charge(attempt), amount, usualCharge(amount), at)
    const money = { amount_captured: amount, balance_transaction: txn.id, captured: true }
    const object: Entity = { ...charge(attempt), ...money }
    const done: Entity = { ...intent(attempt), status: 'succeeded', amount_received: amount }
    return [
      { type: 'charge.succeeded', object, known: [txn, object, done] },
      { type: 'payment_intent.succeeded', object: done, known: [] },
    ]
  }
  switch (life.outcome) {
    case 'captured':
      return paid(1)
    case 'failed_then_captured':
      return [declined(), ...paid(2)]
    case 'failed':
      return [declined()]
    case 'authorised_only': {
      const waiting: Entity = { ...intent(1), status: 'requires_capture' }
      return [{ type: 'charge.succeeded', object: charge(1), known: [waiting, charge(1)] }]
    }
    case 'refunded':
      return [...paid(1), ...refundSteps(life, charge(1), stream, at)]
    case 'dispute_won':
    case 'dispute_lost':
      return [...paid(1), ...disputeSteps(life, charge(1), stream, at)]
    case 'late_captured':
    case 'pending_then_captured':
      throw new RangeError(`Stripe has no life that ends ${life.outcome}.`)
  }
}

function refundSteps(life: Life, charge: Entity, stream: string, at: number): Step[] {
  const amount = minorToJson(partOf(life.request.amount))
  const made = refundObject({ charge, amount, metadata: {}, reason: null, at })
  const id = `re_${idFrom(stream)}`
  const txn = movement(`${stream}/refund`, { ...made, id }, -amount, NO_CHARGE, at)
  const object: Entity = { ...made, id, balance_transaction: txn.id, status: 'succeeded' }
  return [
    { type: 'refund.created', object, known: [txn, object] },
    { type: 'refund.updated', object, known: [] },
  ]
}

function disputeSteps(life: Life, charge: Entity, stream: string, at: number): Step[] {
  const amount = minorToJson(life.request.amount)
  const id = `du_${idFrom(stream)}`
  const made = { ...disputeObject(charge, amount, at), id }
  const charged = { fee: DISPUTE_FEE, tax: 0 }
  const taken = movement(`${stream}/taken`, made, -amount, charged, at)
  const opened: Entity = { ...made, balance_transactions: [taken.id] }
  const steps: Step[] = [
    { type: 'charge.dispute.created', object: opened, known: [taken, opened] },
    { type: 'charge.dispute.funds_withdrawn', object: opened, known: [] },
  ]
  if (life.outcome === 'dispute_lost') {
    const lost: Entity = { ...opened, status: 'lost' }
    return [...steps, { type: 'charge.dispute.closed', object: lost, known: [lost] }]
  }
  const back = movement(`${stream}/back`, made, amount, { fee: -DISPUTE_FEE, tax: 0 }, at + 1)
  const won: Entity = { ...opened, balance_transactions: [taken.id, back.id], status: 'won' }
  return [
    ...steps,
    { type: 'charge.dispute.funds_reinstated', object: won, known: [back, won] },
    { type: 'charge.dispute.closed', object: won, known: [] },
  ]
}

const NO_CHARGE = { fee: 0, tax: 0 }

const KINDS = {
  charge: ['charge', 'charge'],
  refund: ['refund', 'refund'],
  dispute: ['adjustment', 'dispute'],
} as const

function movement(
  stream: string,
  of: Entity,
  amount: number,
  charged: { fee: number; tax: number },
  at: number,
): Entity {
  const kind = of['object'] === 'refund' || of['object'] === 'dispute' ? of['object'] : 'charge'
  const [type, category] = KINDS[kind]
  const moved = { source: of.id, amount, ...charged, currency: 'inr', at }
  return { ...movementObject({ ...moved, type, category }), id: `txn_${idFrom(stream)}` }
}
