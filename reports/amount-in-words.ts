/** Amounts in words as Indian cheques write them: "Rupees One Lakh and Paise Fifty Only". */
import assert from 'node:assert/strict'

const BELOW_TWENTY =
  'Zero One Two Three Four Five Six Seven Eight Nine Ten Eleven Twelve Thirteen Fourteen ' +
  'Fifteen Sixteen Seventeen Eighteen Nineteen'
const SMALL = BELOW_TWENTY.split(' ')
const TENS = 'Zero Ten Twenty Thirty Forty Fifty Sixty Seventy Eighty Ninety'.split(' ')

/** Largest first. Above a crore the crores are counted: accounts do not use arab or kharab. */
const UNITS = [
  [10_000_000n, 'Crore'],
  [100_000n, 'Lakh'],
  [1_000n, 'Thousand'],
  [100n, 'Hundred'],
] as const

/** Paise, zero or more, in words. Paise are left out when there are none. */
export function amountInWords(paise: bigint): string {
  assert(paise >= 0n, 'Only an amount of zero or more is put into words.')
  const rupees = paise / 100n
  const rest = paise % 100n
  const fraction = rest === 0n ? '' : ` and Paise ${numberInWords(rest)}`
  return `Rupees ${numberInWords(rupees)}${fraction} Only`
}

/** A whole number, zero or more, in English words with lakh and crore. */
export function numberInWords(number: bigint): string {
  for (const [size, unit] of UNITS) {
    if (number >= size) {
      const head = `${numberInWords(number / size)} ${unit}`
      const rest = number % size
      return rest === 0n ? head : `${head} ${numberInWords(rest)}`
    }
  }
  if (number < 20n) {
    return wordAt(SMALL, number)
  }
  const tens = wordAt(TENS, number / 10n)
  return number % 10n === 0n ? tens : `${tens} ${wordAt(SMALL, number % 10n)}`
}

function wordAt(words: readonly string[], index: bigint): string {
  const word = words[Number(index)]
  assert(word !== undefined, 'The number has no word.')
  return word
}
