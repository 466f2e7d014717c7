/** Takes in what a gateway told when it was asked, or in its lists: like webhooks, marked as told. */
import { sha256 } from '../base/crypto.ts'
import type { Trx } from '../base/db.ts'
import { newId } from '../base/ids.ts'
import { traceContext } from '../base/tracing.ts'
import type { Told } from '../gateways/asked.ts'
import type { GatewayName } from '../gateways/fact.ts'
import { gateways } from '../gateways/registry.ts'
import { insertTold } from './receive.ts'

/** Whose event it is in the table: no endpoint's. A gateway has one account an organisation. */
export function toldEndpoint(gateway: GatewayName): string {
  return `told_${gateway}`
}

/**
 * Stores what was told, to be processed as webhooks are; gives how many events are new. The same
 * answer again is a duplicate and stored once.
 */
export async function storeTold(
  trx: Trx,
  { gateway, account }: { gateway: GatewayName; account: string },
  told: readonly Told[],
  how: 'asked' | 'polled',
): Promise<number> {
  const now = new Date()
  const rows = told.map(({ event, confirmation }) => ({
    eventId: newId('evt', now.getTime()),
    dedupeKey: dedupeKeyOf(event.body, confirmation),
    contentType: event.contentType,
    body: event.body,
    needsConfirmation: gateways[gateway].needsConfirmation(event) !== null,
    confirmation,
  }))
  const endpointId = toldEndpoint(gateway)
  const trace = traceContext()
  return await insertTold(trx, { gateway, account, endpointId, how, trace, now }, rows)
}

/** The evidence says what changed where the event only names the thing (Stripe). */
function dedupeKeyOf(body: Buffer, confirmation: object | null): Buffer {
  return sha256(Buffer.concat([Buffer.from(`${JSON.stringify(confirmation)}\n`), body]))
}
