/** /v1/approval-limits: how much may be posted alone; looser ones are proposals themselves. */
import { z } from 'zod'
import { findWaiting, propose, type Approval } from '../../approvals/approvals.ts'
import {
  areSameLimits,
  loosened,
  readLimits,
  setLimits,
  type ApprovalLimit,
} from '../../approvals/limits.ts'
import type { Trx } from '../../base/db.ts'
import { newId } from '../../base/ids.ts'
import { minorToJson } from '../../base/money.ts'
import { Problem } from '../../base/problem.ts'
import { personOf } from '../../identity/persons.ts'
import { currencyCode } from '../answers.ts'
import { approval, approvalView } from '../approval-view.ts'
import { operation, type Operation } from '../operation.ts'
import type { Principal } from '../request.ts'

const oneLimit = z.strictObject({
  currency: currencyCode.regex(/^[A-Z][A-Z0-9]{2,11}$/, 'must be a currency code such as INR'),
  amount: z
    .int('must be a whole number of minor units')
    .min(0, 'must not be below 0')
    .transform(BigInt),
})

const limitsBody = z.strictObject({
  limits: z
    .array(oneLimit)
    .max(100, 'must have at most 100 limits')
    .refine((all) => new Set(all.map(({ currency }) => currency)).size === all.length, {
      error: 'must have each currency once',
    }),
})

const limits = z
  .strictObject({ limits: z.array(z.strictObject({ currency: currencyCode, amount: z.int() })) })
  .meta({
    id: 'ApprovalLimits',
    description: 'Minor units that an entry may debit without another’s consent, by currency.',
  })

export function limitOperations(): Operation[] {
  return [getOperation(), setOperation()]
}

function getOperation(): Operation {
  return operation(
    {
      id: 'getApprovalLimits',
      method: 'get',
      path: '/approval-limits',
      tag: 'Approvals',
      summary: 'How much may be posted by hand without another’s consent',
      permission: 'approvals.read',
      answers: {
        200: { what: 'By currency; one that is not there has no limit.', body: limits },
      },
    },
    {
      async read(trx) {
        return { status: 200, body: limitsView(await readLimits(trx)) }
      },
    },
  )
}

function setOperation(): Operation {
  return operation(
    {
      id: 'setApprovalLimits',
      method: 'put',
      path: '/approval-limits',
      tag: 'Approvals',
      summary: 'Set these limits and no others; to raise one, or take it away, takes two',
      permission: 'approvals.limits',
      body: limitsBody,
      answers: {
        200: { what: 'As they are now.', body: limits },
        202: {
          what: 'They would let more be posted alone: they stand when another consents.',
          body: approval,
        },
      },
    },
    {
      queue: 'journal',
      async write(trx, { body, principal }) {
        const stand = await readLimits(trx)
        const before = limitsView(stand)
        const looser = loosened(stand, body.limits)
        if (looser === undefined) {
          await setLimits(trx, body.limits)
          return { status: 200, body: limitsView(await readLimits(trx)), before }
        }
        const asked = await askFor(trx, { principal, stand, fresh: body.limits, looser })
        return { status: 202, body: approvalView(asked), before }
      },
    },
  )
}

/** The same limits asked for again by the same caller are the proposal that waits already. */
async function askFor(
  trx: Trx,
  asked: {
    principal: Principal
    stand: readonly ApprovalLimit[]
    fresh: readonly ApprovalLimit[]
    looser: NonNullable<ReturnType<typeof loosened>>
  },
): Promise<Approval> {
  const { principal, stand, fresh, looser } = asked
  const same = { verb: 'limits', body: limitsView(fresh), madeBy: principal.subject } as const
  const waiting = await findWaiting(trx, same)
  if (waiting !== undefined && areSameLimits(waiting.replaces ?? [], stand)) {
    return waiting
  }
  const proposal = {
    ...same,
    entryNo: null,
    idempotencyKey: newId('req'),
    madeAs: principal.role,
    madePerson: await personOf(trx, principal.subject),
  }
  return await propose(trx, proposal, looser, stand)
}

/**
 * Sets the limits that were consented to. Throws `precondition_failed` where others stand than when
 * they were asked for: who consents saw what he loosens (moved: no).
 */
export async function applyLimits(trx: Trx, asked: Approval): Promise<void> {
  if (!areSameLimits(asked.replaces ?? [], await readLimits(trx))) {
    const detail = 'The limits were changed after these were asked for; ask for them anew.'
    throw new Problem('precondition_failed', { detail, moved: 'no' })
  }
  await setLimits(trx, limitsBody.parse(asked.body).limits)
}

function limitsView(all: readonly ApprovalLimit[]): z.input<typeof limits> {
  return {
    limits: all.map(({ currency, amount }) => ({ currency, amount: minorToJson(amount) })),
  }
}
