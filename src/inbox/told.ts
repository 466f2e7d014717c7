/** Takes what a gateway told when it was asked into the inbox: it goes the way of webhooks. */
import { sha256 } from '../base/crypto.ts'
import type { Trx } from '../base/db.ts'
import { newId } from '../base/ids.ts'
import { traceContext } from '../base/tracing.ts'
import type { Told } from '../gateways/asked.ts'
import type { GatewayName } from '../gateways/fact.ts'
import { gateways } from '../gateways/registry.ts'
import { insertTold } from './store.ts'

/** How we heard of it: we asked about one thing, or read a list. */
export const TOLD = ['asked', 'polled'] as const

export type HowTold = (typeof TOLD)[number]

/**
 * Stores each as an event that waits to be processed, with the gateway's answer as its
 * confirmation; gives how many were new. What was stored with the same content before, whatever
 * became of it, is not stored again. The caller rings `process-inbox` after the commit.
 */
export async function storeTold(
  trx: Trx,
  account: { gateway: GatewayName; account: string },
  told: readonly Told[],
  how: HowTold,
): Promise<number> {
  const trace = traceContext()
  const rows = told.map(({ event, confirmation }) => ({
    eventId: newId('evt', event.receivedAt.getTime()),
    dedupeKey: contentOf(event.body, confirmation),
    contentType: event.contentType,
    body: event.body,
    receivedAt: event.receivedAt,
    needsConfirmation: gateways[account.gateway].needsConfirmation(event) !== null,
    confirmation,
  }))
  // In one order, so that two who store the same wait for each other but never both.
  rows.sort((one, other) => one.dedupeKey.compare(other.dedupeKey))
  return await insertTold(trx, { ...account, how, trace }, rows)
}

/** No gateway gave it an id: the same answer about the same thing is the same event. */
function contentOf(body: Buffer, confirmation: Told['confirmation']): Buffer {
  const evidence = confirmation === null ? '' : JSON.stringify(confirmation)
  return sha256(Buffer.concat([Buffer.from(`told\n${evidence}\n`), body]))
}
