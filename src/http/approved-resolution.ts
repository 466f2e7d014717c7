/** Resolutions, and what takes them back, once another consented: as their maker asked for them. */
import { z } from 'zod'
import type { Approval } from '../approvals/approvals.ts'
import type { Trx } from '../base/db.ts'
import { resolveApproved } from '../recon/resolve/resolve.ts'
import { undoApproved } from '../recon/resolve/undo.ts'
import type { Principal } from './request.ts'
import { resolutionAsked, resolveBody, undoAsked, undoBody } from './resolution-input.ts'

const kept = z.object({ exception: z.string().optional(), resolution: z.string().optional() })

/** Gives the number of the entry that came of it. Throws what resolving and undoing do. */
export async function postApprovedResolution(
  trx: Trx,
  asked: Approval & { verb: 'resolve' | 'undo_resolution' },
  { maker, approvedBy }: { maker: Principal; approvedBy: string },
): Promise<bigint> {
  const { exception = '', resolution = '' } = kept.parse(asked.body)
  const by = { actor: maker.subject, approvedBy }
  const body = { ...Object(asked.body) } as Record<string, unknown>
  delete body['exception']
  delete body['resolution']
  const key = asked.idempotencyKey
  if (asked.verb === 'resolve') {
    const how = resolutionAsked(exception, resolveBody.parse(body), key, maker)
    return await resolveApproved(trx, asked.approvalId, how, by)
  }
  return await undoApproved(trx, undoAsked(resolution, undoBody.parse(body), key, maker), by)
}
