/** What texts in a request may be: names, reasons and metadata that are kept and printed. */
import { z } from 'zod'
import { METADATA_BYTES_MAX, metadataBytes } from '../ledger/core/entry.ts'

/** No control characters and no line breaks, written so that every language reads it alike. */
const CONTROLS = '\\u0000-\\u001f\\u007f-\\u009f\\u2028\\u2029\\ud800-\\udfff'
const ONE_LINE = new RegExp(`^[^${CONTROLS}]*$`, 'u')

/** One line of text without control characters; a line break in a name forges what follows it. */
export const line = (most: number) =>
  z
    .string()
    .trim()
    .min(1, 'must not be empty')
    .max(most, `must have at most ${most} characters`)
    .regex(ONE_LINE, 'must be one line without control characters')
    // In the contract it also begins with what is no space, because spaces around are taken off.
    .meta({ pattern: `^[^\\s${CONTROLS}][^${CONTROLS}]*$` })

const KEYS_MAX = 50

/** What the database takes as metadata, whatever letters it is written in. */
export function isKept(given: Readonly<Record<string, string>>): boolean {
  return metadataBytes(given) <= METADATA_BYTES_MAX
}

export const NOT_KEPT = `must have at most ${METADATA_BYTES_MAX} bytes as JSON in UTF-8`

/** Texts by name: up to 50 of up to 500 characters, and 32,768 bytes of JSON altogether. */
export const metadata = z
  .record(
    line(100),
    z.string().max(500, 'must have at most 500 characters').refine(isText, 'must be text'),
  )
  .refine((map) => Object.keys(map).length <= KEYS_MAX, `must have at most ${KEYS_MAX} names`)
  .refine(isKept, NOT_KEPT)

function isText(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0')
}
