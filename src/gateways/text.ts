/** Cleans text that came from outside, so that it can be stored, listed and made part of a key. */

const MAX_TEXT = 500

/**
 * Text for people and lists: trimmed, at most 500 characters, and null where nothing is left.
 * Control characters become spaces, because Postgres refuses a NUL in a text.
 */
export function textOf(value: unknown): string | null {
  if (typeof value !== 'string' && typeof value !== 'number') {
    return null
  }
  const clean = String(value)
    .replaceAll(/\p{Cc}+/gu, ' ')
    .trim()
  return clean === '' ? null : clean.slice(0, MAX_TEXT).toWellFormed()
}

/** An id of a gateway, trimmed; undefined where it could not be part of a natural key. */
export function idOf(value: unknown): string | undefined {
  const id = typeof value === 'string' ? value.trim() : ''
  return /^[\w-]{1,64}$/.test(id) ? id : undefined
}

/**
 * The beginning of a text, at most `max` UTF-16 units long, never cut inside a character: a
 * Devanagari letter with its vowel sign is one character, and so is a pair of surrogates.
 */
export function cutText(text: string, max: number): string {
  let cut = ''
  for (const { segment } of new Intl.Segmenter('en').segment(text.toWellFormed())) {
    if (cut.length + segment.length > max) {
      break
    }
    cut += segment
  }
  return cut
}
