/** What a donation receipt says, as plain text in its order; receipt.ts gives it its looks. */
import assert from 'node:assert/strict'
import { isIsoDate, type IsoDate } from '../src/base/clock.ts'
import { MAX_MINOR } from '../src/base/money.ts'
import { amountInWords } from './amount-in-words.ts'
import { formatRupees } from './indian-number.ts'
import type { ReceiptDocument } from './receipt-document.ts'
import {
  approvalReference,
  deductionReference,
  isAboveCashLimit,
  taxLawOn,
  taxYearLabel,
  type DeductionCategory,
  type TaxLaw,
} from './tax-law.ts'

export interface Row {
  label: string
  text: string
  /** What a reader looks for first. */
  strong?: boolean
}
export interface Section {
  title: string
  rows: Row[]
}
export interface ReceiptText {
  organisation: { name: string; address: string; ids: string }
  title: string
  subtitle: string
  /** Number, dates and year: what the reader looks for first. */
  keys: Row[]
  amount: string
  amountInWords: string
  donor: Section
  donation: Section
  /** Only on a tax receipt. */
  tax: Section | null
  notes: string[]
  signatory: { organisation: string; name: string; designation: string; role: string }
  foot: string
}

type Approval = NonNullable<ReceiptDocument['approval']>

const NATURES: Readonly<Record<ReceiptDocument['nature'], string>> = {
  general: 'General donation',
  corpus: 'Corpus donation',
  specific_grant: 'Specific grant',
}

/** Says which part of the donation the law lets count, not what a donor will save. */
const CATEGORIES: Readonly<Record<DeductionCategory, string>> = {
  '100_NO_LIMIT': '100% of the donation, without the qualifying limit',
  '50_NO_LIMIT': '50% of the donation, without the qualifying limit',
  '100_WITH_LIMIT': '100% of the donation, subject to the qualifying limit',
  '50_WITH_LIMIT': '50% of the donation, subject to the qualifying limit',
}

const MONTHS =
  'January February March April May June July August September October November December'.split(' ')

/**
 * All texts of a receipt. Refuses, as a mistake of the program, an amount that is not positive,
 * and a tax receipt without an approval valid on the donation's day, donor address or tax id.
 */
export function receiptText(receipt: ReceiptDocument): ReceiptText {
  assert(receipt.amount > 0n, 'A receipt needs an amount above zero.')
  assert(receipt.amount <= MAX_MINOR, 'The amount is larger than any that the ledger holds.')
  const law = taxLawOn(receipt.donatedOn)
  const approval = receipt.kind === 'tax' ? approvalOf(receipt) : null
  const { organisation, signatory } = receipt
  return {
    organisation: {
      name: organisation.legalName,
      address: onOneLine(organisation.address),
      ids: [
        `PAN ${organisation.pan}`,
        organisation.registration12a === null
          ? ''
          : `12A registration ${organisation.registration12a}`,
        organisation.email ?? '',
      ]
        .filter((text) => text !== '')
        .join('   ·   '),
    },
    title: approval === null ? 'Donation receipt' : '80G donation receipt',
    subtitle: subtitleOf(law, approval),
    keys: [
      { label: 'Receipt number', text: receipt.number },
      { label: 'Receipt date', text: dateText(receipt.issuedOn) },
      { label: 'Donation date', text: dateText(receipt.donatedOn) },
      { label: 'Year of the donation', text: taxYearLabel(receipt.donatedOn) },
    ],
    amount: formatRupees(receipt.amount),
    amountInWords: amountInWords(receipt.amount),
    donor: { title: 'Received from', rows: donorRows(receipt) },
    donation: { title: 'Donation', rows: donationRows(receipt) },
    tax: approval === null ? null : { title: 'Tax deduction', rows: taxRows(law, approval) },
    notes: notesOf(receipt, law, approval),
    signatory: {
      organisation: `For ${organisation.legalName}`,
      name: signatory.name,
      designation: signatory.designation,
      role: 'Authorised signatory',
    },
    foot: `Receipt ${receipt.number}`,
  }
}

