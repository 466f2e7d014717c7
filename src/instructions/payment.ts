/** Instructions about a payment: give it back, pass parts of it on, capture it. */
import type { Trx } from '../base/db.ts'
import { newId } from '../base/ids.ts'
import { Problem } from '../base/problem.ts'
import type { GatewayName } from '../gateways/fact.ts'
import { gateways } from '../gateways/registry.ts'
import type { Asker, Instruction, Kind } from './instruction.ts'
import { findAsked, insertInstruction, type NewInstruction } from './rows.ts'

interface Paid {
  payment_id: string
  gateway: GatewayName
  account: string
  gateway_payment_id: string
  state: 'failed' | 'authorized' | 'captured'
  amount: bigint
  currency: string
  refundable: bigint
  transferable: bigint
}

export interface RefundAsked {
  paymentId: string
  /** Minor units; null for all that is left. */
  amount: bigint | null
  speed: 'normal' | 'instant'
  reason: string
}

/**
 * To give back all or a part of what was captured, once this commits. Throws `not_found`,
 * `not_offered`, `not_payable`, `amount_above_left` and `idempotency_conflict` (moved: no).
 */
export async function instructRefund(
  trx: Trx,
  asked: RefundAsked,
  asker: Asker,
): Promise<Instruction> {
  const { paymentId, speed, reason } = asked
  const payment = await findPayment(trx, paymentId, 'refund')
  const before = await findOwn(trx, 'refund', asker)
  // What was asked without an amount was of all that was left then.
  const amount = asked.amount ?? before?.amount ?? payment.refundable
  const wanted = { ...newOne('refund', payment, amount, reason), speed }
  const known = await findAsked(trx, asker, wanted)
  if (known !== undefined) {
    return known
  }
  assertCaptured(payment)
  assertLeft(amount, payment.refundable, payment.currency)
  return await insertInstruction(trx, wanted, asker)
}

export interface TransferAsked {
  /** The linked account at the gateway. */
  recipient: string
  /** Minor units. */
  amount: bigint
}

/**
 * To pass parts of a captured payment on, all of them or none, once this commits. Throws as
 * `instructRefund` does.
 */
export async function instructTransfers(
  trx: Trx,
  asked: { paymentId: string; transfers: readonly TransferAsked[]; reason: string },
  asker: Asker,
): Promise<Instruction[]> {
  const payment = await findPayment(trx, asked.paymentId, 'transfer')
  const wanted = asked.transfers.map(({ recipient, amount }, index) => ({
    asked: { ...newOne('transfer', payment, amount, asked.reason), recipient },
    asker: { ...asker, idempotencyKey: `${asker.idempotencyKey}#${index}` },
  }))
  const known: Instruction[] = []
  for (const one of wanted) {
    const found = await findAsked(trx, one.asker, one.asked)
    known.push(...(found === undefined ? [] : [found]))
  }
  if (known.length === wanted.length) {
    return known
  }
  if (known.length > 0) {
    const detail = `Key "${asker.idempotencyKey}" was of other transfers; use a new one.`
    throw new Problem('idempotency_conflict', { detail, moved: 'no' })
  }
  assertCaptured(payment)
  const sum = asked.transfers.reduce((all, { amount }) => all + amount, 0n)
  assertLeft(sum, payment.transferable, payment.currency)
  // Together they are what one person may not pass on alone.
  const needsConsent = asker.needsConsent({ amount: sum, currency: payment.currency })
  const made: Instruction[] = []
  for (const one of wanted) {
    made.push(
      await insertInstruction(trx, one.asked, { ...one.asker, needsConsent: () => needsConsent }),
    )
  }
  return made
}

/**
 * To capture all of what was authorised, once this commits. Throws `not_found`, `not_offered`,
 * `not_payable` and `idempotency_conflict` (moved: no).
 */
export async function instructCapture(
  trx: Trx,
  { paymentId, reason }: { paymentId: string; reason: string },
  asker: Asker,
): Promise<Instruction> {
  const payment = await findPayment(trx, paymentId, 'capture')
  const wanted = newOne('capture', payment, payment.amount, reason)
  const known = await findAsked(trx, asker, wanted)
  if (known !== undefined) {
    return known
  }
  if (payment.state !== 'authorized') {
    throw notPayable(`The payment is ${payment.state}; only what is authorised is captured.`)
  }
  const [other] = await trx.query(
    `select 1 from instructions
      where org_id = $1 and payment_id = $2 and kind = 'capture'
        and state not in ('refused', 'failed', 'cancelled')`,
    [trx.scope, paymentId],
  )
  if (other !== undefined) {
    throw notPayable('The payment is being captured already.')
  }
  // It brings money in: nobody has to consent.
  return await insertInstruction(trx, wanted, { ...asker, needsConsent: () => false })
}

async function findPayment(trx: Trx, paymentId: string, kind: Kind): Promise<Paid> {
  const [payment] = await trx.query<Paid>(
    `select payment_id, gateway, account, gateway_payment_id, state, amount, currency,
            greatest(payment_left(org_id, payment_id, 'refund'), 0) as refundable,
            greatest(payment_left(org_id, payment_id, 'transfer'), 0) as transferable
       from payments where org_id = $1 and payment_id = $2`,
    [trx.scope, paymentId],
  )
  if (payment === undefined) {
    throw new Problem('not_found', { detail: 'There is no such payment.', moved: 'no' })
  }
  const { refund, transfer, capture } = gateways[payment.gateway]
  const call = { refund, transfer, capture, payout: undefined }[kind]
  if (call === undefined) {
    const detail = `${payment.gateway} does no ${kind} for us.`
    throw new Problem('not_offered', { detail, moved: 'no' })
  }
  return payment
}

async function findOwn(
  trx: Trx,
  kind: Kind,
  asker: Asker,
): Promise<{ amount: bigint } | undefined> {
  const [row] = await trx.query<{ amount: bigint }>(
    `select amount from instructions
      where org_id = $1 and idempotency_key = $2 and asked_by = $3 and kind = $4`,
    [trx.scope, asker.idempotencyKey, asker.subject, kind],
  )
  return row
}

function newOne(kind: Kind, payment: Paid, amount: bigint, reason: string): NewInstruction {
  return {
    instructionId: newId('ins'),
    kind,
    gateway: payment.gateway,
    account: payment.account,
    paymentId: payment.payment_id,
    gatewayPaymentId: payment.gateway_payment_id,
    amount,
    currency: payment.currency,
    reason,
  }
}

function assertCaptured({ state }: Paid): void {
  if (state !== 'captured') {
    throw notPayable(`The payment is ${state}: there is no money of it to move.`)
  }
}

function assertLeft(amount: bigint, left: bigint, currency: string): void {
  if (amount <= 0n || amount > left) {
    const detail = `${left} minor units of ${currency} are left; ${amount} were asked for.`
    throw new Problem('amount_above_left', { detail, moved: 'no' })
  }
}

function notPayable(detail: string): Problem {
  return new Problem('not_payable', { detail, moved: 'no' })
}
