/** Razorpay's settlements, and the fees that their lines tell of. */
import type { JsonObject } from '../json.ts'
import {
  amountAt,
  chargeAt,
  currencyAt,
  entityOf,
  idAt,
  instantOf,
  wordAt,
  type Envelope,
  type Reading,
} from './entity.ts'
import { paymentFee } from './payments.ts'

/** Settlements name no currency: Razorpay settles Indian accounts in rupees. */
const SETTLED_IN = 'INR'

/**
 * That money was sent to the bank: "processed" confirms that the transfer was begun, not that it
 * arrived (razorpay.com/docs/webhooks/settlements).
 */
export function readSettlement(envelope: Envelope): Reading {
  const { account, payload } = envelope
  const settlement = entityOf(payload, 'settlement')
  const id = idAt(settlement, 'id', 'settlement')
  const status = wordAt(settlement, 'status')
  if (status !== 'processed') {
    // How a failed settlement is told, nobody has seen: a person looks at the bank.
    return { facts: [], note: `Settlement ${id} is ${status}: nothing was booked.` }
  }
  const currency = wordAt(settlement, 'currency') === null ? SETTLED_IN : currencyAt(settlement)
  return {
    facts: [
      {
        kind: 'settled',
        key: `rzp:${account}:setl:${id}:processed`,
        gateway: 'razorpay',
        account,
        gatewaySettlementId: id,
        amount: amountAt(settlement),
        currency,
        utr: wordAt(settlement, 'utr'),
        occurredAt: instantOf(settlement['created_at'], envelope.createdAt),
      },
    ],
  }
}

/**
 * What a line of a settlement tells our books: the fee of a payment, where the payment itself did
 * not tell it, and the fee of a refund. Everything else in it is matched, not posted.
 */
export function readSettlementLine(envelope: Envelope): Reading {
  const { account, payload } = envelope
  const line = entityOf(payload, 'settlement_line')
  const id = idAt(line, 'entity_id', 'line')
  const charge = chargeAt(line, 'fee')
  const type = wordAt(line, 'type')
  if (charge === null || !hasFee(line, type)) {
    return {
      facts: [],
      note: `A line of the settlement (${type} ${id}) is for the reconciliation.`,
    }
  }
  const occurredAt = instantOf(line['created_at'], line['settled_at'], envelope.createdAt)
  if (type === 'payment') {
    return { facts: [paymentFee(account, id, charge, occurredAt)] }
  }
  const key = `rzp:${account}:rfnd:${id}:fee`
  const base = { gateway: 'razorpay', account, key, occurredAt } as const
  const currency = currencyAt(line)
  return { facts: [{ ...base, kind: 'refund_fee', gatewayRefundId: id, currency, ...charge }] }
}

/** True for a line that a fee is posted from; a refund without one tells nothing. */
export function hasFee(line: JsonObject, type: string | null): boolean {
  const { fee, currency } = line
  const isInRupees = currency === SETTLED_IN
  return (
    isInRupees && (type === 'payment' || (type === 'refund' && typeof fee === 'number' && fee > 0))
  )
}
