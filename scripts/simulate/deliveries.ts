/** From an opened donation to the webhook calls of its payment life, in the order they happen. */
import type { Life, SimulatedGateway } from './lives.ts'
import { payuBody, payuTruth, type PayuState, type PayuTruth } from './payu-bodies.ts'
import { digitsFrom, idFrom } from './random.ts'
import { razorpayBody, type RazorpayEventName } from './razorpay-bodies.ts'
import type { Endpoint } from './running.ts'
import { razorpaySignature } from './sign.ts'

/** A donation as the service opened it. */
export interface OpenedDonation {
  life: Life
  donationId: string
  /** Razorpay `order_…`, PayU `txnid`. */
  orderRef: string
  /** PayU: the fields of the checkout form, which the callback gives back. */
  fields: Readonly<Record<string, string>>
}

/** One webhook call. */
export interface Delivery {
  /** Which life it belongs to: its number in the plan. */
  life: number
  gateway: SimulatedGateway
  /** For messages: the event and, where something is wrong with it on purpose, what. */
  name: string
  kind: 'genuine' | 'duplicate' | 'forged'
  headers: Readonly<Record<string, string>>
  body: string
  /** True where the call tells that the money was captured. */
  captures: boolean
  /** What PayU itself knows by the time of this call; `step` counts up within the life. */
  truth: { step: number; payment: PayuTruth } | null
}

/** A payment that the books must show as captured in the end. */
export interface ExpectedCapture {
  donationId: string
  gateway: SimulatedGateway
  gatewayPaymentId: string
  /** Paise. */
  amount: bigint
}

/** The calls of one life, and the capture it ends in, if it ends in one. */
export interface PlayedLife {
  deliveries: Delivery[]
  capture: ExpectedCapture | null
}

export interface DeliveryOptions {
  seed: number
  endpoint: Endpoint
  /** The instant of the life's last event; earlier ones lie up to two minutes before. */
  now: Date
}

/** One event at the gateway: which attempt it belongs to and how long before `now` it happened. */
interface Step<What> {
  what: What
  attempt: number
  secondsAgo: number
}

/**
 * Pure. The ids of payments and events follow from the seed, the life and the order: playing the
 * same seed again on the same service makes new payments, as no gateway gives an id twice.
 */
export function deliveriesOf(donation: OpenedDonation, options: DeliveryOptions): PlayedLife {
  return donation.life.request.gateway === 'razorpay'
    ? razorpayLife(donation, options)
    : payuLife(donation, options)
}

function razorpayLife(donation: OpenedDonation, options: DeliveryOptions): PlayedLife {
  const { life, orderRef } = donation
  const { request } = life
  let capture: ExpectedCapture | null = null
  const deliveries = razorpaySteps(life).map((step, index): Delivery => {
    const stream = streamOf(donation, options.seed, step.attempt)
    const id = `pay_${idFrom(stream)}`
    const createdAt = Math.floor(options.now.getTime() / 1000) - step.secondsAgo
    const body = razorpayBody({
      name: step.what,
      account: options.endpoint.account,
      payment: {
        id,
        orderId: orderRef,
        amount: request.amount,
        donor: request.donor,
        fund: request.fund,
        attempt: step.attempt,
        // All events of an attempt carry the time at which the attempt began.
        createdAt: Math.floor(options.now.getTime() / 1000) - (step.attempt === 1 ? 100 : 40),
        stream,
      },
      createdAt,
    })
    const captures = step.what === 'payment.captured' || step.what === 'order.paid'
    if (captures) {
      capture = expected(donation, id)
    }
    return {
      life: life.number,
      gateway: 'razorpay',
      name: step.what,
      kind: 'genuine',
      headers: {
        'content-type': 'application/json',
        'user-agent': 'Razorpay-Webhook/v1 (bahi simulate)',
        'x-razorpay-event-id': idFrom(`${stream}/event/${index}`),
        'x-razorpay-signature': razorpaySignature(body, options.endpoint.secret),
      },
      body,
      captures,
      truth: null,
    }
  })
  return { deliveries, capture }
}

function payuLife(donation: OpenedDonation, options: DeliveryOptions): PlayedLife {
  const { life, orderRef, fields } = donation
  let capture: ExpectedCapture | null = null
  const deliveries = payuSteps(life).map((step, index): Delivery => {
    const stream = streamOf(donation, options.seed, step.attempt)
    const payment = {
      // PayU's newer ids have eighteen digits.
      mihpayid: `40${digitsFrom(stream, 16)}`,
      txnid: orderRef,
      amount: life.request.amount,
      fields,
      key: options.endpoint.account,
      salt: options.endpoint.secret,
      at: new Date(options.now.getTime() - step.secondsAgo * 1000),
      stream,
    }
    const captures = step.what === 'captured'
    if (captures) {
      capture = expected(donation, payment.mihpayid)
    }
    return {
      life: life.number,
      gateway: 'payu',
      name: step.what,
      kind: 'genuine',
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        'user-agent': 'PayU-Webhook (bahi simulate)',
      },
      body: payuBody(payment, step.what),
      captures,
      truth: { step: index + 1, payment: payuTruth(payment, step.what) },
    }
  })
  return { deliveries, capture }
}

function razorpaySteps(life: Life): Step<RazorpayEventName>[] {
  const paid = (attempt: number): Step<RazorpayEventName>[] => [
    { what: 'payment.authorized', attempt, secondsAgo: 3 },
    { what: 'payment.captured', attempt, secondsAgo: 1 },
    { what: 'order.paid', attempt, secondsAgo: 0 },
  ]
  const failed: Step<RazorpayEventName> = { what: 'payment.failed', attempt: 1, secondsAgo: 60 }
  switch (life.outcome) {
    case 'captured':
      return paid(1)
    case 'failed_then_captured':
      return [failed, ...paid(2)]
    case 'late_captured':
      return [failed, ...paid(1)]
    case 'failed':
      return [failed]
    case 'pending_then_captured':
    case 'authorised_only':
      throw new RangeError(`Razorpay has no life that ends ${life.outcome}.`)
  }
}

function payuSteps(life: Life): Step<PayuState>[] {
  const failures = ['failed', 'bounced', 'userCancelled'] as const
  const failed: Step<PayuState> = {
    what: failures[life.number % failures.length] ?? 'failed',
    attempt: 1,
    secondsAgo: 60,
  }
  switch (life.outcome) {
    case 'captured':
      return [{ what: 'captured', attempt: 1, secondsAgo: 0 }]
    case 'failed_then_captured':
      return [failed, { what: 'captured', attempt: 2, secondsAgo: 0 }]
    case 'pending_then_captured':
      return [
        { what: 'pending', attempt: 1, secondsAgo: 60 },
        { what: 'captured', attempt: 1, secondsAgo: 0 },
      ]
    case 'authorised_only':
      return [{ what: 'auth', attempt: 1, secondsAgo: 0 }]
    case 'failed':
      return [failed]
    case 'late_captured':
      throw new RangeError('PayU has no life that ends late_captured.')
  }
}

function streamOf(donation: OpenedDonation, seed: number, attempt: number): string {
  return `${seed}/payment/${donation.life.number}/${donation.orderRef}/${attempt}`
}

function expected(donation: OpenedDonation, gatewayPaymentId: string): ExpectedCapture {
  const { gateway, amount } = donation.life.request
  return { donationId: donation.donationId, gateway, gatewayPaymentId, amount }
}
