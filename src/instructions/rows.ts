/** Writes instructions and each of their steps: the one file that does. */
import { encodeFields, type Field } from '../audit/chain.ts'
import { sha256 } from '../base/crypto.ts'
import type { Trx } from '../base/db.ts'
import { Problem } from '../base/problem.ts'
import { announce } from '../notifications/outbox/announce.ts'
import { COLUMNS, type Asker, type Instruction, type Kind, type State } from './instruction.ts'
import { endEvents } from './tell.ts'

/** What is told to the gateway, as it is asked for. */
export interface NewInstruction {
  instructionId: string
  kind: Kind
  gateway: string
  account: string
  paymentId: string | null
  gatewayPaymentId: string | null
  amount: bigint
  currency: string
  reason: string
  speed?: 'normal' | 'instant'
  recipient?: string
  payout?: {
    mode: string
    purpose: string
    narration: string
    fromAccount: string
    paidFor: string
    sealed: Buffer
    masked: string
  }
  /** What tells its beneficiary from another, without saying whom. */
  beneficiaryHash?: Buffer
}

/** The last 23 characters of the id: 80 random bits and the end of its time. */
export function referenceOf(instructionId: string): string {
  return instructionId.slice(-23)
}

/** SHA-256 of what was asked: the same key with other content is refused. */
export function fingerprintOf(asked: NewInstruction): Buffer {
  const { payout } = asked
  const fields: Field[] = [
    ['kind', asked.kind],
    ['payment', asked.paymentId ?? ''],
    ['amount', asked.amount.toString()],
    ['currency', asked.currency],
    ['reason', asked.reason],
    ['speed', asked.speed ?? ''],
    ['recipient', asked.recipient ?? ''],
    ['mode', payout?.mode ?? ''],
    ['purpose', payout?.purpose ?? ''],
    ['narration', payout?.narration ?? ''],
    ['paid for', payout?.paidFor ?? ''],
    ['beneficiary', asked.beneficiaryHash?.toString('hex') ?? ''],
  ]
  return sha256(encodeFields('bahi/instruction/1', fields))
}

/**
 * What the caller asked for under that key before; undefined where nothing. Throws
 * `idempotency_conflict` where it was something else (moved: no).
 */
export async function findAsked(
  trx: Trx,
  asker: Pick<Asker, 'subject' | 'idempotencyKey'>,
  asked: NewInstruction,
): Promise<Instruction | undefined> {
  const [row] = await trx.query<Instruction & { fingerprint: Buffer }>(
    `select ${COLUMNS}, fingerprint from instructions
      where org_id = $1 and idempotency_key = $2 and asked_by = $3 and kind = $4`,
    [trx.scope, asker.idempotencyKey, asker.subject, asked.kind],
  )
  if (row === undefined) {
    return undefined
  }
  const { fingerprint, ...found } = row
  if (!fingerprint.equals(fingerprintOf(asked))) {
    const detail = `Key "${asker.idempotencyKey}" told the gateway something else; use a new one.`
    throw new Problem('idempotency_conflict', { detail, moved: 'no' })
  }
  return found
}

