/** /v1/instructions: what gateways were told to do with money, how far it is, and who decides. */
import { z } from 'zod'
import type { Parts } from '../../base/parts.ts'
import type { Trx } from '../../base/db.ts'
import { Problem } from '../../base/problem.ts'
import { GATEWAY_NAMES } from '../../gateways/fact.ts'
import { personOf, standingOf } from '../../identity/persons.ts'
import {
  assertProposed,
  cancel,
  consent,
  findInstruction,
  listInstructions,
  resolve,
  stepsOf,
} from '../../instructions/find.ts'
import { KINDS, RULE_ACTOR, STATES, type Instruction } from '../../instructions/instruction.ts'
import { pageOf } from '../answers.ts'
import { permissionsFor } from '../auth.ts'
import { idOfKind, limit } from '../input.ts'
import {
  instruction,
  instructionInFull,
  instructionInFullView,
  instructionView,
} from '../instruction-view.ts'
import { anyText, line } from '../line.ts'
import { listOf } from '../list.ts'
import { operation, type Operation } from '../operation.ts'
import { ROLES } from '../permissions.ts'
import type { Principal } from '../request.ts'
import { ringAfter } from '../ring-after.ts'
import { assertUnseen, isMaker } from './approvals.ts'

const instructionId = idOfKind('ins')

const params = z.object({ id: instructionId })

const reason = line(500).meta({ description: 'For whoever asks later why.' })

export function instructionOperations(parts: Parts): Operation[] {
  return [
    listOperation(),
    getOperation(),
    cancelOperation(),
    approveOperation(parts),
    resolveOperation(parts),
  ]
}

function listOperation(): Operation {
  return operation(
    {
      id: 'listInstructions',
      method: 'get',
      path: '/instructions',
      tag: 'Donations',
      summary: 'What gateways were told to do with money, newest first',
      permission: 'payments.read',
      query: z.strictObject({
        limit,
        starting_after: instructionId.optional(),
        state: z.enum(STATES).optional(),
        kind: z.enum(KINDS).optional(),
        gateway: z.enum(GATEWAY_NAMES).optional(),
        payment: anyText(40).optional(),
        reference: anyText(40).optional(),
      }),
      answers: { 200: { what: 'By id, downwards.', body: pageOf(instruction) } },
    },
    {
      async read(trx, { query }) {
        const { state, kind, gateway, payment, reference, starting_after: before } = query
        const page = { limit: query.limit + 1, before, state, kind, gateway, payment, reference }
        const rows = await listInstructions(trx, page)
        return { status: 200, body: listOf(rows, query.limit, instructionView) }
      },
    },
  )
}

function getOperation(): Operation {
  return operation(
    {
      id: 'getInstruction',
      method: 'get',
      path: '/instructions/{id}',
      tag: 'Donations',
      summary: 'One instruction with each of its steps',
      permission: 'payments.read',
      params,
      answers: { 200: { what: 'As it is now.', body: instructionInFull } },
    },
    {
      async read(trx, { params: { id } }) {
        const one = await findInstruction(trx, id)
        return { status: 200, body: instructionInFullView(one, await stepsOf(trx, id)) }
      },
    },
  )
}

function cancelOperation(): Operation {
  return operation(
    {
      id: 'cancelInstruction',
      method: 'post',
      path: '/instructions/{id}/cancel',
      tag: 'Donations',
      summary: 'Take back what the gateway has not heard of',
      permission: 'payments.instruct',
      params,
      key: 'optional',
      body: z.strictObject({ reason }),
      answers: { 200: { what: 'Cancelled: nothing moves.', body: instruction } },
      problems: ['instruction_state'],
    },
    {
      queue: 'journal',
      async write(trx, { params: { id }, body, principal }) {
        const by = { by: principal.subject, reason: body.reason }
        return { status: 200, body: instructionView(await cancel(trx, id, by)) }
      },
    },
  )
}

function approveOperation({ bells }: Parts): Operation {
  return operation(
    {
      id: 'approveInstruction',
      method: 'post',
      path: '/instructions/{id}/approve',
      tag: 'Donations',
      summary: 'Consent to one that is above the limit: the gateway is told next',
      permission: 'approvals.decide',
      params,
      key: 'optional',
      body: z.strictObject({ reason }),
      answers: { 200: { what: 'Approved.', body: instruction } },
      problems: ['instruction_state', 'own_proposal', 'maker_left'],
    },
    {
      queue: 'journal',
      async write(trx, { params: { id }, body, principal, response }) {
        const found = await findInstruction(trx, id)
        assertProposed(found)
        const by = principal.subject
        const person = await personOf(trx, by)
        await assertAnother(trx, found, principal, person)
        await assertMakerStill(trx, found)
        const one = await consent(trx, id, { by, person, reason: body.reason })
        ringAfter(response, bells, 'send-instructions')
        return { status: 200, body: instructionView(one), before: { state: found.state } }
      },
    },
  )
}

/** Throws `own_proposal` (moved: no) where who consents is, or may be, who asked. */
async function assertAnother(
  trx: Trx,
  { asked_by: madeBy, asked_person: madePerson }: Instruction,
  principal: Principal,
  person: string,
): Promise<void> {
  const maker = { madeBy, madePerson }
  if (await isMaker(trx, maker, person)) {
    const detail = 'Somebody else has to consent to what you asked for; you can cancel it.'
    throw new Problem('own_proposal', { detail, moved: 'no' })
  }
  await assertUnseen(trx, maker, principal)
}

/** Throws `maker_left` (moved: no) where who asked may not ask for it any more. */
async function assertMakerStill(trx: Trx, found: Instruction): Promise<void> {
  const { asked_by: subject, asked_as: as, kind } = found
  if (subject === RULE_ACTOR) {
    return
  }
  const role = ROLES.find((one) => one === as)
  const standing = role === undefined ? null : await standingOf(trx, subject, role)
  const needed = kind === 'payout' ? 'payouts.send' : 'payments.instruct'
  if (standing === null || !permissionsFor(subject, standing).has(needed)) {
    const detail = `${subject} may not do it any more (${needed}); somebody else asks for it anew.`
    throw new Problem('maker_left', { detail, moved: 'no' })
  }
}

function resolveOperation({ bells }: Parts): Operation {
  return operation(
    {
      id: 'resolveInstruction',
      method: 'post',
      path: '/instructions/{id}/resolve',
      tag: 'Donations',
      summary: 'Settle one of which nobody knew whether money moved',
      permission: 'payouts.send',
      params,
      key: 'optional',
      body: z.strictObject({
        as: z.enum(['ask', 'not_moved']).meta({
          description:
            'ask: the gateway is asked once more; not_moved: somebody looked there, and it ends.',
        }),
        reason,
      }),
      answers: { 200: { what: 'As it is now.', body: instruction } },
      problems: ['instruction_state'],
    },
    {
      queue: 'journal',
      async write(trx, { params: { id }, body, principal, response }) {
        const by = { by: principal.subject, reason: body.reason }
        const one = await resolve(trx, id, body.as, by)
        ringAfter(response, bells, 'send-instructions')
        return { status: 200, body: instructionView(one), before: { state: 'unknown' } }
      },
    },
  )
}
