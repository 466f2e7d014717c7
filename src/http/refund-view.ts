/** What an answer says of a refund. */
import { z } from 'zod'
import { minorToJson } from '../base/money.ts'
import { GATEWAY_NAMES } from '../gateways/fact.ts'
import { REFUND_STATES, type Refund } from '../payments/refunds.ts'
import { currencyCode, idText, instant, minorUnits } from './answers.ts'
import { entryId } from './entry-view.ts'

export const refund = z
  .strictObject({
    id: idText('rfd'),
    gateway: z.enum(GATEWAY_NAMES),
    account: z.string().meta({ description: 'The merchant account at the gateway.' }),
    gateway_refund_id: z.string(),
    gateway_payment_id: z.string(),
    payment: idText('pmt').nullable(),
    state: z.enum(REFUND_STATES).meta({
      description: 'returned: paid and come back; voided: of money that was never captured.',
    }),
    amount: minorUnits,
    currency: currencyCode,
    fee: minorUnits.nullable(),
    tax: minorUnits.nullable(),
    reference: z.string().nullable(),
    bank_reference: z.string().nullable().meta({ description: 'ARN or RRN, once it is told.' }),
    failure_reason: z.string().nullable(),
    began_at: instant,
    processed_at: instant.nullable(),
    failed_at: instant.nullable(),
    journal_entries: z.array(idText('je')).meta({ description: 'Of its steps so far.' }),
    created_at: instant,
  })
  .meta({ id: 'Refund' })

export type RefundRow = Refund & { payment_id: string | null; created_at: Date }

export function refundView(row: RefundRow): z.input<typeof refund> {
  const entries = [row.created_entry, row.processed_entry, row.failed_entry, row.returned_entry]
  return {
    id: row.refund_id,
    gateway: row.gateway,
    account: row.account,
    gateway_refund_id: row.gateway_refund_id,
    gateway_payment_id: row.gateway_payment_id,
    payment: row.payment_id,
    state: row.state,
    amount: minorToJson(row.amount),
    currency: row.currency,
    fee: row.fee === null ? null : minorToJson(row.fee),
    tax: row.tax === null ? null : minorToJson(row.tax),
    reference: row.reference,
    bank_reference: row.bank_reference,
    failure_reason: row.failure_reason,
    began_at: row.began_at.toISOString(),
    processed_at: row.processed_at?.toISOString() ?? null,
    failed_at: row.failed_at?.toISOString() ?? null,
    journal_entries: entries.flatMap((entryNo) => (entryNo === null ? [] : [entryId(entryNo)])),
    created_at: row.created_at.toISOString(),
  }
}
