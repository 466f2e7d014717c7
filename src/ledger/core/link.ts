/** The journal's hash chain: each entry's hash covers the one before it and the entry itself. */
import { encodeFields } from '../../audit/chain.ts'
import { sha256 } from '../../base/crypto.ts'

/**
 * The hash before an organisation's first entry. It covers the slug, so that no entry can be passed
 * off as another organisation's, and the layout's version.
 */
export function genesisOf(organisation: string): Buffer {
  return sha256(encodeFields('bahi/journal/1', [['organisation', organisation]]))
}

/**
 * SHA-256 over 80 bytes: the previous hash (32), the fingerprint of the entry's content (32,
 * `encodeDraft`), its number and the millisecond since 1970 of its posting (8 each, big-endian,
 * signed). `post_entries()` in the database computes the same.
 */
export function linkHash(
  previous: Buffer,
  entry: { fingerprint: Buffer; entryNo: bigint; postedAt: Date },
): Buffer {
  const header = Buffer.allocUnsafe(16)
  header.writeBigInt64BE(entry.entryNo, 0)
  header.writeBigInt64BE(BigInt(entry.postedAt.getTime()), 8)
  return sha256(Buffer.concat([previous, entry.fingerprint, header]))
}
