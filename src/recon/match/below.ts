/** Amounts in an order of their own, of which those below a bound are found past all the others. */

/** A tree of least amounts: a search and a removal take as many steps as the tree is high. */
export class Below {
  readonly #leaves: number
  /** The least of each subtree, its root at 1; null where nothing is left. */
  readonly #least: (bigint | null)[]

  constructor(amounts: readonly bigint[]) {
    this.#leaves = 2 ** Math.ceil(Math.log2(Math.max(amounts.length, 1)))
    this.#least = Array.from<bigint | null>({ length: 2 * this.#leaves }).fill(null)
    for (const [place, amount] of amounts.entries()) {
      this.#least[this.#leaves + place] = amount
    }
    for (let node = this.#leaves - 1; node > 0; node -= 1) {
      this.#least[node] = this.#leastUnder(node)
    }
  }

  /** The first place from `from` on whose amount is below `bound`; -1 where there is none. */
  next(from: number, bound: bigint): number {
    const fits = (of: number): boolean => {
      const least = this.#least[of] ?? null
      return least !== null && least < bound
    }
    if (from >= this.#leaves) {
      return -1
    }
    let node = this.#leaves + from
    while (!fits(node)) {
      // Up, as long as nothing is to the right of it.
      while (node % 2 === 1) {
        node = (node - 1) / 2
      }
      if (node === 0) {
        return -1
      }
      node += 1
    }
    while (node < this.#leaves) {
      node = fits(2 * node) ? 2 * node : 2 * node + 1
    }
    return node - this.#leaves
  }

  /** No search finds this place again. */
  remove(place: number): void {
    let node = this.#leaves + place
    this.#least[node] = null
    while (node > 1) {
      node = Math.floor(node / 2)
      this.#least[node] = this.#leastUnder(node)
    }
  }

  #leastUnder(node: number): bigint | null {
    const [one = null, other = null] = this.#least.slice(2 * node, 2 * node + 2)
    return one === null || (other !== null && other < one) ? other : one
  }
}
