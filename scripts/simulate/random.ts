/** Chance from a seed: the same text gives the same numbers, picks, shuffles, shares and ids. */
import { createHash } from 'node:crypto'

/** A source of chance. Not for secrets: who knows the seed knows every draw. */
export interface Random {
  /** A fraction of at least 0 and below 1. */
  fraction(): number
  /** A whole number of at least 0 and below `limit`. */
  below(limit: number): number
  /** True with the given probability, 0 to 1. */
  chance(probability: number): boolean
  /** One member of a list that has at least one. */
  pick<T>(list: readonly T[]): T
  /** A new list with the same members in another order. */
  shuffle<T>(list: readonly T[]): T[]
  /** A text of so many decimal digits; the first may be 0. */
  digits(count: number): string
}

/**
 * A generator for the given text. Each part of the simulation draws from a generator of its own
 * (named `seed/people/17` and the like), so that more draws in one part leave the others as they
 * were. The generator is xoshiro128** of Blackman and Vigna (prng.di.unimi.it), which is in the
 * public domain; its state comes from the SHA-256 of the text.
 */
export function randomFrom(text: string): Random {
  const next = xoshiro(createHash('sha256').update(text).digest())
  const fraction = (): number => next() / 2 ** 32
  const below = (limit: number): number => Math.floor(fraction() * limit)

  function pick<T>(list: readonly T[]): T {
    const [member] = list.slice(below(list.length)).slice(0, 1)
    if (member === undefined) {
      throw new RangeError('There is nothing to pick from.')
    }
    return member
  }

  function shuffle<T>(list: readonly T[]): T[] {
    return list
      .map((member) => ({ member, at: fraction() }))
      .sort((one, other) => one.at - other.at)
      .map(({ member }) => member)
  }

  return {
    fraction,
    below,
    chance: (probability) => fraction() < probability,
    pick,
    shuffle,
    digits: (count) => Array.from({ length: count }, () => String(below(10))).join(''),
  }
}

/**
 * Exactly `total` members in the proportion of the weights, in the order of the weights: what
 * the whole parts leave over goes to the largest remainders.
 */
export function shares<T>(total: number, weights: readonly (readonly [T, number])[]): T[] {
  const sum = weights.reduce((running, [, weight]) => running + weight, 0)
  const parts = weights.map(([member, weight]) => {
    const exact = (total * weight) / sum
    return { member, count: Math.floor(exact), rest: exact - Math.floor(exact) }
  })
  const missing = total - parts.reduce((running, part) => running + part.count, 0)
  const byRest = [...parts].sort((one, other) => other.rest - one.rest)
  for (const part of byRest.slice(0, missing)) {
    part.count += 1
  }
  return parts.flatMap(({ member, count }) => Array.from({ length: count }, () => member))
}

/** How many of `total` a share of 0 to 1 is; a share above zero is never nobody. */
export function countOfShare(share: number, total: number): number {
  if (share <= 0 || total === 0) {
    return 0
  }
  return Math.min(total, Math.max(1, Math.round(share * total)))
}

const LETTERS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

/** Fourteen letters and digits, the shape of Razorpay's ids, that follow from the text. */
export function idFrom(text: string): string {
  const digest = createHash('sha256').update(text).digest()
  return Array.from(digest.subarray(0, 14), (byte) => LETTERS.charAt(byte % 62)).join('')
}

/** So many decimal digits (at most 18) that follow from the text. */
export function digitsFrom(text: string, count: number): string {
  const number = createHash('sha256').update(text).digest().readBigUInt64BE(0)
  return (number % 10n ** BigInt(count)).toString().padStart(count, '0')
}

function xoshiro(seed: Buffer): () => number {
  let [a, b, c, d] = [0, 4, 8, 12].map((offset) => seed.readUInt32LE(offset)) as [
    number,
    number,
    number,
    number,
  ]
  return () => {
    const result = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0
    const shifted = b << 9
    c ^= a
    d ^= b
    b ^= c
    a ^= d
    c ^= shifted
    d = rotate(d, 11)
    return result
  }
}

function rotate(word: number, by: number): number {
  return (word << by) | (word >>> (32 - by))
}
