/** Which of some amounts come to a sum: looked for within a number of steps, and never guessed. */

export type Found =
  | { how: 'one'; items: number[] }
  | { how: 'none' }
  /** Two ways or more come to it. */
  | { how: 'several' }
  /** The search was given up. */
  | { how: 'cap' }

/**
 * The places of the amounts that come to `sum`, where there is exactly one way; amounts are above
 * 0. Largest first, and a branch ends where the rest is too small or too large, so that the order
 * of the amounts changes neither the answer nor whether the search ends within `steps`.
 */
export function subsetOf(amounts: readonly bigint[], sum: bigint, steps: number): Found {
  const places = amounts
    .map((amount, place) => ({ amount, place }))
    .sort((one, other) => (one.amount < other.amount ? 1 : one.amount > other.amount ? -1 : 0))
  const rest: bigint[] = [0n]
  for (const { amount } of places.toReversed()) {
    rest.unshift(amount + (rest[0] ?? 0n))
  }
  const ways: number[][] = []
  let left = steps
  const look = (from: number, due: bigint, taken: readonly number[]): void => {
    if (due === 0n) {
      ways.push([...taken])
      return
    }
    for (let at = from; at < places.length && ways.length < 2; at += 1) {
      left -= 1
      if (left < 0 || (rest[at] ?? 0n) < due) {
        return
      }
      const { amount, place } = places[at] ?? { amount: 0n, place: -1 }
      if (amount <= due) {
        look(at + 1, due - amount, [...taken, place])
      }
    }
  }
  look(0, sum, [])
  if (ways.length > 1) {
    return { how: 'several' }
  }
  // With steps left the search saw everything; one way alone proves nothing otherwise.
  if (left < 0) {
    return { how: 'cap' }
  }
  const [only] = ways
  return only === undefined ? { how: 'none' } : { how: 'one', items: only.sort((a, b) => a - b) }
}
