/** Tests of proposals: what is near is proposed with its parts, and what is not is left alone. */
import { expect } from 'chai'
import fc from 'fast-check'
import { nearness, piecesOf, proposalsFor, scoreOf } from '../../../src/recon/match/propose.ts'

const UTR = 'AXISCN0054123987'
const side = (more: object = {}) => ({
  references: [UTR],
  amount: 1000n,
  currency: 'INR',
  day: '2026-05-04',
  ...more,
})

describe('proposals', () => {
  it('know a reference that was cut off, mistyped once or twice, and no other', () => {
    const pairs = {
      [UTR]: 'same',
      AXISCN00541239: 'two_edits',
      AXISCN0054: 'truncated',
      CN0054123987: 'truncated',
      AXISCN005412398: 'one_edit',
      AXISCN0045123987: 'one_edit',
      AX1SCN0O54123987: 'two_edits',
      AX1SCNO054128987: 'none',
      HDFCR52026050499: 'none',
      AXIS: 'none',
    }
    for (const [other, due] of Object.entries(pairs)) {
      expect(nearness(UTR, other), other).to.equal(due)
      expect(nearness(other, UTR), other).to.equal(due)
    }
    expect(nearness('ABC12', 'ABC13')).to.equal('none')
    expect(nearness('', '')).to.equal('same')
    expect(nearness('9'.repeat(65), '9'.repeat(64))).to.equal('none')
  })

  it('score references, amount and day apart, and never one amount alone', () => {
    expect(scoreOf(side(), side())).to.deep.equal({
      score: 100,
      reference: 50,
      amount: 30,
      day: 20,
      nearness: 'same',
    })
    const near = scoreOf(side(), side({ references: ['AXISCN005412398'], day: '2026-05-06' }))
    expect(near).to.include({ score: 86, reference: 40, day: 16 })
    const other = { references: ['HDFCR52026050499'] }
    expect(scoreOf(side(), side(other))).to.include({ score: 50, nearness: 'none' })
    expect(scoreOf(side(), side({ ...other, day: '2026-05-20' }))).to.equal(null)
    expect(scoreOf(side(), side({ ...other, amount: 999n }))).to.equal(null)
    expect(scoreOf(side(), side({ currency: 'USD' }))).to.equal(null)
    expect(scoreOf(side({ day: null }), side())).to.include({ day: 0, score: 80 })
  })

  it('say where two are as likely, in the same order whatever the order they come in', () => {
    const twins = ['b', 'a', 'c'].map((id) => ({ ...side({ references: [] }), id }))
    const best = { ...side(), id: 'z' }
    const found = proposalsFor(side(), [...twins, best], 3)
    expect(found.map(({ candidate }) => candidate.id)).to.deep.equal(['z', 'a', 'b'])
    expect(found.map(({ isAlone }) => isAlone)).to.deep.equal([true, false, false])
    expect(proposalsFor(side(), [best, ...twins.toReversed()], 3)).to.deep.equal(found)
    expect(proposalsFor(side(), [], 3)).to.deep.equal([])
  })

  it('look for pieces of which one stands in whatever is two edits away', () => {
    const sign = fc.constantFrom('A', 'B', '0', '1')
    const edit = fc.tuple(fc.nat(40), sign, fc.constantFrom('put', 'take', 'change'))
    fc.assert(
      fc.property(
        fc.string({ unit: sign, minLength: 6, maxLength: 30 }),
        fc.array(edit, { maxLength: 2 }),
        (reference, edits) => {
          let other = reference
          for (const [where, what, how] of edits) {
            const at = where % (other.length + 1)
            const rest = other.slice(how === 'put' ? at : at + 1)
            other = other.slice(0, at) + (how === 'take' ? '' : what) + rest
          }
          return piecesOf(reference).some((piece) => other.includes(piece))
        },
      ),
      { numRuns: 500, seed: 7 },
    )
    expect(piecesOf('AB12')).to.deep.equal([])
  })
})
