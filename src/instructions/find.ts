/** Instructions as people look for them, and what people do about them: consent, cancel, settle. */
import { build, type Trx } from '../base/db.ts'
import { Problem } from '../base/problem.ts'
import type { GatewayName } from '../gateways/fact.ts'
import { COLUMNS, type Instruction, type Kind, type State } from './instruction.ts'
import { move, noteSteps } from './rows.ts'

export interface Step {
  step: number
  at: Date
  what: string
  detail: string | null
  actor: string
}

export interface InstructionsPage {
  limit: number
  before: string | undefined
  state: State | undefined
  kind: Kind | undefined
  gateway: GatewayName | undefined
  payment: string | undefined
  reference: string | undefined
}

/** Newest first. */
export async function listInstructions(trx: Trx, page: InstructionsPage): Promise<Instruction[]> {
  const select = build('instructions')
    .where('org_id', trx.scope)
    .select(COLUMNS.split(',').map((name) => name.trim()))
    .orderBy('instruction_id', 'desc')
    .limit(page.limit)
  if (page.before !== undefined) {
    select.where('instruction_id', '<', page.before)
  }
  for (const [column, value] of [
    ['state', page.state],
    ['kind', page.kind],
    ['gateway', page.gateway],
    ['payment_id', page.payment],
    ['reference', page.reference],
  ] as const) {
    if (value !== undefined) {
      select.where(column, value)
    }
  }
  return await trx.run<Instruction>(select)
}

/** Throws `not_found`. */
export async function findInstruction(trx: Trx, instructionId: string): Promise<Instruction> {
  const [found] = await trx.query<Instruction>(
    `select ${COLUMNS} from instructions where org_id = $1 and instruction_id = $2`,
    [trx.scope, instructionId],
  )
  if (found === undefined) {
    throw new Problem('not_found', { detail: 'There is no such instruction.', moved: 'no' })
  }
  return found
}

const STEPS_MAX = 200

/** From the first to the last; of a very long life the newest. */
export async function stepsOf(trx: Trx, instructionId: string): Promise<Step[]> {
  const newest = await trx.query<Step>(
    `select step, at, what, detail, actor from instruction_steps
      where org_id = $1 and instruction_id = $2 order by step desc limit $3`,
    [trx.scope, instructionId, STEPS_MAX],
  )
  return newest.reverse()
}

/** Who does something about one, and why. */
export interface Doing {
  by: string
  reason: string
}

/**
 * Takes back what no gateway has heard of. Throws `instruction_state` for what was sent already.
 */
export async function cancel(
  trx: Trx,
  instructionId: string,
  { by, reason }: Doing,
): Promise<Instruction> {
  const found = await lockInstruction(trx, instructionId)
  const isUnheard = found.state === 'proposed' || (found.state === 'intended' && !found.in_doubt)
  if (!isUnheard) {
    throw wrongState(found, 'Only what the gateway has not heard of can be cancelled.')
  }
  return await moved(trx, found, 'cancelled', { by, reason })
}

/** Lets one go that needed another's consent; `person` is not who asked. */
export async function consent(
  trx: Trx,
  instructionId: string,
  { by, person, reason }: Doing & { person: string },
): Promise<Instruction> {
  const found = await lockInstruction(trx, instructionId)
  assertProposed(found)
  const [row] = await trx.query<Instruction>(
    `update instructions
        set state = 'intended', approved_by = $3, approved_person = $4, approved_at = now(),
            next_try_at = now()
      where org_id = $1 and instruction_id = $2
      returning ${COLUMNS}`,
    [trx.scope, instructionId, by, person],
  )
  await noteSteps(trx, [{ instructionId, what: 'intended', detail: reason }], by)
  return row ?? found
}

/** Throws `instruction_state` for one that waits for no consent. */
export function assertProposed(found: Instruction): void {
  if (found.state !== 'proposed') {
    throw wrongState(found, 'It waits for no consent.')
  }
}

/**
 * What a person found out about one of which nobody knew: `not_moved` ends it, `ask` lets the
 * gateway be asked once more. Throws `instruction_state` for one that is not unknown.
 */
export async function resolve(
  trx: Trx,
  instructionId: string,
  as: 'ask' | 'not_moved',
  { by, reason }: Doing,
): Promise<Instruction> {
  const found = await lockInstruction(trx, instructionId)
  if (found.state !== 'unknown') {
    throw wrongState(found, 'Only what nobody knows the end of is settled by a person.')
  }
  return await moved(trx, found, as === 'ask' ? 'sending' : 'failed', { by, reason })
}

async function moved(
  trx: Trx,
  instruction: Instruction,
  to: State,
  { by, reason }: Doing,
): Promise<Instruction> {
  if (!(await move(trx, { instruction, to, detail: reason, actor: by, againInSeconds: 0 }))) {
    throw wrongState(instruction, 'It changed just now; look at it again.')
  }
  return await findInstruction(trx, instruction.instruction_id)
}

/** Whoever is about to send it comes before this, or after it. */
async function lockInstruction(trx: Trx, instructionId: string): Promise<Instruction> {
  const [found] = await trx.query<Instruction>(
    `select ${COLUMNS} from instructions
      where org_id = $1 and instruction_id = $2 for no key update`,
    [trx.scope, instructionId],
  )
  return found ?? (await findInstruction(trx, instructionId))
}

function wrongState({ instruction_id: id, state }: Instruction, why: string): Problem {
  return new Problem('instruction_state', { detail: `${id} is ${state}. ${why}`, moved: 'no' })
}
