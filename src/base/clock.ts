/** Time comes in as a parameter; these turn an instant into India's calendar. */

/** Gives the present instant. Tests pass their own. */
export type Clock = () => Date

export const systemClock: Clock = () => new Date()

/** A calendar day, YYYY-MM-DD. */
export type IsoDate = string

const IST_OFFSET_MS = 5.5 * 60 * 60 * 1000

/** The day in India (IST, UTC+05:30, no daylight saving) on which an instant falls. */
export function indianDate(instant: Date): IsoDate {
  return new Date(instant.getTime() + IST_OFFSET_MS).toISOString().slice(0, 10)
}

/** The instant of a wall-clock time in India written as `YYYY-MM-DD HH:mm:ss`, no zone. */
export function fromIndianTime(text: string): Date | undefined {
  const [, day, time] = /^(\d{4}-\d{2}-\d{2})[ T](\d{2}:\d{2}:\d{2})$/.exec(text.trim()) ?? []
  if (day === undefined || time === undefined || !isIsoDate(day)) {
    return undefined
  }
  const instant = new Date(`${day}T${time}+05:30`)
  return Number.isNaN(instant.getTime()) ? undefined : instant
}

/** True for an existing calendar day written YYYY-MM-DD. */
export function isIsoDate(text: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text) || text < '0001-01-01') {
    return false
  }
  const instant = new Date(`${text}T00:00:00Z`)
  return !Number.isNaN(instant.getTime()) && instant.toISOString().slice(0, 10) === text
}

/** India's financial year of a day, April to March: 2026-03-31 is in "2025-26". */
export function financialYear(day: IsoDate): string {
  const year = Number(day.slice(0, 4))
  const start = Number(day.slice(5, 7)) >= 4 ? year : year - 1
  return `${start}-${String((start + 1) % 100).padStart(2, '0')}`
}
