/** What others are told of money that comes past the gateways: ids, states, money, no names. */
import type { Trx } from '../base/db.ts'
import { minorToJson } from '../base/money.ts'
import { announce } from '../notifications/outbox/announce.ts'
import type { Event } from '../notifications/outbox/events.ts'
import { startOf } from './payment.ts'
import type { Posted } from './record.ts'

/** Tells of payments that were recorded just now. */
export async function tellOfReceived(trx: Trx, posted: readonly Posted[]): Promise<void> {
  await announce(
    trx,
    posted.map((one) => {
      const { asked, paymentId, donationId, entryNo } = one
      return paymentId === null
        ? ({
            type: 'cheque.received',
            subject: one.offlineId,
            data: { ...chequeOf({ ...one, ...asked }), received_on: asked.receivedOn },
          } satisfies Event)
        : paidEvent({ ...asked, donationId, paymentId, entryNo, paidOn: asked.receivedOn })
    }),
  )
}

interface ToldCheque {
  offlineId: string
  donationId: string
  amount: bigint
  /** Of the step that is told of. */
  entryNo: bigint
}

function chequeOf({ offlineId, donationId, amount, entryNo }: ToldCheque) {
  return {
    offline_payment: offlineId,
    donation: donationId,
    amount: minorToJson(amount),
    currency: 'INR',
    journal_entry: `je_${entryNo}`,
  }
}

export async function tellOfRealised(
  trx: Trx,
  cheque: ToldCheque & { paymentId: string; fund: string; on: string },
): Promise<void> {
  const { offlineId, paymentId, on } = cheque
  await announce(trx, [
    {
      type: 'cheque.realised',
      subject: offlineId,
      data: { ...chequeOf(cheque), payment: paymentId, realised_on: on },
    },
    paidEvent({ ...cheque, paidOn: on }),
  ])
}

export async function tellOfBounced(
  trx: Trx,
  cheque: ToldCheque & { paymentId: string | null; on: string },
): Promise<void> {
  const { offlineId, paymentId, on } = cheque
  await announce(trx, [
    {
      type: 'cheque.bounced',
      subject: offlineId,
      data: { ...chequeOf(cheque), payment: paymentId, bounced_on: on },
    },
  ])
}

function paidEvent(paid: {
  donationId: string
  paymentId: string
  fund: string
  amount: bigint
  entryNo: bigint
  paidOn: string
}): Event {
  return {
    type: 'donation.paid',
    subject: paid.donationId,
    data: {
      donation: paid.donationId,
      payment: paid.paymentId,
      fund: paid.fund,
      amount: minorToJson(paid.amount),
      currency: 'INR',
      paid_at: startOf(paid.paidOn).toISOString(),
      journal_entry: `je_${paid.entryNo}`,
    },
  }
}
