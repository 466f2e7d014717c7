/** A journal entry before and after it is posted: what it must satisfy, and its canonical bytes. */
import { encodeFields, type Field } from '../../audit/chain.ts'
import { isIsoDate, type IsoDate } from '../../base/clock.ts'
import { MAX_MINOR } from '../../base/money.ts'
import { Problem } from '../../base/problem.ts'
import type { AccountCode, Direction } from './chart.ts'

/** Every kind of entry there is; each has one rule in this folder. */
export type EntryKind =
  | 'donation_captured'
  | 'unidentified_captured'
  | 'gateway_fee'
  | 'refund_created'
  | 'refund_processed'
  | 'refund_failed'
  | 'refund_returned'
  | 'dispute_debited'
  | 'dispute_credited'
  | 'dispute_lost'
  | 'settled'
  | 'settlement_returned'
  | 'payout_processed'
  | 'payout_reversed'
  | 'transfer_processed'
  | 'transfer_reversed'
  | 'donation_received'
  | 'cheque_received'
  | 'cheque_realised'
  | 'cheque_bounced'
  | 'cheque_returned'
  | 'bank_credited'
  | 'manual'
  | 'reversal'
  | 'adjustment'
  | 'exchange'
  | 'year_closed'

export interface DraftLine {
  account: AccountCode
  direction: Direction
  /** Minor units of `currency`, above zero. */
  amount: bigint
  currency: string
}

/** An entry that is to be posted. */
export interface Draft {
  kind: EntryKind
  /** When it happened; decides the period and every as-of balance. */
  effectiveOn: IsoDate
  /** Unique in the organisation: the same key posts once. */
  idempotencyKey: string
  description: string
  /** Where it comes from: a fact's key, a request. */
  source: string
  /** Who did it: a user, an API key, or a job. */
  actor: string
  /** The entry that this one takes back, line by line. */
  reverses: bigint | null
  /** The entry that this one corrects by the difference. */
  adjusts: bigint | null
  metadata: Readonly<Record<string, string>>
  lines: readonly DraftLine[]
}

export const LINES_MAX = 1000

/**
 * The most bytes that metadata has as JSON in UTF-8. Postgres adds 8 bytes to a name and its value
 * where JSON adds 6 or more, so that what it makes of this is at most 9/7 of it and a header: well
 * below the 65,536 bytes that it checks.
 */
export const METADATA_BYTES_MAX = 32_768

/** The most characters that texts of an entry have. */
const TEXTS_MAX = { idempotencyKey: 200, description: 1000, source: 200, actor: 200 } as const

/** The metadata that says why an entry comes into a month that is closed to others. */
export const LATE_REASON = 'late_reason'

/** The name under which an entry that took another's consent says whose. */
export const APPROVED_BY = 'approved_by'

/** Throws `invalid_entry` or `unbalanced_entry` (moved: no) unless the draft may be posted. */
export function assertPostable(draft: Draft): void {
  const refuse = (detail: string) => new Problem('invalid_entry', { detail, moved: 'no' })
  if (draft.lines.length < 2 || draft.lines.length > LINES_MAX) {
    throw refuse(`An entry has 2 to ${LINES_MAX} lines, not ${draft.lines.length}.`)
  }
  if (!isIsoDate(draft.effectiveOn)) {
    throw refuse(`"${draft.effectiveOn}" is no date; write YYYY-MM-DD.`)
  }
  const fault = faultInTexts(draft)
  if (fault !== null) {
    throw refuse(fault)
  }
  const difference = new Map<string, bigint>()
  for (const line of draft.lines) {
    if (!/^[A-Z][A-Z0-9]{2,11}$/.test(line.currency)) {
      throw refuse(`"${line.currency}" is no currency.`)
    }
    if (line.amount <= 0n || line.amount > MAX_MINOR) {
      throw refuse(`An amount is above zero and at most ${MAX_MINOR}, not ${line.amount}.`)
    }
    const signed = line.direction === 'debit' ? line.amount : -line.amount
    difference.set(line.currency, (difference.get(line.currency) ?? 0n) + signed)
  }
  for (const [currency, off] of difference) {
    if (off !== 0n) {
      throw new Problem('unbalanced_entry', {
        detail: `In ${currency}, debits less credits are ${off} minor units instead of 0.`,
        moved: 'no',
      })
    }
  }
}

function faultInTexts(draft: Draft): string | null {
  if (draft.idempotencyKey === '' || isLongerThan(draft.idempotencyKey, TEXTS_MAX.idempotencyKey)) {
    return `The idempotency key has 1 to ${TEXTS_MAX.idempotencyKey} characters.`
  }
  for (const name of ['description', 'source', 'actor'] as const) {
    if (isLongerThan(draft[name], TEXTS_MAX[name])) {
      return `The ${name} has at most ${TEXTS_MAX[name]} characters.`
    }
  }
  const texts = [
    draft.kind,
    draft.idempotencyKey,
    draft.description,
    draft.source,
    draft.actor,
    ...Object.entries(draft.metadata).flat(),
    ...draft.lines.map((line) => line.account),
  ]
  if (texts.some((text) => text.includes('\0') || !text.isWellFormed())) {
    return 'A text has U+0000 or half a character, which Postgres cannot hold.'
  }
  const bytes = metadataBytes(draft.metadata)
  return bytes > METADATA_BYTES_MAX
    ? `The metadata has ${bytes} bytes as JSON in UTF-8, more than ${METADATA_BYTES_MAX}.`
    : null
}

/** How many bytes metadata has as JSON in UTF-8; `METADATA_BYTES_MAX` is the most. */
export function metadataBytes(metadata: Readonly<Record<string, string>>): number {
  return Buffer.byteLength(JSON.stringify(metadata))
}

/** Counts characters as Postgres does, not halves of them. */
function isLongerThan(text: string, most: number): boolean {
  return text.length > most && Array.from(text).length > most
}

/**
 * An entry's canonical bytes: its fingerprint is their SHA-256, which tells a repetition from a
 * conflict and is what the hash chain covers.
 */
export function encodeDraft(draft: Draft): Buffer {
  const fields: Field[] = [
    ['kind', draft.kind],
    ['effective_on', draft.effectiveOn],
    ['idempotency_key', draft.idempotencyKey],
    ['description', draft.description],
    ['source', draft.source],
    ['actor', draft.actor],
    ['reverses', draft.reverses === null ? '' : draft.reverses.toString()],
    ['adjusts', draft.adjusts === null ? '' : draft.adjusts.toString()],
  ]
  for (const key of Object.keys(draft.metadata).sort()) {
    fields.push(['metadata', key], ['value', draft.metadata[key] ?? ''])
  }
  for (const line of draft.lines) {
    fields.push(
      ['account', line.account],
      ['direction', line.direction],
      ['amount', line.amount.toString()],
      ['currency', line.currency],
    )
  }
  return encodeFields('bahi/entry/1', fields)
}
