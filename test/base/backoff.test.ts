/** Waiting between tries: never too short, never too long, and not for ever. */
import { expect } from 'chai'
import fc from 'fast-check'
import { delayAfter, type Backoff } from '../../src/base/backoff.ts'

const BACKOFF: Backoff = { firstMs: 1000, mostMs: 60_000, attemptsMax: 12 }

describe('waiting for the next try', () => {
  it('stays between half the first wait and the ceiling, which doubles up to the longest', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 11 }), (attempts) => {
        const ceiling = Math.min(1000 * 2 ** (attempts - 1), 60_000)
        expect(delayAfter(BACKOFF, attempts)).to.be.within(500, ceiling)
      }),
    )
  })

  it('spreads those who failed together', () => {
    const waits = new Set(Array.from({ length: 50 }, () => delayAfter(BACKOFF, 6)))
    expect(waits.size).to.be.greaterThan(10)
  })

  it('ends after the last attempt', () => {
    expect(delayAfter(BACKOFF, 11)).to.be.a('number')
    expect(delayAfter(BACKOFF, 12)).to.equal(null)
    expect(delayAfter(BACKOFF, 13)).to.equal(null)
    expect(delayAfter({ ...BACKOFF, attemptsMax: 1 }, 1)).to.equal(null)
  })

  it('does not overflow after many attempts', () => {
    const patient = { ...BACKOFF, attemptsMax: 5000 }
    expect(delayAfter(patient, 4000)).to.be.within(500, 60_000)
  })
})
