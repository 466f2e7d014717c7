/** All that a payment gateway has to be able to do; each one is a file with this silhouette. */
import type { Fact, GatewayName } from './fact.ts'

/** A webhook call as it came in: the bytes are untouched. */
export interface RawWebhook {
  body: Buffer
  contentType: string
  /** Lower-case names. */
  headers: Readonly<Record<string, string>>
}

/** A secret that was valid for the endpoint when the call came in. */
export interface WebhookSecret {
  secretId: string
  value: string
}

export interface VerifiedWebhook {
  /** Which of the endpoint's secrets signed it. */
  secretId: string
  /** The gateway's own id of the event, where it has one. It is not covered by the signature. */
  gatewayEventId: string | null
}

/** Our merchant account at a gateway, with the key that signs our own calls. */
export interface GatewayAccount {
  gateway: GatewayName
  /** Razorpay `acc_…`, PayU merchant key. */
  account: string
  keyId: string
  keySecret: string
  apiUrl: string
}

export interface NewOrder {
  /** Our own reference, unique, at most 25 characters of [A-Za-z0-9]. */
  reference: string
  /** Minor units. */
  amount: bigint
  currency: string
  description: string
  payer: { name: string; email: string; phone: string | null }
  /** Where the donor's browser returns to. */
  returnUrl: string
}

/** What the checkout page needs to take the donor to the gateway. */
export interface GatewayOrder {
  orderRef: string
  checkout:
    | { gateway: 'razorpay'; keyId: string; orderId: string; amount: number; currency: string }
    | { gateway: 'payu'; action: string; fields: Record<string, string> }
}

/** Which payment a stored event asks us to confirm with the gateway before we believe it. */
export interface ConfirmationRequest {
  orderRef: string
  gatewayPaymentId: string
}

/** What reading a stored event gives. */
export interface GatewayEvent {
  /** The gateway's name of the event, for lists and counters. */
  type: string
  /** Empty where the event is none of ours: it is kept as ignored. */
  facts: Fact[]
}

export interface CallOptions {
  /** Aborts the call; every call out has a limit. */
  signal: AbortSignal
}

export interface Gateway {
  readonly name: GatewayName
  /** Throws `bad_signature` unless one of the secrets signed these bytes; never returns false. */
  verify(webhook: RawWebhook, account: string, secrets: readonly WebhookSecret[]): VerifiedWebhook
  /** Names the payment to be confirmed before `read`, or null where the signature is enough. */
  needsConfirmation(webhook: RawWebhook): ConfirmationRequest | null
  /** Asks the gateway about up to 20 payments; answers are keyed by order reference. */
  confirm(
    account: GatewayAccount,
    orderRefs: readonly string[],
    options: CallOptions,
  ): Promise<ReadonlyMap<string, Confirmation>>
  /** Pure. Throws `malformed_event` where the bytes cannot be understood. */
  read(webhook: RawWebhook, account: string, confirmation: Confirmation | null): GatewayEvent
  createOrder(account: GatewayAccount, order: NewOrder, options: CallOptions): Promise<GatewayOrder>
}

/** The gateway's own answer about one payment, stored beside the event as evidence (JSON). */
export type Confirmation = Readonly<Record<string, string>>
