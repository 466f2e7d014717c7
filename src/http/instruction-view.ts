/** What an answer says of an instruction, and of each of its steps. */
import { z } from 'zod'
import { minorToJson } from '../base/money.ts'
import { PAYOUT_MODES } from '../gateways/asked.ts'
import { GATEWAY_NAMES } from '../gateways/fact.ts'
import type { Step } from '../instructions/find.ts'
import { KINDS, STATES, type Instruction } from '../instructions/instruction.ts'
import { currencyCode, idText, instant, minorUnits } from './answers.ts'

export const instruction = z
  .strictObject({
    id: idText('ins'),
    kind: z.enum(KINDS),
    gateway: z.enum(GATEWAY_NAMES),
    account: z.string().meta({ description: 'The merchant account at the gateway.' }),
    reference: z.string().meta({
      description: 'By which the gateway knows it too, and does it once.',
    }),
    payment: idText('pmt').nullable().meta({ description: 'Null for a payout.' }),
    amount: minorUnits,
    currency: currencyCode,
    speed: z.enum(['normal', 'instant']).nullable(),
    recipient: z.string().nullable().meta({ description: 'The linked account of a transfer.' }),
    payout: z
      .strictObject({
        mode: z.enum(PAYOUT_MODES),
        purpose: z.string(),
        narration: z.string(),
        beneficiary: z.string().meta({ description: 'The name, and the end of where it goes.' }),
        paid_for: z.string().meta({ description: 'The account that bears it.' }),
      })
      .nullable(),
    state: z.enum(STATES).meta({
      description:
        'proposed: another has to consent; sending: the gateway may have heard of it; unknown: ' +
        'nobody can know whether money moved, and a person has to look; done: may still fail, ' +
        'because payouts come back days later.',
    }),
    reason: z.string(),
    asked_by: z.string(),
    asked_at: instant,
    approved_by: z.string().nullable(),
    approved_at: instant.nullable(),
    calls: z.int().meta({ description: 'How often the gateway was told, under one reference.' }),
    gateway_ref: z.string().nullable().meta({ description: 'The gateway’s own id of it.' }),
    last_problem: z.string().nullable(),
    ended_at: instant.nullable(),
  })
  .meta({ id: 'Instruction' })

export const instructionInFull = z
  .strictObject({
    ...instruction.shape,
    steps: z.array(
      z.strictObject({
        step: z.int(),
        at: instant,
        what: z.enum([...STATES, 'asked']).meta({
          description: 'What it became; asked: the gateway was asked, and nothing changed.',
        }),
        detail: z.string().nullable(),
        actor: z.string(),
      }),
    ),
  })
  .meta({ id: 'InstructionInFull' })

export function instructionView(one: Instruction): z.input<typeof instruction> {
  const { mode, purpose, narration, paid_for: paidFor, beneficiary_masked: beneficiary } = one
  const isPayout =
    mode !== null &&
    purpose !== null &&
    narration !== null &&
    paidFor !== null &&
    beneficiary !== null
  return {
    id: one.instruction_id,
    kind: one.kind,
    gateway: one.gateway,
    account: one.account,
    reference: one.reference,
    payment: one.payment_id,
    amount: minorToJson(one.amount),
    currency: one.currency,
    speed: one.speed,
    recipient: one.recipient,
    payout: isPayout ? { mode, purpose, narration, beneficiary, paid_for: paidFor } : null,
    state: one.state,
    reason: one.reason,
    asked_by: one.asked_by,
    asked_at: one.asked_at.toISOString(),
    approved_by: one.approved_by,
    approved_at: one.approved_at?.toISOString() ?? null,
    calls: one.sends,
    gateway_ref: one.gateway_ref,
    last_problem: one.last_problem,
    ended_at: one.ended_at?.toISOString() ?? null,
  }
}

export function instructionInFullView(
  one: Instruction,
  steps: readonly Step[],
): z.input<typeof instructionInFull> {
  return {
    ...instructionView(one),
    steps: steps.map(({ step, at, what, detail, actor }) => ({
      step,
      at: at.toISOString(),
      what: [...STATES, 'asked' as const].find((known) => known === what) ?? 'asked',
      detail,
      actor,
    })),
  }
}
