/** Reverses and adjusts: reads the entry, makes the draft and posts it, in one transaction. */
import type { IsoDate } from '../../base/clock.ts'
import type { Trx } from '../../base/db.ts'
import { Problem } from '../../base/problem.ts'
import { withCodes } from './asked.ts'
import { adjustment, reversal, type EntryToCorrect } from '../core/corrections.ts'
import type { Draft, DraftLine } from '../core/entry.ts'
import { draftOf, findEntry, type PostedEntry } from '../reading/entries.ts'
import { post, type PostResult } from './post.ts'
import { readPosted } from './posted.ts'

export interface CorrectionAsked {
  reason: string
  /** Null for today, or for the entry's own day where that is still to come. */
  effectiveOn: IsoDate | null
  today: IsoDate
  actor: string
  lateReason: string | null
  approvedBy?: string | undefined
}

export interface AdjustmentAsked extends CorrectionAsked {
  idempotencyKey: string
  description: string | null
  /** The difference; accounts by code or id. */
  lines: readonly DraftLine[]
}

/**
 * Posts the exact opposite of an entry. Asked for the same again it gives that reversal. Throws
 * `not_found`, `not_reversible` or `invalid_entry`, and refuses what `post` refuses (moved: no). An
 * entry with adjustments that stand is not reversed: they would go on correcting nothing.
 */
export async function reverse(
  trx: Trx,
  entryNo: bigint,
  asked: CorrectionAsked,
): Promise<PostResult> {
  const entry = await entryToCorrect(trx, entryNo)
  const effectiveOn = asked.effectiveOn ?? dayFor(entry, asked.today)
  const draft = reversal(correctable(entry), { ...asked, effectiveOn })
  const before = await postedBefore(trx, draft)
  if (before === undefined) {
    await assertNoneAdjusts(trx, entryNo)
  }
  const result = await postOne(trx, datedAs(draft, before, asked))
  if (result.status === 'refused' && entry.reversed_by !== null) {
    throw isReversed(entry)
  }
  return result
}

/**
 * Posts the difference to an entry that stands. Throws like `reverse`; an entry that was reversed
 * is not adjusted any more.
 */
export async function adjust(
  trx: Trx,
  entryNo: bigint,
  asked: AdjustmentAsked,
): Promise<PostResult> {
  const entry = await entryToCorrect(trx, entryNo)
  const effectiveOn = asked.effectiveOn ?? dayFor(entry, asked.today)
  const draft = adjustment(correctable(entry), { ...asked, effectiveOn })
  const before = await postedBefore(trx, draft)
  if (before === undefined && entry.reversed_by !== null) {
    throw isReversed(entry)
  }
  const [named = draft] = await withCodes(trx, [draft])
  return await postOne(trx, datedAs(named, before, asked))
}

async function entryToCorrect(trx: Trx, entryNo: bigint): Promise<PostedEntry> {
  const entry = await findEntry(trx, entryNo)
  if (entry === undefined) {
    const detail = `There is no journal entry je_${entryNo}.`
    throw new Problem('not_found', { detail, moved: 'no' })
  }
  return entry
}

function correctable(entry: PostedEntry): EntryToCorrect {
  return {
    entryNo: entry.entry_no,
    kind: entry.kind,
    effectiveOn: entry.effective_on,
    lines: draftOf(entry).lines,
  }
}

function dayFor(entry: PostedEntry, today: IsoDate): IsoDate {
  return today > entry.effective_on ? today : entry.effective_on
}

async function postedBefore(trx: Trx, draft: Draft): Promise<PostedEntry | undefined> {
  const posted = (await readPosted(trx, [draft])).get(draft.idempotencyKey)
  return posted === undefined ? undefined : await findEntry(trx, posted.entryNo)
}

/** A repetition that names no day means the day of the first time, even after midnight. */
function datedAs(draft: Draft, before: PostedEntry | undefined, asked: CorrectionAsked): Draft {
  return before === undefined || asked.effectiveOn !== null
    ? draft
    : { ...draft, effectiveOn: before.effective_on }
}

async function postOne(trx: Trx, draft: Draft): Promise<PostResult> {
  const [result] = await post(trx, [draft])
  if (result === undefined) {
    throw new Error('posting said nothing')
  }
  return result
}

const NAMED_MAX = 10

async function assertNoneAdjusts(trx: Trx, entryNo: bigint): Promise<void> {
  const standing = await trx.query<{ entry_no: bigint }>(
    `select a.entry_no
       from journal_entries a
       left join lateral (
         select entry_no from journal_entries
          where org_id = $1 and reverses = a.entry_no limit 1
       ) r on true
      where a.org_id = $1 and a.adjusts = $2 and r.entry_no is null
      limit $3`,
    [trx.scope, entryNo, NAMED_MAX],
  )
  if (standing.length > 0) {
    const names = standing.map((row) => `je_${row.entry_no}`).join(', ')
    const detail = `je_${entryNo} is adjusted by ${names}: reverse what adjusts it, then itself.`
    throw new Problem('not_reversible', { detail, moved: 'no' })
  }
}

function isReversed(entry: PostedEntry): Problem {
  const detail = `je_${entry.entry_no} is reversed already, by je_${entry.reversed_by}.`
  return new Problem('not_reversible', { detail, moved: 'no' })
}
