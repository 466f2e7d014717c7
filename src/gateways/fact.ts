/** What a gateway says happened, in our words: normalised, immutable, each with its natural key. */

export type GatewayName = 'razorpay' | 'payu' | 'stripe'

export const GATEWAY_NAMES = [
  'razorpay',
  'payu',
  'stripe',
] as const satisfies readonly GatewayName[]

interface FactBase {
  /** Natural key: the same fact told by two events has the same key, so it is recorded once. */
  key: string
  gateway: GatewayName
  /** The merchant account at the gateway; the gateway's ids are unique only inside it. */
  account: string
  /** When it happened at the gateway; the event's own time where the gateway says no more. */
  occurredAt: Date
}

/** Money in minor units of `currency`, always above zero. */
interface Money {
  amount: bigint
  currency: string
}

/** The gateway's charge including tax, and the tax in it: both as it says, never computed. */
interface Charge {
  fee: bigint
  tax: bigint
}

interface PaymentFactBase extends FactBase, Money {
  gatewayPaymentId: string
  /** The order (Razorpay `order_…`, PayU `txnid`, Stripe `pi_…`) that was paid for, if any. */
  orderRef: string | null
  method: string | null
  payer: { name: string | null; email: string | null; phone: string | null }
}

export interface PaymentAuthorized extends PaymentFactBase {
  kind: 'payment_authorized'
}

export interface PaymentCaptured extends PaymentFactBase {
  kind: 'payment_captured'
  /** RRN, UTR, ARN or the bank's own reference: what a donor finds on the bank statement. */
  bankReference: string | null
  /** The subscription that charged it: a recurring gift. */
  subscriptionRef: string | null
}

export interface PaymentFailed extends PaymentFactBase {
  kind: 'payment_failed'
  reason: string | null
}

/** What the gateway takes for a captured payment; it may be told later than the capture. */
export interface PaymentFee extends FactBase, Charge {
  kind: 'payment_fee'
  gatewayPaymentId: string
  currency: string
}

interface RefundFactBase extends FactBase, Money {
  gatewayRefundId: string
  gatewayPaymentId: string
}

/**
 * A refund was begun. Whatever tells of a later step tells this too, so that the books do not
 * depend on which of them comes first.
 */
export interface RefundCreated extends RefundFactBase {
  kind: 'refund_created'
  /** Our own reference where we asked for it, else null. */
  reference: string | null
}

/** The gateway paid it out, to be settled with us. */
export interface RefundProcessed extends RefundFactBase {
  kind: 'refund_processed'
  /** ARN or RRN; often told later, or never. */
  bankReference: string | null
}

/** It did not reach the payer, and the money is ours again. */
export interface RefundFailed extends RefundFactBase {
  kind: 'refund_failed'
  reason: string | null
}

/** The gateway gave back what was only authorised: no money of ours. */
export interface RefundVoided extends RefundFactBase {
  kind: 'refund_voided'
}

export interface RefundFee extends FactBase, Charge {
  kind: 'refund_fee'
  gatewayRefundId: string
  currency: string
}

interface DisputeFactBase extends FactBase, Money {
  gatewayDisputeId: string
  gatewayPaymentId: string
}

/** Somebody contests a payment, or the contest goes on. No money moves by itself. */
export interface DisputeOpened extends DisputeFactBase {
  kind: 'dispute_opened'
  /** chargeback, pre_arbitration, arbitration, fraud, retrieval … in the gateway's words. */
  phase: string | null
  reason: string | null
  /** Evidence is due by then. */
  respondBy: Date | null
}

/** The gateway took the contested money until the dispute is decided. */
export interface DisputeDebited extends DisputeFactBase, Charge {
  kind: 'dispute_debited'
}

/** The gateway gave it back. */
export interface DisputeCredited extends DisputeFactBase, Charge {
  kind: 'dispute_credited'
}

/** The money is gone: taken now, or kept of what was taken when the dispute was opened. */
export interface DisputeLost extends DisputeFactBase {
  kind: 'dispute_lost'
  from: 'clearing' | 'debited'
}

/** Ended without a loss. `amount` is what was contested. */
export interface DisputeWon extends DisputeFactBase {
  kind: 'dispute_won'
}

interface SettlementFactBase extends FactBase, Money {
  gatewaySettlementId: string
}

/** The gateway sent money to the bank. It is there when the bank says so. */
export interface Settled extends SettlementFactBase {
  kind: 'settled'
  utr: string | null
}

/** What was sent came back to the gateway. */
export interface SettlementReturned extends SettlementFactBase {
  kind: 'settlement_returned'
  reason: string | null
}

interface PayoutFactBase extends FactBase, Money, Charge {
  gatewayPayoutId: string
  /** Our own reference where we asked for it, else null. */
  reference: string | null
}

/** A payout that has not moved money: queued, pending, on its way. */
export interface PayoutPending extends PayoutFactBase {
  kind: 'payout_pending'
  state: 'queued' | 'pending' | 'processing'
}

export interface PayoutProcessed extends PayoutFactBase {
  kind: 'payout_processed'
  utr: string | null
}

/** A processed payout came back, days later even: amount, fee and tax. */
export interface PayoutReversed extends PayoutFactBase {
  kind: 'payout_reversed'
  reason: string | null
}

/** It ended without having moved money: failed, rejected, cancelled. */
export interface PayoutFailed extends PayoutFactBase {
  kind: 'payout_failed'
  reason: string | null
}

interface TransferFactBase extends FactBase, Money, Charge {
  gatewayTransferId: string
  /** The linked account that it goes to. */
  recipient: string
  /** What it was made of: a payment, an order, or null. */
  source: string | null
}

/** A part of a payment went to a merchant's linked account. */
export interface TransferProcessed extends TransferFactBase {
  kind: 'transfer_processed'
}

export interface TransferFailed extends TransferFactBase {
  kind: 'transfer_failed'
  reason: string | null
}

/** A part of it, or all, came back. */
export interface TransferReversed extends TransferFactBase {
  kind: 'transfer_reversed'
  gatewayReversalId: string
}

/** A way to pay is disturbed, or well again: for operators. */
export interface Downtime extends FactBase {
  kind: 'downtime'
  downtimeId: string
  method: string
  /** The bank, network or handle that it is about; null for all of the method. */
  instrument: string | null
  severity: string | null
  state: 'started' | 'updated' | 'resolved'
  beganAt: Date
  endedAt: Date | null
}

export type PaymentFact = PaymentAuthorized | PaymentCaptured | PaymentFailed
export type RefundFact = RefundCreated | RefundProcessed | RefundFailed | RefundVoided
export type FeeFact = PaymentFee | RefundFee
export type DisputeFact =
  DisputeOpened | DisputeDebited | DisputeCredited | DisputeLost | DisputeWon
export type SettlementFact = Settled | SettlementReturned
export type PayoutFact = PayoutPending | PayoutProcessed | PayoutReversed | PayoutFailed
export type TransferFact = TransferProcessed | TransferFailed | TransferReversed

export type Fact =
  | PaymentFact
  | FeeFact
  | RefundFact
  | DisputeFact
  | SettlementFact
  | PayoutFact
  | TransferFact
  | Downtime

export type FactKind = Fact['kind']
