/** How far a comparison is: from window to window, page by page, and what becomes of a failure. */
import { delayAfter, type Backoff } from '../../base/backoff.ts'
import type { Trx } from '../../base/db.ts'
import { Problem } from '../../base/problem.ts'
import { COLUMNS, LEASE_SECONDS, type Poll } from './polls.ts'
import {
  DEEP_EVERY_MS,
  longer,
  nextDue,
  shorter,
  stretchOf,
  windowEnd,
  type PassKind,
} from './timetable.ts'

/** Where a comparison is: the window, and the page of it that is asked for next. */
export interface Place {
  pass: PassKind
  beganAt: Date
  to: Date
  window: { from: Date; to: Date }
  cursor: string | null
}

/** From half a minute to an hour: a gateway that is away is asked seldom, and never given up. */
const BACKOFF: Backoff = { firstMs: 30_000, mostMs: 3_600_000, attemptsMax: Infinity }
const PROBLEM_LENGTH_MAX = 1000
/** So many failures about one window in a row are taken for its length. */
const FAILURES_TO_SHORTEN = 3
/** Pages of one window: with more it is cut, for it is too long or its pages go in a circle. */
export const PAGES_MAX = 5000
/** After so many, some hours, what a person asked for no longer keeps the timetable waiting. */
const ASKED_FAILURES_MAX = 12

/** Where the comparison goes on, or begins; null where there is nothing to compare now. */
export function placeOf(poll: Poll, now: Date): Place | null {
  const { pass, pass_began_at: beganAt, pass_to: to, window_from: from, window_to: end } = poll
  if (pass !== null && beganAt !== null && to !== null && from !== null && end !== null) {
    return { pass, beganAt, to, window: { from, to: end }, cursor: poll.cursor }
  }
  const { list, since, asked_from: askedFrom, asked_to: askedTo } = poll
  const stretch = stretchOf(
    {
      list,
      since,
      comparedUntil: poll.compared_until,
      deepDueAt: poll.deep_due_at,
      asked: askedFrom === null || askedTo === null ? null : { from: askedFrom, to: askedTo },
    },
    now,
  )
  if (stretch === null) {
    return null
  }
  const window = {
    from: stretch.from,
    to: windowEnd(list, stretch.from, stretch.to, poll.window_seconds),
  }
  return { pass: stretch.pass, beganAt: now, to: stretch.to, window, cursor: null }
}

/** The page after one that ended with `next`; null where the pass is over. */
export function placeAfter(poll: Poll, place: Place, next: string | null): Place | null {
  if (next !== null) {
    return { ...place, cursor: next }
  }
  const from = place.window.to
  if (from >= place.to) {
    return null
  }
  const to = windowEnd(poll.list, from, place.to, longer(poll.list, poll.window_seconds))
  return { ...place, window: { from, to }, cursor: null }
}

export interface Counted {
  seen: number
  missing: number
  fed: number
}

/**
 * Notes that a page was compared, in the transaction that takes in what it told, and where the
 * comparison goes on (`after`; null where the pass is over). Throws
 * `unavailable` where somebody else has taken the list in the meantime: then all is undone.
 */
export async function turnPage(
  trx: Trx,
  poll: Poll,
  after: Place | null,
  counted: Counted,
): Promise<Poll> {
  const isSameWindow = after !== null && after.cursor !== null
  return await change(trx, poll, {
    ...placeColumns(after),
    lease: poll.lease,
    leased_until: new Date(Date.now() + LEASE_SECONDS * 1000),
    failures: 0,
    window_pages: isSameWindow ? poll.window_pages + 1 : 0,
    window_seconds: isSameWindow ? poll.window_seconds : longer(poll.list, poll.window_seconds),
    seen: poll.seen + BigInt(counted.seen),
    missing: poll.missing + BigInt(counted.missing),
    fed: poll.fed + BigInt(counted.fed),
  })
}

/** Up to there everything was compared; what a person asked for says nothing of what is between. */
export async function noteCompared(trx: Trx, poll: Poll, place: Place): Promise<Poll> {
  return place.pass !== 'asked' && place.window.to > poll.compared_until
    ? await change(trx, poll, { compared_until: place.window.to })
    : poll
}

