/** GET /v1/receipts, and each receipt's PDF. */
import { z } from 'zod'
import type { Parts } from '../../base/parts.ts'
import { Problem } from '../../base/problem.ts'
import { findReceipt, receiptPdf, recordPdfHash } from '../../donations/receipt-file.ts'
import { pageOf } from '../answers.ts'
import { donationExpansion } from '../donation-view.ts'
import { expandable, expandableOperation } from '../expand.ts'
import { idOfKind, limit } from '../input.ts'
import { anyText } from '../line.ts'
import { listOf } from '../list.ts'
import { operation, type Operation } from '../operation.ts'
import {
  EMAIL_STATES,
  receipt,
  RECEIPT_STATES,
  receipts,
  receiptView,
  type ReceiptRow,
} from '../receipt-view.ts'
import { paymentExpansion } from './payments.ts'

const receiptId = idOfKind('rcp')

const query = z.strictObject({
  limit,
  starting_after: receiptId.optional(),
  donation: anyText(40).optional(),
  number: anyText(40).optional(),
  email_state: z.enum(EMAIL_STATES).optional(),
  state: z.enum(RECEIPT_STATES).optional(),
})

const params = z.object({ id: receiptId })

const expand = expandable(receipt, { donation: donationExpansion, payment: paymentExpansion })

export function receiptOperations(parts: Parts): Operation[] {
  return [listOperation(), getOperation(), pdfOperation(parts)]
}

function listOperation(): Operation {
  return expandableOperation(
    {
      id: 'listReceipts',
      method: 'get',
      path: '/receipts',
      tag: 'Donations',
      summary: 'Receipts that were issued, newest first',
      permission: 'receipts.read',
      query,
      expand,
      answers: { 200: { what: 'By id, downwards.', body: pageOf(receipt) } },
    },
    {
      async read(trx, { query: asked }) {
        const select = receipts(trx.scope)
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
        if (asked.state !== undefined) {
          select.whereRaw(`c.cancelled_at is ${asked.state === 'issued' ? '' : 'not '}null`)
        }
        const newestFirst = select.orderBy('r.receipt_id', 'desc').limit(asked.limit + 1)
        const rows = await trx.run<ReceiptRow>(newestFirst)
        return { status: 200, body: listOf(rows, asked.limit, receiptView) }
      },
    },
  )
}

function getOperation(): Operation {
  return expandableOperation(
    {
      id: 'getReceipt',
      method: 'get',
      path: '/receipts/{id}',
      tag: 'Donations',
      summary: 'One receipt, and whether it was mailed',
      permission: 'receipts.read',
      params,
      expand,
      answers: { 200: { what: 'The receipt.', body: receipt } },
    },
    {
      async read(trx, { params: { id } }) {
        const [row] = await trx.run<ReceiptRow>(
          receipts(trx.scope).where('r.receipt_id', id).limit(1),
        )
        if (row === undefined) {
          throw noSuchReceipt()
        }
        return { status: 200, body: receiptView(row) }
      },
    },
  )
}

function pdfOperation({ db, files, keyring }: Parts): Operation {
  return operation(
    {
      id: 'getReceiptPdf',
      method: 'get',
      path: '/receipts/{id}/pdf',
      tag: 'Donations',
      summary: 'The receipt as the donor has it',
      permission: 'receipts.read',
      params,
      answers: { 200: { what: 'Always the same bytes.', body: { media: 'application/pdf' } } },
    },
    {
      async handle({ params: { id }, principal: { orgId }, response }) {
        const issued = await db.read(orgId, async (trx) => await findReceipt(trx, id))
        if (issued === undefined) {
          throw noSuchReceipt()
        }
        const pdf = await receiptPdf(issued, orgId, files, keyring)
        if (issued.pdf_sha256 === null) {
          await db.transact(orgId, async (trx) => await recordPdfHash(trx, id, pdf.sha256))
        }
        const standing = issued.cancelled ? 'cancelled-receipt' : 'receipt'
        const name = `${standing}-${issued.number.replaceAll('/', '-')}.pdf`
        response
          .type('application/pdf')
          .setHeader('Content-Disposition', `inline; filename="${name}"`)
          .setHeader('Cache-Control', 'private, no-store')
        response.send(pdf.bytes)
        return null
      },
    },
  )
}

function noSuchReceipt(): Problem {
  return new Problem('not_found', { detail: 'There is no such receipt.' })
}
