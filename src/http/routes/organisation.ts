/** /v1/organisation: who the caller's organisation is, its looks and what it has switched on. */
import { z } from 'zod'
import { sha256 } from '../../base/crypto.ts'
import type { Parts } from '../../base/parts.ts'
import { Problem } from '../../base/problem.ts'
import {
  assertLogo,
  currentLogo,
  LOGO_BYTES_MAX,
  LOGO_MEDIA,
  setLogo,
  type Logo,
} from '../../organisations/logos.ts'
import {
  changeSettings,
  readSettings,
  settingsName,
  type Feature,
  type OrganisationSettings,
} from '../../organisations/settings.ts'
import { idText, instant, sha256Hex } from '../answers.ts'
import { changing } from '../changing.ts'
import { assertMatch, tagged } from '../etag.ts'
import { operation, type Asked, type Operation } from '../operation.ts'
import { colour, ownFields, signatory } from '../organisation-input.ts'

const afterHours = z.int().min(1).max(720).nullable().meta({
  description:
    'Hours after which the second payment of a paid donation is given back by itself; null: never.',
})

const organisation = z
  .strictObject({
    id: idText('org', 'The number in it is what tokens call `org`.'),
    slug: z.string(),
    legal_name: z.string(),
    address: z.string(),
    pan: z.string(),
    registration_12a: z.string().nullable(),
    fcra_registration: z
      .string()
      .nullable()
      .meta({ description: 'Without it no foreign contribution is taken.' }),
    email: z.string(),
    mail_from: z.string(),
    mail_from_name: z.string(),
    signatory: z.strictObject({ name: z.string(), designation: z.string() }),
    branding: z.strictObject({
      colour: z.string().nullable(),
      logo: z
        .strictObject({ sha256: sha256Hex, media_type: z.enum(LOGO_MEDIA), bytes: z.int() })
        .nullable(),
    }),
    features: z.strictObject({
      donations: z.boolean().meta({ description: 'Whether donations can be opened.' }),
      receipt_emails: z
        .boolean()
        .meta({ description: 'Off: receipts are issued, and their emails wait.' }),
    }),
    refund_duplicates_after_hours: afterHours,
    created_at: instant,
    updated_at: instant,
  })
  .meta({ id: 'Organisation' })

const features = z.strictObject({
  donations: z.boolean().optional(),
  receipt_emails: z.boolean().optional(),
} satisfies Record<Feature, z.ZodType>)

const body = z
  .strictObject({
    ...z.strictObject(ownFields).partial().shape,
    signatory: z.strictObject(signatory).partial().optional(),
    branding: z.strictObject({ colour: colour.nullable(), logo: z.null() }).partial().optional(),
    features: features.optional(),
    refund_duplicates_after_hours: afterHours.optional(),
  })
  .refine((given) => Object.keys(given).length > 0, 'must have something to change')
  .meta({ minProperties: 1 })

const logoView = z
  .strictObject({ sha256: sha256Hex, media_type: z.enum(LOGO_MEDIA), bytes: z.int() })
  .meta({ id: 'Logo' })

const nameOf = ({ principal }: Asked) => [settingsName(principal.orgId)]

export function organisationOperations(parts: Parts): Operation[] {
  const { shared } = parts.caches
  return [
    getOperation(parts),
    changing(shared, nameOf, changeOperation()),
    getLogoOperation(parts),
    changing(shared, nameOf, setLogoOperation()),
  ]
}

function getOperation({ db, caches }: Parts): Operation {
  return operation(
    {
      id: 'getOrganisation',
      method: 'get',
      path: '/organisation',
      tag: 'Settings',
      summary: 'Who the organisation is',
      permission: 'settings.read',
      etag: 'given',
      answers: { 200: { what: 'The organisation.', body: organisation } },
    },
    {
      async handle({ principal: { orgId }, request }) {
        const text = await caches.shared.get(settingsName(orgId), async () =>
          JSON.stringify(await db.read(orgId, async (trx) => viewOf(await readSettings(trx)))),
        )
        const body = JSON.parse(text) as z.input<typeof organisation>
        return { status: 200, headers: tagged(request, body), body }
      },
    },
  )
}

