/** GET /v1/gateway-downtimes: which ways to pay are disturbed, or were. */
import { z } from 'zod'
import { GATEWAY_NAMES } from '../../gateways/fact.ts'
import { DOWNTIME_STATES, type Downtime } from '../../payments/downtimes.ts'
import { idText, instant } from '../answers.ts'
import { gatewayList } from '../gateway-list.ts'
import type { Operation } from '../operation.ts'

const downtime = z
  .strictObject({
    id: idText('dwn'),
    gateway: z.enum(GATEWAY_NAMES),
    gateway_downtime_id: z.string(),
    method: z.string(),
    instrument: z.string().nullable().meta({ description: 'A bank, network or handle.' }),
    severity: z.string().nullable().meta({ description: 'In the gateway’s words.' }),
    state: z.enum(DOWNTIME_STATES),
    began_at: instant,
    ended_at: instant.nullable(),
    told_at: instant.meta({ description: 'When the gateway told of it last.' }),
    created_at: instant,
  })
  .meta({ id: 'GatewayDowntime' })

type Row = Downtime & { created_at: Date }

export function gatewayDowntimeOperations(): Operation[] {
  return [
    gatewayList<Row, typeof downtime>({
      id: 'listGatewayDowntimes',
      path: '/gateway-downtimes',
      summary: 'Disturbed ways to pay, newest first',
      table: 'gateway_downtimes',
      idColumn: 'downtime_id',
      prefix: 'dwn',
      states: DOWNTIME_STATES,
      texts: ['method'],
      ofPayment: false,
      view: downtime,
      viewOf: (row) => ({
        id: row.downtime_id,
        gateway: row.gateway,
        gateway_downtime_id: row.gateway_downtime_id,
        method: row.method,
        instrument: row.instrument,
        severity: row.severity,
        state: row.state,
        began_at: row.began_at.toISOString(),
        ended_at: row.ended_at?.toISOString() ?? null,
        told_at: row.told_at.toISOString(),
        created_at: row.created_at.toISOString(),
      }),
    }),
  ]
}
