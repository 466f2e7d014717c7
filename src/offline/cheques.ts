/** What becomes of a cheque: the bank credits it, or it comes back, before that or after it. */
import type { IsoDate } from '../base/clock.ts'
import type { Trx } from '../base/db.ts'
import { newId } from '../base/ids.ts'
import { Problem } from '../base/problem.ts'
import { traceContext } from '../base/tracing.ts'
import { closeDonations } from '../donations/captures.ts'
import { cancelGone } from '../donations/receipt-rows.ts'
import type { AccountCode } from '../ledger/core/chart.ts'
import type { Draft } from '../ledger/core/entry.ts'
import {
  chequeBounced,
  chequeRealised,
  chequeReturned,
  type OfflineMoney,
} from '../ledger/core/offline-rules.ts'
import { post } from '../ledger/posting/post.ts'
import { writePayments } from '../payments/payments.ts'
import { BANK, startOf, titleOf } from './payment.ts'
import { findOffline, type OfflineRow } from './read.ts'
import { offlinePaymentRow } from './record.ts'
import { tellOfBounced, tellOfRealised } from './tell.ts'

interface Step {
  /** The day that the bank's statement or memo has. */
  on: IsoDate
  actor: string
  now: Date
}

export interface Realisation extends Step {
  /** Where the money went. */
  account: AccountCode | null
}

export interface Bounce extends Step {
  /** The bank's words: "Funds insufficient". */
  reason: string
  /** What the bank took for it, tax included; minor units, 0 for nothing. */
  charge: bigint
  /** From which account; null for the one that the cheque was credited to, or the usual one. */
  account: AccountCode | null
}

/**
 * The bank credited a cheque: the fund has its income, the donation is paid, and a receipt is
 * promised with the day of the credit, because until then nothing was given but paper. False where
 * it was said before. Throws `not_found`, `offline_step` for what is no cheque in hand,
 * `invalid_request` for a day that cannot be, or why the books refuse it (moved: no).
 */
export async function realise(trx: Trx, offlineId: string, step: Realisation): Promise<boolean> {
  const cheque = await findOffline(trx, offlineId)
  const account = step.account ?? BANK
  if (cheque.state === 'realised' && cheque.channel === 'cheque') {
    if (cheque.realised_on === step.on && cheque.account === account) {
      return false
    }
    throw pastIt(`It was realised on ${cheque.realised_on} into ${cheque.account}.`)
  }
  assertInHand(cheque)
  assertDay(step.on, [
    [cheque.received_on, 'the day on which it came'],
    [cheque.cheque_date, 'the date that is written on it'],
  ])
  const entryNo = await postOne(trx, chequeRealised(moneyOf(cheque, step), account, cheque.fund))
  const paymentId = newId('pmt', step.now.getTime())
  const { donation_id: donationId, fund, amount } = cheque
  await writePayments(trx, [
    offlinePaymentRow({ ...cheque, paymentId, donationId, entryNo, paidOn: step.on }),
  ])
  await trx.query(
    `update offline_payments
        set state = 'realised', realised_on = $3, account = $4, realised_by = $5,
            realised_entry = $6, payment_id = $7
      where org_id = $1 and offline_id = $2`,
    [trx.scope, offlineId, step.on, account, step.actor, entryNo, paymentId],
  )
  const paid = { donationId, paymentId, paidAt: startOf(step.on), trace: traceContext() }
  await closeDonations(trx, [paid], step.now)
  await tellOfRealised(trx, {
    offlineId,
    donationId,
    amount,
    entryNo,
    paymentId,
    fund,
    on: step.on,
  })
  return true
}

/**
 * The bank did not honour a cheque. Before it was credited that ends the donation; after that, the
 * fund loses its income again; a receipt that is not issued yet never is, and one that is issued is
 * cancelled. False where it was said before. Throws as `realise` does.
 */
