/** Lines of mixed scripts: the right font for each character, nothing lost, nothing too wide. */
import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { REPLACEMENT, splitByFont } from '../../reports/fonts.ts'
import {
  breakLines,
  inPrintOrder,
  printable,
  type Measure,
  type Style,
} from '../../reports/typeset.ts'

const STYLE: Style = { weight: 'Regular', size: 10, colour: '#000000' }
/** Every character is one point wide, so that a width is a number of characters. */
const measure: Measure = (_font, _size, text) => Array.from(text).length

function linesOf(text: string, width: number): string[] {
  return breakLines(text, STYLE, width, measure).map((line) => line.map((run) => run.text).join(''))
}

/** What stands on each line from its left edge on, run by run. */
function printedOf(text: string, width = 1000): string[][] {
  return breakLines(text, STYLE, width, measure).map((line) =>
    inPrintOrder(line).map((run) => run.text),
  )
}

describe('Typesetting', () => {
  it('chooses a font for each script and keeps marks and dandas with their letters', () => {
    const runs = splitByFont('₹5 श्री राम। ஸ்ரீ')
    expect(runs.map(({ family, text }) => [family, text])).to.deep.equal([
      ['NotoSans', '₹5 '],
      ['NotoSansDevanagari', 'श्री राम। '],
      ['NotoSansTamil', 'ஸ்ரீ'],
    ])
  })

  it('replaces a character that no font has', () => {
    expect(splitByFont('a日😀')).to.deep.equal([
      { family: 'NotoSans', text: `a${REPLACEMENT}${REPLACEMENT}` },
    ])
  })

  it('removes controls, direction overrides and lone surrogates, and joins white space', () => {
    expect(printable(' a\u0000b\u0007\u202e c\t\n\u00a0d\u200b\ufeff\ud800 ')).to.equal(
      'ab c d\ufffd',
    )
  })

  it('keeps joiners where they shape a letter and nowhere else', () => {
    expect(printable('क्\u200dष a\u200db')).to.equal('क्\u200dष ab')
  })

  it('breaks at spaces', () => {
    expect(linesOf('one two three', 8)).to.deep.equal(['one two', 'three'])
  })

  it('breaks a word only where it is wider than the line', () => {
    expect(linesOf('a abcdefgh b', 3)).to.deep.equal(['a', 'abc', 'def', 'gh', 'b'])
  })

  it('never separates a letter from its vowel sign', () => {
    expect(linesOf('किकिकिकि', 5)).to.deep.equal(['किकि', 'किकि'])
  })

  it('gives no line for an empty text', () => {
    expect(linesOf(' \n', 5)).to.deep.equal([])
  })

  it('loses no character and makes no line too wide, whatever the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), fc.nat(40), (text, extra) => {
        const width = 12 + extra
        const lines = linesOf(text, width)
        const written = splitByFont(printable(text)).map((run) => run.text)
        expect(lines.join('').replaceAll(' ', '')).to.equal(written.join('').replaceAll(' ', ''))
        expect(lines.every((line) => Array.from(line).length <= width)).to.equal(true)
      }),
    )
  })
})

describe('Typesetting of Arabic script', () => {
  it('prints words from right to left, Latin and digits among them from left to right', () => {
    const [line = []] = printedOf('محمد علی (Ali Trust) 12')
    expect(line).to.deep.equal(['12', ' ', '(', 'Ali Trust', ')', ' ', 'علی', ' ', 'محمد'])
    const [latin = []] = printedOf('Ali (محمد علی) ₹ A')
    expect(latin).to.deep.equal(['Ali (', 'علی', ' ', 'محمد', ') ₹ A'])
  })

  it('keeps the digits of both kinds in their order, alone and after letters', () => {
    expect(printedOf('۱۲ ٣٤').flat().join('')).to.equal('۱۲ ٣٤')
    expect(printedOf('گلی ۱۲، ٣٤').flat().join('')).to.equal('٣٤ ،۱۲ گلی')
    // As one run fontkit would turn them.
    expect(printedOf('۱۲')).to.deep.equal([['۱', '۲']])
  })

  it('lets no override or isolate turn what stands beside it', () => {
    for (const control of ['\u202e', '\u202b', '\u2067', '\u200f', '\u061c']) {
      expect(printedOf(`Asha ${control}Vidya علی 12 x`)).to.deep.equal(
        printedOf('Asha Vidya علی 12 x'),
      )
    }
  })

  it('keeps two vowel marks on a letter, and a joiner after one', () => {
    expect(printable('مُحَمَّد')).to.equal('مُحَمَّد'.normalize('NFC'))
    expect(printable('می\u200cخواهم')).to.equal('می\u200cخواهم')
  })

  it('measures letters joined, and breaks a word that is too wide into full lines', () => {
    // A final or lone letter takes two points, one that joins the next takes one.
    const joining: Measure = (_font, _size, text) => Array.from(text).length + 1
    const lines = breakLines('ب'.repeat(20), STYLE, 8, joining)
    expect(lines.map((line) => line.map((run) => run.text))).to.deep.equal([
      ['ب'.repeat(7)],
      ['ب'.repeat(7)],
      ['ب'.repeat(6)],
    ])
  })

  it('prints each character once, whatever stands beside what', () => {
    const unit = fc.constantFrom(...'ابجد لا\u064e\u0651۱٢3aZ()[]«-،₹/\u200c\u202eकि'.split(''))
    fc.assert(
      fc.property(
        fc.string({ unit, maxLength: 40 }),
        fc.integer({ min: 5, max: 60 }),
        (text, width) => {
          const read = linesOf(text, width).join('').replaceAll(' ', '')
          expect(read).to.equal(printable(text).replaceAll(' ', ''))
          const sorted = (all: string) =>
            Array.from(all.replace(/[()[\]«» ]/g, ''))
              .toSorted()
              .join('')
          expect(sorted(printedOf(text, width).flat().join(''))).to.equal(sorted(read))
        },
      ),
    )
  })
})
