/** What callers say of a donor: name, phone and address. */
import { z } from 'zod'
import { line, NAME_PATTERN } from './line.ts'

export const donorName = line(120)
  .refine((text) => /\p{L}/u.test(text), 'must have a letter in it')
  .meta({ pattern: NAME_PATTERN })

export const phone = z
  .string()
  .regex(/^\+?[0-9]{8,15}$/, 'must have 8 to 15 digits, with + for a country code')

export const postalAddress = z.strictObject({
  line1: line(200),
  line2: line(200).optional(),
  city: line(80),
  state: line(80),
  pin: z.string().regex(/^[1-9][0-9]{5}$/, 'must be a PIN code of six digits'),
})
