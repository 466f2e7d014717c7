/** What a gateway says happened, in our words: normalised, immutable, each with its natural key. */

export type GatewayName = 'razorpay' | 'payu'

export const GATEWAY_NAMES = ['razorpay', 'payu'] as const satisfies readonly GatewayName[]

interface PaymentFactBase {
  /** Natural key: the same fact told by two events has the same key, so it is recorded once. */
  key: string
  gateway: GatewayName
  /** The merchant account at the gateway; the gateway's ids are unique only inside it. */
  account: string
  gatewayPaymentId: string
  /** The order (Razorpay `order_…`, PayU `txnid`) that the payment was made for, if any. */
  orderRef: string | null
  /** Minor units of `currency`, always above zero. */
  amount: bigint
  currency: string
  /** When it happened at the gateway; the event's own time where the gateway says no more. */
  occurredAt: Date
  method: string | null
  payer: { name: string | null; email: string | null; phone: string | null }
}

export interface PaymentAuthorized extends PaymentFactBase {
  kind: 'payment_authorized'
}

export interface PaymentCaptured extends PaymentFactBase {
  kind: 'payment_captured'
  /** The gateway's charge including tax, and the tax in it; null until the gateway tells. */
  fee: bigint | null
  tax: bigint | null
  /** RRN, UTR, ARN or the bank's own reference: what a donor finds on the bank statement. */
  bankReference: string | null
}

export interface PaymentFailed extends PaymentFactBase {
  kind: 'payment_failed'
  reason: string | null
}

export type Fact = PaymentAuthorized | PaymentCaptured | PaymentFailed
