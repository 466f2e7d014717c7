/** Takes a resolution back: its entry is reversed, and what it closed is open again. */
import { propose, type Approval } from '../../approvals/approvals.ts'
import { overLimit, readLimits } from '../../approvals/limits.ts'
import type { IsoDate } from '../../base/clock.ts'
import type { Trx } from '../../base/db.ts'
import { Problem } from '../../base/problem.ts'
import { reverse } from '../../ledger/posting/correct.ts'
import { draftOf, findEntry } from '../../ledger/reading/entries.ts'
import { reopenBreak } from '../passes/breaks.ts'
import { reopen } from '../passes/closed.ts'
import type { Maker } from './asked.ts'
import { findResolution, noteUndoAsked, noteUndone, type ResolutionRow } from './store.ts'

export interface UndoAsked {
  resolutionId: string
  reason: string
  /** The reversal's day; null for today. */
  effectiveOn: IsoDate | null
  today: IsoDate
  lateReason: string | null
  body: unknown
  key: string
}

/**
 * Undoes a resolution that stands, or asks for another's consent where its entry is above the
 * organisation's limits. Throws `not_found`, `resolution_state`, `not_reversible` for what the
 * gateway told, and what the ledger refuses (moved: no).
 */
export async function undoResolution(
  trx: Trx,
  asked: UndoAsked,
  maker: Maker,
): Promise<Approval | null> {
  const resolution = await standing(trx, asked.resolutionId)
  if (resolution.undo_approval_id !== null) {
    const detail = `That it is undone waits for consent already (${resolution.undo_approval_id}).`
    throw new Problem('resolution_state', { detail, moved: 'no' })
  }
  const { entry_no: entryNo } = resolution
  const entry = entryNo === null ? undefined : await findEntry(trx, entryNo)
  const lines = entry === undefined ? [] : draftOf(entry).lines
  const over = overLimit(lines, await readLimits(trx))
  if (over === null) {
    await carryOut(trx, resolution, asked, { actor: maker.actor })
    return null
  }
  const proposal = {
    verb: 'undo_resolution',
    entryNo: null,
    body: { resolution: asked.resolutionId, ...Object(asked.body) } as unknown,
    idempotencyKey: asked.key,
    madeBy: maker.actor,
    madeAs: maker.role,
    madePerson: maker.person,
  } as const
  const approval = await propose(trx, proposal, over)
  await noteUndoAsked(trx, asked.resolutionId, approval.approvalId)
  return approval
}

/** Undoes it as another consented; gives the number of the reversal. Throws as `undoResolution`. */
export async function undoApproved(
  trx: Trx,
  asked: UndoAsked,
  by: { actor: string; approvedBy: string },
): Promise<bigint> {
  const resolution = await standing(trx, asked.resolutionId)
  const reversal = await carryOut(trx, resolution, asked, by)
  if (reversal === null) {
    throw new Error(`${asked.resolutionId} posted nothing, and waited for consent to be undone`)
  }
  return reversal
}

async function standing(trx: Trx, resolutionId: string): Promise<ResolutionRow> {
  const resolution = await findResolution(trx, resolutionId)
  if (resolution.state !== 'done') {
    const detail =
      resolution.state === 'waiting'
        ? `It waits for consent: withdraw or reject ${resolution.approval_id} instead.`
        : `It is ${resolution.state}.`
    throw new Problem('resolution_state', { detail, moved: 'no' })
  }
  if (resolution.facts.length > 0) {
    const detail =
      'What the gateway told is recorded and stays. Refund the money where it is not ours, or ' +
      'post what corrects it as an entry of its own.'
    throw new Problem('not_reversible', { detail, moved: 'no' })
  }
  return resolution
}

async function carryOut(
  trx: Trx,
  resolution: ResolutionRow,
  asked: UndoAsked,
  { actor, approvedBy }: { actor: string; approvedBy?: string },
): Promise<bigint | null> {
  const { resolution_id: id, entry_no: entryNo } = resolution
  const { reason, effectiveOn, today, lateReason } = asked
  let reversal: bigint | null = null
  if (entryNo !== null) {
    const how = { reason, effectiveOn, today, actor, lateReason, approvedBy }
    const result = await reverse(trx, entryNo, how)
    if (result.status === 'refused') {
      throw result.problem
    }
    reversal = result.entryNo
  }
  await noteUndone(trx, id, { by: actor, because: reason, entryNo: reversal })
  await reopen(trx, id)
  await reopenBreak(trx, resolution.exception_id)
  return reversal
}
