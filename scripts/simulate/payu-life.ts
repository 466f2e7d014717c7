/** A life at PayU as webhook calls: callbacks of payments, hints of refunds, signed disputes. */
import { minorToJson } from '../../src/base/money.ts'
import type { Calls, DeliveryOptions, OpenedDonation } from './deliveries.ts'
import type { Life } from './lives.ts'
import { payuBody, payuTruth, type PayuPayment, type PayuState } from './payu-bodies.ts'
import { payuDisputeCall, payuRefundCall } from './payu-json.ts'
import { digitsFrom } from './random.ts'
import { partOf } from './razorpay-after.ts'

interface Step {
  what: PayuState
  attempt: number
  secondsAgo: number
}

type Call = Calls['deliveries'][number]

export function payuCalls(donation: OpenedDonation, options: DeliveryOptions): Calls {
  const { life, orderRef } = donation
  const steps = stepsOf(life)
  const payments = steps.map((step) => paymentOf(donation, step, options))
  const deliveries = payments.flatMap((payment, index): Call[] => {
    const what = steps[index]?.what ?? 'captured'
    const truth = {
      of: orderRef,
      step: index + 1,
      path: 'payu/know',
      body: { txnid: orderRef, payment: { ...payuTruth(payment, what) } },
    }
    const headers = {
      'content-type': 'application/x-www-form-urlencoded',
      'user-agent': 'PayU-Webhook (bahi simulate)',
    }
    const captures = what === 'captured'
    const body = payuBody(payment, what)
    return [{ name: what, headers, body, signing: null, captures, truth }]
  })
  const last = payments.at(-1)
  if (last === undefined) {
    throw new RangeError('A life has at least one step.')
  }
  const after = afterwards(life, last, steps.length)
  return { deliveries: [...deliveries, ...after], paymentId: last.mihpayid, owed: 0n }
}

function paymentOf(
  { life, orderRef, fields }: OpenedDonation,
  step: Step,
  { seed, endpoint, now }: DeliveryOptions,
): PayuPayment {
  const stream = `${seed}/payment/${life.number}/${orderRef}/${step.attempt}`
  return {
    // PayU's newer ids have eighteen digits.
    mihpayid: `40${digitsFrom(stream, 16)}`,
    txnid: orderRef,
    amount: life.request.amount,
    fields,
    key: endpoint.account,
    salt: endpoint.secret,
    at: new Date(now.getTime() - step.secondsAgo * 1000),
    stream,
  }
}

/** What follows the capture. */
function afterwards(life: Life, payment: PayuPayment, steps: number): Call[] {
  const { key, salt, mihpayid, txnid, at, amount } = payment
  if (life.outcome === 'refunded') {
    const id = digitsFrom(`${payment.stream}/refund`, 11)
    const refund = { id, token: `R${id}`, bankRef: digitsFrom(`${payment.stream}/arn`, 12) }
    const part = partOf(amount)
    const told = { txnid, payment: { ...payuTruth(payment, 'captured') } }
    const refunds = [{ ...refund, amount: minorToJson(part) }]
    const truth = { of: txnid, step: steps + 1, path: 'payu/know', body: { ...told, refunds } }
    const hint = { ...refund, key, mihpayid, txnid, requestId: id, amount: part, arn: null }
    const call = payuRefundCall({ ...hint, status: 'success' })
    return [{ ...call, name: 'refund', signing: null, captures: false, truth }]
  }
  if (life.outcome !== 'dispute_won' && life.outcome !== 'dispute_lost') {
    return []
  }
  const disputeId = digitsFrom(`${payment.stream}/dispute`, 9)
  const end =
    life.outcome === 'dispute_won' ? 'Closed in Merchant Favour' : 'Closed Customer Favour'
  return ['New', end].map((status): Call => {
    const dispute = { key, disputeId, mihpayid, amount, status, type: 'Chargeback', at }
    const call = payuDisputeCall(dispute, salt)
    return { ...call, name: `dispute ${status}`, signing: null, captures: false, truth: null }
  })
}

function stepsOf(life: Life): Step[] {
  const failures = ['failed', 'bounced', 'userCancelled'] as const
  const failed: Step = {
    what: failures[life.number % failures.length] ?? 'failed',
    attempt: 1,
    secondsAgo: 60,
  }
  switch (life.outcome) {
    case 'captured':
    case 'refunded':
    case 'dispute_won':
    case 'dispute_lost':
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
