/** GET /v1/receipts, and each receipt's PDF. */
import { Router } from 'express'
import { z } from 'zod'
import { build } from '../../base/db.ts'
import { isId } from '../../base/ids.ts'
import { minorToJson } from '../../base/money.ts'
import type { Parts } from '../../base/parts.ts'
import { Problem } from '../../base/problem.ts'
import { findReceipt, receiptPdf, recordPdfHash } from '../../donations/receipt-file.ts'
import { allow, principalOf } from '../auth.ts'
import { limit, queryOf } from '../input.ts'
import { listOf } from '../list.ts'

const EMAIL_STATES = [
  'waiting',
  'claimed',
  'sending',
  'sent',
  'refused',
  'unconfirmed',
  'dead',
] as const

const query = z.strictObject({
  limit,
  starting_after: z
    .string()
    .refine((text) => isId('rcp', text), { error: 'must be a receipt id' })
    .optional(),
  donation: z.string().max(40).optional(),
  number: z.string().max(40).optional(),
  email_state: z.enum(EMAIL_STATES).optional(),
})

interface Row {
  receipt_id: string
  number: string
  donation_id: string
  payment_id: string
  entry_no: bigint
  amount: bigint
  currency: string
  donated_on: string
  issued_at: Date
  donor_name: string
  pdf_sha256: Buffer | null
  email_state: string
  to_address: string
  attempts: number
  sent_at: Date | null
  message_id: string | null
  last_error: string | null
}

export function receiptRoutes(parts: Parts): Router {
  const routes = Router()
  const readers = allow('finance', 'auditor', 'admin')

  routes.get('/receipts', readers, async (request, response) => {
    const asked = queryOf(request, query)
    const { orgId } = principalOf(request)
    const rows = await parts.db.read(orgId, async (trx) => {
      const select = receipts(orgId)
      if (asked.starting_after !== undefined) {
        select.where('r.receipt_id', '<', asked.starting_after)
      }
      for (const [column, value] of [
        ['r.donation_id', asked.donation],
        ['r.number', asked.number],
        ['e.state', asked.email_state],
      ] as const) {
        if (value !== undefined) {
          select.where(column, value)
        }
      }
      return await trx.run<Row>(select.orderBy('r.receipt_id', 'desc').limit(asked.limit + 1))
    })
    response.json(listOf(rows, asked.limit, viewOf))
  })

  routes.get('/receipts/:id', readers, async (request, response) => {
    const { orgId } = principalOf(request)
    const { id } = request.params
    const [row] = await parts.db.read(
      orgId,
      async (trx) => await trx.run<Row>(receipts(orgId).where('r.receipt_id', id).limit(1)),
    )
    if (row === undefined) {
      throw noSuchReceipt()
    }
    response.json(viewOf(row))
  })

  routes.get('/receipts/:id/pdf', readers, async (request, response) => {
    const { orgId } = principalOf(request)
    const id = String(request.params['id'])
    const receipt = await parts.db.read(orgId, async (trx) => await findReceipt(trx, id))
    if (receipt === undefined) {
      throw noSuchReceipt()
    }
    const pdf = await receiptPdf(receipt, orgId, parts.files, parts.keyring)
    if (receipt.pdf_sha256 === null) {
      await parts.db.transact(orgId, async (trx) => await recordPdfHash(trx, id, pdf.sha256))
    }
    const name = `receipt-${receipt.number.replaceAll('/', '-')}.pdf`
    response
      .type('application/pdf')
      .setHeader('Content-Disposition', `inline; filename="${name}"`)
      .setHeader('Cache-Control', 'private, no-store')
    response.send(pdf.bytes)
  })
  return routes
}

function receipts(orgId: number) {
  return build('receipts as r')
    .join('receipt_emails as e', (on) =>
      on.on('e.org_id', 'r.org_id').on('e.receipt_id', 'r.receipt_id'),
    )
    .where('r.org_id', orgId)
    .select(
      'r.receipt_id',
      'r.number',
      'r.donation_id',
      'r.payment_id',
      'r.entry_no',
      'r.amount',
      'r.currency',
      'r.donated_on',
      'r.issued_at',
      'r.donor_name',
      'r.pdf_sha256',
      'e.state as email_state',
      'e.to_address',
      'e.attempts',
      'e.sent_at',
      'e.message_id',
      'e.last_error',
    )
}

function noSuchReceipt(): Problem {
  return new Problem('not_found', { detail: 'There is no such receipt.' })
}

function viewOf(row: Row): object {
  return {
    id: row.receipt_id,
    number: row.number,
    donation: row.donation_id,
    payment: row.payment_id,
    journal_entry: `je_${row.entry_no}`,
    amount: minorToJson(row.amount),
    currency: row.currency,
    donated_on: row.donated_on,
    issued_at: row.issued_at,
    donor_name: row.donor_name,
    pdf_sha256: row.pdf_sha256?.toString('hex') ?? null,
    email: {
      state: row.email_state,
      to: row.to_address,
      attempts: row.attempts,
      sent_at: row.sent_at,
      message_id: row.message_id,
      last_error: row.last_error,
    },
  }
}
