/** What can be off between two sides, and what is compared: closed lists. */

export const EXCEPTION_KINDS = [
  'missing_external',
  'missing_internal',
  'amount_over',
  'amount_under',
  'fee_variance',
  'tax_variance',
  'fee_missing',
  'currency_mismatch',
  'duplicate_external',
  'duplicate_internal',
  'status_mismatch',
  'reference_mismatch',
  'direction_mismatch',
  'split_mismatch',
  'split_incomplete',
  'ambiguous',
  'batch_total_mismatch',
  'unknown_line',
  'search_cap',
] as const

export type ExceptionKind = (typeof EXCEPTION_KINDS)[number]

/** By what a line was matched, from the surest to a person's word. */
export const MATCH_RULES = [
  'id',
  'id_tolerance',
  'order',
  'reference',
  'split',
  'unique',
  'person',
] as const

export type MatchRule = (typeof MATCH_RULES)[number]

/** What agreed between line and record, a bit each. */
export const AGREES = {
  id: 1,
  order: 2,
  reference: 4,
  amount: 8,
  currency: 16,
  fee: 32,
  tax: 64,
  day: 128,
  net: 256,
} as const

/** Kinds of lines that a record of ours stands behind, and whether they bring money. */
export const LINE_RECORDS = {
  payment: { record: 'payment', reversal: false, brings: true },
  refund: { record: 'refund', reversal: false, brings: false },
  refund_reversal: { record: 'refund', reversal: true, brings: true },
  transfer: { record: 'transfer', reversal: false, brings: false },
  transfer_reversal: { record: 'transfer', reversal: true, brings: true },
  dispute: { record: 'dispute', reversal: false, brings: false },
  dispute_reversal: { record: 'dispute', reversal: true, brings: true },
} as const

export type RecordKind = (typeof LINE_RECORDS)[keyof typeof LINE_RECORDS]['record']
