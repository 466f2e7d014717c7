/** Breaks text of any scripts into lines that fit a width, each line as runs of one font. */
import { fromLeftToRight, isRightToLeft, levelsOf, mirrored, type Directed } from './bidi.ts'
import { RIGHT_TO_LEFT, splitByFont, type FontName, type Weight } from './fonts.ts'

export interface Style {
  weight: Weight
  /** Points. */
  size: number
  colour: string
}

export interface LineRun extends Directed {
  font: FontName
  text: string
}
/** Runs in the order in which they are read; `inPrintOrder` puts them as they stand on paper. */
export type Line = LineRun[]

/** The width of a text in points. */
export type Measure = (font: FontName, size: number, text: string) => number

/** More marks than this on one letter occur in no language; they would run into other lines. */
const TOO_MANY_MARKS = /(\p{M}{4})\p{M}+/gu
/**
 * Of several general marks on a letter the first stays: what languages need is one character after
 * NFC (not so in Arabic), and fontkit fails where it has to place some of them on each other.
 */
const STACKED_MARKS = /([[\p{Script=Inherited}&&\p{M}]--\p{Script_Extensions=Arabic}])\p{M}+/gv
/** Neither printed nor wanted: controls, direction overrides, invisible characters. */
const INVISIBLE = /[[\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}]--\p{Join_Control}]/gv
/** Line breaks too; U+FEFF counts as white space in JavaScript, but separates nothing. */
const WHITE_SPACE = /[^\S\ufeff]+/g
/** Joiners mean something only after a letter of Arabic or an Indian script. */
const STRAY_JOINER = /(?<![\u0620-\u06ff\u0750-\u077f\u08a0-\u0dff])\p{Join_Control}+/gu
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
  const paragraph = paragraphOf(printable(text))
  let at = 0
  for (const word of paragraph.text.split(' ')) {
    const levels = paragraph.levels?.subarray(at)
    const runs = shapeable(toRuns(word, style.weight, levels), style, measure)
    const space = toRuns(
      line.length === 0 ? '' : ' ',
      style.weight,
      paragraph.levels?.subarray(at - 1),
    )
    const spaceWidth = widthOf(space)
    const wordWidth = widthOf(runs)
    at += word.length + 1
    if (used + spaceWidth + wordWidth <= width) {
      append(line, [...space, ...runs])
      used += spaceWidth + wordWidth
      continue
    }
    startLine()
    for (const part of wordWidth <= width ? [runs] : lettersOf(word, style.weight, levels)) {
      shapeable(part, style, measure)
      const partWidth = widthOf(part)
      // Letters that join are not as wide together as they are alone.
      const longer = levels === undefined ? null : shapeable(joined(line, part), style, measure)
      const grown = longer === null ? used + partWidth : widthOf(longer)
      if (grown > width) {
        startLine()
        append(line, part)
        used = partWidth
      } else {
        line = longer ?? joined(line, part)
        used = grown
      }
    }
  }
  startLine()
  return lines
}

/** A line's runs from the left edge to the right one, each with the text to print. */
export function inPrintOrder(line: Line): Line {
  return fromLeftToRight(line).map((run) => {
    const text = isRightToLeft(run) ? mirrored(run.text) : run.text
    const [other] = splitByFont(text)
    return other !== undefined && run.font.startsWith(`${other.family}-`) ? { ...run, text } : run
  })
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

/**
 * Text with the levels of its characters, or without where all of it runs from left to right.
 * What no font has is replaced before, as the mark in its place has no direction.
 */
function paragraphOf(text: string): { text: string; levels: Uint8Array | undefined } {
  const runs = splitByFont(text)
  if (!runs.some(({ family }) => family === RIGHT_TO_LEFT)) {
    return { text, levels: undefined }
  }
  const replaced = runs.map((run) => run.text).join('')
  return { text: replaced, levels: levelsOf(replaced) }
}

function toRuns(text: string, weight: Weight, levels: Uint8Array | undefined): Line {
  return levels === undefined
    ? fontRuns(text, weight, 0)
    : lettersOf(text, weight, levels).reduce((line, letter) => append(line, letter), [])
}

function fontRuns(text: string, weight: Weight, level: number): Line {
  return splitByFont(text).map((run) => ({
    font: `${run.family}-${weight}`,
    text: run.text,
    level,
  }))
}

/** A word as single letters; a conjunct without end (a hostile one) as single code points. */
function lettersOf(word: string, weight: Weight, levels: Uint8Array | undefined): Line[] {
  return [...graphemes.segment(word)].flatMap(({ segment, index }) => {
    const letters = segment.length > LONGEST_CLUSTER ? Array.from(segment) : [segment]
    return letters.map((letter) => fontRuns(letter, weight, levels?.[index] ?? 0))
  })
}

function joined(line: Line, runs: Line): Line {
  return append(
    line.map((run) => ({ ...run })),
    runs,
  )
}

function append(line: Line, runs: Line): Line {
  for (const run of runs) {
    const last = line.at(-1)
    if (last !== undefined && goTogether(last, run)) {
      last.text += run.text
    } else {
      line.push({ ...run })
    }
  }
  return line
}

/**
 * Whether two runs are shaped as one. From right to left only letters of a word are: fontkit would
 * put anything else, digits and words beside each other too, in the order of its own guess.
 */
function goTogether(last: LineRun, run: LineRun): boolean {
  if (last.level !== run.level) {
    return false
  }
  if (last.font.startsWith(RIGHT_TO_LEFT) || isRightToLeft(run)) {
    return last.font === run.font && /\p{L}/u.test(last.text) && /\p{L}/u.test(run.text)
  }
  return last.font === run.font || run.text === ' '
}
