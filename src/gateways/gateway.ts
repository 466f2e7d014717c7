/** All that a payment gateway has to be able to do, and what it may be able to do besides. */
import type { CallOptions } from '../base/calls-out.ts'
import type {
  CaptureCall,
  Lists,
  OrderCall,
  PaymentCalls,
  PayoutCalls,
  RefundCalls,
  TransferCalls,
} from './asked.ts'
import type { Fact, GatewayName } from './fact.ts'

export type { CallOptions } from '../base/calls-out.ts'

/** A webhook call as it came in: the bytes are untouched. */
export interface RawWebhook {
  body: Buffer
  contentType: string
  /** Lower-case names. */
  headers: Readonly<Record<string, string>>
  receivedAt: Date
}

/** A webhook as it is stored, or what a gateway told when it was asked, in the same form. */
export interface StoredWebhook {
  body: Buffer
  contentType: string
  receivedAt: Date
  /** The secret that signed it; null where nobody vouches for it. */
  signedBy: string | null
}

/** A secret that was valid for the endpoint when the call came in. */
export interface WebhookSecret {
  secretId: string
  value: string
}

export interface VerifiedWebhook {
  /**
   * Which of the endpoint's secrets signed it; null for a hint, which this gateway does not sign:
   * it is stored, and nothing is posted from it but what the gateway confirms.
   */
  secretId: string | null
  /** The gateway's own id of the event, where it has one. Few signatures cover it. */
  gatewayEventId: string | null
}

/** Our merchant account at a gateway, with the key that signs our own calls. */
export interface GatewayAccount {
  gateway: GatewayName
  /** Razorpay `acc_…`, PayU merchant key, Stripe `acct_…`. */
  account: string
  keyId: string
  keySecret: string
  apiUrl: string
}

/** What of the contract with the gateway changes how its events are read. */
export interface AccountTerms {
  /** Contested money is taken when the dispute begins, not when it is lost (PayU). */
  disputesDebitedUpfront: boolean
}

export const USUAL_TERMS: AccountTerms = { disputesDebitedUpfront: false }

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
    | { gateway: 'stripe'; url: string }
}

/** What a stored event asks us to confirm with the gateway before we believe it. */
export interface ConfirmationRequest {
  /** The question, in the gateway's own way of writing it; its answer is found under it. */
  ref: string
}

/** What reading a stored event gives. */
export interface GatewayEvent {
  /** The gateway's name of the event, for lists and counters. */
  type: string
  /** Empty where the event is none of ours: it is kept as ignored. */
  facts: Fact[]
  /** What a person should know of it: why nothing, or not all, was taken from it. */
  note?: string
}

/** What every gateway has; the calls further down only where the gateway has them. */
export interface Gateway
  extends
    Partial<PaymentCalls>,
    Partial<OrderCall>,
    Partial<RefundCalls>,
    Partial<CaptureCall>,
    Partial<PayoutCalls>,
    Partial<TransferCalls> {
  readonly name: GatewayName
  /**
   * Throws `bad_signature` unless one of the secrets signed these bytes, or they are of a kind that
   * the gateway never signs; never returns false.
   */
  verify(webhook: RawWebhook, account: string, secrets: readonly WebhookSecret[]): VerifiedWebhook
  /**
   * Whether an event goes before others: what moves money does. Known by a look at the bytes where
   * the gateway writes the event's name, because every webhook pays for it; it decides nothing but
   * the order, and what has no name there is taken for money. Without it all of them are.
   */
  isMoney?(body: Buffer): boolean
  /** What is to be confirmed before `read`, or null where the signature is enough. */
  needsConfirmation(webhook: StoredWebhook): ConfirmationRequest | null
  /**
   * Asks the gateway up to 20 questions; answers are keyed by `ref`, and what it did not answer is
   * left out. Throws where it answered nothing.
   */
  confirm(
    account: GatewayAccount,
    refs: readonly string[],
    options: CallOptions,
  ): Promise<ReadonlyMap<string, Confirmation>>
  /** Pure. Throws `malformed_event` where the bytes cannot be understood. */
  read(
    webhook: StoredWebhook,
    account: string,
    confirmation: Confirmation | null,
    terms?: AccountTerms,
  ): GatewayEvent
  createOrder(account: GatewayAccount, order: NewOrder, options: CallOptions): Promise<GatewayOrder>
  /** The gateway's own lists by time, where it has them. */
  readonly list?: Lists
}

/** The gateway's own answer about one thing, stored beside the event as evidence (JSON). */
export type Confirmation = Readonly<Record<string, string>>
