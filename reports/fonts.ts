/** The bundled fonts: parsed once, and which of them prints which character. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import * as fontkit from 'fontkit'

/** Latin first: it wins where two fonts have a character, and it stands in where none has. */
export const FAMILIES = [
  'NotoSans',
  'NotoSansDevanagari',
  'NotoSansBengali',
  'NotoSansGurmukhi',
  'NotoSansGujarati',
  'NotoSansOriya',
  'NotoSansTamil',
  'NotoSansTelugu',
  'NotoSansKannada',
  'NotoSansMalayalam',
  'NotoSansArabic',
] as const
/** The one family whose text runs from right to left. */
export const RIGHT_TO_LEFT: Family = 'NotoSansArabic'
const WEIGHTS = ['Regular', 'Bold'] as const

export type Family = (typeof FAMILIES)[number]
export type Weight = (typeof WEIGHTS)[number]
export type FontName = `${Family}-${Weight}`

/** A stretch of text that one family prints. */
export interface Run {
  family: Family
  text: string
}

/** Printed for a character that no bundled font has; PDF/A forbids the font's own empty box. */
export const REPLACEMENT = '\ufffd'

/** Joiners, marks, spaces and dandas stay in the run before them, or shaping would break there. */
const STICKY = /\p{M}|\p{Join_Control}|[ \u0964\u0965]/u

/**
 * The forms of the Arabic ligature of two letters. A PDF calls its glyphs by these: the letters
 * would be swapped by readers, which turn around what is printed from right to left.
 */
const LAM_ALEF = Array.from({ length: 8 }, (_none, index) => 0xfef5 + index)

interface Library {
  fonts: ReadonlyMap<FontName, fontkit.Font>
  coverage: ReadonlyMap<Family, ReadonlySet<number>>
}

let library: Library | undefined

/**
 * All fonts, ready for one render, which must use them up without an `await` in between. Parsing
 * is shared between renders (it is most of the time of one), but not the glyphs: fontkit keeps the
 * code points of a glyph's first use, so that one receipt would change the bytes of the next.
 */
export function freshFonts(): ReadonlyMap<FontName, fontkit.Font> {
  const { fonts } = loaded()
  for (const [name, font] of fonts) {
    font._glyphs = {}
    if (name.startsWith(RIGHT_TO_LEFT)) {
      LAM_ALEF.forEach((form) => font.glyphForCodePoint(form))
    }
  }
  return fonts
}

/** Splits text into runs by font. Characters that no font has come back as U+FFFD. */
export function splitByFont(text: string): Run[] {
  const runs: Run[] = []
  for (const character of text) {
    const last = runs.at(-1)
    const family = familyOf(character, last?.family)
    const printed = family === undefined ? REPLACEMENT : character
    if (last !== undefined && last.family === (family ?? 'NotoSans')) {
      last.text += printed
    } else {
      runs.push({ family: family ?? 'NotoSans', text: printed })
    }
  }
  return runs
}

function familyOf(character: string, before: Family | undefined): Family | undefined {
  if (before !== undefined && STICKY.test(character) && covers(before, character)) {
    return before
  }
  return FAMILIES.find((family) => covers(family, character))
}

function covers(family: Family, character: string): boolean {
  const codePoint = character.codePointAt(0)
  return codePoint !== undefined && loaded().coverage.get(family)?.has(codePoint) === true
}

function loaded(): Library {
  library ??= load()
  return library
}

function load(): Library {
  const fonts = new Map<FontName, fontkit.Font>()
  const coverage = new Map<Family, ReadonlySet<number>>()
  for (const family of FAMILIES) {
    for (const weight of WEIGHTS) {
      const name: FontName = `${family}-${weight}`
      const font = fontkit.create(readFileSync(new URL(`fonts/${name}.ttf`, import.meta.url)))
      assert('_glyphs' in font, 'This fontkit keeps its glyphs elsewhere: see freshFonts.')
      fonts.set(name, font)
      const other = coverage.get(family)
      const both = font.characterSet.filter((point) => other === undefined || other.has(point))
      coverage.set(family, new Set(both))
    }
  }
  return { fonts, coverage }
}
