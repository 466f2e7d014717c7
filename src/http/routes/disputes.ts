/** GET /v1/disputes: contested payments, what is held back for them, and how they ended. */
import { z } from 'zod'
import { minorToJson } from '../../base/money.ts'
import { GATEWAY_NAMES } from '../../gateways/fact.ts'
import { DISPUTE_STATES, type Dispute } from '../../payments/disputes.ts'
import { currencyCode, idText, instant, minorUnits } from '../answers.ts'
import { gatewayList } from '../gateway-list.ts'
import type { Operation } from '../operation.ts'

const dispute = z
  .strictObject({
    id: idText('dsp'),
    gateway: z.enum(GATEWAY_NAMES),
    account: z.string(),
    gateway_dispute_id: z.string(),
    gateway_payment_id: z.string(),
    payment: idText('pmt').nullable(),
    state: z.enum(DISPUTE_STATES),
    amount: minorUnits,
    currency: currencyCode,
    phase: z.string().nullable().meta({ description: 'In the gateway’s words.' }),
    reason: z.string().nullable(),
    respond_by: instant.nullable().meta({ description: 'Evidence is due by then.' }),
    held: minorUnits.meta({ description: 'What the gateway holds back for it now.' }),
    lost: minorUnits,
    fee: minorUnits.meta({ description: 'What the gateway charged for it, less what came back.' }),
    tax: minorUnits,
    began_at: instant,
    won_at: instant.nullable(),
    lost_at: instant.nullable(),
    created_at: instant,
  })
  .meta({ id: 'Dispute' })

type Row = Dispute & { payment_id: string | null; created_at: Date }

export function disputeOperations(): Operation[] {
  return [
    gatewayList<Row, typeof dispute>({
      id: 'listDisputes',
      path: '/disputes',
      summary: 'Contested payments, newest first',
      table: 'disputes',
      idColumn: 'dispute_id',
      prefix: 'dsp',
      states: DISPUTE_STATES,
      texts: ['gateway_dispute_id', 'gateway_payment_id'],
      ofPayment: true,
      view: dispute,
      viewOf: (row) => ({
        id: row.dispute_id,
        gateway: row.gateway,
        account: row.account,
        gateway_dispute_id: row.gateway_dispute_id,
        gateway_payment_id: row.gateway_payment_id,
        payment: row.payment_id,
        state: row.state,
        amount: minorToJson(row.amount),
        currency: row.currency,
        phase: row.phase,
        reason: row.reason,
        respond_by: row.respond_by?.toISOString() ?? null,
        held: minorToJson(row.held),
        lost: minorToJson(row.lost),
        fee: minorToJson(row.fee),
        tax: minorToJson(row.tax),
        began_at: row.began_at.toISOString(),
        won_at: row.won_at?.toISOString() ?? null,
        lost_at: row.lost_at?.toISOString() ?? null,
        created_at: row.created_at.toISOString(),
      }),
    }),
  ]
}
