/** Takes due deliveries in hand, each by one worker at a time, and notes what came of them. */
import type { Database, Trx } from '../base/db.ts'
import { notePeople } from '../audit/append.ts'
import type { Candidate, Due } from './places.ts'
import { PLACES_OF_SUBSCRIPTION } from './places.ts'
import { ATTEMPTS_MAX } from './schedule.ts'
import { noteFailure, noteSuccess } from './subscriptions.ts'

/** A delivery in hand, with all that sending takes. */
export interface Claimed extends Due {
  /** Which attempt this is; who lost the claim has another number. */
  attempt: number
  message_id: string
  type: string
  data: string
  created_at: Date
  url: string
  secret_ids: string[]
  secrets_sealed: Buffer[]
}

/** A claim ends after this time, which is longer than any attempt: its worker is dead then. */
export const CLAIM_MS = 60_000

const CANDIDATES_MAX = 200
const NAMES = 'd.org_id as "orgId", d.delivery_id as "deliveryId"'

/**
 * What is due, of receivers that do not fail first, then by time; of each subscription no more than
 * it has places. `inHand` are the deliveries of this process.
 */
export async function lookForDue(db: Database, inHand: readonly Due[]): Promise<Candidate[]> {
  return await db.statement<Candidate>(
    `select ${NAMES}, s.subscription_id as "subscriptionId",
            s.failing_since is not null as "isFailing", b.elsewhere
       from webhook_subscriptions s
      cross join lateral (
        select org_id, delivery_id, next_try_at from webhook_deliveries
         where org_id = s.org_id and subscription_id = s.subscription_id
           and state in ('waiting', 'sending') and next_try_at <= now()
         order by next_try_at, delivery_id limit $2
      ) d
      cross join lateral (
        select count(*)::integer as elsewhere from webhook_deliveries
         where org_id = s.org_id and subscription_id = s.subscription_id
           and state = 'sending' and next_try_at > now() and delivery_id <> all($1)
      ) b
      where s.state = 'enabled'
      order by "isFailing", d.next_try_at, d.delivery_id limit $3`,
    [inHand.map((one) => one.deliveryId), PLACES_OF_SUBSCRIPTION, CANDIDATES_MAX],
  )
}

/**
 * Claims what was chosen, as far as nobody else has. An attempt whose worker died is noted as lost:
 * the receiver may have it, and gets it again under the same id.
 */
export async function claim(db: Database, chosen: readonly Candidate[]): Promise<Claimed[]> {
  if (chosen.length === 0) {
    return []
  }
  const rows = await db.statement<Omit<Claimed, 'isFailing'>>(
    `with due as (
       select d.org_id, d.delivery_id, d.state = 'sending' as was_lost,
              d.state = 'sending' and d.attempts >= $4 as is_over
         from unnest($1::integer[], $2::text[]) as n (org_id, delivery_id)
         join webhook_deliveries d on d.org_id = n.org_id and d.delivery_id = n.delivery_id
        where d.state in ('waiting', 'sending') and d.next_try_at <= now()
        order by d.org_id, d.delivery_id
        for update of d skip locked
     ), mine as (
       update webhook_deliveries d
          set state = case when due.is_over then 'dead' else 'sending' end,
              ended_at = case when due.is_over then now() end,
              attempts = d.attempts + case when due.is_over then 0 else 1 end,
              next_try_at = now() + $3 * interval '1 millisecond'
         from due where d.org_id = due.org_id and d.delivery_id = due.delivery_id
       returning d.*, due.was_lost, due.is_over
     ), lost as (
       insert into webhook_attempts (org_id, delivery_id, attempt, outcome, error)
       select org_id, delivery_id, attempts - case when is_over then 0 else 1 end, 'lost',
              'its worker ended; the receiver may have it'
         from mine where was_lost
       on conflict do nothing
     )
     select ${NAMES}, d.subscription_id as "subscriptionId", d.attempts as attempt, d.message_id,
            m.type, m.data, m.created_at, s.url, k.secret_ids, k.secrets_sealed
       from mine d
       join webhook_messages m on m.org_id = d.org_id and m.message_id = d.message_id
       join webhook_subscriptions s
         on s.org_id = d.org_id and s.subscription_id = d.subscription_id
      cross join lateral (
        select array_agg(secret_id order by expires_at desc nulls first) as secret_ids,
               array_agg(secret_sealed order by expires_at desc nulls first) as secrets_sealed
          from webhook_signing_secrets
         where org_id = d.org_id and subscription_id = d.subscription_id
           and (expires_at is null or expires_at > now())
      ) k
      where d.state = 'sending'`,
    [chosen.map((one) => one.orgId), chosen.map((one) => one.deliveryId), CLAIM_MS, ATTEMPTS_MAX],
  )
  const failing = new Set(chosen.filter((one) => one.isFailing).map((one) => one.deliveryId))
  return rows.map((row) => ({ ...row, isFailing: failing.has(row.deliveryId) }))
}

