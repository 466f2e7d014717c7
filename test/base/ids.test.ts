/** Ids: their form, their order in time, and that they do not repeat. */
import { expect } from 'chai'
import fc from 'fast-check'
import { isId, newId } from '../../src/base/ids.ts'

const instants = fc.integer({ min: 0, max: 2 ** 48 - 1 })

describe('an id', () => {
  it('has its prefix and 26 characters that cannot be mistaken for each other', () => {
    fc.assert(
      fc.property(instants, (now) => {
        const id = newId('don', now)
        expect(id).to.match(/^don_[0-9a-hjkmnp-tv-z]{26}$/)
        expect(isId('don', id)).to.equal(true)
        expect(isId('pmt', id)).to.equal(false)
      }),
    )
  })

  it('sorts behind every id of an earlier millisecond', () => {
    fc.assert(
      fc.property(instants, instants, (one, other) => {
        fc.pre(one !== other)
        expect(newId('pmt', one) < newId('pmt', other)).to.equal(one < other)
      }),
    )
  })

  it('never comes twice', () => {
    const now = Date.now()
    const ids = new Set(Array.from({ length: 10_000 }, () => newId('evt', now)))
    expect(ids.size).to.equal(10_000)
  })

  it('is told from text that only looks like it', () => {
    const tail = '0'.repeat(26)
    for (const text of [
      '',
      'don_',
      'don',
      `don_${'0'.repeat(25)}`,
      `don_${tail}0`,
      `don_${'0'.repeat(25)}i`,
      `don_${'0'.repeat(25)}A`,
      `DON_${tail}`,
      ` don_${tail}`,
      `don_${tail}\n`,
    ]) {
      expect(isId('don', text), JSON.stringify(text)).to.equal(false)
    }
    expect(isId('don', `don_${tail}`)).to.equal(true)
  })
})
