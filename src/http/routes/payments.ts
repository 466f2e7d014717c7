/** GET /v1/payments: what gateways and finance say was paid, with each one's journal entry. */
import { z } from 'zod'
import { build, type Trx } from '../../base/db.ts'
import { minorToJson } from '../../base/money.ts'
import { Problem } from '../../base/problem.ts'
import type { OfflinePayment, Payment, PaymentState } from '../../payments/payments.ts'
import { GATEWAY_NAMES } from '../../gateways/fact.ts'
import { currencyCode, idText, instant, minorUnits, pageOf } from '../answers.ts'
import { donationExpansion } from '../donation-view.ts'
import { entryId } from '../entry-view.ts'
import { EACH_ID, expandable, expandableOperation, rowsById, type Expansion } from '../expand.ts'
import { idOfKind, limit } from '../input.ts'
import { anyText } from '../line.ts'
import { listOf } from '../list.ts'
import type { Operation } from '../operation.ts'
import { receiptExpansion } from '../receipt-view.ts'
import { refund, refundView, type RefundRow } from '../refund-view.ts'

const STATES = ['authorized', 'captured', 'failed'] as const satisfies readonly PaymentState[]

const paymentId = idOfKind('pmt')

const query = z.strictObject({
  limit,
  starting_after: paymentId.optional(),
  state: z.enum(STATES).optional(),
  gateway: z.enum(GATEWAY_NAMES).optional(),
  gateway_payment_id: anyText(100).optional(),
  donation: anyText(40).optional(),
})

const payment = z
  .strictObject({
    id: idText('pmt'),
    gateway: z
      .enum(GATEWAY_NAMES)
      .nullable()
      .meta({ description: 'Null for money that came past the gateways.' }),
    account: z.string().nullable().meta({ description: 'The merchant account at the gateway.' }),
    gateway_payment_id: z.string().nullable(),
    order_ref: z.string().nullable(),
    donation: idText('don').nullable(),
    receipt: idText('rcp').nullable(),
    state: z.enum(STATES),
    method: z.string().nullable(),
    amount: minorUnits,
    currency: currencyCode,
    fee: minorUnits.nullable(),
    tax: minorUnits.nullable(),
    refunded: minorUnits.meta({ description: 'Given back to the payer, or on its way.' }),
    refunds: z.array(refund).meta({ description: 'The newest of them; GET /v1/refunds has all.' }),
    subscription_ref: z.string().nullable().meta({ description: 'Of a recurring gift.' }),
    bank_reference: z.string().nullable(),
    authorized_at: instant.nullable(),
    captured_at: instant.nullable(),
    failed_at: instant.nullable(),
    failure_reason: z.string().nullable(),
    journal_entry: idText('je').nullable(),
    created_at: instant,
  })
  .meta({ id: 'Payment' })

type Row = (Payment | OfflinePayment) & { receipt_id: string | null; created_at: Date }

/** A payment in place of its id. */
export const paymentExpansion: Expansion = {
  permission: 'payments.read',
  view: payment,
  async load(trx, ids) {
    const one = payments(trx.scope).where('payment_id', EACH_ID)
    const rows = await rowsById<Row>(trx, ids, one)
    const refunds = await refundsOf(trx, rows)
    return new Map(rows.map((row) => [row.payment_id, viewOf(row, refunds)]))
  },
}

const expand = expandable(payment, { donation: donationExpansion, receipt: receiptExpansion })

/** Refunds of one payment that are shown with it. */
const REFUNDS_SHOWN = 20

export function paymentOperations(): Operation[] {
  return [listOperation(), getOperation()]
}

function listOperation(): Operation {
  return expandableOperation(
    {
      id: 'listPayments',
      method: 'get',
      path: '/payments',
      tag: 'Donations',
      summary: 'What was paid, through gateways or past them, newest first',
      permission: 'payments.read',
      query,
      expand,
      answers: { 200: { what: 'By id, downwards.', body: pageOf(payment) } },
    },
    {
      async read(trx, { query: asked }) {
        const select = payments(trx.scope)
        if (asked.starting_after !== undefined) {
          select.where('payment_id', '<', asked.starting_after)
        }
        for (const [column, value] of [
          ['state', asked.state],
          ['gateway', asked.gateway],
          ['gateway_payment_id', asked.gateway_payment_id],
          ['donation_id', asked.donation],
        ] as const) {
          if (value !== undefined) {
            select.where(column, value)
          }
        }
        const newestFirst = select.orderBy('payment_id', 'desc').limit(asked.limit + 1)
        const rows = await trx.run<Row>(newestFirst)
        const refunds = await refundsOf(trx, rows)
        return { status: 200, body: listOf(rows, asked.limit, (row) => viewOf(row, refunds)) }
      },
    },
  )
}

