/** /v1/approvals: entries above the limit, which one asks for and another decides; the limits. */
import { z } from 'zod'
import {
  APPROVAL_STATES,
  assertMayDecide,
  decide,
  findApproval,
  listApprovals,
  type Approval,
} from '../../approvals/approvals.ts'
import { readLimits, setLimits, type ApprovalLimit } from '../../approvals/limits.ts'
import type { Trx } from '../../base/db.ts'
import { minorToJson } from '../../base/money.ts'
import { currencyCode, pageOf } from '../answers.ts'
import { approval, approvalView } from '../approval-view.ts'
import { postAsked } from '../entry-verbs.ts'
import { idOfKind, limit } from '../input.ts'
import { line } from '../line.ts'
import { listOf } from '../list.ts'
import { operation, type Operation } from '../operation.ts'
import { permissionsOf, ROLES } from '../permissions.ts'
import { POSTING_PROBLEMS } from './journal-posting.ts'

const approvalId = idOfKind('apr').meta({ pattern: '^apr_[0-9a-hjkmnp-tv-z]{26}$' })

const params = z.object({ id: approvalId })

const reason = line(500)

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

const DECISION_PROBLEMS = ['approval_decided', 'own_proposal'] as const

export function approvalOperations(): Operation[] {
  return [...readingOperations(), approveOperation(), ...refusingOperations(), ...limitOperations()]
}

function readingOperations(): Operation[] {
  return [
    operation(
      {
        id: 'listApprovals',
        method: 'get',
        path: '/approvals',
        tag: 'Approvals',
        summary: 'What waits for another’s consent, and what was decided',
        permission: 'approvals.read',
        query: z.strictObject({
          limit,
          starting_after: approvalId.optional(),
          state: z.enum(APPROVAL_STATES).optional(),
        }),
        answers: { 200: { what: 'Newest first.', body: pageOf(approval) } },
      },
      {
        async read(trx, { query }) {
          const before = query.starting_after ?? null
          const page = { limit: query.limit + 1, before, state: query.state ?? null }
          const found = await listApprovals(trx, page)
          return { status: 200, body: listOf(found, query.limit, approvalView) }
        },
      },
    ),
    operation(
      {
        id: 'getApproval',
        method: 'get',
        path: '/approvals/{id}',
        tag: 'Approvals',
        summary: 'One of them',
        permission: 'approvals.read',
        params,
        answers: { 200: { what: 'The approval.', body: approval } },
      },
      {
        async read(trx, { params: { id } }) {
          return { status: 200, body: approvalView(await findApproval(trx, id)) }
        },
      },
    ),
  ]
}

function approveOperation(): Operation {
  return operation(
    {
      id: 'approve',
      method: 'post',
      path: '/approvals/{id}/approve',
      tag: 'Approvals',
      summary: 'Consent: the entry is posted now, as its maker asked for it',
      permission: 'approvals.decide',
      params,
      key: 'required',
      body: z.strictObject({ reason: reason.optional() }),
      answers: { 200: { what: 'Posted.', body: approval } },
      problems: [...DECISION_PROBLEMS, ...POSTING_PROBLEMS, 'unknown_currency'],
    },
    {
      queue: 'journal',
      async write(trx, { params: { id }, body, principal }) {
        const asked = await findApproval(trx, id)
        assertMayDecide(asked, { state: 'approved', by: principal.subject })
        const decided = await decide(trx, id, {
          state: 'approved',
          by: principal.subject,
          reason: body.reason ?? null,
          postedNo: await postApproved(trx, asked, principal.subject, principal.orgId),
        })
        return { status: 200, body: approvalView(decided) }
      },
    },
  )
}

/** Throws why the ledger refuses the entry: nothing is decided then. */
async function postApproved(
  trx: Trx,
  asked: Approval,
  approvedBy: string,
  orgId: number,
): Promise<bigint> {
  const role = ROLES.find((one) => one === asked.madeAs)
  if (role === undefined) {
    throw new Error(`${asked.approvalId} was made by a role that is none: ${asked.madeAs}`)
  }
  const result = await postAsked(trx, {
    verb: asked.verb,
    entryNo: asked.entryNo,
    body: asked.body,
    key: asked.idempotencyKey,
    principal: {
      subject: asked.madeBy,
      orgId,
      role,
      permissions: permissionsOf(role, null),
      user: null,
    },
    approvedBy,
  })
  if (result.status === 'refused') {
    throw result.problem
  }
  return result.entryNo
}

function refusingOperations(): Operation[] {
  return (['rejected', 'withdrawn'] as const).map((state) =>
    operation(
      {
        id: state === 'rejected' ? 'reject' : 'withdraw',
        method: 'post',
        path: state === 'rejected' ? '/approvals/{id}/reject' : '/approvals/{id}/withdraw',
        tag: 'Approvals',
        summary: state === 'rejected' ? 'Refuse consent' : 'Take back what one asked for oneself',
        permission: state === 'rejected' ? 'approvals.decide' : 'books.post',
        params,
        key: 'optional',
        body: z.strictObject({ reason }),
        answers: { 200: { what: 'Nothing is posted.', body: approval } },
        problems: DECISION_PROBLEMS,
      },
      {
        queue: 'journal',
        async write(trx, { params: { id }, body, principal }) {
          const decision = { state, by: principal.subject, reason: body.reason, postedNo: null }
          assertMayDecide(await findApproval(trx, id), decision)
          return { status: 200, body: approvalView(await decide(trx, id, decision)) }
        },
      },
    ),
  )
}

function limitOperations(): Operation[] {
  return [
    operation(
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
    ),
    operation(
      {
        id: 'setApprovalLimits',
        method: 'put',
        path: '/approval-limits',
        tag: 'Approvals',
        summary: 'Set these limits and no others',
        permission: 'approvals.limits',
        body: limitsBody,
        answers: { 200: { what: 'As they are now.', body: limits } },
      },
      {
        queue: 'journal',
        async write(trx, { body }) {
          await setLimits(trx, body.limits)
          return { status: 200, body: limitsView(await readLimits(trx)) }
        },
      },
    ),
  ]
}

function limitsView(all: readonly ApprovalLimit[]): z.input<typeof limits> {
  return {
    limits: all.map(({ currency, amount }) => ({ currency, amount: minorToJson(amount) })),
  }
}
