/** A journal entry before and after it is posted: what it must satisfy, and its canonical bytes. */
import { encodeFields, type Field } from '../../audit/chain.ts'
import { isIsoDate, type IsoDate } from '../../base/clock.ts'
import { MAX_MINOR } from '../../base/money.ts'
import { Problem } from '../../base/problem.ts'
import type { AccountCode, Direction } from './chart.ts'

/** Every kind of entry there is; each has one rule in `rules.ts`. */
export type EntryKind = 'donation_captured' | 'unidentified_captured'

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
  reverses: bigint | null
  metadata: Readonly<Record<string, string>>
  lines: readonly DraftLine[]
}

export const LINES_MAX = 1000

/** Throws `invalid_entry` or `unbalanced_entry` (moved: no) unless the draft may be posted. */
export function assertPostable(draft: Draft): void {
  const refuse = (detail: string) => new Problem('invalid_entry', { detail, moved: 'no' })
  if (draft.lines.length < 2 || draft.lines.length > LINES_MAX) {
    throw refuse(`An entry has 2 to ${LINES_MAX} lines, not ${draft.lines.length}.`)
  }
  if (!isIsoDate(draft.effectiveOn)) {
    throw refuse(`"${draft.effectiveOn}" is no date; write YYYY-MM-DD.`)
  }
  if (draft.idempotencyKey.length < 1 || draft.idempotencyKey.length > 200) {
    throw refuse('The idempotency key has 1 to 200 characters.')
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
    throw refuse('A text has U+0000 or half a character, which Postgres cannot hold.')
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

/** What was asked for, for telling a repetition from a conflict. */
export function encodeDraft(draft: Draft): Buffer {
  return encodeFields('bahi/draft/1', draftFields(draft))
}

export interface PostedHeader {
  /** The organisation's slug: an entry cannot be passed off as another organisation's. */
  organisation: string
  entryNo: bigint
  postedAt: Date
}

/** The bytes that an entry's hash covers; `npm run verify` and the exports rebuild them. */
export function encodeEntry(header: PostedHeader, draft: Draft): Buffer {
  return encodeFields('bahi/entry/1', [
    ['organisation', header.organisation],
    ['entry_no', header.entryNo.toString()],
    ['posted_at', header.postedAt.toISOString()],
    ...draftFields(draft),
  ])
}

function draftFields(draft: Draft): Field[] {
  const fields: Field[] = [
    ['kind', draft.kind],
    ['effective_on', draft.effectiveOn],
    ['idempotency_key', draft.idempotencyKey],
    ['description', draft.description],
    ['source', draft.source],
    ['actor', draft.actor],
    ['reverses', draft.reverses === null ? '' : draft.reverses.toString()],
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
  return fields
}
