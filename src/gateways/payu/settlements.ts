/** PayU's settlements and their lines, which it tells only when it is asked. */
import type { GatewayEvent } from '../gateway.ts'
import type { Confirmation } from '../gateway.ts'
import { idOf, textOf } from '../text.ts'
import { plainStatus } from './callback.ts'
import {
  amountOf,
  amountOrZero,
  bankReferenceOf,
  CURRENCY,
  decimalOf,
  instantOf,
  malformed,
} from './values.ts'

/** Whether a line adds to a settlement or takes away; other actions are for a person. */
const SIGNS: ReadonlyMap<string, 'credit' | 'debit'> = new Map([
  ['capture', 'credit'],
  ['refundreversal', 'credit'],
  ['chargebackreversal', 'credit'],
  ['adjustment_credit', 'credit'],
  ['refund', 'debit'],
  ['cancel', 'debit'],
  ['chargeback', 'debit'],
  ['adjustment_debit', 'debit'],
])

/** A settlement as PayU answered it (`/settlement/range`). */
export function readSettlement(account: string, told: Confirmation | null): GatewayEvent {
  const settlementId = idOf(told?.['settlementId'])
  const occurredAt = instantOf([told?.['settlementCompletedDate']])
  if (settlementId === undefined || occurredAt === undefined) {
    throw malformed('Only PayU’s own answer tells of a settlement, with its id and its date.')
  }
  return {
    type: 'settlement',
    facts: [
      {
        kind: 'settled',
        key: `payu:${account}:setl:${settlementId}`,
        gateway: 'payu',
        account,
        occurredAt,
        gatewaySettlementId: settlementId,
        amount: amountOf(told?.['settlementAmount']),
        currency: CURRENCY,
        utr: bankReferenceOf(told?.['utrNumber']),
      },
    ],
  }
}

/** A line of a settlement in minor units; PayU's own fee excludes its tax, ours contains it. */
export interface LineMoney {
  action: string
  requestId: string | undefined
  paymentId: string | undefined
  amount: bigint
  fee: bigint
  tax: bigint
  credit: bigint
  debit: bigint
}

/**
 * The money of a line. Throws `malformed_event` for an action that is not known here, and where
 * amount, fee and tax do not come to what PayU calls the net. How PayU signs what it takes away,
 * nobody has seen, so that the action decides and the sign does not.
 */
export function lineMoney(row: Readonly<Record<string, string | undefined>>): LineMoney {
  const action = plainStatus(row['action'])
  const sign = SIGNS.get(action)
  if (sign === undefined) {
    throw malformed(`The action "${textOf(row['action'])}" of a line is not known here.`)
  }
  const amount = magnitude(decimalOf(row['transactionAmount']))
  const tax = amountOrZero(row['merchantServiceTax'])
  const fee = amountOrZero(row['merchantServiceFee']) + tax
  const told = (row['merchantNetAmount'] ?? '').trim()
  const expected = sign === 'credit' ? amount - fee : amount + fee
  const net = told === '' ? expected : magnitude(decimalOf(told))
  if (net !== magnitude(expected)) {
    throw malformed(`Amount ${amount} and fee ${fee} of a line do not come to its net ${net}.`)
  }
  return {
    action,
    requestId: idOf(row['requestId']),
    paymentId: idOf(row['payuId']),
    amount,
    fee,
    tax,
    credit: sign === 'credit' ? net : 0n,
    debit: sign === 'debit' ? net : 0n,
  }
}

/** True for a line that a fee is posted from. */
export function hasFee({ action, requestId, paymentId, fee }: LineMoney): boolean {
  const isKnown = requestId !== undefined && paymentId !== undefined
  return isKnown && (action === 'capture' || (action === 'refund' && fee > 0n))
}

/** The fee that a line tells; everything else in it is matched, not posted. */
export function readSettlementLine(account: string, told: Confirmation | null): GatewayEvent {
  if (told === null) {
    throw malformed('Only PayU’s own answer tells of a line of a settlement.')
  }
  const line = lineMoney(told)
  const { requestId, paymentId, action, fee, tax } = line
  const occurredAt = instantOf([told['requestDate'], told['settlementCompletedDate']])
  if (requestId === undefined || paymentId === undefined || !hasFee(line)) {
    const note = `A line of the settlement (${action}) is for the reconciliation.`
    return { type: 'settlement_line', facts: [], note }
  }
  if (occurredAt === undefined) {
    throw malformed('The line of the settlement has no date.')
  }
  const key = `payu:${account}:setlrow:${requestId}:${action}`
  const base = { key, gateway: 'payu', account, occurredAt, currency: CURRENCY, fee, tax } as const
  return {
    type: 'settlement_line',
    facts: [
      action === 'capture'
        ? { ...base, kind: 'payment_fee', gatewayPaymentId: paymentId }
        : { ...base, kind: 'refund_fee', gatewayRefundId: requestId },
    ],
  }
}

function magnitude(amount: bigint): bigint {
  return amount < 0n ? -amount : amount
}
