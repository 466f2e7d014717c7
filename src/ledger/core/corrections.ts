/** How an entry is taken back or corrected: by another entry, never by a change of the first. */
import type { IsoDate } from '../../base/clock.ts'
import { Problem } from '../../base/problem.ts'
import { APPROVED_BY, LATE_REASON, type Draft, type DraftLine, type EntryKind } from './entry.ts'

/** What a correction has to know of the entry that it corrects. */
export interface EntryToCorrect {
  entryNo: bigint
  kind: EntryKind
  effectiveOn: IsoDate
  lines: readonly DraftLine[]
}

export interface Correction {
  /** Why, in the words of who asks for it; kept as metadata. */
  reason: string
  effectiveOn: IsoDate
  actor: string
  /** Why it comes into a month that is closed to others; null where it does not. */
  lateReason: string | null
  /** Who consented, where it took another's consent. */
  approvedBy?: string | undefined
}

/** The name under which a correction keeps its reason. */
export const REASON = 'reason'

/** The key of an entry's reversal, so that there is one at most. */
export function reversalKey(entryNo: bigint): string {
  return `reverse:je_${entryNo}`
}

/**
 * The exact opposite of an entry: the same lines in the same order, each on the other side. Throws
 * `not_reversible` for a reversal or a year's closing, and `invalid_entry` for a day before the
 * entry's (moved: no).
 */
export function reversal(entry: EntryToCorrect, how: Correction): Draft {
  assertCorrectable(entry, how)
  return {
    ...corrected(entry, how),
    kind: 'reversal',
    idempotencyKey: reversalKey(entry.entryNo),
    description: `Reversal of je_${entry.entryNo}: ${how.reason}`,
    reverses: entry.entryNo,
    adjusts: null,
    lines: entry.lines.map((line) => ({
      ...line,
      direction: line.direction === 'debit' ? 'credit' : 'debit',
    })),
  }
}

/**
 * The difference between what was posted and what should have been, as an entry of its own. Throws
 * like `reversal`.
 */
export function adjustment(
  entry: EntryToCorrect,
  how: Correction & {
    idempotencyKey: string
    /** Null for words of ours. */
    description: string | null
    lines: readonly DraftLine[]
  },
): Draft {
  assertCorrectable(entry, how)
  return {
    ...corrected(entry, how),
    kind: 'adjustment',
    idempotencyKey: how.idempotencyKey,
    description: how.description ?? `Adjustment of je_${entry.entryNo}: ${how.reason}`,
    reverses: null,
    adjusts: entry.entryNo,
    lines: how.lines,
  }
}

function corrected(entry: EntryToCorrect, how: Correction) {
  return {
    effectiveOn: how.effectiveOn,
    source: `je_${entry.entryNo}`,
    actor: how.actor,
    metadata: {
      [REASON]: how.reason,
      ...(how.lateReason === null ? {} : { [LATE_REASON]: how.lateReason }),
      ...(how.approvedBy === undefined ? {} : { [APPROVED_BY]: how.approvedBy }),
    },
  }
}

function assertCorrectable(entry: EntryToCorrect, how: Correction): void {
  const name = `je_${entry.entryNo}`
  if (entry.kind === 'reversal') {
    // A chain of reversals hides which of them counts.
    const detail = `${name} is a reversal itself; post what it took back anew.`
    throw new Problem('not_reversible', { detail, moved: 'no' })
  }
  if (entry.kind === 'year_closed') {
    // Taken back later, a year's income would count as the next year's.
    const detail =
      `${name} closes a financial year. Post the correction with a date in that year, then close ` +
      'the year again: that posts the difference.'
    throw new Problem('not_reversible', { detail, moved: 'no' })
  }
  if (how.effectiveOn < entry.effectiveOn) {
    const detail = `${name} is effective on ${entry.effectiveOn}; it is corrected then or later.`
    throw new Problem('invalid_entry', { detail, moved: 'no' })
  }
}
