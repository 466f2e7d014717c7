/** Carries instructions out: written down first, then told to the gateway, then its answer. */
import { delayAfter, type Backoff } from '../../base/backoff.ts'
import type { CallOptions, CallsOut } from '../../base/calls-out.ts'
import type { Keyring } from '../../base/crypto.ts'
import type { Database, Trx } from '../../base/db.ts'
import type { Log } from '../../base/log.ts'
import { messageOf, Problem } from '../../base/problem.ts'
import { loadSameAccount } from '../../organisations/account-keys.ts'
import type { Told } from '../../gateways/asked.ts'
import type { GatewayName } from '../../gateways/fact.ts'
import type { Gateway, GatewayAccount } from '../../gateways/gateway.ts'
import { RULE_ACTOR, type Instruction } from '../instruction.ts'
import { move, type Move } from '../rows.ts'
import { settleOne } from '../settle.ts'
import { beneficiaryOf, withoutBeneficiary } from './beneficiary.ts'
import { carryOut, find, isRepeatable, OPERATIONS, type Errand, type Said } from './call.ts'
import { CLAIM_SECONDS, claimDue, sendAgain, type Claimed } from './claim.ts'

export interface SendingParts {
  db: Database
  keyring: Keyring
  out: CallsOut
  log: Log
  gateways: Record<GatewayName, Gateway>
  /** Takes what the gateway told into the inbox, in the same transaction. */
  storeTold(
    trx: Trx,
    account: { gateway: GatewayName; account: string },
    told: readonly Told[],
    how: 'asked',
  ): Promise<number>
}

/**
 * For so long after the first call the same reference is sent again where the gateway knows none:
 * the shortest time for which one of them remembers it is a day (docs.stripe.com/api/idempotent).
 */
const REPEAT_HOURS = 20
/** After so long a call that began has arrived, or never will. */
const SETTLED_MINUTES = 60

/** Until the gateway is asked what became of a call, or told what surely did not reach it. */
const SOON: Backoff = { firstMs: 5000, mostMs: 1_800_000, attemptsMax: Infinity }
/** Until it is asked about what it accepted: its webhook is faster. */
const LATER: Backoff = { firstMs: 60_000, mostMs: 21_600_000, attemptsMax: Infinity }

const ACTOR = RULE_ACTOR

/**
 * Takes what is due of one organisation in hand; gives how many. Safe to run at any time, by any
 * number of workers at once, and to be killed between any two steps.
 */
export async function sendDue(parts: SendingParts, orgId: number): Promise<number> {
  // Before the claim runs: the database's clock starts it later than ours.
  const takenAt = performance.now()
  const claimed = await claimDue(parts.db, orgId)
  const results = await Promise.allSettled(
    claimed.map(async (one) => await carryOn({ parts, takenAt, orgId }, one)),
  )
  for (const [index, result] of results.entries()) {
    if (result.status === 'rejected') {
      // Its row says how far it came; it is taken up again when its claim runs out.
      const { instruction_id: instructionId } = claimed[index] ?? {}
      parts.log.error({ err: result.reason as unknown, instructionId }, 'an instruction hangs')
    }
  }
  return claimed.length
}

async function carryOn(taken: Omit<Job, 'errand'>, claimed: Claimed): Promise<void> {
  const { parts, orgId } = taken
  const { was, ...instruction } = claimed
  const { gateway: name } = instruction
  let account: GatewayAccount
  try {
    account = await parts.db.read(
      orgId,
      async (trx) => await loadSameAccount(trx, parts.keyring, instruction),
    )
  } catch (error) {
    const hand = { parts, orgId, errand: { instruction } }
    await (was === 'intended'
      ? note(hand, { ...untold(instruction), detail: messageOf(error) })
      : stay(hand, messageOf(error)))
    return
  }
  const errand: Errand = {
    gateway: parts.gateways[name],
    account,
    instruction,
    beneficiary: () => beneficiaryOf(parts.keyring, orgId, instruction),
  }
  const job: Job = { ...taken, errand }
  if (was === 'intended') {
    await tell(job)
  } else if (was === 'sending' && instruction.kind === 'capture') {
    // No gateway captures twice: telling it again is asking.
    await tellAgain(job)
  } else {
    await ask(job)
  }
}

/** The gateway heard nothing: it is tried again, and can be cancelled until then. */
function untold({ sends }: Instruction): Pick<Move, 'to' | 'againInSeconds'> {
  return { to: 'intended', againInSeconds: secondsIn(SOON, sends) }
}

interface Job {
  parts: SendingParts
  /** When it was taken in hand, on this process's own clock. */
  takenAt: number
  orgId: number
  errand: Errand
}

/** What is needed to write down how far one is. */
type Hand = Pick<Job, 'parts' | 'orgId'> & { errand: Pick<Errand, 'instruction'> }

/** Tells the gateway; the row says `sending` already. */
async function tell(job: Job): Promise<void> {
  const { errand } = job
  const { instruction } = errand
  const operation = OPERATIONS[instruction.kind].does
  // One attempt of several that may have arrived is enough, whatever the last one says.
  let mayHaveArrived = false
  let said: Said
  try {
    // An answer that is lost is asked about, never repeated in the same breath.
    said = await call(job, operation, false, async (options) => {
      try {
        assertAwake(job)
        return await carryOut(errand, options)
      } catch (error) {
        mayHaveArrived ||= movedBy(error) !== 'no'
        throw error
      }
    })
  } catch (error) {
    await noteFailure(job, error, mayHaveArrived || movedBy(error) !== 'no')
    return
  }
  await noteSaid(job, said)
}