function getOperation(): Operation {
  return expandableOperation(
    {
      id: 'getPayment',
      method: 'get',
      path: '/payments/{id}',
      tag: 'Donations',
      summary: 'One payment',
      permission: 'payments.read',
      params: z.object({ id: paymentId }),
      expand,
      answers: { 200: { what: 'The payment.', body: payment } },
    },
    {
      async read(trx, { params }) {
        const [row] = await trx.run<Row>(
          payments(trx.scope).where('payment_id', params.id).limit(1),
        )
        if (row === undefined) {
          throw new Problem('not_found', { detail: 'There is no such payment.' })
        }
        return { status: 200, body: viewOf(row, await refundsOf(trx, [row])) }
      },
    },
  )
}

/** The organisation's payments, each with the receipt that was issued for it. */
function payments(orgId: Trx['scope']) {
  return build('payments as p')
    .where('p.org_id', orgId)
    .select(
      'p.*',
      build.raw(
        `(select r.receipt_id from receipts r
           where r.org_id = p.org_id and r.donation_id = p.donation_id
             and r.payment_id = p.payment_id limit 1) as receipt_id`,
      ),
    )
}

interface Refunds {
  refunded: bigint
  newest: RefundRow[]
}

/** What was refunded of each of these payments, by payment; two looks at a key a payment. */
async function refundsOf(trx: Trx, rows: readonly Row[]): Promise<ReadonlyMap<string, Refunds>> {
  const found = await trx.query<RefundRow & { payment_id: string; refunded: bigint }>(
    `select p.payment_id, s.refunded, r.*
       from unnest($2::text[], $3::text[], $4::text[], $5::text[])
         as p (payment_id, gateway, account, id)
      cross join lateral (
        select coalesce(sum(amount), 0)::bigint as refunded from refunds
         where gateway_payment_id = p.id and org_id = $1 and gateway = p.gateway
           and account = p.account and state in ('created', 'processed')
      ) s
      cross join lateral (
        select * from refunds
         where gateway_payment_id = p.id and org_id = $1 and gateway = p.gateway
           and account = p.account
         order by refund_id desc limit $6
      ) r`,
    [
      trx.scope,
      rows.map((row) => row.payment_id),
      rows.map((row) => row.gateway),
      rows.map((row) => row.account),
      rows.map((row) => row.gateway_payment_id),
      REFUNDS_SHOWN,
    ],
  )
  const byPayment = Map.groupBy(found, (row) => row.payment_id)
  return new Map(
    [...byPayment].map(([id, newest]) => [id, { refunded: newest[0]?.refunded ?? 0n, newest }]),
  )
}

function viewOf(row: Row, refunds: ReadonlyMap<string, Refunds>): z.input<typeof payment> {
  const { refunded = 0n, newest = [] } = refunds.get(row.payment_id) ?? {}
  return {
    id: row.payment_id,
    gateway: row.gateway,
    account: row.account,
    gateway_payment_id: row.gateway_payment_id,
    order_ref: row.order_ref,
    donation: row.donation_id,
    receipt: row.receipt_id,
    state: row.state,
    method: row.method,
    amount: minorToJson(row.amount),
    currency: row.currency,
    fee: row.fee === null ? null : minorToJson(row.fee),
    tax: row.tax === null ? null : minorToJson(row.tax),
    refunded: minorToJson(refunded),
    refunds: newest.map(refundView),
    subscription_ref: row.subscription_ref,
    bank_reference: row.bank_reference,
    authorized_at: row.authorized_at?.toISOString() ?? null,
    captured_at: row.captured_at?.toISOString() ?? null,
    failed_at: row.failed_at?.toISOString() ?? null,
    failure_reason: row.failure_reason,
    journal_entry: row.entry_no === null ? null : entryId(row.entry_no),
    created_at: row.created_at.toISOString(),
  }
}
