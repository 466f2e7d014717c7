/** What somebody asks for and another decides: entries above the limit, and other limits. */
import { newId } from '../base/ids.ts'
import type { Trx } from '../base/db.ts'
import { Problem } from '../base/problem.ts'
import { limitsOf, type ApprovalLimit, type OverLimit } from './limits.ts'

export const VERBS = ['post', 'reverse', 'adjust', 'exchange'] as const

export type Verb = (typeof VERBS)[number]

/** What may be asked for: an entry by its verb, other limits, a break resolved or open again. */
export const PROPOSAL_VERBS = [...VERBS, 'limits', 'resolve', 'undo_resolution'] as const

export type ProposalVerb = (typeof PROPOSAL_VERBS)[number]

export const APPROVAL_STATES = ['waiting', 'approved', 'rejected', 'withdrawn', 'expired'] as const

export type ApprovalState = (typeof APPROVAL_STATES)[number]

/** A request that waits for consent, as it came. */
export interface Proposal {
  verb: ProposalVerb
  /** The entry to be corrected; null for the others. */
  entryNo: bigint | null
  body: unknown
  idempotencyKey: string
  madeBy: string
  /** His role. */
  madeAs: string
  /** The person that he is (src/identity/persons.ts): nobody of the same decides. */
  madePerson: string
}

export interface Approval extends Proposal {
  approvalId: string
  currency: string
  /** Null where no amount would need consent any more. */
  amount: bigint | null
  limitThen: bigint
  /** The limits that stood when others were asked for; null for an entry. */
  replaces: ApprovalLimit[] | null
  madeAt: Date
  expiresAt: Date
  /** `expired` where nobody decided in time. */
  state: ApprovalState
  decidedBy: string | null
  decidedAt: Date | null
  reason: string | null
  postedNo: bigint | null
}

export interface ApprovalsPage {
  limit: number
  /** The id of the last one of the page before. */
  before: string | null
  state: ApprovalState | null
}

const STATE = `case when state = 'waiting' and expires_at <= now() then 'expired' else state end`

const COLUMNS = `approval_id as "approvalId", verb, entry_no as "entryNo", body,
  idempotency_key as "idempotencyKey", currency, amount, limit_then as "limitThen",
  made_by as "madeBy", made_as as "madeAs", made_person as "madePerson", replaces,
  made_at as "madeAt", expires_at as "expiresAt",
  ${STATE} as state, decided_by as "decidedBy", decided_at as "decidedAt", reason,
  posted_no as "postedNo"`

type ApprovalRow = Omit<Approval, 'replaces'> & { replaces: unknown }

function approvalOf(row: ApprovalRow): Approval {
  return { ...row, replaces: row.replaces === null ? null : limitsOf(row.replaces) }
}

/**
 * Keeps a request until another decides. `replaces` are the limits that stand, where others are
 * asked for in their place.
 */
export async function propose(
  trx: Trx,
  proposal: Proposal,
  over: Omit<OverLimit, 'amount'> & { amount: bigint | null },
  replaces: readonly ApprovalLimit[] | null = null,
): Promise<Approval> {
  const [made] = await trx.query<ApprovalRow>(
    `insert into approvals (org_id, approval_id, verb, entry_no, body, idempotency_key, amount,
       currency, limit_then, made_by, made_as, made_person, replaces)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
     returning ${COLUMNS}`,
    [
      trx.scope,
      newId('apr'),
      proposal.verb,
      proposal.entryNo,
      JSON.stringify(proposal.body),
      proposal.idempotencyKey,
      over.amount,
      over.currency,
      over.limit,
      proposal.madeBy,
      proposal.madeAs,
      proposal.madePerson,
      replaces === null
        ? null
        : JSON.stringify(
            replaces.map(({ currency, amount }) => ({ currency, amount: String(amount) })),
          ),
    ],
  )
  if (made === undefined) {
    throw new Error('an insert gave no row')
  }
  return approvalOf(made)
}

/** The newest proposal of the same body by the same caller that still waits. */
export async function findWaiting(
  trx: Trx,
  same: Pick<Proposal, 'verb' | 'body' | 'madeBy'>,
): Promise<Approval | undefined> {
  const [found] = await trx.query<ApprovalRow>(
    `select ${COLUMNS} from approvals
      where org_id = $1 and state = 'waiting' and expires_at > now() and verb = $2
        and body = $3 and made_by = $4
      order by approval_id desc limit 1`,
    [trx.scope, same.verb, JSON.stringify(same.body), same.madeBy],
  )
  return found === undefined ? undefined : approvalOf(found)
}

/** Newest first. */
export async function listApprovals(trx: Trx, page: ApprovalsPage): Promise<Approval[]> {
  const rows = await trx.query<ApprovalRow>(
    `select ${COLUMNS} from approvals
      where org_id = $1 and ($2::text is null or approval_id < $2)
        and ($3::text is null or ${STATE} = $3)
      order by approval_id desc limit $4`,
    [trx.scope, page.before, page.state, page.limit],
  )
  return rows.map(approvalOf)
}

/** One of them. Problem `not_found` for another id. */
export async function findApproval(trx: Trx, approvalId: string): Promise<Approval> {
  const [found] = await trx.query<ApprovalRow>(
    `select ${COLUMNS} from approvals where org_id = $1 and approval_id = $2`,
    [trx.scope, approvalId],
  )
  if (found === undefined) {
    throw new Problem('not_found', { detail: 'There is no such approval.', moved: 'no' })
  }
  return approvalOf(found)
}

export interface Decision {
  state: 'approved' | 'rejected' | 'withdrawn'
  by: string
  /** The person that he is. */
  person: string
  reason: string | null
  /** The entry that was posted; null unless one was approved. */
  postedNo: bigint | null
}

/**
 * Throws `approval_decided` for one that waits no more, and `own_proposal` where who decides is the
 * person who asked for it, or who withdraws is another (moved: no).
 */
export function assertMayDecide(
  approval: Approval,
  decision: Pick<Decision, 'state'> & { isSamePerson: boolean },
): void {
  if (approval.state !== 'waiting') {
    const detail = `${approval.approvalId} is ${approval.state}; ask for it anew.`
    throw new Problem('approval_decided', { detail, moved: 'no' })
  }
  if (decision.isSamePerson !== (decision.state === 'withdrawn')) {
    const detail = decision.isSamePerson
      ? 'Somebody else has to decide on what you asked for; you can withdraw it.'
      : 'Only who asked for it can withdraw it; you can reject it.'
    throw new Problem('own_proposal', { detail, moved: 'no' })
  }
}

/** Writes what was decided, after `assertMayDecide`; the database asserts it again. */
export async function decide(trx: Trx, approvalId: string, decision: Decision): Promise<Approval> {
  const [decided] = await trx.query<ApprovalRow>(
    `update approvals
        set state = $3, decided_by = $4, decided_at = now(), reason = $5, posted_no = $6,
            decided_person = $7
      where org_id = $1 and approval_id = $2
      returning ${COLUMNS}`,
    [
      trx.scope,
      approvalId,
      decision.state,
      decision.by,
      decision.reason,
      decision.postedNo,
      decision.person,
    ],
  )
  if (decided === undefined) {
    throw new Error(`${approvalId} was there a moment ago`)
  }
  return approvalOf(decided)
}
