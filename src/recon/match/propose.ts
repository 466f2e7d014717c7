/** What an open line may tell of: candidates that nearly agree, with a score, for a person. */
import type { IsoDate } from '../../base/clock.ts'

/** One side of a proposal: a line, a credit, a record or a settlement. Minor units. */
export interface Proposable {
  /** References by which it can be known; normalised. */
  references: readonly string[]
  amount: bigint
  currency: string
  day: IsoDate | null
}

/** How near two references are, from the same to two edits apart. */
export const NEARNESS = ['same', 'truncated', 'one_edit', 'two_edits', 'none'] as const

export type Nearness = (typeof NEARNESS)[number]

export interface Score {
  /** 0 to 100: the sum of its parts. */
  score: number
  reference: number
  amount: number
  day: number
  nearness: Nearness
}

const REFERENCE_POINTS = { same: 50, truncated: 40, one_edit: 40, two_edits: 30, none: 0 } as const
const AMOUNT_POINTS = 30
/** For the same day; a point or two less for each day between, none from ten days on. */
const DAY_POINTS = 20
const DAY_STEP = 2
/** Below it nothing is proposed: an amount alone, or a day and a reference that is far off. */
export const SCORE_MIN = 45

/** As few signs as a reference has to have before what is like it means anything. */
export const REFERENCE_MIN = 6
/** A reference that was cut off keeps at least so much. */
const TRUNCATED_MIN = 8
const REFERENCE_MAX = 64
const EDITS_MAX = 2
const DAY_MS = 86_400_000

/** How far two sides agree; null where they have nothing to do with each other. */
export function scoreOf(one: Proposable, other: Proposable): Score | null {
  if (one.currency !== other.currency) {
    return null
  }
  const nearness = nearestOf(one.references, other.references)
  const reference = REFERENCE_POINTS[nearness]
  const amount = one.amount === other.amount ? AMOUNT_POINTS : 0
  const day = one.day === null || other.day === null ? 0 : dayPoints(one.day, other.day)
  const score = reference + amount + day
  return score < SCORE_MIN ? null : { score, reference, amount, day, nearness }
}

function dayPoints(one: IsoDate, other: IsoDate): number {
  const days = Math.abs(Date.parse(one) - Date.parse(other)) / DAY_MS
  return Math.max(0, DAY_POINTS - DAY_STEP * Math.round(days))
}

function nearestOf(some: readonly string[], others: readonly string[]): Nearness {
  const found = some.flatMap((one) => others.map((other) => NEARNESS.indexOf(nearness(one, other))))
  return NEARNESS[Math.min(...found, NEARNESS.length - 1)] ?? 'none'
}

/** How near two references are; those that are too short are near only where they are the same. */
export function nearness(one: string, other: string): Nearness {
  if (one === other) {
    return 'same'
  }
  const [short, long] = one.length < other.length ? [one, other] : [other, one]
  if (short.length < REFERENCE_MIN || long.length > REFERENCE_MAX) {
    return 'none'
  }
  const edits = long.length - short.length > EDITS_MAX ? EDITS_MAX + 1 : editsBetween(short, long)
  if (edits <= EDITS_MAX) {
    return edits === 1 ? 'one_edit' : 'two_edits'
  }
  const isCut = short.length >= TRUNCATED_MIN && (long.startsWith(short) || long.endsWith(short))
  return isCut ? 'truncated' : 'none'
}

/** Insertions, deletions, other signs and neighbours that changed places; exact up to two. */
function editsBetween(one: string, other: string): number {
  let before: number[] = []
  let last = Array.from({ length: other.length + 1 }, (_none, at) => at)
  for (let row = 1; row <= one.length; row += 1) {
    const now = [row]
    for (let at = 1; at <= other.length; at += 1) {
      const isSame = one[row - 1] === other[at - 1]
      const isSwapped = one[row - 1] === other[at - 2] && one[row - 2] === other[at - 1]
      now[at] = Math.min(
        (now[at - 1] ?? 0) + 1,
        (last[at] ?? 0) + 1,
        (last[at - 1] ?? 0) + (isSame ? 0 : 1),
        isSwapped ? (before[at - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY,
      )
    }
    before = last
    last = now
  }
  return last[other.length] ?? 0
}

/**
 * Parts of a reference of which at least one stands unchanged in whatever is two edits away: by
 * them candidates are looked for. None where it is too short.
 */
export function piecesOf(reference: string): string[] {
  if (reference.length < REFERENCE_MIN || reference.length > REFERENCE_MAX) {
    return []
  }
  const size = Math.floor(reference.length / (EDITS_MAX + 1))
  return Array.from({ length: EDITS_MAX + 1 }, (_none, at) =>
    reference.slice(at * size, at === EDITS_MAX ? undefined : (at + 1) * size),
  )
}

/** The best candidates, the highest score first; ties in the order of their ids. */
export function proposalsFor<Candidate extends Proposable & { id: string }>(
  one: Proposable,
  candidates: Iterable<Candidate>,
  most: number,
): { candidate: Candidate; score: Score; isAlone: boolean }[] {
  const scored = [...candidates].flatMap((candidate) => {
    const score = scoreOf(one, candidate)
    return score === null ? [] : [{ candidate, score }]
  })
  return scored
    .toSorted((a, b) => b.score.score - a.score.score || (a.candidate.id < b.candidate.id ? -1 : 1))
    .slice(0, most)
    .map((found, _at, all) => ({
      ...found,
      isAlone: all.filter(({ score }) => score.score === found.score.score).length === 1,
    }))
}
