/** What others are told of refunds, disputes and settlements: ids, states, money, no names. */
import { minorToJson } from '../base/money.ts'
import type { Fact } from '../gateways/fact.ts'
import type { Event } from '../notifications/outbox/events.ts'
import { disputeKeyOf } from './disputes.ts'
import { paymentKeyOf } from './payments.ts'
import type { Records } from './records.ts'
import { refundKeyOf } from './refunds.ts'
import { settlementKeyOf } from './settlements.ts'

/** The events that a fact which was recorded just now is told by; `entryNo` is what it posted. */
export function gatewayEvents(fact: Fact, records: Records, entryNo: bigint | null): Event[] {
  switch (fact.kind) {
    case 'refund_created':
    case 'refund_processed':
    case 'refund_failed':
      return refundEvents(fact, records, entryNo)
    case 'dispute_opened':
    case 'dispute_lost':
    case 'dispute_won':
      return disputeEvents(fact, records, entryNo)
    case 'settled':
      return settlementEvents(fact, records, entryNo)
    default:
      return []
  }
}

function refundEvents(
  fact: Extract<Fact, { kind: 'refund_created' | 'refund_processed' | 'refund_failed' }>,
  records: Records,
  entryNo: bigint | null,
): Event[] {
  const refund = records.refunds.byKey.get(refundKeyOf(fact))
  const payment = records.payments.byKey.get(paymentKeyOf(fact))
  if (refund === undefined || payment === undefined || entryNo === null) {
    return []
  }
  const subject = refund.refund_id
  const at = fact.occurredAt.toISOString()
  const data = {
    refund: subject,
    payment: payment.payment_id,
    gateway: refund.gateway,
    gateway_refund_id: refund.gateway_refund_id,
    ...moneyOf(refund),
    journal_entry: `je_${entryNo}`,
  }
  switch (fact.kind) {
    case 'refund_created':
      return [{ type: 'refund.created', subject, data: { ...data, created_at: at } }]
    case 'refund_processed':
      return [{ type: 'refund.processed', subject, data: { ...data, processed_at: at } }]
    case 'refund_failed':
      return [{ type: 'refund.failed', subject, data: { ...data, failed_at: at } }]
    default:
      return fact satisfies never
  }
}

function disputeEvents(
  fact: Extract<Fact, { kind: 'dispute_opened' | 'dispute_lost' | 'dispute_won' }>,
  records: Records,
  entryNo: bigint | null,
): Event[] {
  const dispute = records.disputes.byKey.get(disputeKeyOf(fact))
  if (dispute === undefined) {
    return []
  }
  const subject = dispute.dispute_id
  const at = fact.occurredAt.toISOString()
  const data = {
    dispute: subject,
    payment: records.payments.byKey.get(paymentKeyOf(fact))?.payment_id ?? null,
    gateway: dispute.gateway,
    gateway_dispute_id: dispute.gateway_dispute_id,
    ...moneyOf(fact),
  }
  switch (fact.kind) {
    case 'dispute_opened': {
      const respondBy = fact.respondBy?.toISOString() ?? null
      const opened = { ...data, respond_by: respondBy, opened_at: at }
      return [{ type: 'dispute.opened', subject, data: opened }]
    }
    case 'dispute_lost':
      return entryNo === null
        ? []
        : [
            {
              type: 'dispute.lost',
              subject,
              data: { ...data, lost_at: at, journal_entry: `je_${entryNo}` },
            },
          ]
    case 'dispute_won':
      return [{ type: 'dispute.won', subject, data: { ...data, won_at: at } }]
    default:
      return fact satisfies never
  }
}

function settlementEvents(
  fact: Extract<Fact, { kind: 'settled' }>,
  records: Records,
  entryNo: bigint | null,
): Event[] {
  const settlement = records.settlements.byKey.get(settlementKeyOf(fact))
  if (settlement === undefined || entryNo === null) {
    return []
  }
  const data = {
    settlement: settlement.settlement_id,
    gateway: settlement.gateway,
    gateway_settlement_id: settlement.gateway_settlement_id,
    ...moneyOf(settlement),
    utr: settlement.utr,
    settled_at: fact.occurredAt.toISOString(),
    journal_entry: `je_${entryNo}`,
  }
  return [{ type: 'settlement.processed', subject: settlement.settlement_id, data }]
}

function moneyOf({ amount, currency }: { amount: bigint; currency: string }) {
  return { amount: minorToJson(amount), currency }
}
