/** /v1/approvals: entries above the limit and looser limits: one asks for them, another decides. */
import { z } from 'zod'
import {
  APPROVAL_STATES,
  assertMayDecide,
  decide,
  findApproval,
  listApprovals,
  type Approval,
  type Decision,
  type ProposalVerb,
  type Verb,
} from '../../approvals/approvals.ts'
import type { Trx } from '../../base/db.ts'
import { Problem } from '../../base/problem.ts'
import {
  areSamePerson,
  invitationSeenBy,
  personOf,
  personsBehind,
  standingOf,
} from '../../identity/persons.ts'
import { pageOf } from '../answers.ts'
import { approval, approvalView } from '../approval-view.ts'
import { postApprovedResolution } from '../approved-resolution.ts'
import { permissionsFor } from '../auth.ts'
import { postAsked } from '../entry-verbs.ts'
import { idOfKind, limit } from '../input.ts'
import { line } from '../line.ts'
import { listOf } from '../list.ts'
import { operation, type Operation } from '../operation.ts'
import { ROLES, type Permission } from '../permissions.ts'
import type { Principal } from '../request.ts'
import { applyLimits, limitOperations } from './approval-limits.ts'
import { POSTING_PROBLEMS } from './journal-posting.ts'

const approvalId = idOfKind('apr').meta({ pattern: '^apr_[0-9a-hjkmnp-tv-z]{26}$' })

const params = z.object({ id: approvalId })

const reason = line(500)

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
      summary: 'Consent: the entry is posted, or the limits stand, as their maker asked for it',
      permission: 'approvals.decide',
      params,
      key: 'required',
      body: z.strictObject({ reason: reason.optional() }),
      answers: { 200: { what: 'Posted, or set.', body: approval } },
      problems: [
        ...DECISION_PROBLEMS,
        ...POSTING_PROBLEMS,
        'maker_left',
        'precondition_failed',
        'unknown_currency',
        'resolution_state',
        'resolution_unfit',
        'run_going',
      ],
    },
    {
      queue: 'journal',
      behind: 'recon',
      async write(trx, { params: { id }, body, principal }) {
        const asked = await findApproval(trx, id)
        const decision = await decisionOf(trx, asked, 'approved', principal)
        await assertUnseen(trx, asked, principal)
        const maker = await makerOf(trx, asked, principal.orgId)
        const reason = body.reason ?? null
        if (asked.verb === 'limits') {
          // Decided first: the database lets nothing be loosened before.
          const decided = await decide(trx, id, { ...decision, reason, postedNo: null })
          await applyLimits(trx, asked)
          return { status: 200, body: approvalView(decided) }
        }
        const by = { maker, approvedBy: principal.subject }
        const { verb } = asked
        const postedNo =
          verb === 'resolve' || verb === 'undo_resolution'
            ? await postApprovedResolution(trx, { ...asked, verb }, by)
            : await postApproved(trx, asked, verb, by)
        const decided = await decide(trx, id, { ...decision, reason, postedNo })
        return { status: 200, body: approvalView(decided) }
      },
    },
  )
}

/** Who decides, and as what person. Throws `approval_decided` and `own_proposal`. */
async function decisionOf(
  trx: Trx,
  asked: Approval,
  state: Decision['state'],
  { subject }: Principal,
): Promise<Pick<Decision, 'state' | 'by' | 'person'>> {
  const person = await personOf(trx, subject)
  const isSamePerson = await isMaker(trx, asked, person)
  assertMayDecide(asked, { state, isSamePerson })
  // One who withdraws what he asked for under another name of his does so as its maker.
  return { state, by: subject, person: state === 'withdrawn' ? asked.madePerson : person }
}

/** Whether a person asked for it, or knows the key that did. */
export async function isMaker(
  trx: Trx,
  { madeBy, madePerson }: Pick<Approval, 'madeBy' | 'madePerson'>,
  person: string,
): Promise<boolean> {
  for (const one of new Set([madePerson, ...(await personsBehind(trx, madeBy))])) {
    if (await areSamePerson(trx, person, one)) {
      return true
    }
  }
  return false
}

/** Throws `own_proposal` where the maker may know the password of who consents. */
export async function assertUnseen(
  trx: Trx,
  asked: Pick<Approval, 'madeBy' | 'madePerson'>,
  { subject }: Principal,
): Promise<void> {
  const seenBy = await invitationSeenBy(trx, subject)
  if (seenBy !== null && (await isMaker(trx, asked, seenBy))) {
    const detail =
      'Who asked for it was shown the invitation by which you set your password, and could be ' +
      'you. Somebody else decides; or have yourself reset by another, or by email only ' +
      '(PUT /v1/invitation-settings).'
    throw new Problem('own_proposal', { detail, moved: 'no' })
  }
}

/** What its maker has to be allowed to do when it is done. */
const NEEDED: Readonly<Record<ProposalVerb, Permission>> = {
  post: 'books.post',
  reverse: 'books.post',
  adjust: 'books.post',
  exchange: 'books.post',
  limits: 'approvals.limits',
  resolve: 'recon.resolve',
  undo_resolution: 'recon.resolve',
}

/**
 * The maker with what he may do now. Throws `maker_left` where that is not what he asked for any
 * more (moved: no).
 */
async function makerOf(trx: Trx, asked: Approval, orgId: number): Promise<Principal> {
  const madeAs = ROLES.find((one) => one === asked.madeAs)
  if (madeAs === undefined) {
    throw new Error(`${asked.approvalId} was made by a role that is none: ${asked.madeAs}`)
  }
  const subject = asked.madeBy
  const standing = await standingOf(trx, subject, madeAs)
  const permissions = standing === null ? null : permissionsFor(subject, standing)
  const needed = NEEDED[asked.verb]
  if (standing === null || permissions === null || !permissions.has(needed)) {
    const detail = `${subject} may not do it any more (${needed}); somebody else asks for it anew.`
    throw new Problem('maker_left', { detail, moved: 'no' })
  }
  return { subject, orgId, role: standing.role, permissions, user: null }
}

/** Throws why the ledger refuses the entry, or its maker may not post it so: nothing is decided. */
async function postApproved(
  trx: Trx,
  asked: Approval,
  verb: Verb,
  by: { maker: Principal; approvedBy: string },
): Promise<bigint> {
  const result = await postAsked(trx, {
    verb,
    entryNo: asked.entryNo,
    body: asked.body,
    key: asked.idempotencyKey,
    principal: by.maker,
    approvedBy: by.approvedBy,
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
          const decision = await decisionOf(trx, await findApproval(trx, id), state, principal)
          const decided = await decide(trx, id, {
            ...decision,
            reason: body.reason,
            postedNo: null,
          })
          return { status: 200, body: approvalView(decided) }
        },
      },
    ),
  )
}
