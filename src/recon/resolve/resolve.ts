/** Resolves a break: entry or facts, what is closed, and the trail, in one transaction. */
import { propose, type Approval } from '../../approvals/approvals.ts'
import { overLimit, readLimits } from '../../approvals/limits.ts'
import type { Trx } from '../../base/db.ts'
import { newId } from '../../base/ids.ts'
import { Problem } from '../../base/problem.ts'
import { recordFacts } from '../../donations/record.ts'
import type { Resolved } from '../../ledger/core/difference-rules.ts'
import { post } from '../../ledger/posting/post.ts'
import { loadFingerprints } from '../../payments/facts.ts'
import { findException, type ExceptionRow } from '../found.ts'
import { resolveBreak } from '../passes/breaks.ts'
import { close } from '../passes/closed.ts'
import type { Maker, ResolutionAsked } from './asked.ts'
import { planOf, type Plan } from './plan.ts'
import {
  dropResolution,
  findAsked,
  findByApproval,
  findLive,
  finishResolution,
  insertResolution,
  resolutionOfLine,
} from './store.ts'
import { unfit } from './told-by-line.ts'

export interface ResolutionOutcome {
  resolutionId: string
  /** What was asked for, where it takes another's consent first. */
  approval: Approval | null
}

/**
 * Resolves an open break, or asks for another's consent where that is above the organisation's
 * limits; under the same key again it gives what that made. The transaction is one of the queue
 * `resolutions`. Throws `not_found`, `resolution_state`, `resolution_unfit`, `run_going`,
 * `idempotency_conflict` and what the ledger refuses (moved: no).
 */
export async function resolveException(
  trx: Trx,
  asked: ResolutionAsked,
  maker: Maker,
): Promise<ResolutionOutcome> {
  const before = await findAsked(trx, asked)
  if (before !== undefined) {
    if (!before.fingerprint.equals(asked.fingerprint)) {
      const detail = `That key resolved ${asked.exceptionId} otherwise; use a new one.`
      throw new Problem('idempotency_conflict', { detail, moved: 'no' })
    }
    return { resolutionId: before.resolution_id, approval: null }
  }
  const exception = await openException(trx, asked.exceptionId)
  await assertNobodyElse(trx, exception)
  const resolutionId = newId('rsl')
  const plan = await planOf(trx, exception, asked, resolvedBy(resolutionId, asked, maker.actor))
  const other = plan.booksLine === null ? null : await resolutionOfLine(trx, plan.booksLine)
  if (other !== null) {
    throw unfit(`${other} books that line already, which was told twice: dismiss this one’s twin.`)
  }
  const made = { resolutionId, asked, plan, currency: exception.currency, actor: maker.actor }
  const over = overLimit(plan.weighs, await readLimits(trx))
  if (over !== null) {
    const proposal = {
      verb: 'resolve',
      entryNo: null,
      body: { exception: asked.exceptionId, ...Object(asked.body) } as unknown,
      idempotencyKey: asked.askedKey,
      madeBy: maker.actor,
      madeAs: maker.role,
      madePerson: maker.person,
    } as const
    const approval = await propose(trx, proposal, over)
    const { approvalId } = approval
    await insertResolution(trx, { ...made, state: 'waiting', approvalId, entryNo: null })
    return { resolutionId, approval }
  }
  const entryNo = await carryOut(trx, exception, plan, resolutionId)
  await insertResolution(trx, { ...made, state: 'done', approvalId: null, entryNo })
  return { resolutionId, approval: null }
}

/**
 * Does what another consented to: the same, or nothing. Throws as `resolveException`, and
 * `resolution_state` where the break says something else by now.
 */
export async function resolveApproved(
  trx: Trx,
  approvalId: string,
  asked: ResolutionAsked,
  { actor, approvedBy }: { actor: string; approvedBy: string },
): Promise<bigint> {
  const waiting = await findByApproval(trx, approvalId)
  const { resolution_id: resolutionId } = waiting
  const exception = await openException(trx, waiting.exception_id)
  const resolved = { ...resolvedBy(resolutionId, asked, actor), approvedBy }
  const plan = await planOf(trx, exception, asked, resolved)
  const isSame =
    plan.moves === waiting.moves &&
    plan.account === waiting.account &&
    String(plan.facts.map(({ key }) => key)) === String(waiting.facts)
  if (!isSame) {
    const detail = `${exception.exception_id} says something else by now: resolve it anew.`
    throw new Problem('resolution_state', { detail, moved: 'no' })
  }
  const entryNo = await carryOut(trx, exception, plan, resolutionId)
  if (entryNo === null) {
    throw new Error(`${resolutionId} moves nothing and waited for consent`)
  }
  await finishResolution(trx, resolutionId, { approvedBy, entryNo })
  return entryNo
}

