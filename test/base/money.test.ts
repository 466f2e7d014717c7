/** Amounts as text: what comes in exactly, what goes out exactly, and what is refused. */
import { expect } from 'chai'
import fc from 'fast-check'
import {
  exponentOf,
  formatDecimal,
  isCurrency,
  MAX_MINOR,
  minorToJson,
  parseDecimal,
} from '../../src/base/money.ts'
import { codeOf } from './thrown.ts'

const currencies = fc.constantFrom('INR', 'JPY', 'KWD')
const amounts = fc.bigInt({ min: -MAX_MINOR, max: MAX_MINOR })

describe('money as text', () => {
  it('comes back as the same minor units, with 0, 2 and 3 decimals', () => {
    fc.assert(
      fc.property(amounts, currencies, (minor, currency) => {
        const text = formatDecimal(minor, currency)
        expect(parseDecimal(text, currency)).to.equal(minor)
        const [, decimals = ''] = text.split('.')
        expect(decimals).to.have.length(exponentOf(currency))
      }),
    )
  })

  it('is the same amount however many zeros a gateway writes behind it', () => {
    fc.assert(
      fc.property(amounts, currencies, fc.integer({ min: 1, max: 6 }), (minor, currency, zeros) => {
        const text = formatDecimal(minor, currency)
        const longer = `${text.includes('.') ? text : `${text}.`}${'0'.repeat(zeros)}`
        expect(parseDecimal(longer, currency)).to.equal(minor)
      }),
    )
  })

  it('is read as gateways write it', () => {
    const read = ['40', '40.00', '10.0', '2', '239.6000', ' 159.20 ', '-0.01', '0.00', '-0', '007']
    expect(read.map((text) => parseDecimal(text, 'INR'))).to.deep.equal([
      4000n,
      4000n,
      1000n,
      200n,
      23_960n,
      15_920n,
      -1n,
      0n,
      0n,
      700n,
    ])
    expect(parseDecimal('1.234', 'KWD')).to.equal(1234n)
    expect(parseDecimal('500', 'JPY')).to.equal(500n)
  })

  it('loses no paisa where a float would', () => {
    const [gross, fee, tax] = ['11979.88', '239.60', '43.13'].map((one) => parseDecimal(one, 'INR'))
    expect((gross ?? 0n) - (fee ?? 0n) - (tax ?? 0n)).to.equal(parseDecimal('11697.15', 'INR'))
    expect(parseDecimal('92233720368547758.07', 'INR')).to.equal(MAX_MINOR)
  })

  for (const text of [
    '',
    ' ',
    '0000-00-00 00:00:00',
    '1e3',
    '+4',
    '.5',
    '5.',
    '1,000',
    '1,00',
    '₹5',
    '5 INR',
    '0x10',
    'NaN',
    'Infinity',
    '--5',
    '१०',
    '1.2.3',
    '5\n6',
    '1'.repeat(31),
  ]) {
    it(`refuses ${JSON.stringify(text)} as an amount`, () => {
      expect(codeOf(() => parseDecimal(text, 'INR'))).to.equal('invalid_request')
    })
  }

  it('refuses more decimals than the currency has, and currencies that it does not know', () => {
    for (const [text, currency] of [
      ['0.001', 'INR'],
      ['0.5', 'JPY'],
      ['0.0001', 'KWD'],
      ['1', 'XXX'],
      ['1', 'inr'],
      ['1', 'toString'],
      ['1', '__proto__'],
    ] as const) {
      expect(
        codeOf(() => parseDecimal(text, currency)),
        `${text} ${currency}`,
      ).to.equal('invalid_request')
    }
    expect(['INR', 'XXX', 'constructor'].map(isCurrency)).to.deep.equal([true, false, false])
  })

  it('is written with all of the currency’s decimals', () => {
    expect(formatDecimal(123_456n, 'INR')).to.equal('1234.56')
    expect(formatDecimal(5n, 'INR')).to.equal('0.05')
    expect(formatDecimal(-5n, 'INR')).to.equal('-0.05')
    expect(formatDecimal(0n, 'KWD')).to.equal('0.000')
    expect(formatDecimal(-7n, 'JPY')).to.equal('-7')
  })

  it('becomes a JSON number only where the number is exact', () => {
    expect(minorToJson(9_007_199_254_740_991n)).to.equal(Number.MAX_SAFE_INTEGER)
    expect(codeOf(() => minorToJson(9_007_199_254_740_992n))).to.equal('internal')
    expect(codeOf(() => minorToJson(-9_007_199_254_740_992n))).to.equal('internal')
  })
})
