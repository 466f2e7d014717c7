/** What others are told of payments, donations and receipts: ids, states, money, no names. */
import type { Trx } from '../base/db.ts'
import { minorToJson } from '../base/money.ts'
import type { Fact } from '../gateways/fact.ts'
import { announce } from '../notifications/outbox/announce.ts'
import type { Event } from '../notifications/outbox/events.ts'
import { paymentKeyOf, type Payment } from '../payments/payments.ts'
import type { Records } from '../payments/records.ts'
import { gatewayEvents } from '../payments/tell.ts'

/** A fact that was recorded just now, and the entry that it posted. */
export interface Recorded {
  fact: Fact
  entryNo: bigint | null
}

/** Tells of facts that were recorded just now; `funds` are the donations' by the donation's id. */
export async function tellOfFacts(
  trx: Trx,
  recorded: readonly Recorded[],
  records: Records,
  funds: ReadonlyMap<string, string>,
): Promise<void> {
  const events = recorded.flatMap(({ fact, entryNo }): Event[] => {
    if (fact.kind !== 'payment_captured' && fact.kind !== 'payment_failed') {
      return gatewayEvents(fact, records, entryNo)
    }
    const payment = records.payments.byKey.get(paymentKeyOf(fact))
    if (payment === undefined) {
      return []
    }
    if (fact.kind === 'payment_captured') {
      return entryNo === null ? [] : capturedEvents(fact.occurredAt, payment, entryNo, funds)
    }
    return payment.state === 'failed' ? [failedEvent(fact.occurredAt, payment)] : []
  })
  await announce(trx, events)
}

function capturedEvents(
  at: Date,
  payment: Payment,
  entryNo: bigint,
  funds: ReadonlyMap<string, string>,
): Event[] {
  const { donation_id: donationId } = payment
  const fund = donationId === null ? undefined : funds.get(donationId)
  const money = moneyOf(payment)
  const entry = `je_${entryNo}`
  const capture: Event = {
    type: 'payment.captured',
    subject: payment.payment_id,
    data: {
      payment: payment.payment_id,
      gateway: payment.gateway,
      gateway_payment_id: payment.gateway_payment_id,
      ...money,
      captured_at: at.toISOString(),
      donation: donationId,
      journal_entry: entry,
    },
  }
  if (donationId === null || fund === undefined) {
    return [capture]
  }
  const paid: Event = {
    type: 'donation.paid',
    subject: donationId,
    data: {
      donation: donationId,
      payment: payment.payment_id,
      fund,
      ...money,
      paid_at: at.toISOString(),
      journal_entry: entry,
    },
  }
  return [capture, paid]
}

function failedEvent(at: Date, payment: Payment): Event {
  return {
    type: 'payment.failed',
    subject: payment.payment_id,
    data: {
      payment: payment.payment_id,
      gateway: payment.gateway,
      gateway_payment_id: payment.gateway_payment_id,
      ...moneyOf(payment),
      failed_at: at.toISOString(),
    },
  }
}

function moneyOf({ amount, currency }: Pick<Payment, 'amount' | 'currency'>) {
  return { amount: minorToJson(amount), currency }
}

/** A receipt as it was issued. */
export interface ToldReceipt {
  receiptId: string
  number: string
  donationId: string
  paymentId: string
  amount: bigint
  currency: string
  donatedOn: string
}

export async function tellOfReceipts(
  trx: Trx,
  receipts: readonly ToldReceipt[],
  issuedAt: Date,
): Promise<void> {
  const events = receipts.map((one): Event => ({
    type: 'receipt.issued',
    subject: one.receiptId,
    data: {
      receipt: one.receiptId,
      number: one.number,
      donation: one.donationId,
      payment: one.paymentId,
      ...moneyOf(one),
      donated_on: one.donatedOn,
      issued_at: issuedAt.toISOString(),
    },
  }))
  await announce(trx, events)
}

/** A receipt that does not stand any more. */
export interface ToldCancelled extends Omit<ToldReceipt, 'donatedOn'> {
  cancelledAt: Date
}

export async function tellOfCancelled(trx: Trx, receipts: readonly ToldCancelled[]): Promise<void> {
  const events = receipts.map((one): Event => ({
    type: 'receipt.cancelled',
    subject: one.receiptId,
    data: {
      receipt: one.receiptId,
      number: one.number,
      donation: one.donationId,
      payment: one.paymentId,
      ...moneyOf(one),
      cancelled_at: one.cancelledAt.toISOString(),
    },
  }))
  await announce(trx, events)
}

/** An email as it is now, with whose receipt it carries. */
export interface ToldEmail {
  receipt_id: string
  donation_id: string
  state: string
}

/** Tells of emails that came to their end; of others nothing is told. */
export async function tellOfEmails(trx: Trx, emails: readonly ToldEmail[]): Promise<void> {
  const events = emails.flatMap(
    ({ receipt_id: receipt, donation_id: donation, state }): Event[] => {
      switch (state) {
        case 'sent':
          return [{ type: 'receipt.emailed', subject: receipt, data: { receipt, donation } }]
        case 'refused':
        case 'unconfirmed':
        case 'dead': {
          const data = { receipt, donation, state } as const
          return [{ type: 'receipt.undeliverable', subject: receipt, data }]
        }
        default:
          return []
      }
    },
  )
  await announce(trx, events)
}