/** Throws `not_found`, `resolution_state` and `run_going` (moved: no). */
async function openException(trx: Trx, exceptionId: string): Promise<ExceptionRow> {
  const exception = await findException(trx, exceptionId)
  if (exception.state !== 'open') {
    const detail = `${exceptionId} is ${exception.state}: there is nothing to resolve.`
    throw new Problem('resolution_state', { detail, moved: 'no' })
  }
  // Between two parts of a run a break may be explained already, and nobody has said so yet.
  const [going] = await trx.query(
    `select 1 from recon_runs where org_id = $1 and state = 'running' limit 1`,
    [trx.scope],
  )
  if (going !== undefined) {
    const detail = 'A run is going on; resolve what it leaves open.'
    throw new Problem('run_going', { detail, moved: 'no', retryAfter: 5 })
  }
  return exception
}

async function assertNobodyElse(trx: Trx, { exception_id: id }: ExceptionRow): Promise<void> {
  const live = await findLive(trx, id)
  if (live?.state === 'dropped') {
    await dropResolution(trx, live.resolution_id)
  } else if (live !== undefined) {
    const detail =
      live.state === 'waiting'
        ? `${live.resolution_id} waits for consent (${live.approval_id}); withdraw that first.`
        : `${live.resolution_id} has resolved it.`
    throw new Problem('resolution_state', { detail, moved: 'no' })
  }
}

function resolvedBy(resolutionId: string, asked: ResolutionAsked, actor: string): Resolved {
  return {
    resolutionId,
    exceptionId: asked.exceptionId,
    effectiveOn: asked.effectiveOn ?? asked.today,
    reason: asked.words,
    actor,
    lateReason: asked.lateReason,
  }
}

/** Posts, records, closes; the number of the entry that came of it, null where there is none. */
async function carryOut(
  trx: Trx,
  exception: ExceptionRow,
  plan: Plan,
  resolutionId: string,
): Promise<bigint | null> {
  const entryNo =
    plan.draft !== null
      ? await postDraft(trx, plan.draft)
      : plan.facts.length > 0
        ? await recordPlanned(trx, plan, resolutionId)
        : null
  await close(trx, resolutionId, plan.closing)
  if (!(await resolveBreak(trx, exception.exception_id))) {
    throw new Error(`${exception.exception_id} was open a moment ago`)
  }
  return entryNo
}

async function postDraft(trx: Trx, draft: Parameters<typeof post>[1][number]): Promise<bigint> {
  const [result] = await post(trx, [draft])
  if (result?.status === 'refused') {
    throw result.problem
  }
  if (result === undefined) {
    throw new Error('posting said nothing')
  }
  return result.entryNo
}

async function recordPlanned(trx: Trx, { facts }: Plan, resolutionId: string): Promise<bigint> {
  const [first] = facts
  const known = await loadFingerprints(trx, facts)
  if (first === undefined || known.has(first.key)) {
    throw unfit('Our books know it by now: run again, and it is tied.')
  }
  const told = facts
    .filter(({ key }) => !known.has(key))
    .map((fact) => ({ eventId: resolutionId, fact }))
  const outcomes = await recordFacts(trx, told, new Date())
  const problem = outcomes.get(resolutionId) ?? null
  if (problem !== null) {
    throw problem
  }
  const recorded = await loadFingerprints(trx, facts)
  const [entry] = await trx.query<{ entry_no: bigint }>(
    'select entry_no from journal_entries where idempotency_key = $2 and org_id = $1',
    [trx.scope, first.key],
  )
  if (entry === undefined || facts.some(({ key }) => !recorded.has(key))) {
    throw unfit('It is about a payment that our books do not know: record that one first.')
  }
  return entry.entry_no
}
