/** Who an organisation is, its documents' looks and what is switched on: read and changed. */
import type { Trx } from '../base/db.ts'
import { Problem } from '../base/problem.ts'

/** What everybody has unless it is switched off. */
export const FEATURES = ['donations', 'receipt_emails'] as const

export type Feature = (typeof FEATURES)[number]

export interface OrganisationSettings {
  orgId: number
  slug: string
  legalName: string
  address: string
  pan: string
  registration12a: string | null
  fcraRegistration: string | null
  email: string
  mailFrom: string
  mailFromName: string
  signatoryName: string
  signatoryDesignation: string
  colour: string | null
  logo: { sha256: Buffer; mediaType: LogoMedia; bytes: number } | null
  features: Record<Feature, boolean>
  /** Hours after which a second payment is given back by itself; null: never. */
  refundDuplicatesAfterHours: number | null
  createdAt: Date
  updatedAt: Date
}

export type LogoMedia = 'image/png' | 'image/jpeg'

/** The name under which an organisation's settings are kept. */
export function settingsName(orgId: number): string {
  return `organisation ${orgId}`
}

interface Row extends Omit<OrganisationSettings, 'logo' | 'features'> {
  logoSha256: Buffer | null
  mediaType: LogoMedia | null
  logoBytes: number | null
  switchedOff: Feature[]
}

/** The settings of the transaction's organisation. */
export async function readSettings(trx: Trx): Promise<OrganisationSettings> {
  const [row] = await trx.query<Row>(
    `select o.org_id as "orgId", o.slug, o.legal_name as "legalName", o.address, o.pan,
            o.registration_12a as "registration12a", o.fcra_registration as "fcraRegistration",
            o.email, o.mail_from as "mailFrom", o.mail_from_name as "mailFromName",
            o.signatory_name as "signatoryName", o.signatory_designation as "signatoryDesignation",
            o.colour, o.logo_sha256 as "logoSha256", l.media_type as "mediaType",
            octet_length(l.bytes) as "logoBytes", o.switched_off as "switchedOff",
            o.refund_duplicates_after_hours as "refundDuplicatesAfterHours",
            o.created_at as "createdAt", o.updated_at as "updatedAt"
       from organisations o
       left join organisation_logos l on l.org_id = o.org_id and l.sha256 = o.logo_sha256
      where o.org_id = $1`,
    [trx.scope],
  )
  if (row === undefined) {
    throw new Problem('not_found', { detail: 'There is no such organisation.' })
  }
  const { logoSha256: sha256, mediaType, logoBytes: bytes, switchedOff, ...settings } = row
  return {
    ...settings,
    logo:
      sha256 === null || mediaType === null || bytes === null ? null : { sha256, mediaType, bytes },
    features: {
      donations: !switchedOff.includes('donations'),
      receipt_emails: !switchedOff.includes('receipt_emails'),
    },
  }
}

/** What may be changed; what is left out stays as it is. */
export type SettingsChange = {
  [Field in (typeof CHANGEABLE)[number][0]]?: OrganisationSettings[Field] | undefined
} & {
  features?: { [Name in Feature]?: boolean | undefined } | undefined
  /** A logo is set by its bytes. */
  logo?: null | undefined
}

const CHANGEABLE = [
  ['legalName', 'legal_name'],
  ['address', 'address'],
  ['registration12a', 'registration_12a'],
  ['fcraRegistration', 'fcra_registration'],
  ['email', 'email'],
  ['mailFrom', 'mail_from'],
  ['mailFromName', 'mail_from_name'],
  ['signatoryName', 'signatory_name'],
  ['signatoryDesignation', 'signatory_designation'],
  ['colour', 'colour'],
  ['refundDuplicatesAfterHours', 'refund_duplicates_after_hours'],
] as const

/** Changes settings; what was issued before keeps what it says. */
export async function changeSettings(trx: Trx, change: SettingsChange): Promise<void> {
  const sets: string[] = ['updated_at = now()']
  const values: unknown[] = [trx.scope]
  for (const [field, column] of CHANGEABLE) {
    if (change[field] !== undefined) {
      values.push(change[field])
      sets.push(`${column} = $${values.length}`)
    }
  }
  if (change.logo === null) {
    sets.push('logo_sha256 = null')
  }
  if (change.features !== undefined) {
    const asked = FEATURES.filter((one) => change.features?.[one] !== undefined)
    values.push(
      asked,
      asked.filter((one) => change.features?.[one] === false),
    )
    const [all, off] = [values.length - 1, values.length]
    sets.push(
      `switched_off = array(
         select unnest(switched_off) except select unnest($${all}::text[])
         union select unnest($${off}::text[]) order by 1)`,
    )
  }
  await trx.query(`update organisations set ${sets.join(', ')} where org_id = $1`, values)
}

/** Throws `switched_off` where the organisation has switched a feature off. */
export async function assertSwitchedOn(trx: Trx, feature: Feature): Promise<void> {
  const [row] = await trx.query(
    'select 1 from organisations where org_id = $1 and $2 = any(switched_off)',
    [trx.scope, feature],
  )
  if (row !== undefined) {
    const detail = `The organisation has switched ${feature} off.`
    throw new Problem('switched_off', { detail, moved: 'no' })
  }
}
