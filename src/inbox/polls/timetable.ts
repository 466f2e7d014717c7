/** When each list of a gateway is compared, how far back, and in what stretches of time. */
import type { Lists } from '../../gateways/asked.ts'
import { GATEWAY_NAMES, type GatewayName } from '../../gateways/fact.ts'
import { gateways } from '../../gateways/registry.ts'

export const LISTS = [
  'payments',
  'refunds',
  'disputes',
  'settlements',
  'settlementLines',
] as const satisfies readonly (keyof Lists)[]

export type ListName = (typeof LISTS)[number]

export const PASSES = ['usual', 'deep', 'asked'] as const

export type PassKind = (typeof PASSES)[number]

interface Timing {
  everyMs: number
  /** What was compared before is read again so far back, because gateways list things late. */
  overlapMs: number
  /** And once a day so far back, because lists go by when a thing was made, not when it changed. */
  deepMs: number
  /** The longest stretch that is compared in one go. */
  windowMs: number
}

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
export const DAY_MS = 24 * HOUR_MS

/** A payment is authorised up to three days late, and given back after three to five (Razorpay). */
const PAYMENTS_DEEP_MS = 6 * DAY_MS
/** A refund may be pending for ten working days, and its ARN comes later than that. */
const REFUNDS_DEEP_MS = 30 * DAY_MS
/** From the first letter to the end of an arbitration. */
const DISPUTES_DEEP_MS = 120 * DAY_MS
/** A settlement that failed is tried again, or comes back within five working days (Stripe). */
const SETTLEMENTS_DEEP_MS = 14 * DAY_MS

export const TIMETABLE: Readonly<Record<ListName, Timing>> = {
  payments: {
    everyMs: 10 * MINUTE_MS,
    overlapMs: HOUR_MS,
    deepMs: PAYMENTS_DEEP_MS,
    windowMs: DAY_MS,
  },
  refunds: {
    everyMs: 15 * MINUTE_MS,
    overlapMs: 6 * HOUR_MS,
    deepMs: REFUNDS_DEEP_MS,
    windowMs: 7 * DAY_MS,
  },
  // There are few of these, so that more of them are read again.
  disputes: {
    everyMs: HOUR_MS,
    overlapMs: 7 * DAY_MS,
    deepMs: DISPUTES_DEEP_MS,
    windowMs: 31 * DAY_MS,
  },
  settlements: {
    everyMs: HOUR_MS,
    overlapMs: 3 * DAY_MS,
    deepMs: SETTLEMENTS_DEEP_MS,
    windowMs: 31 * DAY_MS,
  },
  // They are itemised by day, some hours after the settlement.
  settlementLines: {
    everyMs: 6 * HOUR_MS,
    overlapMs: 3 * DAY_MS,
    deepMs: SETTLEMENTS_DEEP_MS,
    windowMs: 7 * DAY_MS,
  },
}

export const DEEP_EVERY_MS = DAY_MS
/** What is younger than this may have its webhook on its way. */
const MARGIN_MS = MINUTE_MS
/** A window is made no shorter than this, however slow the gateway is. */
const WINDOW_MS_MIN = 10 * MINUTE_MS

export interface Asked {
  from: Date
  to: Date
}

/** What decides which stretch is compared next. */
export interface Standing {
  list: ListName
  since: Date
  comparedUntil: Date
  deepDueAt: Date
  asked: Asked | null
}

export interface Stretch {
  pass: PassKind
  from: Date
  to: Date
}

/**
 * The stretch that the next pass compares; null where nothing is old enough. What a person asked
 * for goes first, and may reach back before the account was ours: that is his to decide.
 */
export function stretchOf(poll: Standing, now: Date): Stretch | null {
  const { overlapMs, deepMs } = TIMETABLE[poll.list]
  const until = new Date(now.getTime() - MARGIN_MS)
  const usual = poll.comparedUntil.getTime() - overlapMs
  const clip = (pass: PassKind, from: number, to: Date): Stretch | null =>
    from < to.getTime() ? { pass, from: new Date(from), to } : null
  if (poll.asked !== null) {
    const to = poll.asked.to < until ? poll.asked.to : until
    return clip('asked', poll.asked.from.getTime(), to)
  }
  const isDeep = poll.deepDueAt <= now
  const from = isDeep ? Math.min(usual, now.getTime() - deepMs) : usual
  return clip(isDeep ? 'deep' : 'usual', Math.max(from, poll.since.getTime()), until)
}

/** The end of the window that begins there. */
export function windowEnd(
  list: ListName,
  from: Date,
  to: Date,
  windowSeconds: number | null,
): Date {
  const length = windowSeconds === null ? TIMETABLE[list].windowMs : windowSeconds * 1000
  return new Date(Math.min(from.getTime() + length, to.getTime()))
}

/** Half of a window that the gateway did not answer about, in seconds. */
export function shorter(from: Date, to: Date): number {
  return Math.max(to.getTime() - from.getTime(), 2 * WINDOW_MS_MIN) / 2000
}

/** Twice a window that it did answer about; null from the usual length on. */
export function longer(list: ListName, windowSeconds: number | null): number | null {
  const doubled = (windowSeconds ?? 0) * 2
  return doubled === 0 || doubled * 1000 >= TIMETABLE[list].windowMs ? null : Math.ceil(doubled)
}

/** Spread by a tenth, so that those who began together part. */
export function nextDue(list: ListName, now: Date): Date {
  const every = TIMETABLE[list].everyMs
  return new Date(now.getTime() + Math.round(every * (0.95 + Math.random() / 10)))
}

/** The lists that each gateway has. */
export function listsOf(gateway: GatewayName): ListName[] {
  return LISTS.filter((name) => gateways[gateway].list?.[name] !== undefined)
}

/** Every list that there is, in two columns for `unnest`. */
export function allLists(): { gateways: GatewayName[]; lists: ListName[] } {
  const all = GATEWAY_NAMES.flatMap((gateway) =>
    listsOf(gateway).map((list) => ({ gateway, list })),
  )
  return { gateways: all.map(({ gateway }) => gateway), lists: all.map(({ list }) => list) }
}
