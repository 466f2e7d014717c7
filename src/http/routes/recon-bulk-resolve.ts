/** POST /v1/recon/exceptions/bulk-resolve: many exceptions alike, each for itself. */
import type { z } from 'zod'
import type { Parts } from '../../base/parts.ts'
import { Problem } from '../../base/problem.ts'
import { inJournal } from '../../ledger/posting/in-journal.ts'
import { resolveException } from '../../recon/resolve/resolve.ts'
import { findResolution, findToResolve } from '../../recon/resolve/store.ts'
import { operation, type Operation } from '../operation.ts'
import { problemView } from '../problem-json.ts'
import type { Principal } from '../request.ts'
import { BULK_MAX, bulkBody, keptKey, makerIn, resolutionAsked } from '../resolution-input.ts'
import { bulkResults, resolutionView } from '../resolution-view.ts'
import { ringAfter } from '../ring-after.ts'

/** Five hundred ids fit. */
const BYTES_MAX = 64 * 1024

type Body = z.infer<typeof bulkBody>
type Result = z.input<typeof bulkResults>['results'][number]

export function bulkResolveOperation({ db, bells }: Parts): Operation {
  return operation(
    {
      id: 'bulkResolveReconExceptions',
      method: 'post',
      path: '/recon/exceptions/bulk-resolve',
      tag: 'Reconciliation',
      summary: 'Resolve up to 500 exceptions alike, each for itself; safe to repeat with its key',
      permission: 'recon.resolve',
      key: 'required',
      body: bulkBody,
      bodyBytesMax: BYTES_MAX,
      answers: { 200: { what: 'What became of each.', body: bulkResults } },
      problems: ['precondition_failed'],
    },
    {
      async handle(call) {
        const { body, principal, response } = call
        const askedKey = keptKey(principal, String(call.key))
        const ids = await idsOf(db, principal.orgId, body, askedKey)
        const results: Result[] = []
        for (const id of ids) {
          results.push(await resolveOne(db, id, { body, askedKey, call }))
        }
        if (body.action === 'record') {
          ringAfter(response, bells, 'issue-receipts')
        }
        const count = (status: Result['status']) =>
          results.filter((one) => one.status === status).length
        const reply = {
          status: 200 as const,
          body: {
            resolved: count('resolved'),
            waiting: count('waiting'),
            refused: count('refused'),
            results,
          },
        }
        // What may go through next time is tried again with the same key.
        if (!results.some(isPassing)) {
          await db.transact(principal.orgId, async (trx) => await call.keep(trx, reply), {
            isolation: 'read committed',
          })
        }
        return reply
      },
    },
  )
}

function isPassing(result: Result): boolean {
  return (
    result.status === 'refused' &&
    (result.problem.status >= 500 || result.problem.code === 'run_going')
  )
}

/** Throws `precondition_failed` (moved: no) where a filter finds another number than expected. */
async function idsOf(
  db: Parts['db'],
  orgId: number,
  { exceptions, filter }: Body,
  askedKey: string,
): Promise<readonly string[]> {
  if (filter === undefined) {
    return exceptions ?? []
  }
  const { kind, amount_at_most: most, expected_count: expected } = filter
  const amountAtMost = most === undefined ? null : BigInt(most)
  const found = await db.read(
    orgId,
    async (trx) => await findToResolve(trx, { kind, amountAtMost, askedKey }, BULK_MAX + 1),
  )
  if (found.length !== expected) {
    const number = found.length > BULK_MAX ? `more than ${BULK_MAX}` : String(found.length)
    const detail = `The filter finds ${number} exceptions, not ${expected}: look at them again.`
    throw new Problem('precondition_failed', { detail, moved: 'no' })
  }
  return found
}

/** A transaction of its own: what is refused, or fails, leaves the others as they are. */
async function resolveOne(
  db: Parts['db'],
  exception: string,
  {
    body,
    askedKey,
    call,
  }: {
    body: Body
    askedKey: string
    call: {
      principal: Principal
      audit(trx: Parameters<typeof findResolution>[0], more: { target: string }): Promise<void>
    }
  },
): Promise<Result> {
  const { exceptions: _ids, filter: _filter, ...rest } = body
  const { principal } = call
  try {
    const row = await inJournal(
      db,
      principal.orgId,
      async (trx) => {
        const asked = resolutionAsked(exception, rest, askedKey, principal)
        const { resolutionId } = await resolveException(trx, asked, await makerIn(trx, principal))
        await call.audit(trx, { target: `/v1/recon/exceptions/${exception}/resolve` })
        return await findResolution(trx, resolutionId)
      },
      'recon',
    )
    const status = row.state === 'waiting' ? 'waiting' : 'resolved'
    return { exception, status, resolution: resolutionView(row) }
  } catch (error) {
    if (!(error instanceof Problem)) {
      throw error
    }
    const moved = error.extras.moved ?? 'no'
    return { exception, status: 'refused', problem: { ...problemView(error), moved } }
  }
}
