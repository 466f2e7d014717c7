/** Exceptions given to somebody, acknowledged and put off: one, or many with each one's result. */
import { z } from 'zod'
import type { Trx } from '../../base/db.ts'
import { Problem } from '../../base/problem.ts'
import { acknowledgeCases, assignCases, type Result } from '../../recon/work/cases.ts'
import { assertOwner } from '../../recon/work/policy.ts'
import { idsOfWork } from '../../recon/work/worklist.ts'
import { idOfKind } from '../input.ts'
import { operation, type Operation } from '../operation.ts'
import { acknowledgement, assignment, bulkOf, filterOfBody } from '../recon-work-input.ts'
import { bulkResult, bulkView, exceptionInWork } from '../recon-work-view.ts'
import { viewOf } from './recon-exceptions.ts'

const tag = 'Reconciliation'
const params = z.object({ id: idOfKind('exc') })

export function reconCaseOperations(): Operation[] {
  return [
    assignAllOperation(),
    assignOperation(),
    acknowledgeAllOperation(),
    acknowledgeOperation(),
  ]
}

const assignAll = bulkOf(assignment)
const acknowledgeAll = bulkOf(acknowledgement)

/** Those that a body of either form is about. */
async function idsOf(
  trx: Trx,
  body: z.output<typeof assignAll> | z.output<typeof acknowledgeAll>,
): Promise<string[]> {
  return 'ids' in body ? body.ids : await idsOfWork(trx, filterOfBody(body.filter), body.expected)
}

function assignAllOperation(): Operation {
  return operation(
    {
      id: 'assignReconExceptions',
      method: 'post',
      path: '/recon/exceptions/assign',
      tag,
      summary: 'Give many exceptions to a user, or take them away; each with what became of it',
      permission: 'recon.write',
      key: 'optional',
      body: assignAll,
      answers: { 200: { what: 'In the order in which they were named.', body: bulkResult } },
      problems: ['unknown_owner', 'precondition_failed'],
    },
    {
      queue: null,
      async write(trx, { body, principal }) {
        const { owner, note = null } = body
        const ids = await idsOf(trx, body)
        const results = await assign(trx, ids, { owner, note, actor: principal.subject })
        return { status: 200, body: bulkView(results), audited: auditedOf(results, { owner }) }
      },
    },
  )
}

function assignOperation(): Operation {
  return operation(
    {
      id: 'assignReconException',
      method: 'post',
      path: '/recon/exceptions/{id}/assign',
      tag,
      summary: 'Give an exception to a user, or take it away from whoever has it',
      permission: 'recon.write',
      key: 'optional',
      params,
      body: z.strictObject(assignment),
      answers: { 200: { what: 'As it is now.', body: exceptionInWork } },
      problems: ['unknown_owner', 'exception_state'],
    },
    {
      queue: null,
      async write(trx, { params: { id }, body, principal }) {
        const { owner, note = null } = body
        assertDone(await assign(trx, [id], { owner, note, actor: principal.subject }))
        return { status: 200, body: await viewOf(trx, id), audited: { owner } }
      },
    },
  )
}

async function assign(
  trx: Trx,
  ids: readonly string[],
  to: Parameters<typeof assignCases>[2],
): Promise<Result[]> {
  if (to.owner !== null) {
    await assertOwner(trx, to.owner)
  }
  return await assignCases(trx, ids, to)
}

function acknowledgeAllOperation(): Operation {
  return operation(
    {
      id: 'acknowledgeReconExceptions',
      method: 'post',
      path: '/recon/exceptions/acknowledge',
      tag,
      summary: 'End the reminders of many exceptions, or put them off to another due date',
      permission: 'recon.write',
      key: 'optional',
      body: acknowledgeAll,
      answers: { 200: { what: 'In the order in which they were named.', body: bulkResult } },
      problems: ['precondition_failed'],
    },
    {
      queue: null,
      async write(trx, { body, principal }) {
        const results = await acknowledge(trx, await idsOf(trx, body), body, principal.subject)
        const audited = auditedOf(results, { due_at: body.due_at ?? null })
        return { status: 200, body: bulkView(results), audited }
      },
    },
  )
}

function acknowledgeOperation(): Operation {
  return operation(
    {
      id: 'acknowledgeReconException',
      method: 'post',
      path: '/recon/exceptions/{id}/acknowledge',
      tag,
      summary: 'End the reminders of an exception, or put it off to another due date',
      permission: 'recon.write',
      key: 'optional',
      params,
      body: z.strictObject(acknowledgement),
      answers: { 200: { what: 'As it is now.', body: exceptionInWork } },
      problems: ['exception_state'],
    },
    {
      queue: null,
      async write(trx, { params: { id }, body, principal }) {
        assertDone(await acknowledge(trx, [id], body, principal.subject))
        return { status: 200, body: await viewOf(trx, id), audited: body }
      },
    },
  )
}

async function acknowledge(
  trx: Trx,
  ids: readonly string[],
  { due_at: due, note }: { due_at?: string | undefined; note?: string | undefined },
  actor: string,
): Promise<Result[]> {
  const dueAt = due === undefined ? null : new Date(due)
  return await acknowledgeCases(trx, ids, { dueAt, actor, note: note ?? null })
}

/** Which, as far as it was done: what was left as it was is no news. */
function auditedOf(results: readonly Result[], more: object): object | null {
  const done = results.filter(({ result }) => result === 'done').map(({ id }) => id)
  const exceptions = done.slice(0, AUDITED_MAX)
  return done.length === 0 ? null : { ...more, count: done.length, exceptions }
}

/** The timeline of each says it too. */
const AUDITED_MAX = 500

/** Throws `not_found` or `exception_state` for one that was not in the state for it. */
function assertDone([one]: readonly Result[]): void {
  if (one === undefined || one.result === 'unknown') {
    throw new Problem('not_found', { detail: 'There is no such exception.', moved: 'no' })
  }
  if (one.result === 'ended') {
    const detail = 'The exception is not open any more.'
    throw new Problem('exception_state', { detail, moved: 'no' })
  }
  if (one.result === 'not_overdue') {
    const detail = 'The exception is not overdue: give it another due date.'
    throw new Problem('exception_state', { detail, moved: 'no' })
  }
}
