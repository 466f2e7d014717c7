/** What stands on a donation receipt: a snapshot, complete in itself, taken when it was issued. */
import type { IsoDate } from '../src/base/clock.ts'

export interface ReceiptDocument {
  /** Layout version; an issued receipt keeps its own for ever, so that it renders the same. */
  template: 1
  /** `tax` carries the deduction statement; `general` says that it gives no deduction. */
  kind: 'tax' | 'general'
  /** Gap-free in its series and year: `80G/2026-27/000123`. */
  number: string
  issuedAt: Date
  issuedOn: IsoDate
  /** The day the money was received, India's calendar: it decides year and law. */
  donatedOn: IsoDate
  organisation: {
    legalName: string
    address: string
    pan: string
    registration12a: string | null
    email: string | null
  }
  /** The tax approval that covers `donatedOn`; always there when `kind` is `tax`. */
  approval: {
    urn: string
    issuedOn: IsoDate
    validFrom: IsoDate
    validTo: IsoDate
    deduction: '100_NO_LIMIT' | '50_NO_LIMIT' | '100_WITH_LIMIT' | '50_WITH_LIMIT'
  } | null
  donor: {
    name: string
    address: string | null
    /** Null for who has none. */
    email: string | null
    /** PAN in full, as is customary; of an Aadhaar number only the last four digits come here. */
    taxId: { label: string; text: string } | null
  }
  /** Paise. */
  amount: bigint
  currency: 'INR'
  mode: string
  /** How the payment is known: at the gateway, at the bank, by a cheque's number and date. */
  references: { label: string; text: string }[]
  fund: string
  purpose: string | null
  nature: 'general' | 'corpus' | 'specific_grant'
  signatory: { name: string; designation: string }
  /** The organisation's own looks, where it had chosen any; the logo's bytes are kept beside it. */
  branding?: { colour: string | null; logoSha256: string | null }
}
