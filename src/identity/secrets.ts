/** Secrets that are shown once: only hashes are kept; a stamp tells those that were made here. */
import { createHmac, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto'
import { sha256 } from '../base/crypto.ts'

/** A new secret and what is kept of it; so many random bits need no salt and no slow hash. */
export function newSecret(prefix: string): { secret: string; hash: Buffer } {
  const secret = prefix + randomBytes(32).toString('base64url')
  return { secret, hash: sha256(secret) }
}

const RANDOM_BYTES = 24
const STAMP_BYTES = 8
const STAMPED = /^([\w-]*_)([\w-]{43})$/

/** Derived once for each secret: what signs tokens must not also stamp. */
const derived = new Map<string, Buffer>()

function stampKey(jwtSecret: string): Buffer {
  const known = derived.get(jwtSecret)
  if (known !== undefined) {
    return known
  }
  const made = Buffer.from(hkdfSync('sha256', jwtSecret, '', 'bahi/stamp/1', 32))
  derived.set(jwtSecret, made)
  return made
}

function stampOf(prefix: string, random: Uint8Array, jwtSecret: string): Buffer {
  const mac = createHmac('sha256', stampKey(jwtSecret)).update(prefix).update(random).digest()
  return mac.subarray(0, STAMP_BYTES)
}

/**
 * The same of 192 random bits and a stamp. The stamp opens nothing: it tells what was made here
 * from what somebody guessed, before anything is looked up; until JWT_SECRET is another one.
 */
export function newStampedSecret(
  prefix: string,
  jwtSecret: string,
): { secret: string; hash: Buffer } {
  const random = randomBytes(RANDOM_BYTES)
  const bytes = Buffer.concat([random, stampOf(prefix, random, jwtSecret)])
  const secret = prefix + bytes.toString('base64url')
  return { secret, hash: sha256(secret) }
}

/** Whether a text has the stamp of a secret that was made here. */
export function isStamped(text: string, jwtSecret: string): boolean {
  const [, prefix, encoded] = STAMPED.exec(text) ?? []
  if (prefix === undefined || encoded === undefined) {
    return false
  }
  const bytes = Buffer.from(encoded, 'base64url')
  const stamp = stampOf(prefix, bytes.subarray(0, RANDOM_BYTES), jwtSecret)
  return timingSafeEqual(bytes.subarray(RANDOM_BYTES), stamp)
}
