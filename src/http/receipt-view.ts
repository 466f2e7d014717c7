/** Receipts as answers show them, with what became of their emails. */
import { z } from 'zod'
import { build, type Trx } from '../base/db.ts'
import { minorToJson } from '../base/money.ts'
import { currencyCode, day, idText, instant, minorUnits, sha256Hex } from './answers.ts'
import { entryId } from './entry-view.ts'
import { EACH_ID, rowsById, type Expansion } from './expand.ts'

export const EMAIL_STATES = [
  'waiting',
  'claimed',
  'sending',
  'sent',
  'refused',
  'unconfirmed',
  'dead',
] as const

export const RECEIPT_STATES = ['issued', 'cancelled'] as const

export const receipt = z
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
    state: z.enum(RECEIPT_STATES).meta({
      description: 'cancelled: the donation was given back or lost; the number stays used.',
    }),
    cancelled_at: instant.nullable(),
    refunded: minorUnits.meta({
      description: 'What of the donation was given back or lost: no deduction is due on it.',
    }),
    pdf_sha256: sha256Hex.nullable().meta({ description: 'Null until the PDF is first made.' }),
    email: z
      .strictObject({
        state: z.enum(EMAIL_STATES),
        to: z.string(),
        attempts: z.int(),
        sent_at: instant.nullable(),
        message_id: z.string().nullable(),
        last_error: z.string().nullable(),
      })
      .nullable()
      .meta({ description: 'Null where the donor has no address to send it to.' }),
  })
  .meta({ id: 'Receipt' })

export interface ReceiptRow {
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
  cancelled_at: Date | null
  gone: bigint
  pdf_sha256: Buffer | null
  /** Null, with what follows, where it is not emailed. */
  email_state: (typeof EMAIL_STATES)[number] | null
  to_address: string | null
  attempts: number | null
  sent_at: Date | null
  message_id: string | null
  last_error: string | null
}

/** The organisation's receipts, as `r`, with their emails, as `e`, where they have one. */
export function receipts(orgId: Trx['scope']) {
  return build('receipts as r')
    .leftJoin('receipt_emails as e', (on) =>
      on
        .on('e.org_id', 'r.org_id')
        .on('e.receipt_id', 'r.receipt_id')
        .on(build.raw(`e.kind = 'issued'`)),
    )
    .leftJoin('receipt_cancellations as c', (on) =>
      on.on('c.org_id', 'r.org_id').on('c.receipt_id', 'r.receipt_id'),
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
      'c.cancelled_at',
      build.raw('payment_gone(r.org_id, r.payment_id) as gone'),
      'r.pdf_sha256',
      'e.state as email_state',
      'e.to_address',
      'e.attempts',
      'e.sent_at',
      'e.message_id',
      'e.last_error',
    )
}

export function receiptView(row: ReceiptRow): z.input<typeof receipt> {
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
    state: row.cancelled_at === null ? 'issued' : 'cancelled',
    cancelled_at: row.cancelled_at?.toISOString() ?? null,
    refunded: minorToJson(row.gone),
    pdf_sha256: row.pdf_sha256?.toString('hex') ?? null,
    email: emailView(row),
  }
}

function emailView(row: ReceiptRow): z.input<typeof receipt>['email'] {
  const { email_state: state, to_address: to, attempts } = row
  return state === null || to === null || attempts === null
    ? null
    : {
        state,
        to,
        attempts,
        sent_at: row.sent_at?.toISOString() ?? null,
        message_id: row.message_id,
        last_error: row.last_error,
      }
}

/** A receipt in place of its id. */
export const receiptExpansion: Expansion = {
  permission: 'receipts.read',
  view: receipt,
  async load(trx, ids) {
    const one = receipts(trx.scope).where('r.receipt_id', EACH_ID)
    const rows = await rowsById<ReceiptRow>(trx, ids, one)
    return new Map(rows.map((row) => [row.receipt_id, receiptView(row)]))
  },
}
