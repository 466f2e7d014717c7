/** Schemas of what answers are made of: money, times, ids, pages. */
import { z } from 'zod'

/** Minor units: a number, or text where a JSON number does not hold it exactly. */
export const minorUnits = z
  .union([z.int(), z.string().regex(/^-?\d+$/)])
  .meta({ description: 'Minor units of the currency; text beyond 2^53 - 1.' })

export const currencyCode = z
  .string()
  .meta({ description: 'ISO 4217, or an organisation’s own points.', examples: ['INR'] })

export const day = z.string().meta({ format: 'date', description: 'In India’s calendar.' })

export const instant = z.string().meta({ format: 'date-time' })

export const sha256Hex = z.string().regex(/^[0-9a-f]{64}$/)

export const texts = z.record(z.string(), z.string())

/** An id such as `je_17`. */
export function idText(prefix: string, description?: string) {
  return z.string().meta({
    pattern: `^${prefix}_`,
    ...(description === undefined ? {} : { description }),
  })
}

/** A page of a list: what `starting_after` takes is the id (or cursor) of its last row. */
export function pageOf<Row extends z.ZodType>(row: Row) {
  return z.strictObject({ data: z.array(row), has_more: z.boolean() })
}