export async function bounce(trx: Trx, offlineId: string, step: Bounce): Promise<boolean> {
  const cheque = await findOffline(trx, offlineId)
  if (cheque.state === 'bounced' || cheque.state === 'returned') {
    const { bounced_on: on, bounce_reason: reason, bank_charge: charge } = cheque
    if (on === step.on && reason === step.reason && charge === step.charge) {
      return false
    }
    throw pastIt(`It came back on ${on}, "${reason}".`)
  }
  if (cheque.channel !== 'cheque') {
    throw pastIt('It is no cheque; an entry that is wrong is reversed or adjusted.')
  }
  const isCredited = cheque.state === 'realised'
  assertDay(step.on, [
    isCredited
      ? [cheque.realised_on, 'the day on which it was credited']
      : [cheque.received_on, 'the day on which it came'],
  ])
  const from = step.account ?? cheque.account ?? BANK
  const entryNo = await postOne(trx, bounceDraft(cheque, step, from))
  await trx.query(
    `update offline_payments
        set state = $3, bounced_on = $4, bounce_reason = $5, bank_charge = $6, charged_to = $7,
            bounced_by = $8, bounced_entry = $9
      where org_id = $1 and offline_id = $2`,
    [
      trx.scope,
      offlineId,
      isCredited ? 'returned' : 'bounced',
      step.on,
      step.reason,
      step.charge,
      from,
      step.actor,
      entryNo,
    ],
  )
  await (isCredited ? takeReceiptBack(trx, cheque) : closeDonation(trx, cheque))
  const { donation_id: donationId, payment_id: paymentId, amount } = cheque
  await tellOfBounced(trx, { offlineId, donationId, amount, entryNo, paymentId, on: step.on })
  return true
}

function bounceDraft(cheque: OfflineRow, step: Bounce, from: AccountCode): Draft {
  const money = moneyOf(cheque, step)
  const charge = { amount: step.charge, from }
  return cheque.account === null
    ? chequeBounced(money, charge)
    : chequeReturned(money, cheque.account, cheque.fund, charge)
}

/** It was never paid, and nothing more is to come. */
async function closeDonation(trx: Trx, { donation_id: donationId }: OfflineRow): Promise<void> {
  await trx.query(
    `update donations set state = 'closed'
      where org_id = $1 and donation_id = $2 and state = 'open'`,
    [trx.scope, donationId],
  )
}

/** Takes the promise of a receipt back, or cancels the one that is issued. */
async function takeReceiptBack(trx: Trx, cheque: OfflineRow): Promise<void> {
  const { donation_id: donationId, payment_id: paymentId } = cheque
  await trx.query(
    `update outbox set state = 'done', done_at = now(), last_error = 'the cheque came back'
      where org_id = $1 and topic = 'issue_receipt' and subject = $2 and state <> 'done'`,
    [trx.scope, donationId],
  )
  if (paymentId !== null) {
    await cancelGone(trx, [paymentId], 'The cheque came back')
  }
}

function assertInHand(cheque: OfflineRow): void {
  if (cheque.channel !== 'cheque') {
    throw pastIt('It is no cheque: its money is there.')
  }
  if (cheque.state !== 'received') {
    throw pastIt(`It came back on ${cheque.bounced_on}, "${cheque.bounce_reason}".`)
  }
}

function assertDay(on: IsoDate, notBefore: readonly (readonly [IsoDate | null, string])[]): void {
  const wrong = notBefore.find(([day]) => day !== null && on < day)
  if (wrong !== undefined) {
    const [day, what] = wrong
    const errors = [{ pointer: '/on', detail: `must not be before ${day}, ${what}` }]
    throw new Problem('invalid_request', {
      detail: 'See errors for what is wrong and where.',
      errors,
      moved: 'no',
    })
  }
}

function moneyOf(cheque: OfflineRow, { on, actor }: Step): OfflineMoney {
  return {
    offlineId: cheque.offline_id,
    donationId: cheque.donation_id,
    title: titleOf(cheque),
    naturalKey: cheque.natural_key,
    amount: cheque.amount,
    currency: cheque.currency,
    on,
    actor,
  }
}

async function postOne(trx: Trx, draft: Draft): Promise<bigint> {
  const [result] = await post(trx, [draft])
  if (result === undefined || result.status === 'refused') {
    throw result?.problem ?? new Error('a draft has no result')
  }
  return result.entryNo
}

function pastIt(detail: string): Problem {
  return new Problem('offline_step', { detail, moved: 'no' })
}
