/** What gateways can be asked for beyond an order: payments, refunds, captures, lists by time. */
import type { CallOptions, Confirmation, GatewayAccount, StoredWebhook } from './gateway.ts'
import type { JsonObject } from './json.ts'

/**
 * What the gateway told of one thing when it was asked: an event that `read` understands, so that
 * it goes the way of the webhooks, and evidence as they are.
 */
export interface Told {
  /** The gateway's id of the payment, refund, dispute, settlement or line. */
  id: string
  event: StoredWebhook
  /** To be stored beside it: the gateway vouches for what it answers. */
  confirmation: Confirmation | null
}

export interface Capture {
  gatewayPaymentId: string
  /** Minor units; all that was authorised. */
  amount: bigint
  currency: string
  /** Our own, 10 to 23 characters of [A-Za-z0-9_-]; the same one again changes nothing. */
  reference: string
}

export interface CaptureAnswer {
  state: 'captured' | 'pending'
  told: Told | null
}

export interface CaptureCall {
  /**
   * Captures what was authorised; safe to repeat. Throws `gateway_refused` (`moved: 'no'`), and
   * `gateway_unavailable` with `moved: 'unknown'` where nobody can know: then ask for the payment.
   */
  capture(account: GatewayAccount, capture: Capture, options: CallOptions): Promise<CaptureAnswer>
}

/** Names a payment; a gateway asks by the one that it knows payments by. */
export interface PaymentRef {
  gatewayPaymentId: string
  orderRef: string | null
}

export interface PaymentCalls {
  /** What the gateway says of one payment now; null where it knows none. */
  fetchPayment(
    account: GatewayAccount,
    payment: PaymentRef,
    options: CallOptions,
  ): Promise<Told | null>
}

export interface OrderCall {
  /** What the gateway says of the payments for an order; none where nobody tried to pay. */
  fetchOrder(account: GatewayAccount, orderRef: string, options: CallOptions): Promise<Told[]>
}

export interface NewRefund {
  gatewayPaymentId: string
  /** Minor units, at most what is left of the payment. */
  amount: bigint
  currency: string
  /**
   * Our own reference, unique, 10 to 23 characters of [A-Za-z0-9_-]: with it the gateway knows a
   * repetition and pays once.
   */
  reference: string
  /** `instant` where the gateway can, for a fee. */
  speed: 'normal' | 'instant'
}

export interface RefundAnswer {
  /** Null where the gateway gave none yet. */
  gatewayRefundId: string | null
  state: 'pending' | 'processed' | 'failed'
  told: Told | null
}

export interface RefundCalls {
  /**
   * Gives money back; the same reference again never does it twice. Throws `gateway_refused`
   * (`moved: 'no'`), and `gateway_unavailable` with `moved: 'unknown'` where nobody can know: then
   * `findRefund` is asked.
   */
  refund(account: GatewayAccount, refund: NewRefund, options: CallOptions): Promise<RefundAnswer>
  /** The refund that was asked for under that reference; null where the gateway knows none. */
  findRefund(
    account: GatewayAccount,
    refund: { gatewayPaymentId: string; reference: string },
    options: CallOptions,
  ): Promise<RefundAnswer | null>
  /** What the gateway says of one refund now; null where it knows none. */
  fetchRefund(
    account: GatewayAccount,
    gatewayRefundId: string,
    options: CallOptions,
  ): Promise<Told | null>
}

export const PAYOUT_MODES = ['IMPS', 'NEFT', 'RTGS', 'UPI'] as const

export type PayoutMode = (typeof PAYOUT_MODES)[number]

/** Whom a payout goes to. */
export type Beneficiary =
  | { type: 'bank_account'; name: string; account_number: string; ifsc: string }
  | { type: 'vpa'; name: string; address: string }

