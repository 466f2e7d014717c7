/** Amounts as text: what comes in exactly, what goes out exactly, and what is refused. */
import { expect } from 'chai'
import fc from 'fast-check'
import {
  agreesWithRate,
  convert,
  exponentOf,
  formatDecimal,
  isCurrency,
  isIsoCode,
  isoCurrencies,
  MAX_MINOR,
  minorOrText,
  minorToJson,
  parseDecimal,
} from '../../src/base/money.ts'
import { codeOf } from './thrown.ts'

const currencies = fc.constantFrom('INR', 'JPY', 'KWD', 'CLF')
const amounts = fc.bigInt({ min: -MAX_MINOR, max: MAX_MINOR })

describe('money as text', () => {
  it('comes back as the same minor units, with 0, 2, 3 and 4 decimals', () => {
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
    expect(parseDecimal('90071992547409.91', 'INR')).to.equal(MAX_MINOR)
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
    expect(minorToJson(MAX_MINOR)).to.equal(Number.MAX_SAFE_INTEGER)
    expect(codeOf(() => minorToJson(9_007_199_254_740_992n))).to.equal('internal')
    expect(codeOf(() => minorToJson(-9_007_199_254_740_992n))).to.equal('internal')
  })

  it('is text in an answer where no number is exact, and a number up to there', () => {
    expect([MAX_MINOR, -MAX_MINOR, 0n].map(minorOrText)).to.deep.equal([
      Number.MAX_SAFE_INTEGER,
      -Number.MAX_SAFE_INTEGER,
      0,
    ])
    expect([MAX_MINOR + 1n, -MAX_MINOR - 1n, 10n ** 30n].map(minorOrText)).to.deep.equal([
      '9007199254740992',
      '-9007199254740992',
      `1${'0'.repeat(30)}`,
    ])
  })
})

describe('the currencies of ISO 4217', () => {
  it('have 0, 2, 3 or 4 digits behind the point, each code once', () => {
    const codes = isoCurrencies()
    expect(new Set(codes).size).to.equal(codes.length)
    expect(codes.filter((code) => !/^[A-Z]{3}$/.test(code))).to.deep.equal([])
    const count = (digits: number) => codes.filter((code) => exponentOf(code) === digits).length
    expect([0, 2, 3, 4].map(count)).to.deep.equal([17, 138, 7, 2])
    expect(codes).to.have.length(17 + 138 + 7 + 2)
  })

  it('have the digits that people get wrong', () => {
    const digits: readonly [exponent: number, codes: string][] = [
      [0, 'JPY KRW VND CLP ISK UGX XOF XAF XPF PYG UYI'],
      [2, 'INR USD EUR HUF IDR TWD MGA MRU XCG SLE'],
      [3, 'KWD BHD OMR JOD TND IQD LYD'],
      [4, 'CLF UYW'],
    ]
    for (const [exponent, codes] of digits) {
      for (const code of codes.split(' ')) {
        expect(exponentOf(code), code).to.equal(exponent)
      }
    }
  })

  it('agree with ICU on what there is, but for funds codes and what was withdrawn', () => {
    const icu = new Set(Intl.supportedValuesOf('currency'))
    const funds = ['BOV', 'CHE', 'CHW', 'CLF', 'COU', 'MXV', 'USN', 'UYI', 'UYW', 'VED', 'XCG']
    expect(isoCurrencies().filter((code) => !icu.has(code) && !funds.includes(code))).to.deep.equal(
      [],
    )
    const withdrawn = ['ANG', 'BGN', 'CUC', 'HRK', 'SLL', 'ZWL']
    expect([...icu].filter((code) => !isIsoCode(code) && !withdrawn.includes(code))).to.deep.equal(
      [],
    )
  })

  it('are not gold or special drawing rights, whose codes are taken all the same', () => {
    for (const code of ['XAU', 'XDR', 'XTS', 'XXX']) {
      expect([isCurrency(code), isIsoCode(code)], code).to.deep.equal([false, true])
    }
    expect(['POINTS', 'inr', '', 'PTS'].map(isIsoCode)).to.deep.equal([false, false, false, false])
  })
})

describe('points as text', () => {
  it('have the digits that their books say', () => {
    expect(formatDecimal(1234n, 'SEVA', 0)).to.equal('1234')
    expect(formatDecimal(-1n, 'SEVA', 6)).to.equal('-0.000001')
    expect(parseDecimal('12.5', 'SEVA', 1)).to.equal(125n)
    expect(codeOf(() => parseDecimal('12.5', 'SEVA', 0))).to.equal('invalid_request')
    expect(codeOf(() => formatDecimal(1n, 'SEVA'))).to.equal('invalid_request')
  })
})

