/** A life at Razorpay as webhook calls. */
import type { Calls, DeliveryOptions, OpenedDonation } from './deliveries.ts'
import { endsCaptured, type Life } from './lives.ts'
import { idFrom } from './random.ts'
import { partOf, razorpaySettled } from './razorpay-after.ts'
import {
  razorpayBody,
  razorpayFee,
  razorpayPayment,
  type RazorpayEventName,
} from './razorpay-bodies.ts'
import { razorpaySignature } from './sign.ts'

/** One event: which attempt it belongs to and how long before `now` it happened. */
interface Step {
  what: RazorpayEventName
  attempt: number
  secondsAgo: number
}

type Call = Calls['deliveries'][number]

export function razorpayCalls(donation: OpenedDonation, options: DeliveryOptions): Calls {
  const { life, orderRef } = donation
  const { request } = life
  const { account, secret } = options.endpoint
  const now = Math.floor(options.now.getTime() / 1000)
  let paymentId = ''
  const deliveries = stepsOf(life).map((step, index): Call => {
    const stream = `${options.seed}/payment/${life.number}/${orderRef}/${step.attempt}`
    const payment = {
      id: `pay_${idFrom(stream)}`,
      orderId: orderRef,
      amount: request.amount,
      donor: request.donor,
      fund: request.fund,
      attempt: step.attempt,
      // All events of an attempt carry the time at which the attempt began.
      createdAt: now - (step.attempt === 1 ? 100 : 40),
      stream,
    }
    paymentId = payment.id
    const createdAt = now - step.secondsAgo
    const body = razorpayBody({ name: step.what, account, payment, createdAt })
    const known = razorpayPayment(payment, step.what)
    return {
      ...signed(step.what, body, `${stream}/event/${index}`, secret),
      captures: step.what === 'payment.captured' || step.what === 'order.paid',
      truth: { of: orderRef, step: index + 1, path: 'razorpay/know', body: known },
    }
  })
  return { deliveries, paymentId, owed: owedOf(life) }
}

/** What remains of a captured payment when fee, refund and lost dispute are taken off. */
function owedOf({ outcome, request: { amount } }: Life): bigint {
  if (!endsCaptured(outcome)) {
    return 0n
  }
  const net = amount - razorpayFee(amount).fee
  switch (outcome) {
    case 'refunded':
      return net - partOf(amount)
    case 'dispute_lost':
      return net - amount
    default:
      return net
  }
}

export function razorpaySettlement(
  amount: bigint,
  stream: string,
  { endpoint, now }: DeliveryOptions,
): Call {
  const createdAt = Math.floor(now.getTime() / 1000)
  const body = razorpaySettled({ account: endpoint.account, stream, amount, createdAt })
  const call = signed('settlement.processed', body, `${stream}/event`, endpoint.secret)
  return { ...call, captures: false, truth: null }
}

function signed(name: string, body: string, stream: string, secret: string) {
  return {
    name,
    headers: {
      'content-type': 'application/json',
      'user-agent': 'Razorpay-Webhook/v1 (bahi simulate)',
      'x-razorpay-event-id': idFrom(stream),
      'x-razorpay-signature': razorpaySignature(body, secret),
    },
    body,
    signing: null,
  }
}

function stepsOf(life: Life): Step[] {
  const step = (what: RazorpayEventName, secondsAgo: number, attempt = 1): Step => {
    return { what, attempt, secondsAgo }
  }
  const paid = (attempt = 1): Step[] => [
    step('payment.authorized', 3, attempt),
    step('payment.captured', 1, attempt),
    step('order.paid', 0, attempt),
  ]
  const failed = step('payment.failed', 60)
  switch (life.outcome) {
    case 'captured':
      return paid()
    case 'failed_then_captured':
      return [failed, ...paid(2)]
    case 'late_captured':
      return [failed, ...paid()]
    case 'failed':
      return [failed]
    case 'refunded':
      return [...paid(), step('refund.created', 0), step('refund.processed', 0)]
    case 'dispute_won':
      return [...paid(), step('payment.dispute.created', 0), step('payment.dispute.won', 0)]
    case 'dispute_lost':
      return [...paid(), step('payment.dispute.created', 0), step('payment.dispute.lost', 0)]
    case 'pending_then_captured':
    case 'authorised_only':
      throw new RangeError(`Razorpay has no life that ends ${life.outcome}.`)
  }
}
