/** The open settlements that a credit without a name may be of. */
import type { IsoDate } from '../../base/clock.ts'
import type { BankLine, OpenSettlement } from './bank.ts'
import { addBusinessDays, addDays } from './days.ts'
import type { Rules } from './rules.ts'

/**
 * Finds those that are still open, of a gateway that the line speaks of and sent in its window of
 * days, by id. They lie by day, so that no credit looks at all that is open.
 */
export function windowsOf(
  open: ReadonlyMap<string, OpenSettlement>,
  rules: Rules,
): (line: BankLine) => OpenSettlement[] {
  const holidays = new Set(rules.holidays)
  const byDay = Map.groupBy(open.values(), (one) => keyOf(one, one.gateway, one.settledOn))
  return (line) => {
    const to = addBusinessDays(line.bookedOn, rules.bankWindow.before, holidays)
    const found: OpenSettlement[] = []
    let day = addBusinessDays(line.bookedOn, -rules.bankWindow.after, holidays)
    for (; day <= to; day = addDays(day, 1)) {
      for (const gateway of line.gateways) {
        found.push(...(byDay.get(keyOf(line, gateway, day)) ?? []))
      }
    }
    return found
      .filter(({ settlementId }) => open.has(settlementId))
      .toSorted((one, other) => (one.settlementId < other.settlementId ? -1 : 1))
  }
}

function keyOf({ currency }: { currency: string }, gateway: string, day: IsoDate): string {
  return `${currency} ${gateway} ${day}`
}
