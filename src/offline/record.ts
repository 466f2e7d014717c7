/** Records money that came past the gateways: donor, donation, payment and entry together. */
import type { Keyring } from '../base/crypto.ts'
import type { Trx } from '../base/db.ts'
import { newId } from '../base/ids.ts'
import type { Problem } from '../base/problem.ts'
import { traceContext } from '../base/tracing.ts'
import { closeDonations } from '../donations/captures.ts'
import { insertDonation } from '../donations/checkout.ts'
import { insertDonor } from '../donations/donors.ts'
import { incomeOf } from '../ledger/core/offline-rules.ts'
import { post, type PostResult } from '../ledger/posting/post.ts'
import { writePayments, type OfflinePayment } from '../payments/payments.ts'
import { jsonOf } from '../payments/rows.ts'
import { examine, type Plan, type Verdict, type Warning } from './examine.ts'
import type { Wish } from './ground.ts'
import { startOf } from './payment.ts'
import { tellOfReceived } from './tell.ts'

export type Recorded =
  | { status: 'recorded'; offlineId: string; warnings: Warning[] }
  /** It was recorded before with the same content. */
  | { status: 'existing'; offlineId: string }
  /** Nothing was written for it; the others go through. */
  | { status: 'refused'; problem: Problem }

/** What is recorded in one transaction at most. */
export const RECORDED_TOGETHER = 200

/** A plan that was posted. */
export interface Posted extends Plan {
  entryNo: bigint
  /** Null for a cheque, which is no money yet. */
  paymentId: string | null
}

/**
 * Records up to `RECORDED_TOGETHER` payments, each for itself, in the order given; what is there
 * already with the same content is left as it is. The transaction is among the writers of the
 * journal (`queue: 'journal'`), so that two who enter the same are one after the other.
 */
export async function recordPayments(
  trx: Trx,
  keyring: Keyring,
  wishes: readonly Wish[],
  who: { actor: string; now: Date },
): Promise<Recorded[]> {
  const verdicts = await examine(trx, keyring, wishes, who.actor)
  const plans = verdicts.flatMap((one) => (one.status === 'new' ? [one.plan] : []))
  const results = await post(
    trx,
    plans.map(({ draft }) => draft),
  )
  const resultOf = new Map(plans.map((plan, place) => [plan, results[place]]))
  const posted = plans.flatMap((plan): Posted[] => {
    const result = resultOf.get(plan)
    return result === undefined || result.status === 'refused'
      ? []
      : [{ ...plan, entryNo: result.entryNo, paymentId: paymentIdOf(plan, who.now) }]
  })
  await write(trx, keyring, posted, who)
  return verdicts.map((verdict) => recordedOf(verdict, verdicts, resultOf))
}

function paymentIdOf({ account }: Plan, now: Date): string | null {
  return account === null ? null : newId('pmt', now.getTime())
}

function recordedOf(
  verdict: Verdict,
  verdicts: readonly Verdict[],
  resultOf: ReadonlyMap<Plan, PostResult | undefined>,
): Recorded {
  switch (verdict.status) {
    case 'refused':
      return verdict
    case 'existing': {
      const first = verdict.sameAs === null ? undefined : verdicts[verdict.sameAs]
      const before = first === undefined ? null : recordedOf(first, verdicts, resultOf)
      return before?.status === 'refused'
        ? before
        : { status: 'existing', offlineId: verdict.offlineId }
    }
    case 'new': {
      const { plan, warnings } = verdict
      const result = resultOf.get(plan)
      if (result === undefined) {
        throw new Error('a plan has no result')
      }
      return result.status === 'refused'
        ? result
        : { status: 'recorded', offlineId: plan.offlineId, warnings }
    }
    default:
      return verdict satisfies never
  }
}

async function write(
  trx: Trx,
  keyring: Keyring,
  posted: readonly Posted[],
  { actor, now }: { actor: string; now: Date },
): Promise<void> {
  if (posted.length === 0) {
    return
  }
  const inserted = new Set<string>()
  for (const { asked, donationId, donorId, newDonor } of posted) {
    if (newDonor !== null && !inserted.has(donorId)) {
      await insertDonor(trx, keyring, newDonor, donorId)
      inserted.add(donorId)
    }
    await insertDonation(trx, { ...asked, donationId, donorId, gateway: null, currency: 'INR' })
  }
  const paid = posted.flatMap((one) => {
    const { account, paymentId } = one
    return account === null || paymentId === null ? [] : [{ ...one, account, paymentId }]
  })
  await writePayments(
    trx,
    paid.map(({ asked, paymentId, donationId, entryNo }) =>
      offlinePaymentRow({
        ...asked,
        paymentId,
        donationId,
        entryNo,
        paidOn: asked.receivedOn,
      }),
    ),
  )
  await insertOffline(trx, posted, actor)
  await closeDonations(
    trx,
    paid.map(({ asked, donationId, paymentId }) => ({
      donationId,
      paymentId,
      paidAt: startOf(asked.receivedOn),
      trace: traceContext(),
    })),
    now,
  )
  await tellOfReceived(trx, posted)
}

/** The payment of money that is there. */
export function offlinePaymentRow(paid: {
  paymentId: string
  donationId: string
  entryNo: bigint
  channel: string
  reference: string | null
  amount: bigint
  fund: string
  paidOn: string
}): OfflinePayment {
  return {
    payment_id: paid.paymentId,
    gateway: null,
    account: null,
    gateway_payment_id: null,
    order_ref: null,
    subscription_ref: null,
    donation_id: paid.donationId,
    state: 'captured',
    method: paid.channel,
    amount: paid.amount,
    currency: 'INR',
    fee: null,
    tax: null,
    bank_reference: paid.channel === 'cash' ? null : paid.reference,
    authorized_at: null,
    captured_at: startOf(paid.paidOn),
    failed_at: null,
    failure_reason: null,
    entry_no: paid.entryNo,
    booked_to: incomeOf(paid.fund),
  }
}

async function insertOffline(trx: Trx, posted: readonly Posted[], actor: string): Promise<void> {
  const rows = posted.map(({ asked, account, ...one }) => ({
    offline_id: one.offlineId,
    channel: asked.channel,
    state: account === null ? 'received' : 'realised',
    amount: asked.amount,
    natural_key: one.naturalKey,
    reference: asked.reference,
    cheque_date: asked.chequeDate,
    ifsc: asked.ifsc,
    bank: asked.bank,
    donation_id: one.donationId,
    payment_id: one.paymentId,
    account,
    received_on: asked.receivedOn,
    realised_on: account === null ? null : asked.receivedOn,
    received_entry: one.entryNo,
    realised_by: account === null ? null : actor,
  }))
  await trx.query(
    `insert into offline_payments (org_id, currency, received_by, offline_id, channel, state,
       amount, natural_key, reference, cheque_date, ifsc, bank, donation_id, payment_id, account,
       received_on, realised_on, received_entry, realised_by)
     select $1, 'INR', $2, n.*
       from jsonb_to_recordset($3) as n (offline_id text, channel text, state text, amount bigint,
         natural_key text, reference text, cheque_date date, ifsc text, bank text,
         donation_id text, payment_id text, account text, received_on date, realised_on date,
         received_entry bigint, realised_by text)`,
    [trx.scope, actor, jsonOf(rows)],
  )
}
