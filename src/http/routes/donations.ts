/** POST /v1/donations: opens a donation and gives what the checkout page needs. */
import { z } from 'zod'
import type { Parts } from '../../base/parts.ts'
import { Problem } from '../../base/problem.ts'
import { openDonation, type NewDonation, type OpenedDonation } from '../../donations/checkout.ts'
import { GATEWAY_NAMES } from '../../gateways/fact.ts'
import { idText, minorUnits, texts } from '../answers.ts'
import type { Audited } from '../audited.ts'
import { donorName, phone, postalAddress } from '../donor-input.ts'
import { anyText, email, line } from '../line.ts'
import { operation, type Operation } from '../operation.ts'
import { taxId } from '../tax-id.ts'

/** ₹1 to ₹10 crore: below, gateways refuse; above, somebody mistyped. */
const AMOUNT_MIN = 100
const AMOUNT_MAX = 10_000_000_000

const donor = z.strictObject({
  name: donorName,
  email,
  phone: phone.optional(),
  citizenship: z.enum(['indian', 'foreign']),
  address: postalAddress.optional(),
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
    fund: anyText(40).min(1),
    nature: z.enum(['general', 'corpus', 'specific_grant']).default('general'),
    corpus_direction: line(500).optional(),
    purpose: line(200).optional(),
    return_url: z
      .url({ protocol: /^https?$/ })
      .max(500)
      .meta({ pattern: '^https?://' })
      .optional(),
    donor,
  })
  .refine((given) => given.nature !== 'corpus' || given.corpus_direction !== undefined, {
    path: ['corpus_direction'],
    error: 'a corpus gift needs the donor’s written direction',
  })
  .meta({
    anyOf: [
      { properties: { nature: { enum: ['general', 'specific_grant'] } } },
      { required: ['corpus_direction'] },
    ],
  })

/** What the page that takes the donor to the gateway needs, in the gateway's own names. */
const checkout = z.discriminatedUnion('gateway', [
  z.strictObject({
    gateway: z.literal('razorpay'),
    keyId: z.string(),
    orderId: z.string(),
    amount: z.int(),
    currency: z.string(),
  }),
  z.strictObject({
    gateway: z.literal('payu'),
    action: z.string(),
    fields: texts,
  }),
  z.strictObject({
    gateway: z.literal('stripe'),
    url: z.string().meta({ description: 'The page to which the donor’s browser is sent.' }),
  }),
])

const openedDonation = z
  .strictObject({
    id: idText('don'),
    state: z.literal('open'),
    gateway: z.enum(GATEWAY_NAMES),
    order_ref: z.string(),
    amount: minorUnits,
    currency: z.literal('INR'),
    fund: z.string(),
    checkout,
  })
  .meta({ id: 'OpenedDonation' })

export function donationOperations(parts: Parts, publicUrl: () => string): Operation[] {
  const { db, keyring, out } = parts
  return [
    operation(
      {
        id: 'openDonation',
        method: 'post',
        path: '/donations',
        tag: 'Donations',
        summary: 'Open a donation and get what the checkout page needs',
        permission: 'donations.open',
        key: 'optional',
        body,
        answers: { 201: { what: 'Opened; nothing is paid yet.', body: openedDonation } },
        problems: [
          'switched_off',
          'unknown_fund',
          'fund_closed',
          'gateway_disabled',
          'unknown_gateway',
          'foreign_contribution',
          'gateway_refused',
          'gateway_unavailable',
        ],
      },
      {
        async handle(call) {
          const { body: given, principal } = call
          const replyOf = (opened: OpenedDonation) => ({
            status: 201 as const,
            body: openedView(given, opened),
          })
          const opened = await openDonation(
            db,
            principal.orgId,
            donationAsked(given, `${publicUrl()}/thanks`),
            {
              keyring,
              out,
              onOpened: async (trx, one) => {
                await call.audit(trx, auditedOf(given, one))
                await call.keep(trx, replyOf(one))
              },
            },
          ).catch(inOurWords)
          return replyOf(opened)
        },
      },
    ),
  ]
}

/** What is recorded of it: who gives is in the donor's row, which can be erased. */
function auditedOf(given: z.infer<typeof body>, { donationId }: OpenedDonation): Audited {
  const { gateway, amount, currency, fund, nature } = given
  const after = { gateway, amount, currency, fund, nature }
  return { target: `/v1/donations/${donationId}`, after }
}

function openedView(
  given: z.infer<typeof body>,
  { donationId, order }: OpenedDonation,
): z.input<typeof openedDonation> {
  return {
    id: donationId,
    state: 'open',
    gateway: given.gateway,
    order_ref: order.orderRef,
    amount: given.amount,
    currency: given.currency,
    fund: given.fund,
    checkout: order.checkout,
  }
}

function donationAsked(given: z.infer<typeof body>, thanksUrl: string): NewDonation {
  const { donor: by } = given
  return {
    gateway: given.gateway,
    amount: BigInt(given.amount),
    currency: given.currency,
    fund: given.fund,
    nature: given.nature,
    corpusDirection: given.corpus_direction ?? null,
    purpose: given.purpose ?? null,
    indianCitizen: by.citizenship === 'indian',
    donor: {
      name: by.name,
      email: by.email,
      phone: by.phone ?? null,
      address: by.address ?? null,
      taxId: by.tax_id ?? null,
    },
    returnUrl: given.return_url ?? thanksUrl,
  }
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
