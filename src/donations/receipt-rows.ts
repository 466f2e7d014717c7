/** Writes receipts and their emails down, and that a receipt does not stand any more. */
import type { IsoDate } from '../base/clock.ts'
import type { Trx } from '../base/db.ts'
import { newId } from '../base/ids.ts'
import type { TraceContext } from '../base/tracing.ts'
import type { Fact } from '../gateways/fact.ts'
import { tellOfCancelled, type ToldCancelled } from './tell.ts'
import type { ReceiptSource } from './receipt-source.ts'

export interface NewReceipt {
  receiptId: string
  source: ReceiptSource
  series: string
  year: string
  serial: number
  document: { number: string; donatedOn: IsoDate }
  sealed: Buffer
  trace: TraceContext | null
}

export async function insertReceipts(
  trx: Trx,
  rows: readonly NewReceipt[],
  now: Date,
): Promise<void> {
  await trx.query(
    `insert into receipts (org_id, issued_at, receipt_id, series, year, serial, number, donation_id,
       payment_id, entry_no, amount, currency, donated_on, document_sealed, donor_name,
       logo_sha256)
     select $1, $2, n.* from unnest($3::text[], $4::text[], $5::text[], $6::integer[], $7::text[],
       $8::text[], $9::text[], $10::bigint[], $11::bigint[], $12::text[], $13::date[],
       $14::bytea[], $15::text[], $16::bytea[]) as n`,
    [
      trx.scope,
      now,
      rows.map((row) => row.receiptId),
      rows.map((row) => row.series),
      rows.map((row) => row.year),
      rows.map((row) => row.serial),
      rows.map((row) => row.document.number),
      rows.map((row) => row.source.donation_id),
      rows.map((row) => row.source.payment_id),
      rows.map((row) => row.source.entry_no),
      rows.map((row) => row.source.amount),
      rows.map((row) => row.source.currency),
      rows.map((row) => row.document.donatedOn),
      rows.map((row) => row.sealed),
      rows.map((row) => row.source.name),
      rows.map((row) => row.source.logo_sha256),
    ],
  )
  const emailed = rows.filter((row) => row.source.email !== null)
  await trx.query(
    `insert into receipt_emails (org_id, email_id, receipt_id, to_name, to_address, trace_context)
     select $1, n.*
       from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[]) as n`,
    [
      trx.scope,
      emailed.map(() => newId('eml', now.getTime())),
      emailed.map((row) => row.receiptId),
      emailed.map((row) => row.source.name),
      emailed.map((row) => row.source.email),
      emailed.map((row) => row.trace),
    ],
  )
}

/** What took the money of these facts away, or brought it back, as far as receipts care. */
const OF_MONEY_GONE: ReadonlySet<Fact['kind']> = new Set([
  'refund_created',
  'refund_processed',
  'refund_failed',
  'dispute_lost',
  'dispute_credited',
])

/**
 * Cancels the receipts of donations that are gone by now, in the transaction that records it, and
 * promises new ones where the money came back after all. A part that is gone cancels nothing: the
 * receipt shows how much. Donors are told by email.
 */
export async function cancelOrPromise(trx: Trx, facts: readonly Fact[]): Promise<void> {
  const about = facts.flatMap((fact) =>
    OF_MONEY_GONE.has(fact.kind) && 'gatewayPaymentId' in fact ? [fact] : [],
  )
  if (about.length === 0) {
    return
  }
  const payments = await trx.query<{ payment_id: string }>(
    `select distinct p.payment_id
       from unnest($2::text[], $3::text[], $4::text[]) as n (gateway, account, id)
      cross join lateral (
        select payment_id from payments
         where org_id = $1 and gateway = n.gateway and account = n.account
           and gateway_payment_id = n.id and state = 'captured' limit 1
      ) p`,
    [
      trx.scope,
      about.map((one) => one.gateway),
      about.map((one) => one.account),
      about.map((one) => one.gatewayPaymentId),
    ],
  )
  const ids = payments.map((row) => row.payment_id)
  await cancelGone(trx, ids, 'The donation was given back or lost')
  await trx.query(
    `update outbox o
        set state = 'waiting', attempts = 0, next_try_at = now(), done_at = null
       from unnest($2::text[]) as w (id)
      cross join lateral (
        select org_id, payment_id, donation_id, amount from payments
         where org_id = $1 and payment_id = w.id limit 1
      ) p
      where o.org_id = $1 and o.topic = 'issue_receipt' and o.subject = p.donation_id
        and o.state = 'done' and payment_gone(p.org_id, p.payment_id) < p.amount
        and not exists (
          select from receipts r
           where r.donation_id = p.donation_id and r.org_id = p.org_id
             and not exists (select from receipt_cancellations c
                  where c.org_id = r.org_id and c.receipt_id = r.receipt_id))`,
    [trx.scope, ids],
  )
}

/**
 * Cancels the receipts of those of these payments of which nothing is left; each once. Their donors
 * are told by email.
 */
export async function cancelGone(
  trx: Trx,
  paymentIds: readonly string[],
  reason: string,
): Promise<void> {
  const cancelled = await trx.query<ToldCancelled>(
    // Payment by payment: a plan made while there were few would add up what is gone of all.
    `with fresh as (
       insert into receipt_cancellations (org_id, receipt_id, reason)
       select r.org_id, r.receipt_id, $3
         from unnest($2::text[]) as w (id)
        cross join lateral (
          select org_id, payment_id, donation_id, amount from payments
           where org_id = $1 and payment_id = w.id limit 1
        ) p
         join receipts r on r.donation_id = p.donation_id and r.org_id = p.org_id
          and r.payment_id = p.payment_id
        where payment_gone(p.org_id, p.payment_id) >= p.amount
       on conflict do nothing
       returning receipt_id, cancelled_at
     )
     select f.receipt_id as "receiptId", f.cancelled_at as "cancelledAt", r.number,
            r.donation_id as "donationId", r.payment_id as "paymentId", r.amount, r.currency
       from fresh f join receipts r on r.org_id = $1 and r.receipt_id = f.receipt_id`,
    [trx.scope, paymentIds, reason],
  )
  if (cancelled.length > 0) {
    await mailCancelled(trx, cancelled)
    await tellOfCancelled(trx, cancelled)
  }
}

/** To where the receipt was mailed; nobody hears of it who was erased. */
async function mailCancelled(trx: Trx, cancelled: readonly ToldCancelled[]): Promise<void> {
  await trx.query(
    `insert into receipt_emails (org_id, email_id, receipt_id, to_name, to_address, kind)
     select $1, n.email_id, n.receipt_id, e.to_name, e.to_address, 'cancelled'
       from unnest($2::text[], $3::text[]) as n (email_id, receipt_id)
       join receipt_emails e on e.org_id = $1 and e.receipt_id = n.receipt_id
        and e.kind = 'issued' and e.to_address <> 'erased'`,
    [trx.scope, cancelled.map(() => newId('eml')), cancelled.map((one) => one.receiptId)],
  )
}
