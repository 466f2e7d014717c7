/** What somebody asks for when he resolves a break, and which of it suits which break. */
import type { IsoDate } from '../../base/clock.ts'
import type { DraftLine } from '../../ledger/core/entry.ts'
import type { ExceptionKind } from '../match/kinds.ts'

export const ACTIONS = ['write_off', 'adjust', 'reclassify', 'record', 'dismiss'] as const

export type Action = (typeof ACTIONS)[number]

export const REASON_CODES = [
  'rounding',
  'fee_change',
  'bank_charge',
  'never_settled',
  'told_twice',
  'missed_event',
  'wrong_record',
  'wrong_account',
  'gateway_error',
  'policy',
  'other',
] as const

export type ReasonCode = (typeof REASON_CODES)[number]

export const RESOLUTION_STATES = ['waiting', 'done', 'undone', 'dropped'] as const

export type ResolutionState = (typeof RESOLUTION_STATES)[number]

/** Who asks, as far as approvals want to know it. */
export interface Maker {
  actor: string
  role: string
  /** The person that he is (src/identity/persons.ts). */
  person: string
}

export interface ResolutionAsked {
  exceptionId: string
  action: Action
  reasonCode: ReasonCode
  words: string
  /** What a write-off is expected to come to; null where nothing is. */
  amount: bigint | null
  /** The entry's day; null for today. */
  effectiveOn: IsoDate | null
  today: IsoDate
  lateReason: string | null
  /** Of `adjust` and `reclassify`; accounts by code or id. */
  lines: readonly DraftLine[]
  /** The caller's key, for ever, and what he sent with it. */
  askedKey: string
  fingerprint: Buffer
  /** As it came: what an approval keeps. */
  body: unknown
}

/**
 * What suits each kind. A word alone ends only what leaves no money unexplained; what the gateway
 * told and we lack can be recorded; in two currencies, or the wrong way round, somebody has to say
 * himself what is booked.
 */
export const ACTIONS_OF: Readonly<Record<ExceptionKind, readonly Action[]>> = {
  missing_external: ['write_off', 'adjust'],
  missing_internal: ['record', 'write_off', 'adjust'],
  amount_over: ['write_off', 'adjust'],
  amount_under: ['write_off', 'adjust'],
  fee_variance: ['write_off', 'adjust', 'reclassify'],
  tax_variance: ['reclassify', 'dismiss'],
  fee_missing: ['record', 'write_off', 'adjust', 'reclassify', 'dismiss'],
  currency_mismatch: ['adjust'],
  duplicate_external: ['write_off', 'adjust', 'dismiss'],
  duplicate_internal: ['write_off', 'adjust'],
  status_mismatch: ['record', 'write_off', 'adjust'],
  reference_mismatch: ['adjust', 'reclassify', 'dismiss'],
  direction_mismatch: ['adjust'],
  split_mismatch: ['write_off', 'adjust'],
  split_incomplete: ['write_off', 'adjust'],
  ambiguous: ['adjust', 'reclassify', 'dismiss'],
  batch_total_mismatch: ['write_off', 'adjust', 'dismiss'],
  unknown_line: ['record', 'write_off', 'adjust', 'dismiss'],
  search_cap: ['adjust', 'dismiss'],
}
