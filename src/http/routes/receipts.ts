/** GET /v1/receipts, and each receipt's PDF. */
import { z } from 'zod'
import { build, type Trx } from '../../base/db.ts'
import { minorToJson } from '../../base/money.ts'
import type { Parts } from '../../base/parts.ts'
import { Problem } from '../../base/problem.ts'
import { findReceipt, receiptPdf, recordPdfHash } from '../../donations/receipt-file.ts'
import { currencyCode, day, idText, instant, minorUnits, pageOf, sha256Hex } from '../answers.ts'
import { entryId } from '../entry-view.ts'
import { idOfKind, limit } from '../input.ts'
import { listOf } from '../list.ts'
import { operation, type Operation } from '../operation.ts'

const EMAIL_STATES = [
  'waiting',
  'claimed',
  'sending',
  'sent',
  'refused',
  'unconfirmed',
  'dead',
] as const

const receiptId = idOfKind('rcp')

const query = z.strictObject({
  limit,
  starting_after: receiptId.optional(),
  donation: z.string().max(40).optional(),
  number: z.string().max(40).optional(),
  email_state: z.enum(EMAIL_STATES).optional(),
})

const params = z.object({ id: receiptId })

const receipt = z
  .strictObject({
    id: idText('rcp'),
    number: z.string(),
    donation: idText('don'),
    payment: idText('pmt'),
    journal_entry: idText('je'),
    amount: minorUnits,
    currency: currencyCode,
    donated_on: day,
    issued_at: instant,
    donor_name: z.string(),
    pdf_sha256: sha256Hex.nullable().meta({ description: 'Null until the PDF is first made.' }),
    email: z.strictObject({
      state: z.enum(EMAIL_STATES),
      to: z.string(),
      attempts: z.int(),
      sent_at: instant.nullable(),
      message_id: z.string().nullable(),
      last_error: z.string().nullable(),
    }),
  })
  .meta({ id: 'Receipt' })

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
  email_state: (typeof EMAIL_STATES)[number]
  to_address: string
  attempts: number
  sent_at: Date | null
  message_id: string | null
  last_error: string | null
}

export function receiptOperations(parts: Parts): Operation[] {
  return [listOperation(), getOperation(), pdfOperation(parts)]
}

function listOperation(): Operation {
  return operation(
    {
      id: 'listReceipts',
      method: 'get',
      path: '/receipts',
      tag: 'Donations',
      summary: 'Receipts that were issued, newest first',
      permission: 'receipts.read',
      query,
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
        const newestFirst = select.orderBy('r.receipt_id', 'desc').limit(asked.limit + 1)
        const rows = await trx.run<Row>(newestFirst)
        return { status: 200, body: listOf(rows, asked.limit, viewOf) }
      },
    },
  )
}

function getOperation(): Operation {
  return operation(
    {
      id: 'getReceipt',
      method: 'get',
      path: '/receipts/{id}',
      tag: 'Donations',
      summary: 'One receipt, and whether it was mailed',
      permission: 'receipts.read',
      params,
      answers: { 200: { what: 'The receipt.', body: receipt } },
    },
    {
      async read(trx, { params: { id } }) {
        const [row] = await trx.run<Row>(receipts(trx.scope).where('r.receipt_id', id).limit(1))
        if (row === undefined) {
          throw noSuchReceipt()
        }
        return { status: 200, body: viewOf(row) }
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
        const name = `receipt-${issued.number.replaceAll('/', '-')}.pdf`
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

function receipts(orgId: Trx['scope']) {
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

function viewOf(row: Row): z.input<typeof receipt> {
  return {
    id: row.receipt_id,
    number: row.number,
    donation: row.donation_id,
    payment: row.payment_id,
    journal_entry: entryId(row.entry_no),
    amount: minorToJson(row.amount),
    currency: row.currency,
    donated_on: row.donated_on,
    issued_at: row.issued_at.toISOString(),
    donor_name: row.donor_name,
    pdf_sha256: row.pdf_sha256?.toString('hex') ?? null,
    email: {
      state: row.email_state,
      to: row.to_address,
      attempts: row.attempts,
      sent_at: row.sent_at?.toISOString() ?? null,
      message_id: row.message_id,
      last_error: row.last_error,
    },
  }
}
