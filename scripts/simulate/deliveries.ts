/** From an opened donation to the webhook calls of its payment life, in the order they happen. */
import { endsCaptured, type Life, type SimulatedGateway } from './lives.ts'
import { payuCalls } from './payu-life.ts'
import type { Json } from './razorpay-text.ts'
import { razorpayCalls, razorpaySettlement } from './razorpay-life.ts'
import type { Endpoint } from './running.ts'
import { stripeCalls, stripePayout } from './stripe-life.ts'

/** A donation as the service opened it. */
export interface OpenedDonation {
  life: Life
  donationId: string
  /** Razorpay `order_…`, PayU `txnid`, for Stripe our own reference. */
  orderRef: string
  /** PayU: the fields of the checkout form, which the callback gives back. */
  fields: Readonly<Record<string, string>>
}

/** What a gateway itself knows by the time of a call: a call of the test gateways' control. */
export interface Truth {
  /** What it is about: of that, a later step is told after an earlier one and never before. */
  of: string
  /** Counts up. */
  step: number
  /** Behind `/_test/`. */
  path: string
  body: Json
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
  /**
   * Stripe signs when it sends: with which secret, what, and how many seconds ago it says that it
   * did. Null for a signature that stands in the headers or the body already.
   */
  signing: { secret: string; body: string; secondsAgo: number } | null
  /** True where the call tells that the money was captured. */
  captures: boolean
  truth: Truth | null
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
  /** What of it the gateway owes in the end, in paise; below zero where it took more. */
  owed: bigint
}

export interface DeliveryOptions {
  seed: number
  endpoint: Endpoint
  /** The instant of the life's last event; earlier ones lie up to two minutes before. */
  now: Date
}

/** What a gateway makes of a life: its calls, and the payment that was captured in the end. */
export interface Calls {
  deliveries: Omit<Delivery, 'life' | 'gateway' | 'kind'>[]
  paymentId: string
  owed: bigint
}

const CALLS: Readonly<
  Record<SimulatedGateway, (donation: OpenedDonation, options: DeliveryOptions) => Calls>
> = { razorpay: razorpayCalls, payu: payuCalls, stripe: stripeCalls }

/**
 * Pure. The ids of payments and events follow from the seed, the life and the order: playing the
 * same seed again on the same service makes new payments, as no gateway gives an id twice.
 */
export function deliveriesOf(donation: OpenedDonation, options: DeliveryOptions): PlayedLife {
  const { life, donationId } = donation
  const { gateway, amount } = life.request
  const { deliveries, paymentId, owed } = CALLS[gateway](donation, options)
  const capture = { donationId, gateway, gatewayPaymentId: paymentId, amount }
  return {
    deliveries: deliveries.map((call) => ({
      ...call,
      life: life.number,
      gateway,
      kind: 'genuine',
    })),
    capture: endsCaptured(life.outcome) ? capture : null,
    owed,
  }
}

/**
 * What all lives of a gateway come to, sent to the bank; `stream` is the run's own. Null where it
 * comes to nothing, and for PayU, which tells of settlements only when it is asked.
 */
export function settlementOf(
  gateway: SimulatedGateway,
  settled: { life: number; owed: bigint; stream: string },
  options: DeliveryOptions,
): PlayedLife | null {
  const { life, owed, stream } = settled
  if (owed <= 0n || gateway === 'payu') {
    return null
  }
  const make = gateway === 'razorpay' ? razorpaySettlement : stripePayout
  const call = make(owed, stream, options)
  return { deliveries: [{ ...call, life, gateway, kind: 'genuine' }], capture: null, owed: 0n }
}