describe('an amount at a rate', () => {
  const whole = { fromExponent: 0, toExponent: 0 }

  it('is rounded half to even, once', () => {
    const halves = [201n, 203n, 205n, 207n].map((minor) =>
      convert(minor, { rate: '0.5', ...whole }),
    )
    expect(halves).to.deep.equal([100n, 102n, 102n, 104n])
    const beyond = { rate: '0.500000000000000001', ...whole }
    expect([201n, 205n].map((minor) => convert(minor, beyond))).to.deep.equal([101n, 103n])
  })

  it('is rounded down below a hundred units, where half a unit would be much', () => {
    const down = [0n, 1n, 3n, 197n, 199n].map((minor) => convert(minor, { rate: '0.5', ...whole }))
    expect(down).to.deep.equal([0n, 0n, 1n, 98n, 99n])
    const most = { rate: '0.999999999999999999', ...whole }
    expect([1n, 100n, 101n].map((minor) => convert(minor, most))).to.deep.equal([0n, 99n, 101n])
  })

  it('never grows by being exchanged to and fro in tiny amounts', () => {
    const there = { rate: '0.55', fromExponent: 2, toExponent: 0 }
    const back = { rate: '1.818181818181818181', fromExponent: 0, toExponent: 2 }
    for (let paise = 1n; paise < 18_000n; paise += 1n) {
      const yen = convert(paise, there)
      expect(convert(yen, back) <= paise, `${paise} paise`).to.equal(true)
      expect(agreesWithRate(paise, yen + 1n, there), `${paise} paise`).to.equal(false)
    }
  })

  it('counts the digits of both currencies', () => {
    const rupees = { rate: '83.125', fromExponent: 2, toExponent: 2 }
    expect(convert(10_000n, rupees)).to.equal(831_250n)
    expect(convert(10_000n, { rate: '1.757', fromExponent: 2, toExponent: 0 })).to.equal(176n)
    expect(convert(100n, { rate: '0.00196', fromExponent: 0, toExponent: 3 })).to.equal(196n)
    expect(convert(7n, { rate: '2', fromExponent: 0, toExponent: 6 })).to.equal(14_000_000n)
  })

  it('is exact to the last unit for every amount and rate, as whole numbers say', () => {
    const digits = fc.integer({ min: 0, max: 6 })
    const places = 18
    fc.assert(
      fc.property(
        fc.bigInt({ min: 1n, max: MAX_MINOR }),
        fc.bigInt({ min: 1n, max: 10n ** 36n - 1n }),
        digits,
        digits,
        (minor, numerator, fromExponent, toExponent) => {
          const rate = formatDecimal(numerator, 'rate', places)
          const top = minor * numerator * 10n ** BigInt(toExponent)
          const bottom = 10n ** BigInt(places + fromExponent)
          const twice = (top % bottom) * 2n
          const isNearer = twice > bottom || (twice === bottom && (top / bottom) % 2n === 1n)
          const isUp = isNearer && top / bottom >= 100n
          const exact = top / bottom + (isUp ? 1n : 0n)
          const by = { rate, fromExponent, toExponent }
          expect(convert(minor, by)).to.equal(exact)
          expect(agreesWithRate(minor, exact, by)).to.equal(true)
          expect(agreesWithRate(minor, exact + 2n, by)).to.equal(false)
          expect(agreesWithRate(minor, exact - 2n, by)).to.equal(false)
        },
      ),
    )
  })

  it('agrees with what was got rounded down, or up where it is a hundred units or more', () => {
    const agreed = (from: bigint, rate: string, amounts: bigint[]) =>
      amounts.filter((to) => agreesWithRate(from, to, { rate, ...whole }))
    expect(agreed(1000n, '0.12', [118n, 119n, 120n, 121n, 122n])).to.deep.equal([120n])
    expect(agreed(1000n, '0.1201', [119n, 120n, 121n, 122n])).to.deep.equal([120n, 121n])
    expect(agreed(1000n, '0.1', [99n, 100n, 101n])).to.deep.equal([100n])
    expect(agreed(10_000n, '0.01001', [99n, 100n, 101n, 102n])).to.deep.equal([100n, 101n])
    expect(agreed(10_000n, '0.009999', [98n, 99n, 100n])).to.deep.equal([99n])
    expect(agreed(1n, '0.55', [-1n, 0n, 1n])).to.deep.equal([0n])
  })

  for (const rate of ['', '0', '0.000', '-1', '1e3', '1,5', '.5', '5.', ' 1', 'NaN', '1/3']) {
    it(`refuses ${JSON.stringify(rate)} as a rate`, () => {
      expect(codeOf(() => convert(1n, { rate, ...whole }))).to.equal('invalid_request')
    })
  }

  it('refuses a rate with more than 18 digits on a side', () => {
    for (const rate of ['1'.repeat(19), `0.${'1'.repeat(19)}`]) {
      expect(
        codeOf(() => convert(1n, { rate, ...whole })),
        rate,
      ).to.equal('invalid_request')
    }
  })
})
