/** GET /v1/transfers: parts of payments that went to merchants' own accounts at a gateway. */
import { z } from 'zod'
import { minorToJson } from '../../base/money.ts'
import { GATEWAY_NAMES } from '../../gateways/fact.ts'
import { TRANSFER_STATES, type Transfer } from '../../payments/transfers.ts'
import { currencyCode, idText, instant, minorUnits } from '../answers.ts'
import { entryId } from '../entry-view.ts'
import { gatewayList } from '../gateway-list.ts'
import type { Operation } from '../operation.ts'

const transfer = z
  .strictObject({
    id: idText('trf'),
    gateway: z.enum(GATEWAY_NAMES),
    account: z.string(),
    gateway_transfer_id: z.string(),
    state: z.enum(TRANSFER_STATES).meta({ description: 'reversed: all of it came back.' }),
    recipient: z.string().meta({ description: 'The linked account.' }),
    source: z.string().nullable().meta({ description: 'The payment or order it is a part of.' }),
    amount: minorUnits.nullable().meta({ description: 'Null while only its return was told.' }),
    currency: currencyCode,
    fee: minorUnits,
    tax: minorUnits,
    reversed: minorUnits.meta({ description: 'How much of it came back.' }),
    failure_reason: z.string().nullable(),
    began_at: instant,
    processed_at: instant.nullable(),
    failed_at: instant.nullable(),
    journal_entry: idText('je').nullable(),
    created_at: instant,
  })
  .meta({ id: 'Transfer' })

type Row = Transfer & { created_at: Date }

export function transferOperations(): Operation[] {
  return [
    gatewayList<Row, typeof transfer>({
      id: 'listTransfers',
      path: '/transfers',
      summary: 'Parts of payments that went to merchants’ own accounts, newest first',
      table: 'gateway_transfers',
      idColumn: 'transfer_id',
      prefix: 'trf',
      states: TRANSFER_STATES,
      texts: ['gateway_transfer_id', 'recipient', 'source'],
      ofPayment: false,
      view: transfer,
      viewOf: (row) => ({
        id: row.transfer_id,
        gateway: row.gateway,
        account: row.account,
        gateway_transfer_id: row.gateway_transfer_id,
        state: row.state,
        recipient: row.recipient,
        source: row.source,
        amount: row.amount === null ? null : minorToJson(row.amount),
        currency: row.currency,
        fee: minorToJson(row.fee),
        tax: minorToJson(row.tax),
        reversed: minorToJson(row.reversed),
        failure_reason: row.failure_reason,
        began_at: row.began_at.toISOString(),
        processed_at: row.processed_at?.toISOString() ?? null,
        failed_at: row.failed_at?.toISOString() ?? null,
        journal_entry: row.processed_entry === null ? null : entryId(row.processed_entry),
        created_at: row.created_at.toISOString(),
      }),
    }),
  ]
}
