/** All that facts are about, in hand together: what each fact posts, and what it changes. */
import type { Trx } from '../base/db.ts'
import { together } from '../base/together.ts'
import type { Fact, FeeFact, PaymentCaptured } from '../gateways/fact.ts'
import type { AccountCode } from '../ledger/core/chart.ts'
import type { Draft } from '../ledger/core/entry.ts'
import {
  applyToDispute,
  disputeDraft,
  fillInDispute,
  loadDisputes,
  saveDisputes,
  type Dispute,
} from './disputes.ts'
import { applyToDowntime, loadDowntimes, saveDowntimes, type Downtime } from './downtimes.ts'
import {
  applyFee,
  applyToPayment,
  feeDraft,
  fillInPayment,
  loadPayments,
  paymentKeyOf,
  savePayments,
  type Captured,
  type Payment,
} from './payments.ts'
import {
  applyToPayout,
  fillInPayout,
  loadPayouts,
  payoutDraft,
  payoutKeyOf,
  savePayouts,
  type PayoutRows,
} from './payouts.ts'
import {
  applyRefundFee,
  applyToRefund,
  fillInRefund,
  loadRefunds,
  refundDraft,
  refundKeyOf,
  saveRefunds,
  type Refund,
} from './refunds.ts'
import { isBooked, onceOf } from './once.ts'
import type { Rows } from './rows.ts'
import {
  applyToSettlement,
  fillInSettlement,
  loadSettlements,
  saveSettlements,
  settlementDraft,
  settlementKeyOf,
  type Settlement,
} from './settlements.ts'
import {
  applyToTransfer,
  loadTransfers,
  saveTransfers,
  transferDraft,
  type Transfer,
} from './transfers.ts'

export interface Records {
  payments: Rows<Payment>
  refunds: Rows<Refund>
  disputes: Rows<Dispute>
  settlements: Rows<Settlement>
  payouts: PayoutRows
  transfers: Rows<Transfer>
  downtimes: Rows<Downtime>
}

/** What the facts are about, as far as it is known. */
export async function loadRecords(trx: Trx, facts: readonly Fact[]): Promise<Records> {
  const [payments, refunds, disputes, settlements, payouts, transfers, downtimes] = await together([
    loadPayments(trx, facts),
    loadRefunds(trx, facts),
    loadDisputes(trx, facts),
    loadSettlements(trx, facts),
    loadPayouts(trx, facts),
    loadTransfers(trx, facts),
    loadDowntimes(trx, facts),
  ])
  return { payments, refunds, disputes, settlements, payouts, transfers, downtimes }
}

/**
 * The entry of a fact that is no capture; null where there is nothing to post. `bookedTo` is where
 * the capture went that a refund gives back.
 */
export function draftOf(
  records: Records,
  fact: Exclude<Fact, PaymentCaptured>,
  bookedTo: AccountCode | null,
): Draft | null {
  if (isBooked(records, fact)) {
    return null
  }
  switch (fact.kind) {
    case 'payment_authorized':
    case 'payment_failed':
    case 'downtime':
      return null
    case 'payment_fee':
      return feeDraft(fact, fact.gatewayPaymentId)
    case 'refund_fee':
      return feeDraft(fact, fact.gatewayRefundId)
    case 'refund_created':
    case 'refund_processed':
    case 'refund_failed':
    case 'refund_voided':
      return refundDraft(fact, bookedTo)
    case 'dispute_opened':
    case 'dispute_debited':
    case 'dispute_credited':
    case 'dispute_lost':
    case 'dispute_won':
      return disputeDraft(fact)
    case 'settled':
    case 'settlement_returned':
      return settlementDraft(fact)
    case 'payout_pending':
    case 'payout_processed':
    case 'payout_reversed':
    case 'payout_failed':
      return payoutDraft(records.payouts, fact)
    case 'transfer_processed':
    case 'transfer_failed':
    case 'transfer_reversed':
      return transferDraft(fact)
    default:
      return fact satisfies never
  }
}

/** What became of a fact: its entry, where it has one, and the donation of a capture. */
export interface Posted {
  entryNo: bigint | null
  captured: Captured | null
}

