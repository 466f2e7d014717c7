/** Donors: who gave, with tax ids encrypted and masked. */
import { blindIndex } from '../base/blind-index.ts'
import { seal, type Keyring } from '../base/crypto.ts'
import type { Scope, Trx } from '../base/db.ts'
import { newId } from '../base/ids.ts'

export type TaxIdType = 'pan' | 'aadhaar' | 'passport'

export interface PostalAddress {
  line1: string
  line2?: string | undefined
  city: string
  state: string
  /** Six digits, the first not zero. */
  pin: string
}

export interface NewDonor {
  name: string
  /** Null for who has none: his receipt is not emailed. */
  email: string | null
  phone: string | null
  address: PostalAddress | null
  taxId: { type: TaxIdType; value: string } | null
}

/**
 * `ABCPE1234F` is shown as `•••••••34F`, an Aadhaar number by its last four digits (as UIDAI asks),
 * a passport's by two. What is hidden is more than anybody could try: of a PAN the fourth letter is
 * nearly always P, and the fifth begins the surname.
 */
export function maskTaxId(type: TaxIdType, value: string): string {
  switch (type) {
    case 'aadhaar':
      return `XXXX XXXX ${value.slice(-4)}`
    case 'pan':
      return `•••••••${value.slice(-3)}`
    case 'passport':
      return `••••••${value.slice(-2)}`
    default:
      return type satisfies never
  }
}

/** True for the form of a PAN; its last letter's algorithm is not published. */
export function isPan(value: string): boolean {
  return /^[A-Z]{3}[ABCFGHJLPT][A-Z]\d{4}[A-Z]$/.test(value)
}

/** What a tax id's blind index belongs to: equal ids of two organisations have different ones. */
export function taxIdContext(orgId: Scope, type: TaxIdType): string {
  return `donors ${orgId} ${type}`
}

/** Writes a donor and gives the id. */
export async function insertDonor(
  trx: Trx,
  keyring: Keyring,
  donor: NewDonor,
  donorId: string = newId('dnr'),
): Promise<string> {
  const { taxId } = donor
  const index =
    taxId === null ? null : blindIndex(keyring, taxIdContext(trx.scope, taxId.type), taxId.value)
  await trx.query(
    `insert into donors (org_id, donor_id, name, email, phone, address, tax_id_type, tax_id_sealed,
       tax_id_masked, tax_id_index, tax_id_index_key)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
    [
      trx.scope,
      donorId,
      donor.name,
      donor.email,
      donor.phone,
      donor.address === null ? null : JSON.stringify(donor.address),
      taxId?.type ?? null,
      taxId === null ? null : seal(keyring, taxId.value, donorId),
      taxId === null ? null : maskTaxId(taxId.type, taxId.value),
      index?.hash ?? null,
      index?.keyId ?? null,
    ],
  )
  return donorId
}

/** An address on one line, as it stands on a receipt. */
export function addressLine(address: PostalAddress): string {
  const parts = [address.line1, address.line2, address.city, `${address.state} ${address.pin}`]
  return parts.filter((part) => part !== undefined && part !== '').join(', ')
}
