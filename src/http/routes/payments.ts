/** GET /v1/payments: what the gateways say was paid, with the journal entry of each capture. */
import { Router } from 'express'
import { z } from 'zod'
import { build } from '../../base/db.ts'
import { isId } from '../../base/ids.ts'
import { minorToJson } from '../../base/money.ts'
import type { Parts } from '../../base/parts.ts'
import { Problem } from '../../base/problem.ts'
import { GATEWAY_NAMES } from '../../gateways/fact.ts'
import type { Payment } from '../../donations/payments.ts'
import { allow, principalOf } from '../auth.ts'
import { limit, queryOf } from '../input.ts'
import { listOf } from '../list.ts'

const paymentId = z.string().refine((text) => isId('pmt', text), { error: 'must be a payment id' })

const query = z.strictObject({
  limit,
  starting_after: paymentId.optional(),
  state: z.enum(['authorized', 'captured', 'failed']).optional(),
  gateway: z.enum(GATEWAY_NAMES).optional(),
  gateway_payment_id: z.string().max(100).optional(),
  donation: z.string().max(40).optional(),
})

type Row = Payment & { created_at: Date }

export function paymentRoutes(parts: Parts): Router {
  const routes = Router()
  routes.get('/payments', allow('finance', 'auditor', 'admin'), async (request, response) => {
    const asked = queryOf(request, query)
    const { orgId } = principalOf(request)
    const rows = await parts.db.read(orgId, async (trx) => {
      const select = build('payments').where({ org_id: orgId })
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
      return await trx.run<Row>(select.orderBy('payment_id', 'desc').limit(asked.limit + 1))
    })
    response.json(listOf(rows, asked.limit, viewOf))
  })
  routes.get('/payments/:id', allow('finance', 'auditor', 'admin'), async (request, response) => {
    const { orgId } = principalOf(request)
    const { id } = request.params
    const [row] = await parts.db.read(
      orgId,
      async (trx) =>
        await trx.run<Row>(build('payments').where({ org_id: orgId, payment_id: id }).limit(1)),
    )
    if (row === undefined) {
      throw new Problem('not_found', { detail: 'There is no such payment.' })
    }
    response.json(viewOf(row))
  })
  return routes
}

function viewOf(row: Row): object {
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
    authorized_at: row.authorized_at,
    captured_at: row.captured_at,
    failed_at: row.failed_at,
    failure_reason: row.failure_reason,
    journal_entry: row.entry_no === null ? null : `je_${row.entry_no}`,
    created_at: row.created_at,
  }
}
