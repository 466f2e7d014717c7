/** Amounts in figures: Indian grouping, exact at any size. */
import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { formatRupees, groupIndian } from '../../reports/indian-number.ts'

const FIGURES: [bigint, string][] = [
  [0n, '₹0.00'],
  [1n, '₹0.01'],
  [9_900n, '₹99.00'],
  [99_999n, '₹999.99'],
  [100_000n, '₹1,000.00'],
  [12_345_678n, '₹1,23,456.78'],
  [1_000_000_000n, '₹1,00,00,000.00'],
  [9_223_372_036_854_775_807n, '₹92,23,37,20,36,85,47,758.07'],
  [-12_345_678n, '-₹1,23,456.78'],
]

describe('Amounts in figures', () => {
  for (const [paise, text] of FIGURES) {
    it(`writes ${paise} paise as ${text}`, () => {
      expect(formatRupees(paise)).to.equal(text)
    })
  }

  it('groups every number as the en-IN locale does', () => {
    const indian = new Intl.NumberFormat('en-IN')
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 10n ** 30n }), (number) => {
        expect(groupIndian(number.toString())).to.equal(indian.format(number))
      }),
    )
  })
})
