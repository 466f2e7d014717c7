/** What we tell a gateway to do with money: kinds, states, and the row that stands for one. */
import type { GatewayName } from '../gateways/fact.ts'
import type { PayoutMode } from '../gateways/asked.ts'
import type { AccountCode } from '../ledger/core/chart.ts'

export const KINDS = ['refund', 'payout', 'transfer', 'capture'] as const

export type Kind = (typeof KINDS)[number]

/**
 * `proposed` waits for another's consent. `sending` is written before the gateway hears of it, so
 * that whoever finds it asks the gateway first. `unknown`: nobody can know whether money moved, and
 * a person has to look. `done` may still fail: payouts come back days later.
 */
export const STATES = [
  'proposed',
  'intended',
  'sending',
  'accepted',
  'done',
  'refused',
  'failed',
  'unknown',
  'cancelled',
] as const

export type State = (typeof STATES)[number]

export interface Instruction {
  instruction_id: string
  kind: Kind
  gateway: GatewayName
  account: string
  /** Ours: idempotency key, receipt or reference_id at the gateway. */
  reference: string
  payment_id: string | null
  gateway_payment_id: string | null
  /** Minor units. */
  amount: bigint
  currency: string
  speed: 'normal' | 'instant' | null
  recipient: string | null
  mode: PayoutMode | null
  purpose: string | null
  narration: string | null
  from_account: string | null
  paid_for: AccountCode | null
  beneficiary_sealed: Buffer | null
  beneficiary_masked: string | null
  state: State
  reason: string
  asked_by: string
  asked_as: string
  asked_person: string
  asked_at: Date
  approved_by: string | null
  approved_at: Date | null
  claims: number
  sends: number
  first_sent_at: Date | null
  in_doubt: boolean
  next_try_at: Date
  gateway_ref: string | null
  last_problem: string | null
  ended_at: Date | null
}

/** The columns of an `Instruction`. */
export const COLUMNS = `instruction_id, kind, gateway, account, reference, payment_id,
  gateway_payment_id, amount, currency, speed, recipient, mode, purpose, narration, from_account,
  paid_for, beneficiary_sealed, beneficiary_masked, state, reason, asked_by, asked_as,
  asked_person, asked_at, approved_by, approved_at, claims, sends, first_sent_at, in_doubt,
  next_try_at, gateway_ref, last_problem, ended_at`

/** Who asks, under which key of his, and whether another has to consent first. */
export interface Asker {
  subject: string
  role: string
  /** The person that he is (src/identity/persons.ts): nobody of the same consents. */
  person: string
  idempotencyKey: string
  /** True where the amount may not go out on one person's word. */
  needsConsent(money: { amount: bigint; currency: string }): boolean
}

/** Who acts where nobody asked: the rule for second payments. */
export const RULE_ACTOR = 'job:send-instructions'

/** What a sealed beneficiary is bound to; the same in src/keys/sealed-columns.ts. */
export function boundTo(orgId: number | 'all', instructionId: string): string {
  return JSON.stringify(['beneficiary', orgId, instructionId])
}
