/** Finds an encrypted id again without opening any: a keyed hash of it beside the encrypted one. */
import { createHmac, hkdfSync } from 'node:crypto'
import type { Keyring } from './crypto.ts'

/** A keyed hash, and the id of the data key that its own key is derived from. */
export interface BlindIndex {
  keyId: string
  hash: Buffer
}

/** Derived once: what seals must not also hash. */
const derived = new WeakMap<Buffer, Buffer>()

function keyFor(dataKey: Buffer): Buffer {
  const known = derived.get(dataKey)
  if (known !== undefined) {
    return known
  }
  const made = Buffer.from(hkdfSync('sha256', dataKey, '', 'bahi/blind-index/1', 32))
  derived.set(dataKey, made)
  return made
}

/**
 * HMAC-SHA-256 of a normalised value, by the key that seals now. `context` (the organisation, the
 * kind of id) keeps equal values of different contexts apart.
 */
export function blindIndex(keyring: Keyring, context: string, value: string): BlindIndex {
  const keyId = keyring.sealWith
  const hash = hashBy(keyring.keys.get(keyId), context, value)
  return { keyId, hash }
}

/** The hashes by every key, the newest and those before it: rows may stand under any of them. */
export function blindIndexes(keyring: Keyring, context: string, value: string): Buffer[] {
  return [...keyring.keys.values()].map((key) => hashBy(key, context, value))
}

function hashBy(dataKey: Buffer | undefined, context: string, value: string): Buffer {
  if (dataKey === undefined) {
    throw new Error('the keyring lacks the key that seals')
  }
  return createHmac('sha256', keyFor(dataKey))
    .update(JSON.stringify([context, value]))
    .digest()
}