function changeOperation(): Operation {
  return operation(
    {
      id: 'changeOrganisation',
      method: 'patch',
      path: '/organisation',
      tag: 'Settings',
      summary: 'Change who the organisation is; what was issued keeps what it says',
      permission: 'settings.write',
      body,
      etag: 'checked',
      answers: { 200: { what: 'As it is now.', body: organisation } },
    },
    {
      queue: null,
      async write(trx, { body: given, request }) {
        const before = viewOf(await readSettings(trx))
        assertMatch(request, before)
        await changeSettings(trx, {
          legalName: given.legal_name,
          address: given.address,
          registration12a: given.registration_12a,
          fcraRegistration: given.fcra_registration,
          email: given.email,
          mailFrom: given.mail_from,
          mailFromName: given.mail_from_name,
          signatoryName: given.signatory?.name,
          signatoryDesignation: given.signatory?.designation,
          colour: given.branding?.colour,
          logo: given.branding?.logo,
          features: given.features,
          refundDuplicatesAfterHours: given.refund_duplicates_after_hours,
        })
        const now = viewOf(await readSettings(trx))
        return { status: 200, headers: tagged(request, now), body: now, before }
      },
    },
  )
}

function getLogoOperation({ db }: Parts): Operation {
  return operation(
    {
      id: 'getLogo',
      method: 'get',
      path: '/organisation/logo',
      tag: 'Settings',
      summary: 'The logo as it was uploaded',
      permission: 'settings.read',
      etag: 'given',
      answers: { 200: { what: 'The picture.', body: { media: LOGO_MEDIA } } },
      problems: ['not_found'],
    },
    {
      async handle({ principal: { orgId }, request, response }) {
        const logo = await db.read(orgId, currentLogo)
        if (logo === undefined) {
          throw new Problem('not_found', { detail: 'The organisation has no logo.' })
        }
        response
          .type(logo.mediaType)
          .setHeader('Cache-Control', 'private, no-store')
          .setHeader('X-Content-Type-Options', 'nosniff')
          .set(tagged(request, logoViewOf(logo)))
        response.send(logo.bytes)
        return null
      },
    },
  )
}

function setLogoOperation(): Operation {
  return operation(
    {
      id: 'setLogo',
      method: 'put',
      path: '/organisation/logo',
      tag: 'Settings',
      summary: 'Set the logo that documents show from now on',
      permission: 'settings.write',
      upload: { media: LOGO_MEDIA, bytesMax: LOGO_BYTES_MAX },
      etag: 'checked',
      answers: { 200: { what: 'It is shown on what is issued from now on.', body: logoView } },
      problems: ['invalid_image', 'limit_reached'],
    },
    {
      queue: null,
      async write(trx, { request }) {
        const bytes: unknown = request.body
        const media = LOGO_MEDIA.find((one) => request.is(one) === one)
        if (media === undefined || !Buffer.isBuffer(bytes)) {
          const detail = `Send the picture itself, as ${LOGO_MEDIA.join(' or ')}.`
          throw new Problem('unsupported_media_type', { detail })
        }
        await assertLogo(media, bytes)
        const { logo: was } = viewOf(await readSettings(trx)).branding
        assertMatch(request, was)
        await setLogo(trx, media, bytes)
        const { logo } = viewOf(await readSettings(trx)).branding
        if (logo === null) {
          throw new Error('the logo was not set')
        }
        const headers = tagged(request, logo)
        return { status: 200, headers, body: logo, before: was, audited: logo }
      },
    },
  )
}

/** A logo's bytes as the organisation's settings show them. */
function logoViewOf({ mediaType, bytes }: Logo): z.input<typeof logoView> {
  return { sha256: sha256(bytes).toString('hex'), media_type: mediaType, bytes: bytes.length }
}

function viewOf(one: OrganisationSettings): z.input<typeof organisation> {
  return {
    id: `org_${one.orgId}`,
    slug: one.slug,
    legal_name: one.legalName,
    address: one.address,
    pan: one.pan,
    registration_12a: one.registration12a,
    fcra_registration: one.fcraRegistration,
    email: one.email,
    mail_from: one.mailFrom,
    mail_from_name: one.mailFromName,
    signatory: { name: one.signatoryName, designation: one.signatoryDesignation },
    branding: {
      colour: one.colour,
      logo:
        one.logo === null
          ? null
          : {
              sha256: one.logo.sha256.toString('hex'),
              media_type: one.logo.mediaType,
              bytes: one.logo.bytes,
            },
    },
    features: one.features,
    refund_duplicates_after_hours: one.refundDuplicatesAfterHours,
    created_at: one.createdAt.toISOString(),
    updated_at: one.updatedAt.toISOString(),
  }
}
