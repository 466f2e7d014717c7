/**
 * Bodies for the tests: synthetic ones of our own, and the gateways' printed samples if at hand.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const OWN = join(import.meta.dirname, '../fixtures')
const SHARED = join(import.meta.dirname, '../../../shared/fixtures')

/** A synthetic body as text. */
export function ownText(name: string): string {
  return readFileSync(join(OWN, name), 'utf8')
}

/** A synthetic body as a JSON object, new on every call. */
export function own(name: string): Record<string, unknown> {
  return JSON.parse(ownText(name)) as Record<string, unknown>
}

/** A synthetic PayU callback with some fields changed. */
export function payuFields(
  name: 'success' | 'failure' | 'pending',
  changes: Readonly<Record<string, string>> = {},
): Record<string, string> {
  return { ...(own(`payu/payment.${name}.json`) as Record<string, string>), ...changes }
}

/** A synthetic Razorpay event with some fields of its payment, or of the envelope, changed. */
export function razorpayEvent(
  name: string,
  payment: Readonly<Record<string, unknown>> = {},
  envelope: Readonly<Record<string, unknown>> = {},
): object {
  const event = own(`razorpay/${name}.json`)
  const payload = event['payload'] as { payment: { entity: object } }
  const entity = { ...payload.payment.entity, ...payment }
  return { ...event, payload: { ...payload, payment: { entity } }, ...envelope }
}

/** The printed samples in a folder of ../shared/fixtures; undefined where it is not there. */
export function samples(folder: string): { name: string; text: string }[] | undefined {
  const path = join(SHARED, folder)
  if (!existsSync(path)) {
    return undefined
  }
  const names = readdirSync(path).sort()
  return names.map((name) => ({ name, text: readFileSync(join(path, name), 'utf8') }))
}
