/** The open settlements that a credit without a name may be of. */
import type { IsoDate } from '../../base/clock.ts'
import type { BankLine, OpenSettlement } from './bank.ts'
import { Below } from './below.ts'
import { addBusinessDays, addDays } from './days.ts'
import type { Rules } from './rules.ts'

/** What was sent by gateways that a line speaks of, in its window of days; by id. */
export interface Windows {
  /** Those of its amount that were open at first; lines that say the same share the list. */
  equal(line: BankLine): readonly OpenSettlement[]
  /** Those below its amount, still open: all, or more than `most`, with the first so many. */
  smaller(line: BankLine, most: number): OpenSettlement[]
}

/** Settlements of one day, by id, and what is below an amount among them. */
interface Day {
  settlements: readonly OpenSettlement[]
  below: Below
}

/** They lie by day and by amount, so that no credit looks at all that was sent on its day. */
export function windowsOf(open: ReadonlyMap<string, OpenSettlement>, rules: Rules): Windows {
  const all = [...open.values()].sort(byId)
  const ofDay = (one: OpenSettlement) => keyOf(one, one.gateway, one.settledOn)
  const byAmount = Map.groupBy(all, (one) => `${ofDay(one)} ${one.amount}`)
  const byDay = new Map(
    [...Map.groupBy(all, ofDay)].map(([key, settlements]): [string, Day] => {
      return [key, { settlements, below: new Below(settlements.map(({ amount }) => amount)) }]
    }),
  )
  const daysOf = windowDays(rules)
  const keysOf = (line: BankLine) =>
    daysOf(line.bookedOn).flatMap((day) => line.gateways.map((one) => keyOf(line, one, day)))
  const said = new Map<string, readonly OpenSettlement[]>()
  return {
    equal(line) {
      const same = [line.currency, line.bookedOn, line.amount, ...line.gateways].join(' ')
      const known = said.get(same)
      if (known !== undefined) {
        return known
      }
      const keys = keysOf(line)
      const found = keys.flatMap((key) => byAmount.get(`${key} ${line.amount}`) ?? []).sort(byId)
      said.set(same, found)
      return found
    },
    smaller(line, most) {
      const days = keysOf(line).map((key) => byDay.get(key))
      return days
        .flatMap((day) => (day === undefined ? [] : smallerOf(day, open, line.amount, most + 1)))
        .sort(byId)
    },
  }
}

/** The first so many below the amount; what was taken meanwhile is never looked at again. */
function smallerOf(
  { settlements, below }: Day,
  open: ReadonlyMap<string, OpenSettlement>,
  amount: bigint,
  most: number,
): OpenSettlement[] {
  const found: OpenSettlement[] = []
  let place = below.next(0, amount)
  while (place !== -1 && found.length < most) {
    const one = settlements[place]
    if (one !== undefined && open.has(one.settlementId)) {
      found.push(one)
    } else {
      below.remove(place)
    }
    place = below.next(place + 1, amount)
  }
  return found
}

/** The days on which what was credited on a day may have been sent. */
function windowDays(rules: Rules): (bookedOn: IsoDate) => readonly IsoDate[] {
  const holidays = new Set(rules.holidays)
  const known = new Map<IsoDate, IsoDate[]>()
  return (bookedOn) => {
    const days = known.get(bookedOn) ?? []
    if (days.length === 0) {
      const to = addBusinessDays(bookedOn, rules.bankWindow.before, holidays)
      let day = addBusinessDays(bookedOn, -rules.bankWindow.after, holidays)
      for (; day <= to; day = addDays(day, 1)) {
        days.push(day)
      }
      known.set(bookedOn, days)
    }
    return days
  }
}

function byId(one: OpenSettlement, other: OpenSettlement): number {
  return one.settlementId < other.settlementId ? -1 : Number(one.settlementId > other.settlementId)
}

function keyOf({ currency }: { currency: string }, gateway: string, day: IsoDate): string {
  return `${currency} ${gateway} ${day}`
}
