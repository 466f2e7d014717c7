/** A service that tells receivers on this machine what happens, and how tests look at it. */
import { openLog } from '../../src/base/log.ts'
import { deliverWebhooks, type DeliveryParts } from '../../src/notifications/deliver.ts'
import { announce } from '../../src/notifications/outbox/announce.ts'
import type { Event, EventType } from '../../src/notifications/outbox/events.ts'
import { createSubscription } from '../../src/notifications/subscriptions.ts'
import { createOrganisation } from '../../db/seeds/organisation.ts'
import { asOwner } from '../../scripts/stack.ts'
import { testOrganisation } from '../support/organisation.ts'
import { GATEWAYS_URL, startTestService, type TestService } from '../support/service.ts'

export interface Subscribed {
  id: string
  secret: string
}

/** A service with organisations 1 and 2 that may send to this machine. */
export async function startOutbound(): Promise<TestService> {
  const service = await startTestService({ env: { WEBHOOKS_ALLOW_PRIVATE: 'true' } })
  await asOwner(service.database.ownerUrl, async (client) => {
    const other = testOrganisation(GATEWAYS_URL, { orgId: 2, slug: 'other' })
    await createOrganisation(client, service.config.dataKeys, other)
  })
  return service
}

/** What tests need of a worker, with a shorter patience. */
export function deliveryParts(
  service: TestService,
  more: Partial<DeliveryParts> = {},
): DeliveryParts {
  return {
    db: service.parts.db,
    keyring: service.parts.keyring,
    log: openLog('silent', 'test'),
    reach: { loopback: true },
    shouldStop: () => false,
    timeoutMs: 1000,
    ...more,
  }
}

export async function deliver(
  service: TestService,
  more: Partial<DeliveryParts> = {},
): Promise<number> {
  return await deliverWebhooks(deliveryParts(service, more))
}

export async function subscribe(
  service: TestService,
  url: string,
  types: readonly EventType[] = ['receipt.emailed'],
  orgId = 1,
): Promise<Subscribed> {
  return await service.parts.db.transact(orgId, async (trx) => {
    const fields = { url, description: null, eventTypes: types }
    const made = await createSubscription(trx, service.parts.keyring, fields)
    return { id: made.subscriptionId, secret: made.secret }
  })
}

let told = 0

/** An event that nothing else depends on. */
export function emailed(): Event {
  told += 1
  const receipt = `rcp_${String(told).padStart(26, '0')}`
  const donation = `don_${String(told).padStart(26, '0')}`
  return { type: 'receipt.emailed', subject: receipt, data: { receipt, donation } }
}

/** Tells of events as the code that lets them happen does. */
export async function tell(
  service: TestService,
  events: readonly Event[],
  orgId = 1,
): Promise<void> {
  await service.parts.db.transact(orgId, async (trx) => await announce(trx, events))
}

export interface DeliveryRow {
  delivery_id: string
  message_id: string
  subscription_id: string
  reason: string
  state: string
  attempts: number
  last_status: number | null
  last_error: string | null
  /** Seconds until the next try. */
  due_in: number
}

/** The deliveries to a subscription, oldest first. */
export async function deliveriesTo(service: TestService, id: string): Promise<DeliveryRow[]> {
  return await service.rows<DeliveryRow>(
    `select delivery_id, message_id, subscription_id, reason, state, attempts, last_status,
            last_error, extract(epoch from next_try_at - now())::float8 as due_in
       from webhook_deliveries where subscription_id = $1 order by created_at, delivery_id`,
    [id],
  )
}

/** What stands in the row of a subscription. */
export async function subscriptionRow(
  service: TestService,
  id: string,
): Promise<{ state: string; disabled_because: string | null; failing_since: Date | null }> {
  const [row] = await service.rows<{
    state: string
    disabled_because: string | null
    failing_since: Date | null
  }>(
    `select state, disabled_because, failing_since
       from webhook_subscriptions where subscription_id = $1`,
    [id],
  )
  if (row === undefined) {
    throw new Error(`no subscription ${id}`)
  }
  return row
}

/** Lets the time of the next attempts come. */
export async function makeDue(service: TestService, id: string): Promise<void> {
  await service.rows(
    `update webhook_deliveries set next_try_at = now() - interval '1 second'
      where subscription_id = $1 and state in ('waiting', 'sending')`,
    [id],
  )
}
