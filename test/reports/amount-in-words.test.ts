/** Amounts in words: they read back as the same number. */
import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { amountInWords, numberInWords } from '../../reports/amount-in-words.ts'

const WORDS: [bigint, string][] = [
  [0n, 'Rupees Zero Only'],
  [1n, 'Rupees Zero and Paise One Only'],
  [50n, 'Rupees Zero and Paise Fifty Only'],
  [99n, 'Rupees Zero and Paise Ninety Nine Only'],
  [100n, 'Rupees One Only'],
  [9_900n, 'Rupees Ninety Nine Only'],
  [1_100n, 'Rupees Eleven Only'],
  [10_000n, 'Rupees One Hundred Only'],
  [110_000n, 'Rupees One Thousand One Hundred Only'],
  [10_000_000n, 'Rupees One Lakh Only'],
  [
    12_345_678n,
    'Rupees One Lakh Twenty Three Thousand Four Hundred Fifty Six and Paise Seventy Eight Only',
  ],
  [1_000_000_000n, 'Rupees One Crore Only'],
  [1_234_000_000_000n, 'Rupees One Thousand Two Hundred Thirty Four Crore Only'],
  [
    9_223_372_036_854_775_807n,
    'Rupees Nine Hundred Twenty Two Crore Thirty Three Lakh Seventy Two Thousand Thirty Six ' +
      'Crore Eighty Five Lakh Forty Seven Thousand Seven Hundred Fifty Eight and Paise Seven Only',
  ],
]

describe('Amounts in words', () => {
  for (const [paise, text] of WORDS) {
    it(`writes ${paise} paise as "${text}"`, () => {
      expect(amountInWords(paise)).to.equal(text)
    })
  }

  it('reads back as the same number, whatever the number', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 10n ** 24n }), (number) => {
        expect(readWords(numberInWords(number))).to.equal(number)
      }),
      { numRuns: 1_000 },
    )
  })

  it('reads back as the same number for everything up to 1,20,000', () => {
    for (let number = 0n; number <= 120_000n; number += 1n) {
      if (readWords(numberInWords(number)) !== number) {
        expect.fail(`${number} is written "${numberInWords(number)}".`)
      }
    }
  })

  it('refuses a negative amount', () => {
    expect(() => amountInWords(-1n)).to.throw('zero or more')
  })
})

const VALUES: Readonly<Record<string, bigint>> = {
  Zero: 0n,
  One: 1n,
  Two: 2n,
  Three: 3n,
  Four: 4n,
  Five: 5n,
  Six: 6n,
  Seven: 7n,
  Eight: 8n,
  Nine: 9n,
  Ten: 10n,
  Eleven: 11n,
  Twelve: 12n,
  Thirteen: 13n,
  Fourteen: 14n,
  Fifteen: 15n,
  Sixteen: 16n,
  Seventeen: 17n,
  Eighteen: 18n,
  Nineteen: 19n,
  Twenty: 20n,
  Thirty: 30n,
  Forty: 40n,
  Fifty: 50n,
  Sixty: 60n,
  Seventy: 70n,
  Eighty: 80n,
  Ninety: 90n,
}

/** The inverse, by another way: what stands before the last crore counts crores. */
function readWords(text: string): bigint {
  const words = text.split(' ').filter((word) => word !== '')
  const crore = words.lastIndexOf('Crore')
  if (crore >= 0) {
    const rest = readWords(words.slice(crore + 1).join(' '))
    return readWords(words.slice(0, crore).join(' ')) * 10_000_000n + rest
  }
  let total = 0n
  let group = 0n
  for (const word of words) {
    if (word === 'Hundred') {
      group *= 100n
    } else if (word === 'Thousand' || word === 'Lakh') {
      total += group * (word === 'Lakh' ? 100_000n : 1_000n)
      group = 0n
    } else {
      const value = VALUES[word]
      if (value === undefined) {
        throw new Error(`"${word}" is no number word.`)
      }
      group += value
    }
  }
  return total + group
}
