/** The rule that gives second payments of paid donations back, where the organisation wants it. */
import type { Trx } from '../base/db.ts'
import { instructRefund } from './payment.ts'
import { RULE_ACTOR, type Asker } from './instruction.ts'

const TOGETHER = 20

/**
 * Instructs refunds of what nobody asked for because the donation was paid already, hours after it
 * came; gives how many. Each once: whoever cancels one says that the money stays. Nothing is given
 * back that finance has moved on from the unidentified receipts. Above the organisation's limit it
 * waits for a person's consent.
 */
export async function refundSecondPayments(
  trx: Trx,
  needsConsent: Asker['needsConsent'],
): Promise<number> {
  const second = await secondPayments(trx)
  for (const { payment_id: paymentId } of second) {
    const asker = {
      subject: RULE_ACTOR,
      role: 'service',
      person: RULE_ACTOR,
      idempotencyKey: paymentId,
      needsConsent,
    }
    const reason = 'Second payment of a donation that was paid already'
    await instructRefund(trx, { paymentId, amount: null, speed: 'normal', reason }, asker)
  }
  return second.length
}

/** Our ids of the payments that the rule is for, the oldest first. */
export async function secondPayments(trx: Trx): Promise<{ payment_id: string }[]> {
  return await trx.query<{ payment_id: string }>(
    `select p.payment_id
       from organisations o
       join payments p on p.org_id = o.org_id and p.state = 'captured'
        and p.booked_to = 'liabilities:unidentified-receipts' and p.donation_id is null
        and p.captured_at < now() - o.refund_duplicates_after_hours * interval '1 hour'
       join donations d on d.org_id = p.org_id and d.gateway = p.gateway
        and d.order_ref = p.order_ref and d.state = 'paid' and d.payment_id <> p.payment_id
       join accounts a on a.org_id = p.org_id and a.code = p.booked_to
        and a.currency = p.currency and a.credits - a.debits >= p.amount
      where o.org_id = $1 and p.amount = payment_left(p.org_id, p.payment_id, 'refund')
        and not exists (select from instructions i
             where i.payment_id = p.payment_id and i.org_id = p.org_id and i.kind = 'refund')
        and not exists (select from refunds r
             where r.gateway_payment_id = p.gateway_payment_id and r.org_id = p.org_id
               and r.gateway = p.gateway and r.account = p.account)
      order by p.captured_at, p.payment_id limit $2`,
    [trx.scope, TOGETHER],
  )
}
