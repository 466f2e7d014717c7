/** Secrets of 32 random bytes that are shown once: only their hashes are kept. */
import { randomBytes } from 'node:crypto'
import { sha256 } from '../base/crypto.ts'

/** A new secret and what is kept of it; so many random bits need no salt and no slow hash. */
export function newSecret(prefix: string): { secret: string; hash: Buffer } {
  const secret = prefix + randomBytes(32).toString('base64url')
  return { secret, hash: sha256(secret) }
}
