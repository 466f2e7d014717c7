/** Prefixed, time-ordered ids: 48 bits of milliseconds, 80 random bits, in Crockford’s base 32. */
import { randomFillSync } from 'node:crypto'

export type IdPrefix =
  | 'apr'
  | 'att'
  | 'dif'
  | 'dlv'
  | 'don'
  | 'dnr'
  | 'dsp'
  | 'dwn'
  | 'evt'
  | 'exc'
  | 'eml'
  | 'exp'
  | 'exs'
  | 'gcl'
  | 'obx'
  | 'ofp'
  | 'pau'
  | 'ins'
  | 'imp'
  | 'key'
  | 'msg'
  | 'pmt'
  | 'pyt'
  | 'rcp'
  | 'rej'
  | 'rfl'
  | 'req'
  | 'rfd'
  | 'rpl'
  | 'rrn'
  | 'rsc'
  | 'rsl'
  | 'rtl'
  | 'ses'
  | 'stl'
  | 'sub'
  | 'trf'
  | 'usr'
  | 'whe'
  | 'whs'

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz'

/** Random bytes are drawn for many ids at a time: a draw costs more than an id. */
const drawn = Buffer.alloc(16 * 256)
let used = drawn.length

/** A new id such as `don_01jd3v…`: sorts by time of making, cannot be guessed. */
export function newId(prefix: IdPrefix, now: number = Date.now()): string {
  if (used === drawn.length) {
    randomFillSync(drawn)
    used = 0
  }
  let random = ''
  for (const end = used + 16; used < end; used += 1) {
    random += ALPHABET.charAt((drawn[used] ?? 0) % 32)
  }
  return `${idsFrom(prefix, now)}${random}`
}

/** What ids made from then on come after, and ids made before it come before. */
export function idsFrom(prefix: IdPrefix, instant: number): string {
  let time = ''
  for (let rest = instant, place = 0; place < 10; place += 1) {
    time = ALPHABET.charAt(rest % 32) + time
    rest = Math.floor(rest / 32)
  }
  return `${prefix}_${time}`
}

/** True for text that has the form of an id of that kind. */
export function isId(prefix: IdPrefix, text: string): boolean {
  return (
    text.startsWith(`${prefix}_`) && /^[0-9a-hjkmnp-tv-z]{26}$/.test(text.slice(prefix.length + 1))
  )
}
