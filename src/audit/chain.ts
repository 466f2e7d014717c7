/** The canonical encoding that hashes cover: named fields in a fixed order, never printed JSON. */

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
