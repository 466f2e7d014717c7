/** Captures and what they pay for: an open donation, or nothing that anybody knows of. */
import type { Trx } from '../base/db.ts'
import { newId } from '../base/ids.ts'
import { together } from '../base/together.ts'
import type { TraceContext } from '../base/tracing.ts'
import type { PaymentCaptured } from '../gateways/fact.ts'
import type { AccountCode } from '../ledger/core/chart.ts'
import type { Draft } from '../ledger/core/entry.ts'
import { donationCaptured, unidentifiedCaptured } from '../ledger/core/rules.ts'
import { moneyAt } from '../payments/money.ts'

export interface Donation {
  donation_id: string
  gateway: string
  order_ref: string
  state: 'open' | 'paid'
  amount: bigint
  currency: string
  fund: string
}

export type Donations = ReadonlyMap<string, Donation>

/** The donations that wait for the money of these captures, by gateway and order. */
export async function loadDonations(
  trx: Trx,
  captures: readonly PaymentCaptured[],
): Promise<Donations> {
  const withOrder = captures.filter((fact) => fact.orderRef !== null)
  if (withOrder.length === 0) {
    return new Map()
  }
  const rows = await trx.query<Donation>(
    `select d.*
       from unnest($2::text[], $3::text[]) as w (gateway, order_ref)
      cross join lateral (
        select donation_id, gateway, order_ref, state, amount, currency, fund
          from donations
         where org_id = $1 and gateway = w.gateway and order_ref = w.order_ref limit 1
      ) d`,
    [trx.scope, withOrder.map((fact) => fact.gateway), withOrder.map((fact) => fact.orderRef)],
  )
  return new Map(rows.map((row) => [`${row.gateway} ${row.order_ref}`, row]))
}

/** What a captured fact pays for, and where it is booked to. */
export interface Capture {
  donation: Donation | null
  draft: Draft
  /** The account that it credits. */
  bookedTo: AccountCode
}

/**
 * What each capture pays for, in the order given. What no open donation asked for is money
 * unidentified: somebody has to look at it. A donation is paid once.
 */
export function placeCaptures(
  captures: readonly PaymentCaptured[],
  donations: Donations,
): Map<PaymentCaptured, Capture> {
  const claimed = new Set<string>()
  return new Map(
    captures.map((fact) => {
      const order = donations.get(`${fact.gateway} ${fact.orderRef ?? ''}`)
      const isOpen =
        order?.state === 'open' &&
        order.currency === fact.currency &&
        !claimed.has(order.donation_id)
      const donation = isOpen ? order : null
      if (donation !== null) {
        claimed.add(donation.donation_id)
      }
      const draft = captureDraft(fact, donation)
      const bookedTo = draft.lines.find(({ direction }) => direction === 'credit')?.account
      if (bookedTo === undefined) {
        throw new Error('a capture credits an account')
      }
      return [fact, { donation, draft, bookedTo }]
    }),
  )
}

function captureDraft(fact: PaymentCaptured, donation: Donation | null): Draft {
  const { on, ...rest } = moneyAt(fact, fact.gatewayPaymentId)
  const money = { ...rest, gatewayPaymentId: fact.gatewayPaymentId, capturedOn: on }
  return donation === null
    ? unidentifiedCaptured(money)
    : donationCaptured(money, { donationId: donation.donation_id, fund: donation.fund })
}

export interface PaidDonation {
  donationId: string
  paymentId: string
  paidAt: Date
  trace: TraceContext | null
}

/** Marks donations paid and promises their receipts, in the same transaction. */
export async function closeDonations(
  trx: Trx,
  paid: readonly PaidDonation[],
  now: Date,
): Promise<void> {
  if (paid.length === 0) {
    return
  }
  const marked = trx.query(
    `update donations d
        set state = 'paid', payment_id = n.payment_id, paid_at = n.paid_at
       from unnest($2::text[], $3::text[], $4::timestamptz[])
         as n (donation_id, payment_id, paid_at)
      cross join lateral (
        select ctid as place from donations
         where org_id = $1 and donation_id = n.donation_id limit 1
      ) at
      where d.ctid = at.place`,
    [
      trx.scope,
      paid.map((one) => one.donationId),
      paid.map((one) => one.paymentId),
      paid.map((one) => one.paidAt),
    ],
  )
  const promised = trx.query(
    `insert into outbox (org_id, outbox_id, topic, subject, trace_context)
     select $1, n.outbox_id, 'issue_receipt', n.subject, n.trace
       from unnest($2::text[], $3::text[], $4::text[]) as n (outbox_id, subject, trace)`,
    [
      trx.scope,
      paid.map(() => newId('obx', now.getTime())),
      paid.map((one) => one.donationId),
      paid.map((one) => one.trace),
    ],
  )
  await together([marked, promised])
}
