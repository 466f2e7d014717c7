/** The hash chain: each record's hash covers the one before it and the record's own fields. */
import { sha256 } from '../base/crypto.ts'

/** The hash before the first record of a chain. */
export const GENESIS: Buffer = Buffer.alloc(32)

/** A field and its text; the order is part of the encoding. */
export type Field = readonly [name: string, text: string]

/**
 * Canonical bytes of named fields in the given order: `name=length:text` and a line feed each, the
 * length in UTF-8 bytes. No text can be mistaken for another field. `version` tags the layout.
 */
export function encodeFields(version: string, fields: readonly Field[]): Buffer {
  let text = `${version}\n`
  for (const [name, value] of fields) {
    text += `${name}=${Buffer.byteLength(value)}:${value}\n`
  }
  return Buffer.from(text)
}

/** SHA-256 over the previous hash (32 bytes) and the encoded record. */
export function nextHash(previous: Buffer, encoded: Buffer): Buffer {
  return sha256(Buffer.concat([previous, encoded]))
}