/** Tells it once more under the same reference, unless another has it in hand by now. */
async function tellAgain(job: Job): Promise<void> {
  const again = await sendAgain(job.parts.db, job.orgId, job.errand.instruction)
  if (again !== undefined) {
    await tell({ ...job, errand: { ...job.errand, instruction: again } })
  }
}

/** A process that slept so long that another may have it in hand by now tells nobody anything. */
function assertAwake({ takenAt }: Job): void {
  if (performance.now() - takenAt > (CLAIM_SECONDS / 2) * 1000) {
    const detail = 'This process was asleep; whoever has it in hand now goes on.'
    throw new Problem('unavailable', { detail, moved: 'no' })
  }
}

function movedBy(error: unknown): 'yes' | 'no' | 'unknown' {
  return (error instanceof Problem ? error.extras.moved : undefined) ?? 'unknown'
}

/** The gateway said no, or nothing, or could not be reached. */
async function noteFailure(job: Job, error: unknown, mayHaveArrived: boolean): Promise<void> {
  const { instruction } = job.errand
  const detail = withoutBeneficiary(messageOf(error), job.errand)
  const inDoubt = instruction.in_doubt || mayHaveArrived
  const isNo =
    error instanceof Problem &&
    movedBy(error) === 'no' &&
    !['gateway_unavailable', 'unavailable'].includes(error.code)
  if (!inDoubt) {
    await note(job, { ...(isNo ? { to: 'refused' } : untold(instruction)), detail })
    return
  }
  if (isNo && !mayHaveArrived && (await isUnknownThere(job))) {
    // An earlier call was in doubt: the gateway says no to this one and knows of none.
    await note(job, { to: 'refused', detail, inDoubt: false })
    return
  }
  const againInSeconds = secondsIn(SOON, instruction.sends)
  await note(job, { to: 'sending', detail, inDoubt: true, againInSeconds })
}

async function isUnknownThere(job: Job): Promise<boolean> {
  const { errand } = job
  if (errand.instruction.kind === 'capture') {
    return true
  }
  try {
    const said = await call(job, OPERATIONS[errand.instruction.kind].asks, true, async (options) =>
      find(errand, options),
    )
    return said === null
  } catch {
    // Nobody knows: it is asked again later.
    return false
  }
}

/** Asks what became of a call of which nobody knows, or of what was accepted. */
async function ask(job: Job): Promise<void> {
  const { errand } = job
  const { instruction } = errand
  const { kind, state } = instruction
  let said: Said | null
  try {
    said = await call(job, OPERATIONS[kind].asks, true, async (options) => find(errand, options))
  } catch (error) {
    await stay(job, withoutBeneficiary(messageOf(error), job.errand))
    return
  }
  if (said !== null) {
    await noteSaid(job, said)
  } else if (state === 'accepted') {
    await stay(job, 'The gateway knows none of that reference now.')
  } else if (isRepeatable(kind) && minutesSince(instruction.first_sent_at) < REPEAT_HOURS * 60) {
    await tellAgain(job)
  } else if (isRepeatable(kind) || minutesSince(instruction.first_sent_at) > SETTLED_MINUTES) {
    const detail = 'The gateway knows none of that reference; telling it again might do it twice.'
    await note(job, { to: 'unknown', detail, inDoubt: true })
  } else {
    await stay(job, 'The gateway knows none of that reference yet.')
  }
}

async function stay(job: Hand, detail: string): Promise<void> {
  const { instruction } = job.errand
  const { state, claims, first_sent_at: since } = instruction
  if (state === 'sending' && minutesSince(since) > REPEAT_HOURS * 60) {
    await note(job, { to: 'unknown', detail, inDoubt: true })
    return
  }
  const againInSeconds = secondsIn(state === 'accepted' ? LATER : SOON, claims)
  await note(job, { to: state, detail, againInSeconds })
}

/** Notes the gateway's answer; its events go the way of the webhooks, and decide how it ends. */
async function noteSaid(job: Job, said: Said): Promise<void> {
  const { parts, orgId, errand } = job
  const { instruction } = errand
  await parts.db.transact(
    orgId,
    async (trx) => {
      if (said.told !== null) {
        await parts.storeTold(trx, instruction, [said.told], 'asked')
      }
      await move(trx, {
        instruction,
        to: said.ended ?? 'accepted',
        detail: said.gatewayRef,
        actor: ACTOR,
        gatewayRef: said.gatewayRef,
        inDoubt: false,
        againInSeconds: secondsIn(LATER, instruction.claims),
      })
      await settleOne(trx, instruction.instruction_id, ACTOR)
    },
    { isolation: 'read committed' },
  )
}

async function note(job: Hand, wanted: Omit<Move, 'instruction' | 'actor'>): Promise<void> {
  const { parts, orgId, errand } = job
  const { instruction } = errand
  await parts.db.transact(
    orgId,
    async (trx) => {
      await move(trx, { instruction, actor: ACTOR, ...wanted })
    },
    { isolation: 'read committed' },
  )
}

async function call<Answer>(
  { parts, orgId, errand }: Job,
  operation: string,
  repeatable: boolean,
  work: (options: CallOptions) => Promise<Answer>,
): Promise<Answer> {
  const { gateway: service } = errand.instruction
  return await parts.out({ orgId, service, operation, repeatable }, work)
}

function minutesSince(instant: Date | null): number {
  return instant === null ? 0 : (Date.now() - instant.getTime()) / 60_000
}

function secondsIn(backoff: Backoff, attempts: number): number {
  return (delayAfter(backoff, Math.min(Math.max(attempts, 1), 30)) ?? 0) / 1000
}
