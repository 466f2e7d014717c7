/** Razorpay Route: passes parts of a payment on to linked accounts, and finds what was passed. */
import { minorToJson } from '../../base/money.ts'
import { Problem } from '../../base/problem.ts'
import type { NewTransfer, TransferAnswer } from '../asked.ts'
import type { CallOptions, GatewayAccount } from '../gateway.ts'
import { isObject, objectAt, type JsonObject } from '../json.ts'
import { idOf, textOf } from '../text.ts'
import { getJson, postJson, toldOf, unusable } from './calls.ts'
import { assertMoney, inPath } from './money.ts'

/**
 * Passes a part of a payment on (POST /v1/payments/:id/transfers). Razorpay has an idempotency key
 * for direct transfers only (razorpay.com/docs/api/payments/route): a second call transfers a
 * second time. Our reference stands in its notes.
 */
export async function transfer(
  account: GatewayAccount,
  wanted: NewTransfer,
  options: CallOptions,
): Promise<TransferAnswer> {
  assertMoney(wanted)
  const { gatewayPaymentId, recipient, currency, reference } = wanted
  if (idOf(recipient) === undefined) {
    const detail = `${textOf(recipient)} is no linked account.`
    throw new Problem('invalid_request', { detail, moved: 'no' })
  }
  const amount = minorToJson(wanted.amount)
  const one = { account: recipient, amount, currency, notes: { reference }, on_hold: false }
  const path = `/v1/payments/${inPath(gatewayPaymentId)}/transfers`
  const call = { path, body: { transfers: [one] }, movesMoney: true }
  const made = transfersIn(await postJson(account, call, options), true)
  const ours = ofReference(made, reference)
  if (ours?.['amount'] !== amount || ours['recipient'] !== recipient) {
    throw unusable('the transfer that was asked for', true)
  }
  return answerOf(account, ours, true)
}

/** The transfer of a payment that carries our reference in its notes. */
export async function findTransfer(
  account: GatewayAccount,
  { gatewayPaymentId, reference }: { gatewayPaymentId: string; reference: string },
  options: CallOptions,
): Promise<TransferAnswer | null> {
  const path = `/v1/payments/${inPath(gatewayPaymentId)}/transfers`
  const list = await getJson(account, path, options)
  const ours = list === null ? undefined : ofReference(transfersIn(list, false), reference)
  return ours === undefined ? null : answerOf(account, ours, false)
}

function transfersIn(list: JsonObject, moves: boolean): JsonObject[] {
  const items: unknown = list['items']
  if (!Array.isArray(items)) {
    throw unusable('a list of transfers', moves)
  }
  return items.filter(isObject)
}

function ofReference(transfers: readonly JsonObject[], reference: string): JsonObject | undefined {
  return transfers.find((one) => objectAt(one, 'notes')?.['reference'] === reference)
}

/** A transfer that is still on its way tells nothing yet. */
function answerOf(account: GatewayAccount, transfer: JsonObject, moves: boolean): TransferAnswer {
  const id = idOf(transfer['id'])
  if (transfer['entity'] !== 'transfer' || id === undefined) {
    throw unusable('a transfer', moves)
  }
  switch (transfer['status']) {
    case 'processed':
    case 'reversed':
    case 'partially_reversed': {
      const told = toldOf(account, 'transfer.processed', { transfer }, id)
      return { gatewayTransferId: id, state: 'processed', told }
    }
    case 'failed': {
      const told = toldOf(account, 'transfer.failed', { transfer }, id)
      return { gatewayTransferId: id, state: 'failed', told }
    }
    default:
      return { gatewayTransferId: id, state: 'pending', told: null }
  }
}
