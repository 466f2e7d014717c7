/** When a webhook is tried again: over three days, or when the receiver says so. */

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

/** After the first attempt, the second, …; after the tenth it is over. */
const PAUSES_MS: readonly number[] = [
  5 * SECOND,
  5 * MINUTE,
  30 * MINUTE,
  2 * HOUR,
  5 * HOUR,
  10 * HOUR,
  14 * HOUR,
  20 * HOUR,
  24 * HOUR,
]

export const ATTEMPTS_MAX = PAUSES_MS.length + 1

/** Up to a tenth more or less, so that those who failed together part. */
const JITTER = 0.1

export const RETRY_AFTER_MS_MAX = 24 * HOUR

/**
 * Milliseconds until the next attempt after `attempts` failed ones, or null where it was the last.
 * The receiver may ask for more time (`retryAfterMs`, a day at most), not for less. `random` is
 * from 0 to 1.
 */
export function pauseAfter(
  attempts: number,
  retryAfterMs: number | null,
  random: number,
): number | null {
  const pause = PAUSES_MS[attempts - 1]
  if (pause === undefined) {
    return null
  }
  const jittered = Math.round(pause * (1 + JITTER * (2 * random - 1)))
  return Math.max(jittered, Math.min(retryAfterMs ?? 0, RETRY_AFTER_MS_MAX))
}

/** What a Retry-After header asks for (RFC 9110, 10.2.3), in milliseconds; null for nothing. */
export function retryAfterOf(header: string | undefined, now: Date): number | null {
  const text = header?.trim() ?? ''
  if (/^\d{1,10}$/.test(text)) {
    return Number(text) * SECOND
  }
  // Of the dates that HTTP has had, the one that is still sent.
  const isDate = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/.test(text)
  const at = isDate ? Date.parse(text) : Number.NaN
  return Number.isNaN(at) ? null : Math.max(0, at - now.getTime())
}
