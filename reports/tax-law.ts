/** The tax law of donations as data: which Act, section, form and year name holds on which day. */
import assert from 'node:assert/strict'
import { financialYear, type IsoDate } from '../src/base/clock.ts'

export type DeductionCategory = '100_NO_LIMIT' | '50_NO_LIMIT' | '100_WITH_LIMIT' | '50_WITH_LIMIT'

export interface TaxLaw {
  /** First and last donation day under this law; the newest has no last day yet. */
  from: IsoDate
  to: IsoDate | null
  act: string
  /** The section that gives the donor a deduction, by category. */
  deductionSections: Readonly<Record<DeductionCategory, string>>
  /** The better known section of the Act before, where there is one. */
  correspondsTo: string | null
  /** The section under which the organisation is approved. */
  approvalSection: string
  /** The section under which approvals from before this law, still valid, were granted. */
  approvedBeforeUnder: string | null
  /** A sum given in cash gives no deduction above so many paise, by that section. */
  cashLimit: { amount: bigint; section: string }
  /** What a year is called in front of "2026-27". */
  yearName: string
  /** The statement of donations that the organisation files. */
  statementForm: string
  /** The certificate that the income-tax portal makes of that statement for each donor. */
  certificateForm: string
}

/**
 * Oldest first, without gaps. The first Act is in force since 1 April 1962; its certificate exists
 * since the financial year 2021-22, and what is no certificate now was none before. Clause (b)(ii)
 * of section 133 is that of ordinary approved organisations; the other categories stand in other
 * clauses, so that only the section is named for them.
 */
export const TAX_LAWS: readonly TaxLaw[] = [
  {
    from: '1962-04-01',
    to: '2026-03-31',
    act: 'Income-tax Act, 1961',
    deductionSections: {
      '100_NO_LIMIT': '80G',
      '50_NO_LIMIT': '80G',
      '100_WITH_LIMIT': '80G',
      '50_WITH_LIMIT': '80G',
    },
    correspondsTo: null,
    approvalSection: '80G(5)',
    approvedBeforeUnder: null,
    // Finance Act 2017; it was ₹10,000 until 31 March 2017.
    cashLimit: { amount: 200_000n, section: '80G(5D)' },
    yearName: 'FY',
    statementForm: 'Form 10BD',
    certificateForm: 'Form 10BE',
  },
  {
    from: '2026-04-01',
    to: null,
    act: 'Income-tax Act, 2025',
    deductionSections: {
      '100_NO_LIMIT': '133',
      '50_NO_LIMIT': '133',
      '100_WITH_LIMIT': '133',
      '50_WITH_LIMIT': '133(1)(b)(ii)',
    },
    correspondsTo: 'section 80G of the 1961 Act',
    approvalSection: '354',
    approvedBeforeUnder: 'section 80G(5) of the Income-tax Act, 1961',
    cashLimit: { amount: 200_000n, section: '133(5)' },
    yearName: 'Tax Year',
    statementForm: 'Form 113',
    certificateForm: 'Form 114',
  },
]

/** The law that holds for a donation received on `day`; a day before all of them is refused. */
export function taxLawOn(day: IsoDate): TaxLaw {
  const law = TAX_LAWS.find(({ from, to }) => from <= day && (to === null || day <= to))
  assert(law !== undefined, `No tax law is known for ${day}.`)
  return law
}

/**
 * True for more cash, in paise, than counts for a deduction. It is asked of each sum given, as the
 * law's words are ("any sum exceeding"); who adds up a year's sums asks more of the donor.
 */
export function isAboveCashLimit(amount: bigint, day: IsoDate): boolean {
  return amount > taxLawOn(day).cashLimit.amount
}

/** The year of a day as its law names it: "FY 2025-26", "Tax Year 2026-27". */
export function taxYearLabel(day: IsoDate): string {
  return `${taxLawOn(day).yearName} ${financialYear(day)}`
}

/** "section 133(1)(b)(ii) of the Income-tax Act, 2025 (corresponding to section 80G of …)". */
export function deductionReference(law: TaxLaw, category: DeductionCategory): string {
  const section = `section ${law.deductionSections[category]} of the ${law.act}`
  return law.correspondsTo === null ? section : `${section} (corresponding to ${law.correspondsTo})`
}

/** The section of an approval granted on `day`, seen from the law under which it is used. */
export function approvalReference(law: TaxLaw, day: IsoDate): string {
  const section = `section ${law.approvalSection} of the ${law.act}`
  return day < law.from && law.approvedBeforeUnder !== null
    ? `${section} (granted under ${law.approvedBeforeUnder})`
    : section
}