/** Ends a pass, or a turn that had nothing to compare (`pass` null), and lets go of the list. */
export async function endPass(
  trx: Trx,
  poll: Poll,
  pass: PassKind | null,
  now: Date,
): Promise<Poll> {
  const wasAsked = poll.asked_from !== null && (pass === 'asked' || pass === null)
  return await change(trx, poll, {
    ...placeColumns(null),
    ...(wasAsked ? NOT_ASKED : {}),
    ...(pass === 'deep' ? { deep_due_at: new Date(now.getTime() + DEEP_EVERY_MS) } : {}),
    ...(pass === null ? {} : { last_ok_at: now }),
    // What was asked for meanwhile, or stands behind what was, does not wait for the timetable.
    next_due_at: poll.asked_from === null ? nextDue(poll.list, now) : now,
    last_problem: null,
    failures: 0,
    lease: null,
    leased_until: null,
  })
}

/** Lets go of a list whose turn is over before it is done; it goes on `at`, behind the others. */
export async function leavePoll(trx: Trx, poll: Poll, at: Date): Promise<void> {
  await change(trx, poll, { next_due_at: at, lease: null, leased_until: null })
}

export interface Failed {
  reason: string
  /** It may answer another time; else it refuses, or something is wrong with us. */
  isAway: boolean
  isRefused: boolean
  retryAfter: number
  now: Date
}

/**
 * Notes why the gateway's list could not be had, and when it is asked again. A range that a person
 * asked for and the gateway refuses is given up: it would keep all that comes after it waiting.
 */
export async function failPoll(
  trx: Trx,
  poll: Poll,
  place: Place | null,
  failed: Failed,
): Promise<void> {
  const failures = poll.failures + 1
  const delay = Math.max(delayAfter(BACKOFF, failures) ?? 0, failed.retryAfter * 1000)
  const isNoAnswer = failures % FAILURES_TO_SHORTEN === 0 || poll.window_pages >= PAGES_MAX
  const isTooLong = failed.isAway && place !== null && isNoAnswer
  const windowSeconds = isTooLong
    ? Math.ceil(shorter(place.window.from, place.window.to))
    : poll.window_seconds
  const shortened = isTooLong && {
    ...place,
    window: {
      from: place.window.from,
      to: windowEnd(poll.list, place.window.from, place.to, windowSeconds),
    },
    cursor: null,
  }
  const isGivenUp = place?.pass === 'asked' && (failed.isRefused || failures >= ASKED_FAILURES_MAX)
  const reason = isGivenUp
    ? `The range that was asked for is given up. ${failed.reason}`
    : failed.reason
  await change(trx, poll, {
    ...(shortened === false ? {} : { ...placeColumns(shortened), window_pages: 0 }),
    ...(isGivenUp ? { ...placeColumns(null), ...NOT_ASKED, window_pages: 0 } : {}),
    window_seconds: windowSeconds,
    failures,
    last_problem: reason.replaceAll('\0', '').slice(0, PROBLEM_LENGTH_MAX),
    next_due_at: new Date(failed.now.getTime() + delay),
    lease: null,
    leased_until: null,
  })
}

const NOT_ASKED = { asked_from: null, asked_to: null, asked_by: null } as const

function placeColumns(place: Place | null): Partial<Poll> {
  return {
    pass: place?.pass ?? null,
    pass_began_at: place?.beganAt ?? null,
    pass_to: place?.to ?? null,
    window_from: place?.window.from ?? null,
    window_to: place?.window.to ?? null,
    cursor: place?.cursor ?? null,
  }
}

type Changes = Partial<Poll & { leased_until: Date | null }>

/** Writes those columns as long as the list is ours, and gives the row as it is then. */
async function change(trx: Trx, poll: Poll, changes: Changes): Promise<Poll> {
  const names = Object.keys(changes)
  const set = names.map((name, index) => `${name} = $${index + 5}`).join(', ')
  const [row] = await trx.query<Poll>(
    `update gateway_polls p set ${set}
      where p.org_id = $1 and p.gateway = $2 and p.list = $3 and p.lease = $4
      returning ${COLUMNS}`,
    [trx.scope, poll.gateway, poll.list, poll.lease, ...Object.values(changes)],
  )
  if (row === undefined) {
    throw new Problem('unavailable', { detail: 'Somebody else compares this list by now.' })
  }
  return row
}
