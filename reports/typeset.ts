/** Breaks text of any scripts into lines that fit a width, each line as runs of one font. */
import { splitByFont, type FontName, type Weight } from './fonts.ts'

export interface Style {
  weight: Weight
  /** Points. */
  size: number
  colour: string
}

export interface LineRun {
  font: FontName
  text: string
}
export type Line = LineRun[]

/** The width of a text in points. */
export type Measure = (font: FontName, size: number, text: string) => number

/** More marks than this on one letter occur in no language; they would run into other lines. */
const TOO_MANY_MARKS = /(\p{M}{4})\p{M}+/gu
/**
 * Of several general marks on a letter the first stays: what languages need is one character after
 * NFC, and fontkit fails where it has to place some of them on each other.
 */
const STACKED_MARKS = /([\p{Script=Inherited}&&\p{M}])\p{M}+/gv
/** Neither printed nor wanted: controls, direction overrides, invisible characters. */
const INVISIBLE = /[[\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}]--\p{Join_Control}]/gv
/** Line breaks too; U+FEFF counts as white space in JavaScript, but separates nothing. */
const WHITE_SPACE = /[^\S\ufeff]+/g
/** Joiners mean something only after a letter of an Indian script. */
const STRAY_JOINER = /(?<![\u0900-\u0dff])\p{Join_Control}+/gu
const LONGEST_CLUSTER = 12

const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' })

/** Text as it can be printed on one line: composed, single spaces, nothing invisible. */
export function printable(text: string): string {
  return text
    .toWellFormed()
    .normalize('NFC')
    .replace(WHITE_SPACE, ' ')
    .replace(INVISIBLE, '')
    .replace(STRAY_JOINER, '')
    .replace(STACKED_MARKS, '$1')
    .replace(TOO_MANY_MARKS, '$1')
    .trim()
}

/**
 * Lines of `text` no wider than `width`, broken at spaces, and inside a word only where the word
 * alone is too wide, then between the letters as readers see them.
 */
export function breakLines(text: string, style: Style, width: number, measure: Measure): Line[] {
  const lines: Line[] = []
  let line: Line = []
  let used = 0
  const widthOf = (piece: Line) => {
    return piece.reduce((sum, run) => sum + measure(run.font, style.size, run.text), 0)
  }
  const startLine = (): void => {
    if (line.length > 0) {
      lines.push(line)
    }
    line = []
    used = 0
  }
  for (const word of printable(text).split(' ')) {
    const runs = shapeable(toRuns(word, style.weight), style, measure)
    const space = toRuns(line.length === 0 ? '' : ' ', style.weight)
    const spaceWidth = widthOf(space)
    const wordWidth = widthOf(runs)
    if (used + spaceWidth + wordWidth <= width) {
      append(line, [...space, ...runs])
      used += spaceWidth + wordWidth
      continue
    }
    startLine()
    for (const part of wordWidth <= width ? [runs] : lettersOf(word, style.weight)) {
      shapeable(part, style, measure)
      const partWidth = widthOf(part)
      if (used + partWidth > width) {
        startLine()
      }
      append(line, part)
      used += partWidth
    }
  }
  startLine()
  return lines
}

/**
 * Takes the marks off a run that the font engine cannot shape: a name with marks in an order that
 * no language has must not keep its receipt from being made.
 */
function shapeable(runs: Line, style: Style, measure: Measure): Line {
  for (const run of runs) {
    try {
      measure(run.font, style.size, run.text)
    } catch {
      run.text = run.text.replace(/\p{M}/gu, '')
    }
  }
  return runs
}

function toRuns(text: string, weight: Weight): Line {
  return splitByFont(text).map((run) => ({ font: `${run.family}-${weight}`, text: run.text }))
}

/** A word as single letters; a conjunct without end (a hostile one) as single code points. */
function lettersOf(word: string, weight: Weight): Line[] {
  return [...graphemes.segment(word)]
    .flatMap(({ segment }) => (segment.length > LONGEST_CLUSTER ? Array.from(segment) : [segment]))
    .map((letter) => toRuns(letter, weight))
}

function append(line: Line, runs: Line): void {
  for (const run of runs) {
    const last = line.at(-1)
    if (last !== undefined && (last.font === run.font || run.text === ' ')) {
      last.text += run.text
    } else {
      line.push({ ...run })
    }
  }
}
