/** What follows a capture at Razorpay: refunds, disputes, the settlement of it all. */
import { minorToJson } from '../../src/base/money.ts'
import { digitsFrom, idFrom } from './random.ts'
import { razorpayText, type JsonObject } from './razorpay-text.ts'

interface Paid {
  id: string
  amount: bigint
  stream: string
}

/** A part of a payment that goes back: a third, in whole paise. */
export function partOf(amount: bigint): bigint {
  return amount / 3n
}

export function refundEntity(payment: Paid, name: string, createdAt: number): JsonObject {
  const isDone = name === 'refund.processed'
  return {
    id: `rfnd_${idFrom(`${payment.stream}/refund`)}`,
    entity: 'refund',
    amount: minorToJson(partOf(payment.amount)),
    currency: 'INR',
    payment_id: payment.id,
    notes: [],
    receipt: null,
    acquirer_data: { arn: isDone ? digitsFrom(`${payment.stream}/arn`, 12) : null },
    created_at: createdAt,
    batch_id: null,
    status: isDone ? 'processed' : 'pending',
    speed_processed: 'normal',
    speed_requested: 'normal',
  }
}

export function disputeEntity(payment: Paid, name: string, createdAt: number): JsonObject {
  const amount = minorToJson(payment.amount)
  const state = { 'payment.dispute.won': 'won', 'payment.dispute.lost': 'lost' }[name] ?? 'open'
  return {
    id: `disp_${idFrom(`${payment.stream}/dispute`)}`,
    entity: 'dispute',
    payment_id: payment.id,
    amount,
    currency: 'INR',
    amount_deducted: state === 'lost' ? amount : 0,
    reason_code: 'chargeback_unauthorised',
    respond_by: createdAt + 604_800,
    status: state,
    phase: 'chargeback',
    created_at: createdAt,
  }
}

/** That everything of the run is sent to the bank. */
export function razorpaySettled(settled: {
  account: string
  stream: string
  /** Paise. */
  amount: bigint
  createdAt: number
}): string {
  const settlement: JsonObject = {
    id: `setl_${idFrom(settled.stream)}`,
    entity: 'settlement',
    amount: minorToJson(settled.amount),
    status: 'processed',
    fees: 0,
    tax: 0,
    utr: `BAHIN${digitsFrom(settled.stream, 12)}`,
    created_at: settled.createdAt,
  }
  return razorpayText(settled.stream, {
    entity: 'event',
    account_id: settled.account,
    event: 'settlement.processed',
    contains: ['settlement'],
    payload: { settlement: { entity: settlement } },
    created_at: settled.createdAt,
  })
}
