/** What texts in a request may be: names, reasons, addresses and metadata, kept and printed. */
import { z } from 'zod'
import { METADATA_BYTES_MAX, metadataBytes } from '../ledger/core/entry.ts'
import { aadhaarsIn, hasNoAadhaar, NO_AADHAAR } from './no-aadhaar.ts'

/** No control characters and no line breaks, written so that every language reads it alike. */
const CONTROLS = '\\u0000-\\u001f\\u007f-\\u009f\\u2028\\u2029'
/** Halves of characters: no text in UTF-8 has them, and other languages' patterns cannot say so. */
const HALVES = '\\ud800-\\udfff'
const ONE_LINE = new RegExp(`^[^${CONTROLS}${HALVES}]*$`, 'u')

/**
 * The contract's pattern of one line that is not empty: spaces around it are taken off, of which
 * languages do not have the same idea. U+FEFF is one to us and none to others.
 */
const SPACES = '[\\t-\\r \\u2028\\u2029\\u00a0\\u1680\\u2000-\\u200a\\u202f\\u205f\\u3000\\ufeff]*'
const FIRST = `[^\\s\\ufeff${CONTROLS}]`
const REST = `[^${CONTROLS}]*`
export const LINE_PATTERN = `^${SPACES}${FIRST}${REST}${SPACES}$`

/** What is a letter or stands far from ASCII: a pattern that all understand says no more. */
const LETTER = '[^\\s\\ufeff\\u0000-@\\[-`{-\\u00a9\\u2028\\u2029]'
export const NAME_PATTERN = `^${SPACES}(${LETTER}|${FIRST}${REST}${LETTER})${REST}${SPACES}$`

/**
 * One line of text without control characters; a line break in a name forges what follows it. Of a
 * line with a name (`isNamed`) the name says whether twelve digits are an Aadhaar number.
 */
export const line = (most: number, isNamed = false) =>
  z
    .string()
    // As it was sent, because that is what the contract speaks of.
    .refine((text) => hasAtMost(most, text), `must have at most ${most} characters`)
    .trim()
    .min(1, 'must not be empty')
    .refine((text) => ONE_LINE.test(text), 'must be one line without control characters')
    .refine((text) => isNamed || hasNoAadhaar(text), NO_AADHAAR)
    .meta({ maxLength: most, pattern: LINE_PATTERN })

/** Text as it is, empty too: what is looked for, or kept without being printed. */
export const anyText = (most: number) =>
  z
    .string()
    .refine((text) => hasAtMost(most, text), `must have at most ${most} characters`)
    .refine(isText, 'must be text')
    .meta({ maxLength: most, pattern: '^[^\\u0000]*$' })

/** Counts characters as the contract's readers and Postgres do, not halves of them. */
function hasAtMost(most: number, text: string): boolean {
  return text.length <= most || (text.length <= 2 * most && Array.from(text).length <= most)
}

function isText(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0')
}

/** Names between dots, with labels of up to 63 characters behind the @. */
const EMAIL = new RegExp(
  "^([A-Za-z0-9_'+-]+\\.)*[A-Za-z0-9_'+-]*[A-Za-z0-9_+-]@" +
    '([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\\.)+[A-Za-z]{2,63}$',
)
/** RFC 5321, 4.5.3.1.1; the contract says it by its format. */
const LOCAL_PART_MAX = 64

/** An address that mail can be sent to. */
export const email = z
  .email({ pattern: EMAIL, error: 'must be an email address' })
  .max(254, 'must have at most 254 characters')
  .refine((text) => text.indexOf('@') <= LOCAL_PART_MAX, 'must be an email address')

const KEYS_MAX = 50

/** What the database takes as metadata, whatever letters it is written in. */
export function isKept(given: Readonly<Record<string, string>>): boolean {
  return metadataBytes(given) <= METADATA_BYTES_MAX
}

export const NOT_KEPT = `must have at most ${METADATA_BYTES_MAX} bytes as JSON in UTF-8`

/** Texts by name: up to 50 of up to 500 characters, and 32,768 bytes of JSON altogether. */
export const metadata = z
  .record(line(100), anyText(500))
  .superRefine((map, context) => aadhaarsIn(map).forEach((one) => context.addIssue(one)))
  .refine((map) => Object.keys(map).length <= KEYS_MAX, `must have at most ${KEYS_MAX} names`)
  .refine(isKept, NOT_KEPT)
  .meta({ maxProperties: KEYS_MAX })
