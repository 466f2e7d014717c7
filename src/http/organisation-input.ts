/** What an organisation's settings may be: the same rules for the API and for the command. */
import { z } from 'zod'
import { financialYear, indianDate } from '../base/clock.ts'
import { isPan } from '../donations/donors.ts'
import { GATEWAY_NAMES, type GatewayName } from '../gateways/fact.ts'
import type { OrganisationSpec } from '../organisations/create.ts'
import { API_URLS } from '../organisations/gateway-accounts.ts'
import { SERIES } from '../organisations/receipt-numbering.ts'
import { DEDUCTIONS } from '../organisations/tax-approvals.ts'
import { emailAddress } from './identity-view.ts'
import { isoDate } from './input.ts'
import { email, line } from './line.ts'
import { PAN_PATTERN } from './tax-id.ts'

export const fundId = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,39}$/, 'must be up to 40 small letters, digits and hyphens')

export const newFund = z.strictObject({ id: fundId, name: line(100) })

/** On white, text in it must be readable: WCAG's contrast of 4.5 to 1. */
export const colour = z
  .string()
  .regex(/^#[0-9a-fA-F]{6}$/, 'must be a colour such as #8a1c2b')
  .transform((text) => text.toLowerCase())
  .refine((text) => 1.05 / (luminanceOf(text) + 0.05) >= 4.5, 'must be dark enough to be read')

/** Relative luminance of `#rrggbb`, 0 to 1 (WCAG 2.2). */
function luminanceOf(text: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(text.slice(at, at + 2), 16) / 255
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}

/** What an organisation may change of itself. */
export const ownFields = {
  legal_name: line(200),
  address: line(500),
  registration_12a: line(60).nullable(),
  fcra_registration: line(60).nullable(),
  email,
  mail_from: email,
  mail_from_name: line(120),
}

export const signatory = { name: line(120), designation: line(120) }

export const newApproval = z
  .strictObject({
    urn: z.string().regex(/^[A-Z0-9]{10,100}$/, 'must be 10 to 100 capitals and digits'),
    issued_on: isoDate,
    valid_from: isoDate,
    valid_to: isoDate,
    deduction: z.enum(DEDUCTIONS),
  })
  .refine((one) => one.valid_from <= one.valid_to, {
    path: ['valid_to'],
    error: 'must not be before valid_from',
  })

/** What gateways give as secrets: visible ASCII. */
export const secret = z
  .string()
  .regex(/^[!-~]{8,200}$/, 'must have 8 to 200 visible ASCII characters')

const environment = z.enum(['live', 'test'])

const accountFields = {
  gateway: z.enum(GATEWAY_NAMES),
  account: line(100).meta({
    description: 'Razorpay `acc_…`, PayU the merchant key, Stripe `acct_…`.',
  }),
  key_id: line(200).optional().meta({
    description: 'Of PayU it is the merchant key; Stripe needs none (or the publishable key).',
  }),
  key_secret: secret,
}

/** `fits`, as far as the contract can say it: whose key id is left out is right. */
const FITS = [
  { properties: { gateway: { const: 'razorpay' } }, required: ['key_id'] },
  { properties: { gateway: { const: 'payu' }, key_id: false } },
  { properties: { gateway: { const: 'stripe' }, key_id: false } },
]

interface AccountInput {
  gateway: GatewayName
  account: string
  key_id?: string | undefined
  key_secret: string
  environment?: 'live' | 'test' | undefined
}

const fits = z.superRefine<AccountInput>((one, context) => {
  const faults = {
    key_id: keyFault(one.gateway, one.account, one.key_id),
    ...(one.gateway === 'stripe' ? stripeFaults(one) : {}),
  }
  for (const [field, fault] of Object.entries(faults)) {
    if (fault !== null) {
      context.addIssue({ code: 'custom', path: [field], message: fault })
    }
  }
})

/** One id has a live and a test mode at Stripe: its key says which of them answers. */
function stripeFaults(one: AccountInput): Record<'account' | 'key_secret', string | null> {
  const modes = one.environment ?? '(live|test)'
  const fits = new RegExp(`^[sr]k_${modes}_`).test(one.key_secret)
  return {
    account: /^acct_\w+$/.test(one.account) ? null : 'of Stripe begins with acct_',
    key_secret: fits ? null : `must be a Stripe key that begins with sk_${modes}_ or rk_${modes}_`,
  }
}

export const newGatewayAccount = z
  .strictObject({ ...accountFields, environment })
  .check(fits)
  .meta({ anyOf: FITS })

/** What is wrong with a key id; PayU has but one key, which is the account, Stripe needs none. */
export function keyFault(
  gateway: GatewayName,
  account: string,
  keyId: string | undefined,
): string | null {
  switch (gateway) {
    case 'razorpay':
      return keyId === undefined ? 'is needed for Razorpay' : null
    case 'payu':
      return keyId === undefined || keyId === account ? null : 'of PayU is the account itself'
    case 'stripe':
      return keyId === undefined || keyId === account || keyId.startsWith('pk_')
        ? null
        : 'of Stripe is the publishable key (pk_…), or none'
    default:
      return gateway satisfies never
  }
}

export const prefix = z
  .string()
  .regex(/^[A-Z0-9][A-Z0-9-]{0,15}$/, 'must be up to 16 capitals, digits and hyphens')

const setUpGateway = z
  .strictObject({
    ...accountFields,
    environment: environment.optional(),
    // In place of the environment: where a gateway of one's own answers.
    api_url: z
      .url({ protocol: /^https?$/, error: 'must be a URL' })
      .max(300)
      .optional(),
    // Made and shown once where it is left out; of PayU it is the key secret.
    webhook_secret: secret.optional(),
  })
  .check(fits)
  .refine((one) => (one.environment === undefined) !== (one.api_url === undefined), {
    path: ['environment'],
    error: 'must be live or test, unless there is an api_url',
  })

/** A new organisation, as a file or a request holds it. */
export const newOrganisation = z.strictObject({
  slug: z
    .string()
    .regex(/^[a-z][a-z0-9-]{1,40}$/, 'must be 2 to 41 small letters, digits, hyphens'),
  ...ownFields,
  registration_12a: ownFields.registration_12a.default(null),
  fcra_registration: ownFields.fcra_registration.default(null),
  pan: z.string().refine(isPan, 'must be a PAN such as AABTA1234K').meta({ pattern: PAN_PATTERN }),
  signatory: z.strictObject(signatory),
  // Who is invited to set a password, and may then let others in.
  admin: z
    .strictObject({ email: emailAddress, name: line(200) })
    .nullable()
    .default(null),
  colour: colour.nullable().default(null),
  funds: z.array(newFund).min(1, 'must have at least one fund').max(100),
  tax_approvals: z.array(newApproval).max(20).default([]),
  receipt_prefixes: z.partialRecord(z.enum(SERIES), prefix).default({}),
  gateway_accounts: z
    .array(setUpGateway)
    .max(GATEWAY_NAMES.length)
    .refine((all) => new Set(all.map((one) => one.gateway)).size === all.length, {
      error: 'must have each gateway once at the most',
    }),
})

/** What is to be set up for it, on that day. */
export function specOf(given: z.output<typeof newOrganisation>, now: Date): OrganisationSpec {
  const year = financialYear(indianDate(now))
  const prefixes = SERIES.flatMap((series) => {
    const own = given.receipt_prefixes[series]
    return own === undefined ? [] : [{ series, year, prefix: own }]
  })
  return {
    orgId: null,
    slug: given.slug,
    legalName: given.legal_name,
    address: given.address,
    pan: given.pan,
    registration12a: given.registration_12a,
    email: given.email,
    mailFrom: given.mail_from,
    mailFromName: given.mail_from_name,
    signatoryName: given.signatory.name,
    signatoryDesignation: given.signatory.designation,
    fcraRegistration: given.fcra_registration,
    colour: given.colour,
    funds: given.funds.map(({ id, name }) => ({ fund: id, name })),
    approvals: given.tax_approvals.map(approvalOf),
    prefixes,
    gateways: given.gateway_accounts.map((one) => ({
      gateway: one.gateway,
      account: one.account,
      keyId: one.key_id ?? one.account,
      keySecret: one.key_secret,
      apiUrl: one.api_url ?? API_URLS[one.gateway][one.environment ?? 'live'],
      webhookSecret: one.webhook_secret ?? (one.gateway === 'payu' ? one.key_secret : null),
    })),
  }
}

export function approvalOf(given: z.output<typeof newApproval>) {
  return {
    urn: given.urn,
    issuedOn: given.issued_on,
    validFrom: given.valid_from,
    validTo: given.valid_to,
    deduction: given.deduction,
  }
}
