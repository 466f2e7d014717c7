/** What gateways tell besides payments, as facts made by hand. */
import type {
  DisputeFact,
  Downtime,
  PaymentFee,
  PayoutFact,
  RefundCreated,
  RefundFact,
  RefundFailed,
  RefundFee,
  RefundProcessed,
  Settled,
  SettlementReturned,
  TransferFact,
} from '../../src/gateways/fact.ts'
import { ACCOUNT, NOON } from '../donations/facts.ts'

const GATEWAY = 'razorpay' as const

export const minutes = (count: number): Date => new Date(NOON.getTime() + count * 60_000)

function base(key: string, at: Date) {
  return { gateway: GATEWAY, account: ACCOUNT, key: `rzp:${ACCOUNT}:${key}`, occurredAt: at }
}

export function paymentFee(
  payment: string,
  charge: { fee?: bigint; tax?: bigint; at?: Date } = {},
): PaymentFee {
  const { fee = 1180n, tax = 180n, at = NOON } = charge
  const fact = base(`pay:${payment}:fee`, at)
  return { ...fact, kind: 'payment_fee', gatewayPaymentId: payment, currency: 'INR', fee, tax }
}

export interface ToldRefund {
  refund: string
  payment: string
  amount?: bigint
  currency?: string
  at?: Date
}

function refundBase(told: ToldRefund, step: string) {
  return {
    ...base(`rfnd:${told.refund}:${step}`, told.at ?? NOON),
    gatewayRefundId: told.refund,
    gatewayPaymentId: told.payment,
    amount: told.amount ?? 10_000n,
    currency: told.currency ?? 'INR',
  }
}

export function refundCreated(told: ToldRefund, reference: string | null = null): RefundCreated {
  return { ...refundBase(told, 'created'), kind: 'refund_created', reference }
}

export function refundProcessed(told: ToldRefund, arn: string | null = null): RefundProcessed {
  return { ...refundBase(told, 'processed'), kind: 'refund_processed', bankReference: arn }
}

export function refundFailed(told: ToldRefund): RefundFailed {
  return { ...refundBase(told, 'failed'), kind: 'refund_failed', reason: 'Account closed' }
}

export function refundVoided(told: ToldRefund): RefundFact {
  return { ...refundBase(told, 'void'), kind: 'refund_voided' }
}

export function refundFee(refund: string, fee = 590n, tax = 90n): RefundFee {
  const fact = base(`rfnd:${refund}:fee`, NOON)
  return { ...fact, kind: 'refund_fee', gatewayRefundId: refund, currency: 'INR', fee, tax }
}

export interface ToldDispute {
  dispute: string
  payment: string
  amount?: bigint
  at?: Date
}

function disputeBase(told: ToldDispute, step: string) {
  return {
    ...base(`disp:${told.dispute}:${step}`, told.at ?? NOON),
    gatewayDisputeId: told.dispute,
    gatewayPaymentId: told.payment,
    amount: told.amount ?? 20_000n,
    currency: 'INR',
  }
}

export function disputeOpened(
  told: ToldDispute,
  more: { phase?: string; respondBy?: Date } = {},
): DisputeFact {
  const { phase = 'chargeback', respondBy = minutes(10_000) } = more
  const fact = disputeBase(told, 'opened')
  return { ...fact, kind: 'dispute_opened', phase, reason: 'not received', respondBy }
}

export function disputeMoved(
  kind: 'dispute_debited' | 'dispute_credited',
  told: ToldDispute,
  charge = { fee: 1500n, tax: 0n },
): DisputeFact {
  return { ...disputeBase(told, kind), kind, ...charge }
}

export function disputeLost(
  told: ToldDispute,
  from: 'clearing' | 'debited' = 'clearing',
): DisputeFact {
  return { ...disputeBase(told, 'lost'), kind: 'dispute_lost', from }
}

export function disputeWon(told: ToldDispute): DisputeFact {
  return { ...disputeBase(told, 'won'), kind: 'dispute_won' }
}

export interface ToldAmount {
  id: string
  amount?: bigint
  at?: Date
}

function settlementBase(told: ToldAmount, step: string) {
  return {
    ...base(`setl:${told.id}:${step}`, told.at ?? NOON),
    gatewaySettlementId: told.id,
    amount: told.amount ?? 30_000n,
    currency: 'INR',
  }
}

export function settled(told: ToldAmount, utr: string | null = 'UTR1'): Settled {
  return { ...settlementBase(told, 'processed'), kind: 'settled', utr }
}

export function settlementReturned(told: ToldAmount): SettlementReturned {
  const reason = 'Account closed'
  return { ...settlementBase(told, 'returned'), kind: 'settlement_returned', reason }
}

function payoutBase(told: ToldAmount, step: string, charge: { fee: bigint; tax: bigint }) {
  return {
    ...base(`pout:${told.id}:${step}`, told.at ?? NOON),
    gatewayPayoutId: told.id,
    amount: told.amount ?? 40_000n,
    currency: 'INR',
    reference: null,
    ...charge,
  }
}

const FREE = { fee: 0n, tax: 0n }
const CHARGED = { fee: 590n, tax: 90n }

export function payoutPending(
  told: ToldAmount,
  state: 'queued' | 'pending' | 'processing',
): PayoutFact {
  return { ...payoutBase(told, state, FREE), kind: 'payout_pending', state }
}

export function payoutProcessed(told: ToldAmount): PayoutFact {
  return { ...payoutBase(told, 'processed', CHARGED), kind: 'payout_processed', utr: 'UTR9' }
}

export function payoutReversed(told: ToldAmount): PayoutFact {
  const reason = 'Account closed'
  return { ...payoutBase(told, 'reversed', CHARGED), kind: 'payout_reversed', reason }
}

export function payoutFailed(told: ToldAmount): PayoutFact {
  return { ...payoutBase(told, 'failed', FREE), kind: 'payout_failed', reason: 'Rejected' }
}

function transferBase(told: ToldAmount, key: string) {
  return {
    ...base(key, told.at ?? NOON),
    gatewayTransferId: told.id,
    recipient: 'acc_WEAVER',
    source: 'pay_1',
    amount: told.amount ?? 15_000n,
    currency: 'INR',
  }
}

export function transferProcessed(told: ToldAmount): TransferFact {
  const charge = { fee: 296n, tax: 46n }
  return {
    ...transferBase(told, `trf:${told.id}:processed`),
    kind: 'transfer_processed',
    ...charge,
  }
}

export function transferFailed(told: ToldAmount): TransferFact {
  const fact = transferBase(told, `trf:${told.id}:failed`)
  return { ...fact, kind: 'transfer_failed', ...FREE, reason: 'On hold' }
}

export function transferReversed(told: ToldAmount, reversal: string): TransferFact {
  const fact = transferBase(told, `rvrsl:${reversal}`)
  return { ...fact, kind: 'transfer_reversed', ...FREE, gatewayReversalId: reversal }
}

export function downtime(
  state: Downtime['state'],
  more: { id?: string; at?: Date; severity?: string } = {},
): Downtime {
  const { id = 'down_1', at = NOON, severity = 'high' } = more
  return {
    ...base(`down:${id}:${state}:${at.getTime()}`, at),
    kind: 'downtime',
    downtimeId: id,
    method: 'upi',
    instrument: 'HDFC',
    severity,
    state,
    beganAt: NOON,
    endedAt: state === 'resolved' ? at : null,
  }
}
