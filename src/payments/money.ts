/** Facts in the words of the ledger's rules. */
import { indianDate } from '../base/clock.ts'
import type { GatewayMoney } from '../ledger/core/gateway-rules.ts'

/** Who posts what gateways tell. */
export const ACTOR = 'job:process-inbox'

/** The money of a fact, booked on its day in India; `ref` is the gateway's id of what happened. */
export function moneyAt(
  fact: {
    key: string
    gateway: string
    amount: bigint
    currency: string
    occurredAt: Date
  },
  ref: string,
): GatewayMoney {
  const { key: factKey, gateway, amount, currency } = fact
  return { gateway, ref, amount, currency, on: indianDate(fact.occurredAt), factKey, actor: ACTOR }
}
