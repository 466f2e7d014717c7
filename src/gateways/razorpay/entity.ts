/** Reads Razorpay's envelope and the entities in it, believing none of the types in them. */
import { isCurrency } from '../../base/money.ts'
import { Problem } from '../../base/problem.ts'
import type { Fact } from '../fact.ts'
import { isObject, objectAt, parseJson, type JsonObject } from '../json.ts'
import { idOf, textOf } from '../text.ts'

/** An event with what all readers need of it; only its name and its payload are always there. */
export interface Envelope {
  event: string
  account: string
  payload: JsonObject
  /** When the event was made, as it says; a few say it inside the payload. */
  createdAt: unknown
  receivedAt: Date
}

/** What was read, and what a person should know of it. */
export interface Reading {
  facts: Fact[]
  note?: string
}

/** The first second that has a five-digit year; a time in milliseconds lies far behind it. */
const YEAR_10000 = 253_402_300_800

/** Throws `malformed_event` for bytes that are no event, and for one of another account. */
export function envelopeOf(body: Buffer, account: string, receivedAt: Date): Envelope {
  const envelope = parseJson(body.toString('utf8'))
  if (!isObject(envelope)) {
    throw malformed('The body is not a JSON object.')
  }
  const { event, account_id: accountId } = envelope
  if (typeof event !== 'string' || !/^[\x21-\x7e]{1,100}$/.test(event)) {
    throw malformed('The body has no event name.')
  }
  const payload = objectAt(envelope, 'payload')
  if (payload === undefined) {
    throw malformed('The body has no payload.')
  }
  if (accountId !== undefined && accountId !== null && accountId !== account) {
    throw malformed(`The event is of account ${textOf(accountId)}, the endpoint of ${account}.`)
  }
  const createdAt = envelope['created_at'] ?? payload['created_at']
  return { event, account, payload, createdAt, receivedAt }
}

/** The entity of that name in the payload; undefined where there is none. */
export function entityIn(payload: JsonObject, name: string): JsonObject | undefined {
  return objectAt(objectAt(payload, name), 'entity')
}

/** As `entityIn`; throws `malformed_event` where there is none. */
export function entityOf(payload: JsonObject, name: string): JsonObject {
  const entity = entityIn(payload, name)
  if (entity === undefined) {
    throw malformed(`The payload has no ${name}.`)
  }
  return entity
}

/** An id that can be part of a key; throws `malformed_event` for anything else. */
export function idAt(entity: JsonObject, name: string, of: string): string {
  const id = idOf(entity[name])
  if (id === undefined) {
    throw malformed(`The ${of} has no usable ${name}.`)
  }
  return id
}

/** An amount above zero in minor units; throws `malformed_event` for anything else. */
export function amountAt(entity: JsonObject, name = 'amount'): bigint {
  const amount = minorAt(entity, name)
  if (amount === null || amount === 0n) {
    throw malformed(`The ${name} is not a whole number of minor units above zero.`)
  }
  return amount
}

/** Minor units, or null where it is not told; throws `malformed_event` for anything else. */
export function minorAt(entity: JsonObject, name: string): bigint | null {
  const value = entity[name]
  if (value === null || value === undefined) {
    return null
  }
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw malformed(`The ${name} is not a whole number of minor units.`)
  }
  return BigInt(value)
}

/**
 * Razorpay's charge, which contains its tax; null where it does not tell both. Throws
 * `malformed_event` where the tax is larger than the charge.
 */
export function chargeAt(
  entity: JsonObject,
  feeName: 'fee' | 'fees',
): { fee: bigint; tax: bigint } | null {
  const [fee, tax] = [minorAt(entity, feeName), minorAt(entity, 'tax')]
  if (fee === null || tax === null) {
    return null
  }
  if (tax > fee) {
    throw malformed('The tax is larger than the fee that should contain it.')
  }
  return { fee, tax }
}

/** As `chargeAt`; throws `malformed_event` where it is not told. */
export function chargeOf(entity: JsonObject, feeName: 'fee' | 'fees') {
  const charge = chargeAt(entity, feeName)
  if (charge === null) {
    throw malformed(`The ${feeName} or the tax is missing.`)
  }
  return charge
}

export function currencyAt(entity: JsonObject): string {
  const currency = entity['currency']
  if (typeof currency !== 'string' || !isCurrency(currency)) {
    throw malformed(`The currency ${textOf(currency)} is not known here.`)
  }
  return currency
}

/** The first of these times that is told, in seconds; throws `malformed_event` for an odd one. */
export function instantOf(...times: unknown[]): Date {
  const seconds = times.find((time) => time !== undefined && time !== null)
  const usable = typeof seconds === 'number' && Number.isSafeInteger(seconds)
  if (!usable || seconds <= 0 || seconds >= YEAR_10000) {
    throw malformed('The event has no usable created_at (seconds since 1970).')
  }
  return new Date(seconds * 1000)
}

/** A time that may be missing or 0. */
export function instantOrNull(seconds: unknown): Date | null {
  return seconds === undefined || seconds === null || seconds === 0 ? null : instantOf(seconds)
}

/** Text, null for nothing and for the word "null", which stands in some of the samples. */
export function wordAt(entity: JsonObject | undefined, name: string): string | null {
  const text = textOf(entity?.[name])
  return text === 'null' ? null : text
}

/** The first of these names under which there is text. */
export function firstWord(entity: JsonObject | undefined, names: readonly string[]): string | null {
  return names.map((name) => wordAt(entity, name)).find((word) => word !== null) ?? null
}

export function malformed(detail: string): Problem {
  return new Problem('malformed_event', { detail })
}
