/** What is kept of Stripe's answers as evidence, and the balance transactions in it. */
import type { Confirmation } from '../gateway.ts'
import { isObject, objectAt, parseJson, type JsonObject } from '../json.ts'
import { idOf, textOf } from '../text.ts'
import { currencyOf, fromStripe, malformed } from './amounts.ts'
import { instantOf } from './event.ts'

/** The member of an object's metadata in which our own reference stands. */
export const REFERENCE = 'bahi_reference'

/**
 * Members that are kept, wherever they stand in an answer: what decides and what proves. Names,
 * addresses and cards stay with Stripe.
 */
const KEPT = new Set([
  'id',
  'object',
  'amount',
  'amount_captured',
  'amount_refunded',
  'arrival_date',
  'automatic',
  'balance_transaction',
  'balance_transactions',
  'capture_method',
  'captured',
  'card',
  'case_type',
  'charge',
  'code',
  'created',
  'currency',
  'data',
  'destination_details',
  'due_by',
  'evidence_details',
  'exchange_rate',
  'failure_balance_transaction',
  'failure_code',
  'failure_message',
  'failure_reason',
  'fee',
  'fee_details',
  'has_more',
  'invoice',
  'last_payment_error',
  'latest_charge',
  'livemode',
  'message',
  'metadata',
  'net',
  'payment_intent',
  'payment_method_details',
  'reason',
  'reconciliation_status',
  'reference',
  'reference_status',
  'refunds',
  'reporting_category',
  'status',
  'subscription',
  'trace_id',
  'type',
  'value',
  REFERENCE,
])

/** The evidence of an answer about `path`; undefined stands for Stripe's "there is none". */
export function confirmationOf(path: string, answer: JsonObject | undefined): Confirmation {
  return answer === undefined
    ? { ref: path, missing: 'true' }
    : { ref: path, object: JSON.stringify(keptOf(answer)) }
}

function keptOf(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.map(keptOf)
  }
  if (!isObject(value)) {
    return value
  }
  const members = Object.entries(value).filter(([name]) => KEPT.has(name))
  return Object.fromEntries(members.map(([name, member]) => [name, keptOf(member)]))
}

/**
 * The object that Stripe confirmed. Throws `malformed_event` where there is none, or where it is of
 * the other mode (live, test) than the event.
 */
export function objectIn(
  confirmation: Confirmation,
  path: string,
  livemode: boolean | null,
): JsonObject {
  if (confirmation['ref'] !== path) {
    throw malformed(`The answer is about ${textOf(confirmation['ref']) ?? 'nothing'}, not ${path}.`)
  }
  if (confirmation['missing'] !== undefined) {
    throw malformed(`Stripe knows no ${path} with the key of this account.`)
  }
  const object = parseJson(confirmation['object'] ?? '')
  if (!isObject(object) || object['id'] !== path.slice(path.indexOf('/') + 1)) {
    throw malformed(`Stripe's answer about ${path} cannot be read.`)
  }
  if (livemode !== null && typeof object['livemode'] === 'boolean') {
    if (object['livemode'] !== livemode) {
      const of = livemode ? 'live' : 'test'
      throw malformed(`The event is of ${of} mode, the key of this account is of the other.`)
    }
  }
  return object
}

/** One movement on our balance at Stripe: immutable, and what our books follow. */
export interface BalanceTransaction {
  id: string
  /** Minor units; below zero what Stripe takes. */
  amount: bigint
  /** Stripe's charge, tax included, and the tax in it; below zero what is given back. */
  fee: bigint
  tax: bigint
  currency: string
  created: Date
}

/**
 * The balance transaction under a name; null where there is none yet. Throws `malformed_event`
 * where its parts do not make its sum, or where it was not expanded.
 */
export function movementIn(parent: JsonObject, name: string): BalanceTransaction | null {
  return (parent[name] ?? null) === null ? null : movementOf(parent[name])
}

export function movementOf(value: unknown): BalanceTransaction {
  const id = isObject(value) ? idOf(value['id']) : undefined
  if (!isObject(value) || id === undefined) {
    throw malformed('A balance transaction is not there in full.')
  }
  const currency = currencyOf(value['currency'])
  const amount = fromStripe(value['amount'], currency)
  const fee = fromStripe(value['fee'], currency)
  const tax = taxIn(value, id, currency, fee)
  if (fromStripe(value['net'], currency) !== amount - fee) {
    throw malformed(`The amount of ${id} less its fee is not its net.`)
  }
  return { id, amount, fee, tax, currency, created: instantOf(value['created']) }
}

/** What `fee_details` call tax; they must make up the fee. */
function taxIn(value: JsonObject, id: string, currency: string, fee: bigint): bigint {
  const details = Array.isArray(value['fee_details']) ? value['fee_details'] : []
  let [sum, tax] = [0n, 0n]
  for (const detail of details) {
    const part = isObject(detail) ? fromStripe(detail['amount'], currency) : 0n
    sum += part
    tax += isObject(detail) && detail['type'] === 'tax' ? part : 0n
  }
  if (sum !== fee) {
    throw malformed(`The fee of ${id} is not the sum of its parts.`)
  }
  if (tax !== 0n && (tax > 0n ? tax > fee : tax < fee)) {
    throw malformed(`The tax in the fee of ${id} is larger than the fee.`)
  }
  return tax
}

/** An id under a name, whether or not the object was expanded; null where there is none. */
export function idAt(parent: JsonObject, name: string): string | null {
  const value = parent[name]
  return idOf(isObject(value) ? value['id'] : value) ?? null
}

/** Our own reference in the metadata of an object. */
export function referenceIn(object: JsonObject | undefined): string | null {
  return idOf(objectAt(object, 'metadata')?.[REFERENCE]) ?? null
}
