/** India's calendar: days, wall-clock times and financial years at their edges. */
import { expect } from 'chai'
import fc from 'fast-check'
import { financialYear, fromIndianTime, indianDate, isIsoDate } from '../../src/base/clock.ts'

describe('India’s calendar', () => {
  it('begins a day at midnight in India, which is 18:30 UTC', () => {
    expect(indianDate(new Date('2026-03-31T18:29:59.999Z'))).to.equal('2026-03-31')
    expect(indianDate(new Date('2026-03-31T18:30:00.000Z'))).to.equal('2026-04-01')
    expect(indianDate(new Date('2027-12-31T18:30:00Z'))).to.equal('2028-01-01')
    expect(indianDate(new Date('2028-02-28T18:30:00Z'))).to.equal('2028-02-29')
  })

  it('begins a financial year on the first of April', () => {
    expect(
      ['2026-03-31', '2026-04-01', '2027-01-01', '2099-12-31', '2100-03-31', '2009-06-01'].map(
        financialYear,
      ),
    ).to.deep.equal(['2025-26', '2026-27', '2026-27', '2099-00', '2099-00', '2009-10'])
  })

  it('knows which days there are', () => {
    for (const day of ['2026-01-31', '2028-02-29', '2000-02-29', '0001-01-01']) {
      expect(isIsoDate(day), day).to.equal(true)
    }
    for (const day of [
      '2026-02-29',
      '2100-02-29',
      '2026-04-31',
      '2026-13-01',
      '2026-00-10',
      '2026-01-00',
      '2026-1-1',
      '26-01-01',
      '2026-01-01T00:00:00Z',
      ' 2026-01-01',
      '2026-01-01\n',
      '२०२६-०१-०१',
      '',
    ]) {
      expect(isIsoDate(day), day).to.equal(false)
    }
  })

  it('reads a wall-clock time without a zone as India’s', () => {
    expect(fromIndianTime('2026-11-20 14:46:14')?.toISOString()).to.equal(
      '2026-11-20T09:16:14.000Z',
    )
    expect(fromIndianTime(' 2026-04-01T00:00:00 ')?.toISOString()).to.equal(
      '2026-03-31T18:30:00.000Z',
    )
  })

  it('reads no time that there is not', () => {
    for (const text of [
      '2026-02-31 10:00:00',
      '2026-02-29 10:00:00',
      '0000-00-00 00:00:00',
      '2026-01-01 25:00:00',
      '2026-01-01 10:60:00',
      '2026-01-01 10:00:60',
      '2026-01-01 10:00',
      '2026-01-01',
      '2026-01-01 10:00:00Z',
      '20-11-2026 10:00:00',
      '',
    ]) {
      expect(fromIndianTime(text), text).to.equal(undefined)
    }
  })

  it('gives each instant back from its time in India', () => {
    const seconds = fc.integer({ min: 0, max: 4_000_000_000 })
    fc.assert(
      fc.property(seconds, (second) => {
        const instant = new Date(second * 1000)
        const wall = new Date(second * 1000 + 19_800_000).toISOString().slice(0, 19)
        expect(fromIndianTime(wall.replace('T', ' '))?.getTime()).to.equal(instant.getTime())
        expect(indianDate(instant)).to.equal(wall.slice(0, 10))
      }),
    )
  })
})
