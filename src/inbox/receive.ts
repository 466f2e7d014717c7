/** Takes a webhook in: verified, stored durably, deduplicated; only then may it be answered 200. */
import { sha256 } from '../base/crypto.ts'
import type { Database } from '../base/db.ts'
import { newId } from '../base/ids.ts'
import { Problem } from '../base/problem.ts'
import type { Bells } from '../base/queue.ts'
import { inSpan, traceContext } from '../base/tracing.ts'
import type { RawWebhook, VerifiedWebhook } from '../gateways/gateway.ts'
import { gateways } from '../gateways/registry.ts'
import { validSecrets, type Endpoint } from './endpoints.ts'
import { storeNew, storeRepeated, type NewEvent } from './store.ts'
import { laneOf } from './stored-event.ts'

export interface Receipt {
  duplicate: boolean
}

export interface Intake {
  /**
   * Stores the call. Throws `bad_signature` unless a secret valid at `now` signed it, and whatever
   * the database throws: then nothing is stored and the gateway has to try again.
   */
  receive(endpoint: Endpoint, webhook: RawWebhook, now: Date): Promise<Receipt>
}

interface Incoming extends NewEvent {
  stored(duplicate: boolean): void
  failed(error: unknown): void
}

/** How many calls share one insert at the most. */
const BATCH_MAX = 500
/** More calls than this do not wait for the database: they are told to come again. */
const WAITING_MAX = 5000

export function openIntake(db: Database, bells: Bells): Intake {
  let waiting: Incoming[] = []
  let isInserting = false
  let isGathering = false

  /** Who is new hears so at once, and need not wait until the others are counted. */
  const store = async (batch: readonly Incoming[]): Promise<void> => {
    const { fresh, repeated } = await storeNew(db, batch)
    for (const call of fresh) {
      call.stored(false)
      bells.ring(call.needsConfirmation ? 'confirm-payments' : 'process-inbox')
    }
    if (repeated.length > 0) {
      await storeRepeated(db, repeated)
      for (const call of repeated) {
        call.stored(true)
      }
    }
  }

  // While an insert runs, the calls that come in gather for the next one: larger ones, one at a
  // time, cost both sides less than two.
  const flush = (): void => {
    isGathering = false
    if (waiting.length > 0 && !isInserting) {
      const batch = waiting.slice(0, BATCH_MAX)
      waiting = waiting.slice(BATCH_MAX)
      isInserting = true
      const links = batch.map(({ trace }) => trace)
      inSpan('store webhooks', { parent: null, links }, async () => await store(batch))
        .catch((error: unknown) => {
          for (const call of batch) {
            call.failed(error)
          }
        })
        .finally(() => {
          isInserting = false
          flush()
        })
    }
  }

  return {
    async receive(endpoint, webhook, now) {
      if (waiting.length >= WAITING_MAX) {
        throw new Problem('unavailable', { detail: 'Too many calls wait.', retryAfter: 5 })
      }
      const event = verifiedEvent(endpoint, webhook, now)
      return await new Promise<Receipt>((resolve, reject) => {
        waiting.push({ ...event, stored: (duplicate) => resolve({ duplicate }), failed: reject })
        // Calls read from the sockets in the same turn of the loop share the insert.
        if (!isGathering) {
          isGathering = true
          setImmediate(flush)
        }
      })
    },
  }
}

/** Throws `bad_signature` unless a secret valid at `now` signed it. */
function verifiedEvent(endpoint: Endpoint, webhook: RawWebhook, now: Date): NewEvent {
  const { orgId, endpointId, gateway: name, account } = endpoint
  const gateway = gateways[name]
  const verified = gateway.verify(webhook, account, validSecrets(endpoint, now))
  const { secretId, gatewayEventId } = verified
  return {
    orgId,
    endpointId,
    gateway: name,
    account,
    secretId,
    contentType: webhook.contentType,
    needsConfirmation: gateway.needsConfirmation({ ...webhook, signedBy: secretId }) !== null,
    lane: laneOf(name, webhook.body),
    eventId: newId('evt', now.getTime()),
    gatewayEventId,
    dedupeKey: dedupeKeyOf(webhook, verified),
    body: webhook.body,
    receivedAt: now,
    trace: traceContext(),
  }
}

/**
 * Event id and body together: the id is in no signature, so that a replayed old body under the id
 * of a coming event must not make that event look like a duplicate.
 */
function dedupeKeyOf(webhook: RawWebhook, verified: VerifiedWebhook): Buffer {
  return sha256(Buffer.concat([Buffer.from(`${verified.gatewayEventId ?? ''}\n`), webhook.body]))
}
