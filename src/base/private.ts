/** What may be written down of anything: no secrets, no personal ids, whatever holds them. */
import { withoutAadhaar } from './aadhaar.ts'

const HIDDEN = '[hidden]'

/** Words of a name whose value is never written down. */
const SECRET_WORDS = new Set([
  'secret',
  'secrets',
  'password',
  'passwords',
  'passphrase',
  'token',
  'tokens',
  'key',
  'keys',
  'salt',
  'otp',
  'authorization',
  'cookie',
  'cookies',
  'credential',
  'credentials',
  'signature',
  'hash',
  'cvv',
  'pan',
  'aadhaar',
  'passport',
  'taxid',
])

/** Names are asked about again and again, and there are few. */
const known = new Map<string, boolean>()
const KNOWN_MAX = 5000

/** True for names such as `client_secret` and `taxId`; not for `key_id`, which is no secret. */
export function isSecretName(name: string): boolean {
  const found = known.get(name)
  if (found !== undefined) {
    return found
  }
  // `keySecret` and `key_secret` are the words key and secret.
  const words = name
    .slice(0, 200)
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .split(/[^a-z0-9]+/)
  const is = words.some((word, place) => {
    const isId = words[place + 1] === 'id'
    return (SECRET_WORDS.has(word) && !isId) || (word === 'tax' && isId)
  })
  if (known.size < KNOWN_MAX) {
    known.set(name, is)
  }
  return is
}

/** A PAN wherever it stands in a text. */
const PAN = /\b([A-Z]{3})[ABCFGHJLPT][A-Z]\d{4}[A-Z]\b/gi

/** The text without PANs and Aadhaar numbers: three letters or four digits of each are left. */
export function withoutIds(text: string): string {
  return withoutAadhaar(text.replaceAll(PAN, '$1•••••••'))
}

const JSON_STRING = /"(?:[^"\\]|\\.)*"/g

/** JSON without personal ids in its texts; a number in it is an amount, and stays a number. */
export function jsonWithoutIds(json: string): string {
  return json.replaceAll(JSON_STRING, withoutIds)
}

const DEPTH_MAX = 8

/** The same without the values of secret names, at any depth; what is deeper than 8 is hidden. */
export function withoutSecrets(value: unknown, depth = 0): unknown {
  if (typeof value !== 'object' || value === null || value instanceof Date) {
    return value
  }
  // Errors have a serializer of their own; bytes are never for reading.
  if (value instanceof Error) {
    return value
  }
  if (depth === DEPTH_MAX || ArrayBuffer.isView(value)) {
    return HIDDEN
  }
  if (Array.isArray(value)) {
    return value.map((one) => withoutSecrets(one, depth + 1))
  }
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => [
      name,
      isSecretName(name) && one !== null ? HIDDEN : withoutSecrets(one, depth + 1),
    ]),
  )
}
