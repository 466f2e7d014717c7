/** Which of Razorpay's events tell something, and who reads it. */
import type { GatewayEvent, StoredWebhook } from '../gateway.ts'
import { readDispute } from './disputes.ts'
import { readDowntime } from './downtimes.ts'
import { envelopeOf, type Envelope, type Reading } from './entity.ts'
import { readPayment } from './payments.ts'
import { readPayout } from './payouts.ts'
import { readRefund } from './refunds.ts'
import { readSettlement, readSettlementLine } from './settlements.ts'
import { readFailedTransfer, readReversal, readTransfer } from './transfers.ts'

type Reader = (envelope: Envelope) => Reading

/** Our own name for a line of a settlement that was asked for; Razorpay sends no such event. */
export const LINE_EVENT = 'settlement.line'

const captured: Reader = (envelope) => readPayment(envelope, 'captured')
const disputeOpen: Reader = (envelope) => readDispute(envelope, 'open')
const disputeEnded: Reader = (envelope) => readDispute(envelope, 'won')
const refundBegun: Reader = (envelope) => readRefund(envelope, 'created')

/** One capture is told by several events. Events that are not here are kept as ignored. */
const READERS: ReadonlyMap<string, Reader> = new Map<string, Reader>([
  ['payment.authorized', (envelope) => readPayment(envelope, 'authorized')],
  ['payment.captured', captured],
  ['payment.failed', (envelope) => readPayment(envelope, 'failed')],
  ['order.paid', captured],
  ['invoice.paid', captured],
  ['invoice.partially_paid', captured],
  ['payment_link.paid', captured],
  ['payment_link.partially_paid', captured],
  ['subscription.charged', captured],
  ['qr_code.credited', captured],
  ['virtual_account.credited', captured],
  ['refund.created', refundBegun],
  ['refund.speed_changed', refundBegun],
  ['refund.processed', (envelope) => readRefund(envelope, 'processed')],
  ['refund.failed', (envelope) => readRefund(envelope, 'failed')],
  ['payment.dispute.created', disputeOpen],
  ['payment.dispute.under_review', disputeOpen],
  ['payment.dispute.action_required', disputeOpen],
  ['payment.dispute.lost', (envelope) => readDispute(envelope, 'lost')],
  ['payment.dispute.won', disputeEnded],
  ['payment.dispute.closed', disputeEnded],
  ['settlement.processed', readSettlement],
  [LINE_EVENT, readSettlementLine],
  ['transfer.processed', readTransfer],
  ['transfer.failed', readFailedTransfer],
  ['transfer.reversed', readReversal],
  ['transfer.reversal', readReversal],
  ['payout.queued', (envelope) => readPayout(envelope, 'queued')],
  ['payout.pending', (envelope) => readPayout(envelope, 'pending')],
  ['payout.initiated', (envelope) => readPayout(envelope, 'processing')],
  ['payout.processed', (envelope) => readPayout(envelope, 'processed')],
  ['payout.reversed', (envelope) => readPayout(envelope, 'reversed')],
  ['payout.failed', (envelope) => readPayout(envelope, 'failed')],
  ['payout.rejected', (envelope) => readPayout(envelope, 'failed')],
  ['payout.updated', (envelope) => readPayout(envelope, null)],
  ['payment.downtime.started', (envelope) => readDowntime(envelope, 'payment', 'started')],
  ['payment.downtime.updated', (envelope) => readDowntime(envelope, 'payment', 'updated')],
  ['payment.downtime.resolved', (envelope) => readDowntime(envelope, 'payment', 'resolved')],
  ['payout.downtime.started', (envelope) => readDowntime(envelope, 'payout', 'started')],
  ['payout.downtime.resolved', (envelope) => readDowntime(envelope, 'payout', 'resolved')],
])

/**
 * The facts in an event. Throws `malformed_event` where it cannot be understood, where its name and
 * what is in it contradict each other, or where it is of another merchant account than the
 * endpoint's: ids are unique only inside one account, and a linked account's payment (Route) is not
 * money in our books.
 */
export function read(webhook: StoredWebhook, account: string): GatewayEvent {
  const envelope = envelopeOf(webhook.body, account, webhook.receivedAt)
  const reader = READERS.get(envelope.event)
  return { type: envelope.event, ...(reader === undefined ? { facts: [] } : reader(envelope)) }
}