/** Writes one down, to be sent once this commits, or to wait for another's consent. */
export async function insertInstruction(
  trx: Trx,
  asked: NewInstruction,
  asker: Asker,
): Promise<Instruction> {
  const { payout } = asked
  const state: State = asker.needsConsent(asked) ? 'proposed' : 'intended'
  const [row] = await trx.query<Instruction>(
    `insert into instructions (org_id, instruction_id, kind, gateway, account, reference,
       payment_id, gateway_payment_id, amount, currency, speed, recipient, mode, purpose,
       narration, from_account, paid_for, beneficiary_sealed, beneficiary_masked, state, reason,
       asked_by, asked_as, asked_person, idempotency_key, fingerprint)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19,
       $20, $21, $22, $23, $24, $25, $26)
     returning ${COLUMNS}`,
    [
      trx.scope,
      asked.instructionId,
      asked.kind,
      asked.gateway,
      asked.account,
      referenceOf(asked.instructionId),
      asked.paymentId,
      asked.gatewayPaymentId,
      asked.amount,
      asked.currency,
      asked.speed ?? null,
      asked.recipient ?? null,
      payout?.mode ?? null,
      payout?.purpose ?? null,
      payout?.narration ?? null,
      payout?.fromAccount ?? null,
      payout?.paidFor ?? null,
      payout?.sealed ?? null,
      payout?.masked ?? null,
      state,
      asked.reason,
      asker.subject,
      asker.role,
      asker.person,
      asker.idempotencyKey,
      fingerprintOf(asked),
    ],
  )
  if (row === undefined) {
    throw new Error('an insert gave no row')
  }
  const detail = asked.reason
  await noteSteps(trx, [{ instructionId: row.instruction_id, what: state, detail }], asker.subject)
  return row
}

export interface NewStep {
  instructionId: string
  what: State | 'asked'
  detail: string | null
}

const DETAIL_MAX = 1000

/** Writes steps down, each behind the ones before it. */
export async function noteSteps(trx: Trx, steps: readonly NewStep[], actor: string): Promise<void> {
  if (steps.length === 0) {
    return
  }
  await trx.query(
    `insert into instruction_steps (org_id, instruction_id, step, what, detail, actor)
     select $1, n.id,
            coalesce((select max(s.step) from instruction_steps s
                       where s.org_id = $1 and s.instruction_id = n.id), 0) + 1,
            n.what, n.detail, $5
       from unnest($2::text[], $3::text[], $4::text[]) as n (id, what, detail)`,
    [
      trx.scope,
      steps.map((one) => one.instructionId),
      steps.map((one) => one.what),
      steps.map((one) => storable(one.detail)),
      actor,
    ],
  )
}

/** Postgres has no NUL in text, and no step says nothing at length. */
function storable(detail: string | null): string | null {
  const text = detail?.toWellFormed().replaceAll('\0', '').slice(0, DETAIL_MAX) ?? ''
  return text === '' ? null : text
}

export interface Move {
  instruction: Pick<Instruction, 'instruction_id' | 'state' | 'claims'>
  to: State
  detail: string | null
  actor: string
  gatewayRef?: string | null
  inDoubt?: boolean
  /** Seconds until the next look; none where nothing is to be looked at any more. */
  againInSeconds?: number
}

const ENDS: ReadonlySet<State> = new Set(['done', 'refused', 'failed', 'cancelled'])

/**
 * Takes one from the state in which it was found to the next, and tells of it; false where another
 * was faster or has it in hand by now.
 */
export async function move(trx: Trx, wanted: Move): Promise<boolean> {
  const { instruction, to, detail, actor } = wanted
  const [row] = await trx.query<Instruction>(
    `update instructions
        set state = $4, gateway_ref = coalesce(gateway_ref, $6),
            in_doubt = coalesce($7::boolean, in_doubt),
            next_try_at = now() + coalesce($8::float8, 0) * interval '1 second',
            last_problem = case when $9 then $10::text else last_problem end,
            ended_at = case when $11 then coalesce(ended_at, now()) end
      where org_id = $1 and instruction_id = $2 and state = $3 and claims = $5
      returning ${COLUMNS}`,
    [
      trx.scope,
      instruction.instruction_id,
      instruction.state,
      to,
      instruction.claims,
      wanted.gatewayRef ?? null,
      wanted.inDoubt ?? null,
      wanted.againInSeconds ?? null,
      to !== 'done' && to !== 'accepted',
      storable(detail),
      ENDS.has(to),
    ],
  )
  if (row === undefined) {
    return false
  }
  const what = to === instruction.state ? 'asked' : to
  const step: NewStep = { instructionId: row.instruction_id, what, detail }
  await noteSteps(trx, [step], actor)
  await announce(trx, to === instruction.state ? [] : endEvents([row]))
  return true
}
