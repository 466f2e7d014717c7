/** Holds back what is above the organisation's limit until another consents. */
import type { z } from 'zod'
import { propose, type Verb } from '../approvals/approvals.ts'
import { overLimit, readLimits } from '../approvals/limits.ts'
import type { Database, Trx } from '../base/db.ts'
import { Problem } from '../base/problem.ts'
import { personOf } from '../identity/persons.ts'
import type { Draft } from '../ledger/core/entry.ts'
import { approvalView, type approval } from './approval-view.ts'
import { assertAccountsThere, assertMayAsk, overLimitOf, type EntryRequest } from './entry-verbs.ts'
import type { AnyReply, Asked } from './operation.ts'

/** A call that would post. */
interface Posting {
  verb: Verb
  entryNo: bigint | null
  call: Asked & { keep(trx: Trx, reply: AnyReply): Promise<void> }
}

/**
 * Throws `approval_required` (moved: no) where one of these drafts is above the limit: a batch does
 * not wait for consent.
 */
export async function assertBelowLimits(trx: Trx, drafts: readonly Draft[]): Promise<void> {
  const limits = await readLimits(trx)
  const errors = drafts.flatMap(({ lines }, index) => {
    const over = overLimit(lines, limits)
    const detail = `is ${over?.amount} of ${over?.currency}; the limit is ${over?.limit}`
    return over === null ? [] : [{ pointer: `/entries/${index}/lines`, detail }]
  })
  if (errors.length > 0) {
    const detail = 'Post what is above the limit by itself: it waits for another’s consent.'
    throw new Problem('approval_required', { detail, errors: errors.slice(0, 20), moved: 'no' })
  }
}

/** What was asked for, to be posted now or after another's consent. */
export function requestOf({ verb, entryNo, call }: Posting): EntryRequest {
  const { request, key, principal } = call
  return { verb, entryNo, body: request.body as unknown, key: String(key), principal }
}

/**
 * 202 with the approval that was asked for, where the call is above the limit; null where it may be
 * posted now. Throws `forbidden` for what its caller may not post at all: consent is not a right;
 * and `unknown_account`.
 */
export async function proposalReply(
  db: Database,
  posting: Posting,
): Promise<{ status: 202; body: z.input<typeof approval> } | null> {
  const { principal, keep } = posting.call
  const asked = requestOf(posting)
  const over = await db.read(principal.orgId, async (trx) => await overLimitOf(trx, asked))
  if (over === null) {
    return null
  }
  assertMayAsk(asked)
  return await db.transact(
    principal.orgId,
    async (trx) => {
      await assertAccountsThere(trx, asked)
      const { verb, entryNo, body, key } = asked
      const madeBy = {
        madeBy: principal.subject,
        madeAs: principal.role,
        madePerson: await personOf(trx, principal.subject),
      }
      const made = await propose(trx, { verb, entryNo, body, idempotencyKey: key, ...madeBy }, over)
      const reply = { status: 202 as const, body: approvalView(made) }
      await keep(trx, reply)
      return reply
    },
    { isolation: 'read committed' },
  )
}
