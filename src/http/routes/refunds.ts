/** GET /v1/refunds: what gateways gave back, or are about to. */
import { REFUND_STATES } from '../../payments/refunds.ts'
import { gatewayList } from '../gateway-list.ts'
import type { Operation } from '../operation.ts'
import { refund, refundView, type RefundRow } from '../refund-view.ts'

export function refundOperations(): Operation[] {
  return [
    gatewayList<RefundRow, typeof refund>({
      id: 'listRefunds',
      path: '/refunds',
      summary: 'What gateways gave back to payers, newest first',
      table: 'refunds',
      idColumn: 'refund_id',
      prefix: 'rfd',
      states: REFUND_STATES,
      texts: ['gateway_refund_id', 'gateway_payment_id'],
      ofPayment: true,
      view: refund,
      viewOf: refundView,
    }),
  ]
}
