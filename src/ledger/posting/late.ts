/** Facts that come after their month was closed: where the books can still take them. */
import { LATE_REASON, type Draft } from '../core/entry.ts'
import { stateOf, type RestrictedPeriod } from '../periods/periods.ts'

/** The metadata that keeps the day of a fact whose entry is dated later. */
export const HAPPENED_ON = 'happened_on'

const REASON = 'The gateway told it after the month was closed.'

/**
 * A draft made from a fact, dated so that it can be posted: in a closed month nothing may change
 * any more, so that it goes to the first day after it and keeps its own day as metadata; in a
 * soft-closed one it says why it is late. Facts are never refused for their date.
 */
export function datedLate(draft: Draft, restricted: readonly RestrictedPeriod[]): Draft {
  const month = draft.effectiveOn.slice(0, 7)
  switch (stateOf(month, restricted)) {
    case 'open':
      return draft
    case 'soft_closed':
      return { ...draft, metadata: { ...draft.metadata, [LATE_REASON]: REASON } }
    case 'closed': {
      const closed = restricted.find(({ state }) => state === 'closed')?.month ?? draft.effectiveOn
      const moved = {
        ...draft,
        effectiveOn: firstDayAfter(closed),
        metadata: { ...draft.metadata, [HAPPENED_ON]: draft.effectiveOn },
      }
      return datedLate(moved, restricted)
    }
  }
}

/** The first day of the month after the one that `day` is in. */
function firstDayAfter(day: string): string {
  const next = new Date(Date.UTC(Number(day.slice(0, 4)), Number(day.slice(5, 7)), 1))
  return next.toISOString().slice(0, 10)
}
