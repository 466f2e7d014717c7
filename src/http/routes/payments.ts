/** GET /v1/payments: what the gateways say was paid, with the journal entry of each capture. */
import { z } from 'zod'
import { build } from '../../base/db.ts'
import { minorToJson } from '../../base/money.ts'
import { Problem } from '../../base/problem.ts'
import type { Payment, PaymentState } from '../../donations/payments.ts'
import { GATEWAY_NAMES, type GatewayName } from '../../gateways/fact.ts'
import { currencyCode, idText, instant, minorUnits, pageOf } from '../answers.ts'
import { entryId } from '../entry-view.ts'
import { idOfKind, limit } from '../input.ts'
import { listOf } from '../list.ts'
import { operation, type Operation } from '../operation.ts'

const STATES = ['authorized', 'captured', 'failed'] as const satisfies readonly PaymentState[]

const paymentId = idOfKind('pmt')

const query = z.strictObject({
  limit,
  starting_after: paymentId.optional(),
  state: z.enum(STATES).optional(),
  gateway: z.enum(GATEWAY_NAMES).optional(),
  gateway_payment_id: z.string().max(100).optional(),
  donation: z.string().max(40).optional(),
})

const payment = z
  .strictObject({
    id: idText('pmt'),
    gateway: z.enum(GATEWAY_NAMES),
    account: z.string().meta({ description: 'The merchant account at the gateway.' }),
    gateway_payment_id: z.string(),
    order_ref: z.string().nullable(),
    donation: idText('don').nullable(),
    state: z.enum(STATES),
    method: z.string().nullable(),
    amount: minorUnits,
    currency: currencyCode,
    fee: minorUnits.nullable(),
    tax: minorUnits.nullable(),
    bank_reference: z.string().nullable(),
    authorized_at: instant.nullable(),
    captured_at: instant.nullable(),
    failed_at: instant.nullable(),
    failure_reason: z.string().nullable(),
    journal_entry: idText('je').nullable(),
    created_at: instant,
  })
  .meta({ id: 'Payment' })

type Row = Payment & { gateway: GatewayName; created_at: Date }

export function paymentOperations(): Operation[] {
  return [listOperation(), getOperation()]
}

function listOperation(): Operation {
  return operation(
    {
      id: 'listPayments',
      method: 'get',
      path: '/payments',
      tag: 'Donations',
      summary: 'What the gateways say was paid, newest first',
      permission: 'payments.read',
      query,
      answers: { 200: { what: 'By id, downwards.', body: pageOf(payment) } },
    },
    {
      async read(trx, { query: asked }) {
        const select = build('payments').where({ org_id: trx.scope })
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
        return { status: 200, body: listOf(rows, asked.limit, viewOf) }
      },
    },
  )
}

function getOperation(): Operation {
  return operation(
    {
      id: 'getPayment',
      method: 'get',
      path: '/payments/{id}',
      tag: 'Donations',
      summary: 'One payment',
      permission: 'payments.read',
      params: z.object({ id: paymentId }),
      answers: { 200: { what: 'The payment.', body: payment } },
    },
    {
      async read(trx, { params }) {
        const [row] = await trx.run<Row>(
          build('payments').where({ org_id: trx.scope, payment_id: params.id }).limit(1),
        )
        if (row === undefined) {
          throw new Problem('not_found', { detail: 'There is no such payment.' })
        }
        return { status: 200, body: viewOf(row) }
      },
    },
  )
}

function viewOf(row: Row): z.input<typeof payment> {
  return {
    id: row.payment_id,
    gateway: row.gateway,
    account: row.account,
    gateway_payment_id: row.gateway_payment_id,
    order_ref: row.order_ref,
    donation: row.donation_id,
    state: row.state,
    method: row.method,
    amount: minorToJson(row.amount),
    currency: row.currency,
    fee: row.fee === null ? null : minorToJson(row.fee),
    tax: row.tax === null ? null : minorToJson(row.tax),
    bank_reference: row.bank_reference,
    authorized_at: row.authorized_at?.toISOString() ?? null,
    captured_at: row.captured_at?.toISOString() ?? null,
    failed_at: row.failed_at?.toISOString() ?? null,
    failure_reason: row.failure_reason,
    journal_entry: row.entry_no === null ? null : entryId(row.entry_no),
    created_at: row.created_at.toISOString(),
  }
}
