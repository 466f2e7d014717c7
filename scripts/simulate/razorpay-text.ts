/** Writes JSON in the ways in which Razorpay's webhooks have it. */
import { randomFrom } from './random.ts'

export type Json = string | number | boolean | null | Json[] | { [key: string]: Json }
export type JsonObject = Record<string, Json>

/**
 * The text of an event. Two of three are written as PHP writes JSON (`\/` and `\u0930`) or with
 * sorted keys: parsed and printed again they would have another signature.
 */
export function razorpayText(stream: string, envelope: JsonObject): string {
  return randomFrom(stream).pick([plain, escaped, sorted])(envelope)
}

function plain(value: Json): string {
  return JSON.stringify(value)
}

function escaped(value: Json): string {
  return JSON.stringify(value)
    .replaceAll('/', String.raw`\/`)
    .replaceAll(/[\u0080-\uffff]/g, (unit) => {
      return String.raw`\u` + unit.charCodeAt(0).toString(16).padStart(4, '0')
    })
}

function sorted(value: Json): string {
  return escaped(sortKeys(value))
}

function sortKeys(value: Json): Json {
  if (Array.isArray(value)) {
    return value.map(sortKeys)
  }
  if (value === null || typeof value !== 'object') {
    return value
  }
  const keys = Object.keys(value).sort()
  return Object.fromEntries(keys.map((key) => [key, sortKeys(value[key] ?? null)]))
}
