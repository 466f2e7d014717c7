/** Days on which banks in India work: no Sunday, no second or fourth Saturday, no holiday. */
import type { IsoDate } from '../../base/clock.ts'

const DAY_MS = 86_400_000
/** Longer than any window; a calendar of nothing but holidays ends here. */
const STEPS_MAX = 400

/** True for a day on which banks settle. */
export function isBusinessDay(day: IsoDate, holidays: ReadonlySet<IsoDate>): boolean {
  const date = new Date(`${day}T00:00:00Z`)
  const weekday = date.getUTCDay()
  const week = Math.ceil(date.getUTCDate() / 7)
  const isFree = weekday === 0 || (weekday === 6 && (week === 2 || week === 4))
  return !isFree && !holidays.has(day)
}

/** The day that many business days later, or earlier where `count` is negative. */
export function addBusinessDays(
  day: IsoDate,
  count: number,
  holidays: ReadonlySet<IsoDate>,
): IsoDate {
  const step = count < 0 ? -1 : 1
  let left = Math.abs(count)
  let now = day
  for (let steps = 0; left > 0 && steps < STEPS_MAX; steps += 1) {
    now = addDays(now, step)
    left -= isBusinessDay(now, holidays) ? 1 : 0
  }
  return now
}

/** The calendar day that many days later. */
export function addDays(day: IsoDate, count: number): IsoDate {
  return new Date(Date.parse(`${day}T00:00:00Z`) + count * DAY_MS).toISOString().slice(0, 10)
}
