/** Makes the document of a receipt from the donation, its payment, donor and organisation. */
import { indianDate, type IsoDate } from '../base/clock.ts'
import { unseal, type Keyring } from '../base/crypto.ts'
import { dateText } from '../../reports/receipt-text.ts'
import type { ReceiptDocument } from '../../reports/receipt-document.ts'
import { addressLine, type PostalAddress, type TaxIdType } from './donors.ts'

/** A paid donation as `receipts.ts` reads it. */
export interface ReceiptSource {
  donation_id: string
  nature: 'general' | 'corpus' | 'specific_grant'
  purpose: string | null
  fund_name: string
  payment_id: string
  /** Null, with its payment's id, for money that came past the gateways. */
  gateway: string | null
  gateway_payment_id: string | null
  method: string | null
  amount: bigint
  currency: string
  bank_reference: string | null
  captured_at: Date
  /** What of it was given back or lost, minor units. */
  gone: bigint
  entry_no: bigint
  /** How it came past the gateways, and by what it is known there; null where it did not. */
  channel: keyof typeof OFFLINE | null
  reference: string | null
  cheque_date: IsoDate | null
  ifsc: string | null
  bank: string | null
  donor_id: string
  name: string
  /** Null for a donor who has none, or who was erased before he paid. */
  email: string | null
  erased_at: Date | null
  address: PostalAddress | null
  tax_id_type: TaxIdType | null
  tax_id_sealed: Buffer | null
  legal_name: string
  organisation_address: string
  organisation_pan: string
  registration_12a: string | null
  organisation_email: string
  signatory_name: string
  signatory_designation: string
  colour: string | null
  logo_sha256: Buffer | null
  urn: string | null
  approval_issued_on: IsoDate | null
  valid_from: IsoDate | null
  valid_to: IsoDate | null
  deduction: '100_NO_LIMIT' | '50_NO_LIMIT' | '100_WITH_LIMIT' | '50_WITH_LIMIT' | null
}

export interface Numbering {
  series: string
  /** What the number begins with. */
  prefix: string
  year: string
  serial: number
  issuedAt: Date
}

/** How money comes past the gateways, and what its reference is called. */
const OFFLINE = {
  cash: { mode: 'Cash', reference: 'Voucher' },
  cheque: { mode: 'Cheque', reference: 'Cheque number' },
  bank_transfer: { mode: 'Electronic (bank transfer)', reference: 'UTR' },
  upi: { mode: 'Electronic (UPI)', reference: 'RRN' },
} as const

const GATEWAY_LABELS: Readonly<Record<string, string>> = {
  razorpay: 'Razorpay',
  payu: 'PayU',
  stripe: 'Stripe',
}

/** Pure but for opening the sealed tax id. Throws where the donation is not in rupees. */
export function receiptDocument(
  source: ReceiptSource,
  numbering: Numbering,
  keyring: Keyring,
): ReceiptDocument {
  if (source.currency !== 'INR') {
    throw new Error(`a receipt is in INR, not ${source.currency}`)
  }
  if (source.erased_at !== null) {
    throw new Error('the donor was erased before the receipt could be issued')
  }
  const kind = numbering.series === '80G' ? 'tax' : 'general'
  return {
    template: 1,
    kind,
    number: `${numbering.prefix}/${numbering.year}/${String(numbering.serial).padStart(6, '0')}`,
    issuedAt: numbering.issuedAt,
    issuedOn: indianDate(numbering.issuedAt),
    donatedOn: indianDate(source.captured_at),
    organisation: {
      legalName: source.legal_name,
      address: source.organisation_address,
      pan: source.organisation_pan,
      registration12a: source.registration_12a,
      email: source.organisation_email,
    },
    approval: kind === 'tax' ? approvalOf(source) : null,
    donor: {
      name: source.name,
      address: source.address === null ? null : addressLine(source.address),
      email: source.email,
      taxId: taxIdOf(source, keyring),
    },
    amount: source.amount,
    currency: 'INR',
    mode: source.channel === null ? modeOf(source.method) : OFFLINE[source.channel].mode,
    references: referencesOf(source),
    fund: source.fund_name,
    purpose: source.purpose,
    nature: source.nature,
    signatory: { name: source.signatory_name, designation: source.signatory_designation },
    ...brandingOf(source),
  }
}

function brandingOf({
  colour,
  logo_sha256: logo,
}: ReceiptSource): Pick<ReceiptDocument, 'branding'> {
  return colour === null && logo === null
    ? {}
    : { branding: { colour, logoSha256: logo?.toString('hex') ?? null } }
}

function approvalOf(source: ReceiptSource): ReceiptDocument['approval'] {
  const { urn, approval_issued_on: issuedOn, valid_from: validFrom, valid_to: validTo } = source
  if (
    urn === null ||
    issuedOn === null ||
    validFrom === null ||
    validTo === null ||
    source.deduction === null
  ) {
    return null
  }
  return { urn, issuedOn, validFrom, validTo, deduction: source.deduction }
}

const TAX_ID_LABELS: Readonly<Record<TaxIdType, string>> = {
  pan: 'PAN',
  aadhaar: 'Aadhaar',
  passport: 'Passport',
}

/** An Aadhaar number is never printed in full (UIDAI); a PAN is. */
function taxIdOf(source: ReceiptSource, keyring: Keyring): ReceiptDocument['donor']['taxId'] {
  if (source.tax_id_type === null || source.tax_id_sealed === null) {
    return null
  }
  const value = unseal(keyring, source.tax_id_sealed, source.donor_id).toString()
  const text = source.tax_id_type === 'aadhaar' ? `XXXX XXXX ${value.slice(-4)}` : value
  return { label: TAX_ID_LABELS[source.tax_id_type], text }
}

/** What the gateways call the ways of paying: Razorpay in words, PayU in codes. */
const METHODS: Readonly<Record<string, string>> = {
  upi: 'UPI',
  card: 'card',
  netbanking: 'net banking',
  wallet: 'wallet',
  emi: 'EMI',
  cc: 'credit card',
  dc: 'debit card',
  nb: 'net banking',
  cash: 'wallet',
  sbqr: 'UPI QR',
}

function referencesOf(source: ReceiptSource): ReceiptDocument['references'] {
  const { channel, cheque_date: chequeDate } = source
  const given: readonly (readonly [label: string, text: string | null])[] =
    channel === null
      ? [
          [`${labelOf(source.gateway)} payment`, source.gateway_payment_id],
          ['Bank reference', source.bank_reference],
        ]
      : [
          [OFFLINE[channel].reference, source.reference],
          ['Cheque date', chequeDate === null ? null : dateText(chequeDate)],
          ['Bank', [source.bank, source.ifsc].filter((part) => part !== null).join(', ') || null],
        ]
  return given.flatMap(([label, text]) => (text === null ? [] : [{ label, text }]))
}

function labelOf(gateway: string | null): string {
  return GATEWAY_LABELS[gateway ?? ''] ?? gateway ?? 'Gateway'
}

function modeOf(method: string | null): string {
  if (method === null) {
    return 'Electronic'
  }
  return `Electronic (${METHODS[method.toLowerCase()] ?? method})`
}
