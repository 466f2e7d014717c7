/** Which stretch of a gateway's list is compared next, and in what windows. */
import { expect } from 'chai'
import {
  longer,
  nextDue,
  shorter,
  stretchOf,
  TIMETABLE,
  LISTS,
  windowEnd,
  type Standing,
} from '../../src/inbox/polls/timetable.ts'

const NOW = new Date('2026-05-10T12:00:00Z')
const HOUR_MS = 60 * 60_000
const DAY_MS = 24 * HOUR_MS

const ago = (ms: number): Date => new Date(NOW.getTime() - ms)

const standing = (more: Partial<Standing> = {}): Standing => ({
  list: 'payments',
  since: ago(100 * DAY_MS),
  comparedUntil: ago(10 * 60_000),
  deepDueAt: new Date(NOW.getTime() + HOUR_MS),
  asked: null,
  ...more,
})

describe('the next stretch of a comparison', () => {
  it('begins an overlap before the last, and ends a minute ago', () => {
    const stretch = stretchOf(standing(), NOW)
    expect(stretch).to.deep.equal({
      pass: 'usual',
      from: ago(10 * 60_000 + HOUR_MS),
      to: ago(60_000),
    })
  })

  it('reaches far back once a day, and as far as the watermark where that is older', () => {
    const deepDueAt = ago(1)
    expect(stretchOf(standing({ deepDueAt }), NOW)).to.deep.include({
      pass: 'deep',
      from: ago(TIMETABLE.payments.deepMs),
    })
    const comparedUntil = ago(40 * DAY_MS)
    expect(stretchOf(standing({ deepDueAt, comparedUntil }), NOW)?.from).to.deep.equal(
      ago(40 * DAY_MS + HOUR_MS),
    )
  })

  it('leaves out what is from before the account, unless a person asked for it', () => {
    const since = ago(30 * 60_000)
    for (const deepDueAt of [ago(1), new Date(NOW.getTime() + 1)]) {
      expect(stretchOf(standing({ since, deepDueAt }), NOW)?.from).to.deep.equal(since)
    }
    const asked = { from: ago(9 * DAY_MS), to: ago(8 * DAY_MS) }
    expect(stretchOf(standing({ since, asked }), NOW)).to.deep.equal({ pass: 'asked', ...asked })
    const today = { from: ago(DAY_MS), to: new Date(NOW.getTime() + DAY_MS) }
    expect(stretchOf(standing({ asked: today }), NOW)?.to).to.deep.equal(ago(60_000))
  })

  it('is none where nothing is old enough', () => {
    expect(stretchOf(standing({ since: NOW, comparedUntil: NOW }), NOW)).to.equal(null)
    const ahead = { from: NOW, to: new Date(NOW.getTime() + DAY_MS) }
    expect(stretchOf(standing({ asked: ahead }), NOW)).to.equal(null)
  })

  it('is cut into windows, halved where they are too long and doubled again', () => {
    const to = ago(0)
    expect(windowEnd('payments', ago(3 * DAY_MS), to, null)).to.deep.equal(ago(2 * DAY_MS))
    expect(windowEnd('payments', ago(HOUR_MS), to, null)).to.deep.equal(to)
    expect(windowEnd('payments', ago(HOUR_MS), to, 600)).to.deep.equal(ago(HOUR_MS - 600_000))
    expect(shorter(ago(DAY_MS), NOW)).to.equal(43_200)
    expect(shorter(ago(1000), NOW), 'never below ten minutes').to.equal(600)
    expect([longer('payments', 600), longer('payments', 43_200)]).to.deep.equal([1200, null])
    expect(longer('payments', null)).to.equal(null)
  })

  it('comes at its list’s own interval, and what a window leaves is an overlap', () => {
    for (const list of LISTS) {
      const { everyMs, overlapMs, deepMs, windowMs } = TIMETABLE[list]
      expect(nextDue(list, NOW).getTime() - NOW.getTime()).to.be.within(
        everyMs * 0.95,
        everyMs * 1.05 + 1,
      )
      expect(overlapMs).to.be.above(everyMs / 2)
      expect(deepMs).to.be.above(overlapMs)
      expect(windowMs).to.be.above(0)
    }
  })
})
