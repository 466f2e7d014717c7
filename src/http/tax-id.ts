/** Tax ids as callers write them: of each kind its form, spaces and small letters forgiven. */
import { z } from 'zod'
import { isAadhaar } from '../base/aadhaar.ts'
import { isPan } from '../donations/donors.ts'

/** In the contract as they are kept; spaces and small letters are taken as well. */
export const PAN_PATTERN = '^[A-Z]{3}[ABCFGHJLPT][A-Z][0-9]{4}[A-Z]$'

export const taxId = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('pan'),
    value: z
      .string()
      .transform((text) => text.replaceAll(/\s/g, '').toUpperCase())
      .refine(isPan, { error: 'must be a PAN such as ABCPE1234F' })
      .meta({ pattern: PAN_PATTERN }),
  }),
  z.strictObject({
    type: z.literal('aadhaar'),
    value: z
      .string()
      .transform((text) => text.replaceAll(/\s/g, ''))
      .refine(isAadhaar, { error: 'must be an Aadhaar number; its check digit is wrong' })
      .meta({ pattern: '^[2-9][0-9]{11}$', description: 'Its last digit is Verhoeff’s.' }),
  }),
  z.strictObject({
    type: z.literal('passport'),
    value: z
      .string()
      .transform((text) => text.replaceAll(/\s/g, '').toUpperCase())
      .refine((text) => /^[A-Z0-9]{6,12}$/.test(text), { error: 'must be a passport number' })
      .meta({ pattern: '^[A-Z0-9]{6,12}$' }),
  }),
])
