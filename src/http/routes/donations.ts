/** POST /v1/donations: opens a donation and gives what the checkout page needs. */
import { Router } from 'express'
import { z } from 'zod'
import { minorToJson } from '../../base/money.ts'
import type { Parts } from '../../base/parts.ts'
import { Problem } from '../../base/problem.ts'
import { openDonation } from '../../donations/checkout.ts'
import { isAadhaar, isPan } from '../../donations/donors.ts'
import { GATEWAY_NAMES } from '../../gateways/fact.ts'
import { allow, principalOf } from '../auth.ts'
import { bodyOf } from '../input.ts'

/** ₹1 to ₹10 crore: below, gateways refuse; above, somebody mistyped. */
const AMOUNT_MIN = 100
const AMOUNT_MAX = 10_000_000_000

/** One line of text without control characters; a line break in a name is a forged mail header. */
const line = (most: number) =>
  z
    .string()
    .trim()
    .min(1, 'must not be empty')
    .max(most, `must have at most ${most} characters`)
    .regex(/^[^\p{Cc}\p{Cs}\u2028\u2029]*$/u, 'must be one line without control characters')

const taxId = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('pan'),
    value: z
      .string()
      .transform((text) => text.replaceAll(/\s/g, '').toUpperCase())
      .refine(isPan, { error: 'must be a PAN such as ABCPE1234F' }),
  }),
  z.strictObject({
    type: z.literal('aadhaar'),
    value: z
      .string()
      .transform((text) => text.replaceAll(/\s/g, ''))
      .refine(isAadhaar, { error: 'must be an Aadhaar number; its check digit is wrong' }),
  }),
  z.strictObject({
    type: z.literal('passport'),
    value: z
      .string()
      .transform((text) => text.replaceAll(/\s/g, '').toUpperCase())
      .refine((text) => /^[A-Z0-9]{6,12}$/.test(text), { error: 'must be a passport number' }),
  }),
])

const donor = z.strictObject({
  name: line(120).regex(/\p{L}/u, 'must have a letter in it'),
  email: z.email('must be an email address').max(254),
  phone: z
    .string()
    .regex(/^\+?[0-9]{8,15}$/, 'must have 8 to 15 digits, with + for a country code')
    .optional(),
  citizenship: z.enum(['indian', 'foreign']),
  address: z
    .strictObject({
      line1: line(200),
      line2: line(200).optional(),
      city: line(80),
      state: line(80),
      pin: z.string().regex(/^[1-9][0-9]{5}$/, 'must be a PIN code of six digits'),
    })
    .optional(),
  tax_id: taxId.optional(),
})

const body = z
  .strictObject({
    gateway: z.enum(GATEWAY_NAMES),
    amount: z
      .int('must be a whole number of paise')
      .min(AMOUNT_MIN, `must be at least ${AMOUNT_MIN} paise`)
      .max(AMOUNT_MAX, `must be at most ${AMOUNT_MAX} paise`),
    currency: z.literal('INR'),
    fund: z.string().min(1).max(40),
    nature: z.enum(['general', 'corpus', 'specific_grant']).default('general'),
    corpus_direction: line(500).optional(),
    purpose: line(200).optional(),
    return_url: z
      .url({ protocol: /^https?$/ })
      .max(500)
      .optional(),
    donor,
  })
  .refine((given) => given.nature !== 'corpus' || given.corpus_direction !== undefined, {
    path: ['corpus_direction'],
    error: 'a corpus gift needs the donor’s written direction',
  })

export function donationRoutes(parts: Parts, publicUrl: () => string): Router {
  const routes = Router()
  routes.post('/donations', allow('service', 'finance', 'admin'), async (request, response) => {
    const given = bodyOf(request, body)
    const opened = await openDonation(
      parts.db,
      principalOf(request).orgId,
      {
        gateway: given.gateway,
        amount: BigInt(given.amount),
        currency: given.currency,
        fund: given.fund,
        nature: given.nature,
        corpusDirection: given.corpus_direction ?? null,
        purpose: given.purpose ?? null,
        indianCitizen: given.donor.citizenship === 'indian',
        donor: {
          name: given.donor.name,
          email: given.donor.email,
          phone: given.donor.phone ?? null,
          address: given.donor.address ?? null,
          taxId: given.donor.tax_id ?? null,
        },
        returnUrl: given.return_url ?? `${publicUrl()}/thanks`,
      },
      { keyring: parts.keyring, timeoutMs: parts.config.gatewayTimeoutMs },
    ).catch(inOurWords)
    response.status(201).json({
      id: opened.donationId,
      state: 'open',
      gateway: given.gateway,
      order_ref: opened.order.orderRef,
      amount: minorToJson(BigInt(given.amount)),
      currency: given.currency,
      fund: given.fund,
      checkout: opened.order.checkout,
    })
  })
  return routes
}

/** A gateway speaks of the payer; the caller wrote a donor. */
function inOurWords(thrown: unknown): never {
  if (thrown instanceof Problem && thrown.extras.errors !== undefined) {
    const errors = thrown.extras.errors.map(({ pointer, detail }) => ({
      pointer: pointer.replace(/^\/payer\//, '/donor/'),
      detail,
    }))
    throw new Problem(thrown.code, { ...thrown.extras, errors })
  }
  throw thrown
}
