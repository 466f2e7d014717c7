/** Donors as answers show them: the tax id always masked, contacts for who may see them. */
import { z } from 'zod'
import type { DonorRecord } from '../donations/donor-records.ts'
import { idText, instant, day } from './answers.ts'
import type { Principal } from './request.ts'

export const donor = z
  .strictObject({
    id: idText('dnr'),
    name: z.string(),
    email: z.string().nullable(),
    phone: z.string().nullable(),
    address: z
      .strictObject({
        line1: z.string(),
        line2: z.string().nullable(),
        city: z.string(),
        state: z.string(),
        pin: z.string(),
      })
      .nullable()
      .meta({ description: 'Null also for who may not see contacts (donors.contacts).' }),
    tax_id: z
      .strictObject({ type: z.enum(['pan', 'aadhaar', 'passport']), masked: z.string() })
      .nullable(),
    created_at: instant,
    erased_at: instant.nullable(),
    held_until: day
      .nullable()
      .meta({ description: 'The day until which the law keeps what is left of an erased donor.' }),
  })
  .meta({ id: 'Donor' })

/** Contacts are masked for who lacks `donors.contacts`. */
export function donorView(principal: Principal) {
  const isOpen = principal.permissions.has('donors.contacts')
  return (one: DonorRecord): z.input<typeof donor> => ({
    id: one.donor_id,
    name: one.name,
    email: one.email === null || isOpen ? one.email : maskEmail(one.email),
    phone: one.phone === null || isOpen ? one.phone : maskPhone(one.phone),
    address: one.address === null || !isOpen ? null : addressView(one.address),
    tax_id:
      one.tax_id_type === null || one.tax_id_masked === null
        ? null
        : { type: one.tax_id_type, masked: one.tax_id_masked },
    created_at: one.created_at.toISOString(),
    erased_at: one.erased_at?.toISOString() ?? null,
    held_until: one.held_until,
  })
}

function addressView(address: NonNullable<DonorRecord['address']>) {
  const { line1, city, state, pin } = address
  return { line1, line2: address.line2 ?? null, city, state, pin }
}

/** `asha@example.org` is shown as `a•••@example.org`. */
export function maskEmail(email: string): string {
  const at = email.lastIndexOf('@')
  return `${Array.from(email)[0] ?? ''}•••${at < 1 ? '' : email.slice(at)}`
}

/** `+919876543210` is shown by its last two digits. */
export function maskPhone(phone: string): string {
  return `••••••••${phone.slice(-2)}`
}
