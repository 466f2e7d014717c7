/** Razorpay Route: parts of payments that went to linked accounts, and came back. */
import type { Fact } from '../fact.ts'
import { objectAt, type JsonObject } from '../json.ts'
import {
  amountAt,
  chargeOf,
  currencyAt,
  entityIn,
  entityOf,
  firstWord,
  idAt,
  instantOf,
  malformed,
  wordAt,
  type Envelope,
  type Reading,
} from './entity.ts'

/** A transfer that went through may have come back since; the event's name says that it did. */
const WENT = new Set<unknown>(['processed', 'reversed', 'partially_reversed'])

/** That it went through; a few samples carry no status. */
export function readTransfer(envelope: Envelope): Reading {
  const transfer = entityOf(envelope.payload, 'transfer')
  const status = transfer['status'] ?? 'processed'
  if (!WENT.has(status)) {
    throw malformed(
      `The event says processed, the transfer in it is ${wordAt(transfer, 'status')}.`,
    )
  }
  return { facts: [processedOf(envelope, transfer)] }
}

/** That it failed: its own status says "processed" even then, with the error beside it. */
export function readFailedTransfer(envelope: Envelope): Reading {
  const transfer = entityOf(envelope.payload, 'transfer')
  const base = baseOf(envelope, transfer)
  const reason = firstWord(objectAt(transfer, 'error'), ['description', 'reason', 'code'])
  const key = `${base.key}:failed`
  return { facts: [{ ...base, key, kind: 'transfer_failed', reason }] }
}

/** That a part of it, or all, came back: which transfer it was of must stand beside it. */
export function readReversal(envelope: Envelope): Reading {
  const { account, payload } = envelope
  const reversal = entityOf(payload, 'reversal')
  const transfer = entityIn(payload, 'transfer')
  const transferId = idAt(reversal, 'transfer_id', 'reversal')
  const id = idAt(reversal, 'id', 'reversal')
  if (transfer === undefined) {
    const note = `Reversal ${id} of transfer ${transferId} came without the transfer: look at it.`
    return { facts: [], note }
  }
  if (idAt(transfer, 'id', 'transfer') !== transferId) {
    throw malformed(`The reversal is of transfer ${transferId}, not of the one beside it.`)
  }
  const reversed: Fact = {
    ...baseOf(envelope, transfer),
    key: `rzp:${account}:rvrsl:${id}`,
    kind: 'transfer_reversed',
    gatewayReversalId: id,
    amount: amountAt(reversal),
    currency: currencyAt(reversal),
    ...chargeOf(reversal, 'fee'),
    occurredAt: instantOf(reversal['created_at'], envelope.createdAt),
  }
  return { facts: [processedOf(envelope, transfer), reversed] }
}

function processedOf(envelope: Envelope, transfer: JsonObject): Fact {
  const base = baseOf(envelope, transfer)
  const occurredAt = instantOf(transfer['processed_at'], transfer['created_at'], envelope.createdAt)
  return { ...base, occurredAt, key: `${base.key}:processed`, kind: 'transfer_processed' }
}

function baseOf(envelope: Envelope, transfer: JsonObject) {
  const { account } = envelope
  const id = idAt(transfer, 'id', 'transfer')
  return {
    key: `rzp:${account}:trf:${id}`,
    gateway: 'razorpay',
    account,
    gatewayTransferId: id,
    recipient: idAt(transfer, 'recipient', 'transfer'),
    source: wordAt(transfer, 'source'),
    amount: amountAt(transfer),
    currency: currencyAt(transfer),
    ...chargeOf(transfer, 'fees'),
    occurredAt: instantOf(envelope.createdAt, transfer['created_at']),
  } as const
}
