/** CSV cells: what a spreadsheet would run is made harmless, and every text can be told again. */
import { expect } from 'chai'
import fc from 'fast-check'
import { csvLine } from '../../reports/csv.ts'

/** A cell's text again, by the rule that is written down: one apostrophe less. */
function readCell(line: string): string {
  const cell = line.slice(0, -2)
  const text = cell.startsWith('"') ? cell.slice(1, -1).replaceAll('""', '"') : cell
  return /^'+[=+\-@\t\r]/.test(text) ? text.slice(1) : text
}

describe('a line of CSV', () => {
  it('has numbers as they are, nothing for null, and quotes where they are needed', () => {
    expect(csvLine([-1, -5n, null, '', 'a,b', 'c"d', 'e\nf', 'g'])).to.equal(
      '-1,-5,,,"a,b","c""d","e\nf",g\r\n',
    )
  })

  it('has an apostrophe more before what a spreadsheet would run, however many there are', () => {
    const cells = ['=x', "'=x", "''=x", "'x", "''", '-5', '@', '\tx', '+', 'a=b']
    expect(cells.map((cell) => csvLine([cell]).slice(0, -2))).to.deep.equal([
      "'=x",
      "''=x",
      "'''=x",
      "'x",
      "''",
      "'-5",
      "'@",
      '"\'\tx"',
      "'+",
      'a=b',
    ])
    expect(csvLine(['\rx'])).to.equal('"\'\rx"\r\n')
  })

  it('gives each text a cell of its own, from which it can be read', () => {
    const unit = fc.constantFrom("'", '=', '+', '-', '@', '\t', '\r', '\n', '"', ',', 'x')
    fc.assert(
      fc.property(fc.string({ unit }), (text) => {
        expect(readCell(csvLine([text]))).to.equal(text)
      }),
      { numRuns: 2000 },
    )
  })
})
