/** GET /v1/gateway-payouts: payouts as the gateways tell of them, whoever asked for them. */
import { z } from 'zod'
import { minorToJson } from '../../base/money.ts'
import { GATEWAY_NAMES } from '../../gateways/fact.ts'
import { PAYOUT_STATES, type Payout } from '../../payments/payouts.ts'
import { currencyCode, idText, instant, minorUnits } from '../answers.ts'
import { entryId } from '../entry-view.ts'
import { gatewayList } from '../gateway-list.ts'
import type { Operation } from '../operation.ts'

const payout = z
  .strictObject({
    id: idText('pyt'),
    gateway: z.enum(GATEWAY_NAMES),
    account: z.string(),
    gateway_payout_id: z.string(),
    state: z.enum(PAYOUT_STATES),
    amount: minorUnits,
    currency: currencyCode,
    fee: minorUnits,
    tax: minorUnits,
    paid_for: z.string().meta({ description: 'The account that bears it.' }),
    reference: z.string().nullable(),
    utr: z.string().nullable(),
    failure_reason: z.string().nullable(),
    began_at: instant,
    processed_at: instant.nullable(),
    reversed_at: instant.nullable(),
    failed_at: instant.nullable(),
    journal_entries: z.array(idText('je')),
    created_at: instant,
  })
  .meta({ id: 'GatewayPayout' })

type Row = Payout & { created_at: Date }

export function gatewayPayoutOperations(): Operation[] {
  return [
    gatewayList<Row, typeof payout>({
      id: 'listGatewayPayouts',
      path: '/gateway-payouts',
      summary: 'Payouts as the gateways tell of them, newest first',
      table: 'gateway_payouts',
      idColumn: 'payout_id',
      prefix: 'pyt',
      states: PAYOUT_STATES,
      texts: ['gateway_payout_id', 'reference', 'utr'],
      ofPayment: false,
      view: payout,
      viewOf: (row) => ({
        id: row.payout_id,
        gateway: row.gateway,
        account: row.account,
        gateway_payout_id: row.gateway_payout_id,
        state: row.state,
        amount: minorToJson(row.amount),
        currency: row.currency,
        fee: minorToJson(row.fee),
        tax: minorToJson(row.tax),
        paid_for: row.paid_for,
        reference: row.reference,
        utr: row.utr,
        failure_reason: row.failure_reason,
        began_at: row.began_at.toISOString(),
        processed_at: row.processed_at?.toISOString() ?? null,
        reversed_at: row.reversed_at?.toISOString() ?? null,
        failed_at: row.failed_at?.toISOString() ?? null,
        journal_entries: [row.processed_entry, row.reversed_entry].flatMap((entryNo) =>
          entryNo === null ? [] : [entryId(entryNo)],
        ),
        created_at: row.created_at.toISOString(),
      }),
    }),
  ]
}