function approvalOf(receipt: ReceiptDocument): Approval {
  const { approval, donor, donatedOn } = receipt
  assert(approval !== null, 'A tax receipt needs an approval.')
  assert(
    approval.validFrom <= donatedOn && donatedOn <= approval.validTo,
    'The approval of a tax receipt is not valid on the day of the donation.',
  )
  assert(donor.address !== null && donor.address.trim() !== '', 'A tax receipt needs an address.')
  assert(donor.taxId !== null && donor.taxId.text.trim() !== '', 'A tax receipt needs a tax id.')
  return approval
}

function subtitleOf(law: TaxLaw, approval: Approval | null): string {
  return approval === null
    ? 'This donation gives no tax deduction, and this receipt carries no tax approval.'
    : capital(deductionReference(law, approval.deduction))
}

function donorRows({ donor }: ReceiptDocument): Row[] {
  return [
    { label: 'Name', text: donor.name, strong: true },
    ...(donor.address === null ? [] : [{ label: 'Address', text: onOneLine(donor.address) }]),
    ...(donor.taxId === null ? [] : [donor.taxId]),
    ...(donor.email === null ? [] : [{ label: 'Email', text: donor.email }]),
  ]
}

function donationRows(receipt: ReceiptDocument): Row[] {
  return [
    { label: 'Nature', text: NATURES[receipt.nature] },
    { label: 'Fund', text: receipt.fund },
    ...(receipt.purpose === null ? [] : [{ label: 'Purpose', text: receipt.purpose }]),
    { label: 'Paid by', text: receipt.mode },
    ...receipt.references,
  ]
}

function taxRows(law: TaxLaw, approval: Approval): Row[] {
  return [
    { label: 'Law', text: capital(deductionReference(law, approval.deduction)) },
    { label: 'Approval', text: capital(approvalReference(law, approval.issuedOn)) },
    { label: 'Approval number (URN)', text: approval.urn },
    { label: 'Approved on', text: dateText(approval.issuedOn) },
    { label: 'Valid', text: `${dateText(approval.validFrom)} to ${dateText(approval.validTo)}` },
    { label: 'Deduction', text: CATEGORIES[approval.deduction] },
  ]
}

function notesOf(receipt: ReceiptDocument, law: TaxLaw, approval: Approval | null): string[] {
  const { certificateForm, statementForm } = law
  return [
    'No goods or services were given in return for this donation.',
    ...(receipt.mode === 'Cash' && isAboveCashLimit(receipt.amount, receipt.donatedOn)
      ? [cashNote(law)]
      : []),
    ...(approval === null
      ? []
      : ["Whether and how much a donor may deduct depends on the donor's own tax position."]),
    `This receipt is not ${certificateForm}. The certificate for the tax return is ` +
      `${certificateForm} of the income-tax portal, made from the organisation's ` +
      `${statementForm}; no receipt takes its place.`,
    'Issued electronically, without a handwritten signature.',
  ]
}

/** Why so much cash is not on a tax receipt. */
function cashNote({ act, cashLimit }: TaxLaw): string {
  return (
    `Given in cash: a sum above ${formatRupees(cashLimit.amount)} gives no deduction ` +
    `(section ${cashLimit.section} of the ${act}).`
  )
}

/** A day in words, since 04/05/2026 is read in two ways. */
export function dateText(day: IsoDate): string {
  assert(isIsoDate(day), 'A date of the receipt is not a day of the calendar.')
  const [year = '', month = '', date = ''] = day.split('-')
  return `${Number(date)} ${MONTHS[Number(month) - 1]} ${year}`
}

/** An address typed in several lines; commas take the place of the line breaks. */
function onOneLine(address: string): string {
  return address.trim().replace(/[,\s]*[\r\n]+\s*/g, ', ')
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1)
}