export interface NewPayout {
  /** The account at the gateway that it is paid from. */
  fromAccount: string
  /** Minor units. */
  amount: bigint
  currency: string
  mode: PayoutMode
  purpose: string
  /** What stands on the bank statement: at most 30 of [A-Za-z0-9 ]. */
  narration: string
  beneficiary: Beneficiary
  /** Our own, unique, 10 to 23 characters of [A-Za-z0-9_-]: with it the gateway pays once. */
  reference: string
}

export interface PayoutAnswer {
  gatewayPayoutId: string
  state: 'pending' | 'processed' | 'reversed' | 'failed'
  told: Told
}

export interface PayoutCalls {
  /**
   * Pays out of the balance at the gateway; the same reference again never does it twice. Throws as
   * `refund` does; then `findPayout` is asked.
   */
  payout(account: GatewayAccount, payout: NewPayout, options: CallOptions): Promise<PayoutAnswer>
  /** The payout that was asked for under that reference; null where the gateway knows none. */
  findPayout(
    account: GatewayAccount,
    payout: { fromAccount: string; reference: string },
    options: CallOptions,
  ): Promise<PayoutAnswer | null>
}

export interface NewTransfer {
  gatewayPaymentId: string
  /** The merchant's own account at the gateway. */
  recipient: string
  /** Minor units. */
  amount: bigint
  currency: string
  /** Our own, 10 to 23 characters of [A-Za-z0-9_-]: by it the transfer is found again. */
  reference: string
}

export interface TransferAnswer {
  gatewayTransferId: string
  state: 'pending' | 'processed' | 'failed'
  told: Told | null
}

export interface TransferCalls {
  /**
   * Passes a part of a payment on. A second call transfers a second time: where nobody knows what
   * became of the first, `findTransfer` is asked.
   */
  transfer(
    account: GatewayAccount,
    transfer: NewTransfer,
    options: CallOptions,
  ): Promise<TransferAnswer>
  /** The transfer that carries that reference; null where the gateway knows none. */
  findTransfer(
    account: GatewayAccount,
    transfer: { gatewayPaymentId: string; reference: string },
    options: CallOptions,
  ): Promise<TransferAnswer | null>
}

/** From the first instant to before the second. */
export interface TimeRange {
  from: Date
  to: Date
}

export interface Page<Item> {
  items: Item[]
  /** Rows that could not be read: a person looks at them, and the others go on. */
  unreadable: { id: string | null; reason: string }[]
  /** What to ask for next; null where this was the last page. */
  next: string | null
}

export type ListCall<Item> = (
  account: GatewayAccount,
  range: TimeRange,
  /** What the page before gave as `next`; null for the first. */
  cursor: string | null,
  options: CallOptions,
) => Promise<Page<Item>>

/** One line of a settlement, in minor units, as the gateway says it. */
export interface SettlementLine {
  settlementId: string
  utr: string | null
  /** payment, refund, transfer, adjustment … in the gateway's words: unknown ones are shown. */
  type: string
  /** The gateway's id of what the line is about. */
  entityId: string
  gatewayPaymentId: string | null
  gatewayDisputeId: string | null
  orderRef: string | null
  currency: string
  amount: bigint
  /** The gateway's charge with tax in it, and the tax. */
  fee: bigint
  tax: bigint
  /** What it adds to the settlement, and what it takes away: one of them is 0. */
  credit: bigint
  debit: bigint
  settledAt: Date | null
  description: string | null
  /** What the line tells our books, such as a fee; null where there is nothing to tell. */
  told: Told | null
}

/** A line of a settlement with what the gateway says of the settlement itself, where it does. */
export interface SettlementRow {
  line: JsonObject
  settlement: JsonObject
}

/** Each by the time at which it was made; absent where the gateway has no such list. */
export interface Lists {
  readonly payments?: ListCall<Told>
  readonly refunds?: ListCall<Told>
  readonly disputes?: ListCall<Told>
  readonly settlements?: ListCall<Told>
  /** By the day of the settlement. */
  readonly settlementLines?: ListCall<SettlementLine>
  /** The same lines as the gateway writes them, whatever they say: for the reconciliation. */
  readonly settlementRows?: ListCall<SettlementRow>
}
