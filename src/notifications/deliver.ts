/** Delivers webhooks: ten at a time, each at least once, in no order that is promised. */
import { setTimeout as delay } from 'node:timers/promises'
import { unseal, type Keyring } from '../base/crypto.ts'
import { isConnectionError } from '../base/database-error.ts'
import type { Database } from '../base/db.ts'
import type { Log } from '../base/log.ts'
import { webhookDeliveries, webhookDeliverySeconds } from '../base/metrics.ts'
import type { Reach } from './address.ts'
import { claim, CLAIM_MS, lookForDue, recordResult, type Claimed, type Result } from './claims.ts'
import { fanOut } from './deliveries.ts'
import { payloadOf } from './outbox/events.ts'
import { choose } from './places.ts'
import { pauseAfter, retryAfterOf } from './schedule.ts'
import { resolveName, sendWebhook, type Answered, type Resolve } from './send.ts'
import { signatureHeaders } from './sign.ts'

export interface DeliveryParts {
  db: Database
  keyring: Keyring
  log: Log
  reach: Reach
  /** True from the moment the worker was asked to end. */
  shouldStop(): boolean
  /** Tests have their own. */
  resolve?: Resolve
  timeoutMs?: number
}

const TIMEOUT_MS = 10_000
/** How often new work is looked for while all that is in hand waits for slow receivers. */
const LOOK_MS = 500
const LOOKS_MAX = 5
const GONE = 410

/**
 * Sends what is due until nothing is, of all organisations; gives how many attempts it made. Safe
 * to run beside itself in any number of processes. What a process that dies has in hand is sent
 * again a minute later, with the same webhook-id.
 */
export async function deliverWebhooks(parts: DeliveryParts): Promise<number> {
  const inHand = new Map<Claimed, Promise<void>>()
  let made = 0
  try {
    for (;;) {
      const held = [...inHand.keys()]
      const claimed = parts.shouldStop() ? [] : await take(parts, held)
      for (const one of claimed) {
        made += 1
        inHand.set(
          one,
          deliver(parts, one).finally(() => inHand.delete(one)),
        )
      }
      if (inHand.size > 0) {
        await Promise.race([...inHand.values(), delay(LOOK_MS, undefined, { ref: false })])
      } else if (held.length === 0) {
        // What was in hand while it looked took places: only with none it knows that all is done.
        return made
      }
    }
  } finally {
    await Promise.all(inHand.values())
  }
}

async function take(parts: DeliveryParts, inHand: readonly Claimed[]): Promise<Claimed[]> {
  await fanOut(parts.db)
  for (let look = 1; ; look += 1) {
    const chosen = choose(await lookForDue(parts.db, inHand), inHand)
    const claimed = await claim(parts.db, chosen)
    // Where another worker was quicker with all of them, there may be more.
    if (claimed.length > 0 || chosen.length === 0 || look === LOOKS_MAX) {
      return claimed
    }
  }
}

/** Never throws: what cannot be recorded is sent again when the claim is over. */
async function deliver(parts: DeliveryParts, one: Claimed): Promise<void> {
  const { deliveryId, orgId } = one
  try {
    const result = await attempt(parts, one)
    const disabled = await recordSurely(parts, one, result)
    webhookDeliveries.inc({ outcome: outcomeOf(result) })
    if (disabled !== null) {
      webhookDeliveries.inc({ outcome: 'disabled' })
      const { subscriptionId } = one
      parts.log.warn({ orgId, subscriptionId, because: disabled }, 'webhooks were disabled')
    }
  } catch (error) {
    parts.log.error({ err: error, orgId, deliveryId }, 'a webhook attempt was not recorded')
  }
}

function outcomeOf({ outcome, pauseMs }: Result): 'delivered' | 'failed' | 'dead' {
  return outcome === 'failed' && pauseMs === null ? 'dead' : outcome
}

async function attempt(parts: DeliveryParts, one: Claimed): Promise<Result> {
  const now = new Date()
  const payload = payloadOf(one)
  let signature: Record<string, string>
  try {
    signature = signatureHeaders(
      { messageId: one.message_id, timestamp: Math.floor(now.getTime() / 1000), payload },
      secretsOf(one, parts.keyring),
    )
  } catch (error) {
    parts.log.error({ err: error, deliveryId: one.deliveryId }, 'a webhook could not be signed')
    return failure(one, { error: 'it could not be signed; this is a fault on our side' })
  }
  const answered = await sendWebhook({
    url: one.url,
    headers: {
      ...signature,
      'content-type': 'application/json',
      'user-agent': 'Bahi-Webhooks/1',
    },
    payload,
    timeoutMs: parts.timeoutMs ?? TIMEOUT_MS,
    reach: parts.reach,
    resolve: parts.resolve ?? resolveName,
  })
  webhookDeliverySeconds.observe(answered.durationMs / 1000)
  return resultOf(one, answered, now)
}

function secretsOf(one: Claimed, keyring: Keyring): string[] {
  return one.secret_ids.map((id, place) =>
    unseal(keyring, one.secrets_sealed[place] ?? Buffer.of(), id).toString(),
  )
}

function resultOf(one: Claimed, answered: Answered, now: Date): Result {
  const { status, durationMs, answer } = answered
  if (status !== null && status >= 200 && status < 300) {
    return {
      outcome: 'delivered',
      status,
      durationMs,
      error: null,
      answer,
      pauseMs: null,
      isGone: false,
      isOurs: false,
    }
  }
  const isGone = status === GONE
  const asked = retryAfterOf(answered.retryAfter, now)
  const pauseMs = isGone ? null : pauseAfter(one.attempt, asked, Math.random())
  const error = answered.error ?? wordsFor(status)
  return { ...failure(one, { error }), status, durationMs, answer, pauseMs, isGone, isOurs: false }
}

function failure(one: Claimed, { error }: { error: string }): Result {
  return {
    outcome: 'failed',
    status: null,
    durationMs: null,
    error,
    answer: null,
    pauseMs: pauseAfter(one.attempt, null, Math.random()),
    isGone: false,
    isOurs: true,
  }
}

function wordsFor(status: number | null): string {
  const isElsewhere = status !== null && status >= 300 && status < 400
  return `answered ${status}${isElsewhere ? '; redirects are not followed' : ''}`
}

/** That it was delivered is worth several tries to record: forgetting it sends it again. */
async function recordSurely(
  parts: DeliveryParts,
  one: Claimed,
  result: Result,
): Promise<'gone' | 'failures' | null> {
  const deadline = Date.now() + CLAIM_MS / 2
  for (let pause = 100; ; pause *= 2) {
    try {
      return await recordResult(parts.db, one, result)
    } catch (error) {
      if (!isConnectionError(error) || Date.now() > deadline) {
        throw error
      }
      parts.log.warn({ err: error, deliveryId: one.deliveryId }, 'result not yet recorded')
      await delay(pause)
    }
  }
}
