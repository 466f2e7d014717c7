/** GET /v1/settlements: what gateways sent to the bank. */
import { z } from 'zod'
import { minorToJson } from '../../base/money.ts'
import { GATEWAY_NAMES } from '../../gateways/fact.ts'
import { SETTLEMENT_STATES, type Settlement } from '../../payments/settlements.ts'
import { currencyCode, idText, instant, minorUnits } from '../answers.ts'
import { entryId } from '../entry-view.ts'
import { gatewayList } from '../gateway-list.ts'
import type { Operation } from '../operation.ts'

const settlement = z
  .strictObject({
    id: idText('stl'),
    gateway: z.enum(GATEWAY_NAMES),
    account: z.string(),
    gateway_settlement_id: z.string(),
    state: z.enum(SETTLEMENT_STATES),
    amount: minorUnits,
    currency: currencyCode,
    utr: z.string().nullable().meta({ description: 'By which the bank names it.' }),
    failure_reason: z.string().nullable(),
    began_at: instant,
    settled_at: instant.nullable(),
    returned_at: instant.nullable(),
    journal_entries: z.array(idText('je')),
    created_at: instant,
  })
  .meta({ id: 'Settlement' })

type Row = Settlement & { created_at: Date }

export function settlementOperations(): Operation[] {
  return [
    gatewayList<Row, typeof settlement>({
      id: 'listSettlements',
      path: '/settlements',
      summary: 'What gateways sent to the bank, newest first',
      table: 'settlements',
      idColumn: 'settlement_id',
      prefix: 'stl',
      states: SETTLEMENT_STATES,
      texts: ['gateway_settlement_id', 'utr'],
      ofPayment: false,
      view: settlement,
      viewOf: (row) => ({
        id: row.settlement_id,
        gateway: row.gateway,
        account: row.account,
        gateway_settlement_id: row.gateway_settlement_id,
        state: row.state,
        amount: minorToJson(row.amount),
        currency: row.currency,
        utr: row.utr,
        failure_reason: row.failure_reason,
        began_at: row.began_at.toISOString(),
        settled_at: row.settled_at?.toISOString() ?? null,
        returned_at: row.returned_at?.toISOString() ?? null,
        journal_entries: [row.settled_entry, row.returned_entry].flatMap((entryNo) =>
          entryNo === null ? [] : [entryId(entryNo)],
        ),
        created_at: row.created_at.toISOString(),
      }),
    }),
  ]
}
