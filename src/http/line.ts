/** What texts in a request may be: names, reasons and metadata that are kept and printed. */
import { z } from 'zod'

/** One line of text without control characters; a line break in a name forges what follows it. */
export const line = (most: number) =>
  z
    .string()
    .trim()
    .min(1, 'must not be empty')
    .max(most, `must have at most ${most} characters`)
    .regex(/^[^\p{Cc}\p{Cs}\u2028\u2029]*$/u, 'must be one line without control characters')

const KEYS_MAX = 50

/** Texts by name: up to 50 of up to 500 characters. */
export const metadata = z
  .record(
    line(100),
    z.string().max(500, 'must have at most 500 characters').refine(isText, 'must be text'),
  )
  .refine((map) => Object.keys(map).length <= KEYS_MAX, `must have at most ${KEYS_MAX} names`)

function isText(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0')
}
