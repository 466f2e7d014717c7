/** When to try again: exponential with full jitter, so that those who failed together part. */

export interface Backoff {
  firstMs: number
  mostMs: number
  /** After this many attempts it is over. */
  attemptsMax: number
}

/** Milliseconds until the next try after `attempts` failed ones, or null where it was the last. */
export function delayAfter(backoff: Backoff, attempts: number): number | null {
  if (attempts >= backoff.attemptsMax) {
    return null
  }
  const ceiling = Math.min(backoff.firstMs * 2 ** (attempts - 1), backoff.mostMs)
  const least = backoff.firstMs / 2
  return Math.round(least + Math.random() * (ceiling - least))
}
