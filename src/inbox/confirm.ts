/** Asks the gateway about payments whose webhook is signed too weakly to be believed by itself. */
import type { Keyring } from '../base/crypto.ts'
import type { Database } from '../base/db.ts'
import { messageOf } from '../base/problem.ts'
import { loadGatewayAccount } from '../donations/gateway-account.ts'
import type { GatewayName } from '../gateways/fact.ts'
import type { Confirmation } from '../gateways/gateway.ts'
import { gateways } from '../gateways/registry.ts'
import { noteFailures, type Failure } from './failures.ts'

export interface ConfirmOptions {
  keyring: Keyring
  timeoutMs: number
}

interface Unconfirmed {
  event_id: string
  gateway: GatewayName
  content_type: string
  body: Buffer
  attempts: number
}

/** How many events are looked at in one go, and how many payments one call asks about. */
const EVENTS_MAX = 200
const PAYMENTS_PER_CALL = 20

/**
 * Asks about every due event that needs it and stores the answers beside the events; gives how many
 * were asked about. No transaction is open while the gateway answers.
 */
export async function confirmDue(
  db: Database,
  orgId: number,
  options: ConfirmOptions,
): Promise<number> {
  const events = await db.read(
    orgId,
    async (trx) =>
      await trx.query<Unconfirmed>(
        `select event_id, gateway, content_type, body, attempts
           from inbox_events
          where org_id = $1 and state = 'waiting' and next_try_at <= now()
            and needs_confirmation and confirmation is null
          order by next_try_at, event_id limit $2`,
        [trx.scope, EVENTS_MAX],
      ),
  )
  for (const [gateway, own] of Map.groupBy(events, (event) => event.gateway)) {
    for (let start = 0; start < own.length; start += PAYMENTS_PER_CALL) {
      await confirmSome(db, orgId, gateway, own.slice(start, start + PAYMENTS_PER_CALL), options)
    }
  }
  return events.length
}

async function confirmSome(
  db: Database,
  orgId: number,
  gateway: GatewayName,
  events: readonly Unconfirmed[],
  options: ConfirmOptions,
): Promise<void> {
  const asked = events.map((event) => ({ event, orderRef: orderRefOf(event) }))
  const answers = new Map<string, Confirmation>()
  let reason = 'the gateway gave no answer about this payment'
  try {
    const account = await db.read(
      orgId,
      async (trx) => await loadGatewayAccount(trx, options.keyring, gateway),
    )
    const orderRefs = [...new Set(asked.map(({ orderRef }) => orderRef))]
    const signal = AbortSignal.timeout(options.timeoutMs)
    for (const [ref, answer] of await gateways[gateway].confirm(account, orderRefs, { signal })) {
      answers.set(ref, answer)
    }
  } catch (error) {
    reason = messageOf(error)
  }
  const answered = asked.flatMap(({ event, orderRef }) => {
    const answer = answers.get(orderRef)
    return answer === undefined ? [] : [{ event, answer }]
  })
  const failures = asked
    .filter(({ orderRef }) => !answers.has(orderRef))
    .map(({ event }): Failure => ({ event, reason, final: false }))
  await db.transact(
    orgId,
    async (trx) => {
      await trx.query(
        `update inbox_events e
            set confirmation = n.answer, confirmed_at = now()
           from unnest($2::text[], $3::jsonb[]) as n (event_id, answer)
          where e.org_id = $1 and e.event_id = n.event_id and e.state = 'waiting'`,
        [
          trx.scope,
          answered.map(({ event }) => event.event_id),
          answered.map(({ answer }) => JSON.stringify(answer)),
        ],
      )
      await noteFailures(trx, failures)
    },
    { queue: 'journal' },
  )
}

function orderRefOf(event: Unconfirmed): string {
  const request = gateways[event.gateway].needsConfirmation({
    body: event.body,
    contentType: event.content_type,
    headers: {},
  })
  if (request === null) {
    throw new Error(`event ${event.event_id} was stored as one to confirm, and is none`)
  }
  return request.orderRef
}