/** What came of an attempt. */
export interface Result {
  outcome: 'delivered' | 'failed'
  status: number | null
  durationMs: number | null
  error: string | null
  answer: string | null
  /** Until the next attempt; null where there is none. */
  pauseMs: number | null
  /** The receiver said that it is gone for good. */
  isGone: boolean
  /** It failed on our side, which says nothing about the receiver. */
  isOurs: boolean
}

/**
 * Notes an attempt; gives why the subscription was disabled where that came of it. A worker that
 * lost its claim may still tell that it delivered, but not that there is more to do.
 */
export async function recordResult(
  db: Database,
  one: Claimed,
  result: Result,
): Promise<'gone' | 'failures' | null> {
  return await db.transact(
    one.orgId,
    async (trx) => {
      await noteAttempt(trx, one, result)
      if (result.outcome === 'delivered') {
        await noteSuccess(trx, one.subscriptionId)
        return null
      }
      return result.isOurs ? null : await noteFailed(trx, one, result)
    },
    { isolation: 'read committed' },
  )
}

async function noteAttempt(trx: Trx, one: Claimed, result: Result): Promise<void> {
  const state =
    result.outcome === 'delivered' ? 'delivered' : result.pauseMs === null ? 'dead' : 'waiting'
  await trx.query(
    `insert into webhook_attempts (org_id, delivery_id, attempt, outcome, status, duration_ms,
       error, answer)
     values ($1, $2, $3, $4, $5, $6, $7, $8)
     on conflict do nothing`,
    [
      trx.scope,
      one.deliveryId,
      one.attempt,
      result.outcome,
      result.status,
      result.durationMs,
      result.error,
      result.answer,
    ],
  )
  await trx.query(
    `update webhook_deliveries
        set state = $3, last_status = $4, last_error = $5,
            ended_at = case when $3 in ('delivered', 'dead') then now() end,
            next_try_at = now() + $6 * interval '1 millisecond'
      where org_id = $1 and delivery_id = $2 and state <> 'delivered'
        and ($3 = 'delivered' or (state = 'sending' and attempts = $7))`,
    [
      trx.scope,
      one.deliveryId,
      state,
      result.status,
      result.error,
      result.pauseMs ?? 0,
      one.attempt,
    ],
  )
}

async function noteFailed(
  trx: Trx,
  one: Claimed,
  { isGone }: Result,
): Promise<'gone' | 'failures' | null> {
  const { subscriptionId, url } = one
  const disabled = await noteFailure(trx, { subscriptionId, url, isGone })
  if (disabled !== null) {
    await notePeople(trx, {
      actor: 'job:deliver-webhooks',
      operation: 'deliver-webhooks',
      requestId: null,
      ip: null,
      userAgent: null,
      target: `/v1/webhook-subscriptions/${subscriptionId}`,
      before: { state: 'enabled' },
      after: { state: 'disabled', disabled_because: disabled },
      reason: null,
    })
  }
  return disabled
}
