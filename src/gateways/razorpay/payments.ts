/** Razorpay's payments: authorised, captured with their fee, failed. */
import type { Fact, PaymentFee } from '../fact.ts'
import { objectAt, type JsonObject } from '../json.ts'
import { textOf } from '../text.ts'
import {
  amountAt,
  chargeAt,
  currencyAt,
  entityIn,
  entityOf,
  firstWord,
  idAt,
  instantOf,
  malformed,
  wordAt,
  type Envelope,
  type Reading,
} from './entity.ts'
import { idOf } from '../text.ts'

export type PaymentState = 'authorized' | 'captured' | 'failed'

const STATUSES = new Set<unknown>(['created', 'authorized', 'captured', 'refunded', 'failed'])

/** What a donor finds on the bank statement, the likeliest first. */
const BANK_REFERENCES = [
  'rrn',
  'bank_transaction_id',
  'utr',
  'upi_transaction_id',
  'auth_code',
] as const

/** Fees are told in the currency that Razorpay settles in, whatever the payer paid in. */
const SETTLED_IN = 'INR'

/**
 * What an event tells of the payment in it. The payment is a snapshot and may be further than the
 * event's name says, but never less far: then nothing is taken from it. Only `status` decides; it
 * agrees with the event's name in every published sample, while `captured` is also seen `true` on
 * failed payments and as the text "1".
 */
export function readPayment(envelope: Envelope, said: PaymentState): Reading {
  const payment = entityOf(envelope.payload, 'payment')
  const status = payment['status']
  if (!STATUSES.has(status)) {
    throw malformed('The status of the payment is not one that Razorpay has.')
  }
  const states = statesOf(said, String(status))
  if (states.length === 0) {
    return { facts: [], note: `The event says ${said}, the payment in it is ${String(status)}.` }
  }
  return { facts: states.flatMap((state) => factsOf(envelope, payment, state)) }
}

/** `refunded` is also what became of an authorised payment that nobody captured. */
function statesOf(said: PaymentState, status: string): PaymentState[] {
  switch (said) {
    case 'captured':
      return status === 'captured' || status === 'refunded' ? ['captured'] : []
    case 'authorized':
      if (status === 'captured') {
        return ['authorized', 'captured']
      }
      return status === 'authorized' || status === 'refunded' ? ['authorized'] : []
    case 'failed':
      // Late authorisation and retries in a UPI app turn a failure into a capture.
      if (status === 'authorized' || status === 'captured') {
        return ['failed', status]
      }
      return status === 'failed' ? ['failed'] : []
    default:
      return said satisfies never
  }
}

function factsOf(envelope: Envelope, payment: JsonObject, state: PaymentState): Fact[] {
  const { account, payload } = envelope
  const id = idAt(payment, 'id', 'payment')
  // Every event of a payment tells when it was made, which is when the payer was debited: whichever
  // is read first, and whoever lists it, it has the same day. A payment may fail more than once.
  const occurredAt =
    state === 'failed'
      ? instantOf(envelope.createdAt, payment['created_at'])
      : instantOf(payment['created_at'], envelope.createdAt)
  const base = {
    gateway: 'razorpay',
    account,
    gatewayPaymentId: id,
    orderRef: orderOf(payment),
    amount: amountAt(payment),
    currency: currencyAt(payment),
    occurredAt,
    method: textOf(payment['method']),
    payer: {
      name: payerNameOf(payload, payment),
      email: textOf(payment['email']),
      phone: textOf(payment['contact']),
    },
  } as const
  const key = `rzp:${account}:pay:${id}`
  switch (state) {
    case 'authorized':
      return [{ ...base, kind: 'payment_authorized', key: `${key}:authorized` }]
    case 'captured':
      return [
        {
          ...base,
          kind: 'payment_captured',
          key: `${key}:captured`,
          bankReference: bankReferenceOf(payload, payment),
          subscriptionRef: idOf(entityIn(payload, 'subscription')?.['id']) ?? null,
        },
        ...feeOf(account, payment, occurredAt),
      ]
    case 'failed': {
      // A payment may fail more than once (UPI retries), and be captured after that.
      const failedKey = `${key}:failed:${occurredAt.getTime() / 1000}`
      return [{ ...base, kind: 'payment_failed', key: failedKey, reason: reasonOf(payment) }]
    }
    default:
      return state satisfies never
  }
}

/** The fee is null until Razorpay has worked it out, even after capture. */
function feeOf(account: string, payment: JsonObject, occurredAt: Date): PaymentFee[] {
  const charge = chargeAt(payment, 'fee')
  return charge === null || payment['currency'] !== SETTLED_IN
    ? []
    : [paymentFee(account, idAt(payment, 'id', 'payment'), charge, occurredAt)]
}

/** The fee of a payment, which the payment itself or a line of its settlement tells. */
export function paymentFee(
  account: string,
  gatewayPaymentId: string,
  charge: { fee: bigint; tax: bigint },
  occurredAt: Date,
): PaymentFee {
  return {
    kind: 'payment_fee',
    key: `rzp:${account}:pay:${gatewayPaymentId}:fee`,
    gateway: 'razorpay',
    account,
    occurredAt,
    gatewayPaymentId,
    currency: SETTLED_IN,
    ...charge,
  }
}

function orderOf(payment: JsonObject): string | null {
  const given = payment['order_id'] ?? null
  return given === null || given === '' ? null : idAt(payment, 'order_id', 'payment')
}

/** A card has a name on it, and a transfer to a virtual account comes from somebody's account. */
function payerNameOf(payload: JsonObject, payment: JsonObject): string | null {
  const from = objectAt(entityIn(payload, 'bank_transfer'), 'payer_bank_account')
  return wordAt(objectAt(payment, 'card'), 'name') ?? wordAt(from, 'name')
}

/**
 * Transfers to a virtual account carry no `acquirer_data`, but the transfer itself is beside it.
 */
function bankReferenceOf(payload: JsonObject, payment: JsonObject): string | null {
  return (
    firstWord(objectAt(payment, 'acquirer_data'), BANK_REFERENCES) ??
    wordAt(entityIn(payload, 'bank_transfer'), 'bank_reference') ??
    wordAt(entityIn(payload, 'upi_transfer'), 'rrn')
  )
}

function reasonOf(payment: JsonObject): string | null {
  return firstWord(payment, ['error_description', 'error_reason', 'error_code'])
}