/** Changes what the fact is about. */
export function applyFact(records: Records, fact: Fact, posted: Posted, now: Date): void {
  const { entryNo, captured } = posted
  switch (fact.kind) {
    case 'payment_authorized':
    case 'payment_captured':
    case 'payment_failed':
      return applyToPayment(records.payments, fact, captured, now)
    case 'payment_fee':
      return applyFee(records.payments, fact)
    case 'refund_fee':
      return applyRefundFee(records.refunds, fact)
    case 'refund_created':
    case 'refund_processed':
    case 'refund_failed':
    case 'refund_voided': {
      const bookedTo = records.payments.byKey.get(paymentKeyOf(fact))?.booked_to ?? null
      return applyToRefund(records.refunds, fact, { entryNo, bookedTo }, now)
    }
    case 'dispute_opened':
    case 'dispute_debited':
    case 'dispute_credited':
    case 'dispute_lost':
    case 'dispute_won':
      return applyToDispute(records.disputes, fact, now)
    case 'settled':
    case 'settlement_returned':
      return applyToSettlement(records.settlements, fact, entryNo, now)
    case 'payout_pending':
    case 'payout_processed':
    case 'payout_reversed':
    case 'payout_failed':
      return applyToPayout(records.payouts, fact, entryNo, now)
    case 'transfer_processed':
    case 'transfer_failed':
    case 'transfer_reversed':
      return applyToTransfer(records.transfers, fact, entryNo, now)
    case 'downtime':
      return applyToDowntime(records.downtimes, fact, now)
    default:
      return fact satisfies never
  }
}

/** Takes from a repeated fact what its first telling did not know. */
export function fillIn(records: Records, fact: Fact, now: Date): void {
  fillInPayment(records.payments, fact)
  fillInRefund(records.refunds, fact)
  fillInDispute(records.disputes, fact)
  fillInSettlement(records.settlements, fact)
  fillInPayout(records.payouts, fact)
  if (fact.kind === 'downtime') {
    applyToDowntime(records.downtimes, fact, now)
  }
}

/**
 * What other facts of the same thing have to agree with: a refund, a settlement and a payout are of
 * one amount, whichever step tells of it. Null where there is nothing like that.
 */
export function agreedBy(
  records: Records,
  fact: Fact,
): { key: string; said: string | null } | null {
  switch (fact.kind) {
    case 'refund_created':
    case 'refund_processed':
    case 'refund_failed':
    case 'refund_voided':
      return agreed(
        records.refunds,
        'refund',
        refundKeyOf(fact),
        ({ gateway_payment_id: id }) => id,
      )
    case 'payment_fee':
      return agreedCharge(records.payments.byKey.get(paymentKeyOf(fact)), fact)
    case 'refund_fee':
      return agreedCharge(records.refunds.byKey.get(refundKeyOf(fact)), fact)
    case 'settled':
    case 'settlement_returned':
      return agreed(records.settlements, 'settlement', settlementKeyOf(fact), () => '')
    case 'payout_pending':
    case 'payout_processed':
    case 'payout_reversed':
    case 'payout_failed':
      return agreed(records.payouts, 'payout', payoutKeyOf(fact), () => '')
    default:
      return null
  }
}

function agreed<Row extends { amount: bigint; currency: string }>(
  rows: Rows<Row>,
  what: string,
  key: string,
  rest: (row: Row) => string,
): { key: string; said: string | null } {
  const row = rows.byKey.get(key)
  const said = row === undefined ? null : `${row.amount} ${row.currency} ${rest(row)}`
  return { key: `${what} ${key}`, said }
}

function agreedCharge(
  row: { fee: bigint | null; tax: bigint | null; currency: string } | undefined,
  fact: FeeFact,
): { key: string; said: string | null } {
  const said =
    row === undefined || row.fee === null ? null : `${row.fee} ${row.tax ?? 0n} ${row.currency}`
  return { key: onceOf(fact) ?? fact.key, said }
}

/** What a fact says of that, in the same words. */
export function saidBy(fact: Fact): string {
  if (fact.kind === 'payment_fee' || fact.kind === 'refund_fee') {
    return `${fact.fee} ${fact.tax} ${fact.currency}`
  }
  const isRefund = 'gatewayRefundId' in fact && 'gatewayPaymentId' in fact
  const [amount, rest] = [
    'amount' in fact ? fact.amount : '',
    isRefund ? fact.gatewayPaymentId : '',
  ]
  return `${amount} ${'currency' in fact ? fact.currency : ''} ${rest}`
}

/** Writes back what changed. */
export async function saveRecords(trx: Trx, records: Records): Promise<void> {
  await together([
    savePayments(trx, records.payments),
    saveRefunds(trx, records.refunds),
    saveDisputes(trx, records.disputes),
    saveSettlements(trx, records.settlements),
    savePayouts(trx, records.payouts),
    saveTransfers(trx, records.transfers),
    saveDowntimes(trx, records.downtimes),
  ])
}
