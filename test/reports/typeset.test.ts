/** Lines of mixed scripts: the right font for each character, nothing lost, nothing too wide. */
import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { REPLACEMENT, splitByFont } from '../../reports/fonts.ts'
import { breakLines, printable, type Measure, type Style } from '../../reports/typeset.ts'

const STYLE: Style = { weight: 'Regular', size: 10, colour: '#000000' }
/** Every character is one point wide, so that a width is a number of characters. */
const measure: Measure = (_font, _size, text) => Array.from(text).length

function linesOf(text: string, width: number): string[] {
  return breakLines(text, STYLE, width, measure).map((line) => line.map((run) => run.text).join(''))
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
