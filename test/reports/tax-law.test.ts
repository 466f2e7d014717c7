/** The law of a donation follows from its day. */
import { expect } from 'chai'
import { describe, it } from 'mocha'
import {
  approvalReference,
  deductionReference,
  TAX_LAWS,
  taxLawOn,
  taxYearLabel,
} from '../../reports/tax-law.ts'

describe('The tax law of a donation', () => {
  it('is the Income-tax Act, 1961 up to 31 March 2026', () => {
    const law = taxLawOn('2026-03-31')
    expect(deductionReference(law, '50_WITH_LIMIT')).to.equal(
      'section 80G of the Income-tax Act, 1961',
    )
    expect(law.certificateForm).to.equal('Form 10BE')
    expect(taxYearLabel('2026-03-31')).to.equal('FY 2025-26')
  })

  it('is the Income-tax Act, 2025 from 1 April 2026', () => {
    const law = taxLawOn('2026-04-01')
    expect(deductionReference(law, '50_WITH_LIMIT')).to.equal(
      'section 133(1)(b)(ii) of the Income-tax Act, 2025 ' +
        '(corresponding to section 80G of the 1961 Act)',
    )
    expect(law.certificateForm).to.equal('Form 114')
    expect(taxYearLabel('2026-04-01')).to.equal('Tax Year 2026-27')
    expect(taxYearLabel('2027-03-31')).to.equal('Tax Year 2026-27')
  })

  it('names no clause for the categories whose clause is another one', () => {
    expect(deductionReference(taxLawOn('2026-04-01'), '100_NO_LIMIT')).to.contain('section 133 of')
  })

  it('says under which Act an older approval was granted', () => {
    const law = taxLawOn('2026-04-01')
    expect(approvalReference(law, '2026-03-31')).to.contain('granted under section 80G(5)')
    expect(approvalReference(law, '2026-04-01')).to.equal('section 354 of the Income-tax Act, 2025')
  })

  it('leaves no day between two laws and gives no day two laws', () => {
    for (const [index, law] of TAX_LAWS.entries()) {
      const next = TAX_LAWS[index + 1]
      const dayAfter = law.to === null ? undefined : nextDay(law.to)
      expect(dayAfter).to.equal(next?.from)
    }
  })

  it('is unknown before the first Act', () => {
    expect(() => taxLawOn('1962-03-31')).to.throw('No tax law is known')
  })
})

function nextDay(day: string): string {
  return new Date(Date.parse(`${day}T00:00:00Z`) + 86_400_000).toISOString().slice(0, 10)
}
