/** Subscriptions: where an organisation's own systems are told, of what, and signed with what. */
import { seal, type Keyring } from '../base/crypto.ts'
import type { Trx } from '../base/db.ts'
import { newId } from '../base/ids.ts'
import { Problem } from '../base/problem.ts'
import type { EventType } from './outbox/events.ts'
import { newSecret } from './sign.ts'

export const SUBSCRIPTION_STATES = ['enabled', 'disabled'] as const
export const DISABLED_BECAUSE = ['caller', 'gone', 'failures'] as const

export type SubscriptionState = (typeof SUBSCRIPTION_STATES)[number]

export interface SubscriptionFields {
  url: string
  description: string | null
  eventTypes: readonly EventType[]
}

export interface Subscription {
  subscription_id: string
  url: string
  description: string | null
  event_types: EventType[]
  state: SubscriptionState
  disabled_because: (typeof DISABLED_BECAUSE)[number] | null
  disabled_at: Date | null
  failing_since: Date | null
  created_at: Date
  /** Those that sign now, the newest first; only the newest has no end. */
  secret_ids: string[]
  secrets_created_at: Date[]
  secrets_expire_at: (Date | null)[]
}

/** In any state: they are never removed. */
const SUBSCRIPTIONS_MAX = 100
/** Each signs, and the header has to fit. */
const SECRETS_MAX = 5

const SELECT = `
  select s.subscription_id, s.url, s.description, s.event_types, s.state, s.disabled_because,
         s.disabled_at, s.failing_since, s.created_at,
         k.secret_ids, k.secrets_created_at, k.secrets_expire_at
    from webhook_subscriptions s
   cross join lateral (
     select array_agg(secret_id order by expires_at desc nulls first) as secret_ids,
            array_agg(created_at order by expires_at desc nulls first) as secrets_created_at,
            array_agg(expires_at order by expires_at desc nulls first) as secrets_expire_at
       from webhook_signing_secrets
      where org_id = s.org_id and subscription_id = s.subscription_id
        and (expires_at is null or expires_at > now())
   ) k`

/** The subscription. Throws `not_found`. */
export async function findSubscription(trx: Trx, id: string): Promise<Subscription> {
  const [row] = await trx.query<Subscription>(
    `${SELECT} where s.org_id = $1 and s.subscription_id = $2`,
    [trx.scope, id],
  )
  if (row === undefined) {
    throw new Problem('not_found', { detail: 'There is no such webhook subscription.' })
  }
  return row
}

/** By id, newest first. */
export async function listSubscriptions(
  trx: Trx,
  page: { limit: number; before: string | null; state: SubscriptionState | null },
): Promise<Subscription[]> {
  return await trx.query<Subscription>(
    `${SELECT}
      where s.org_id = $1 and ($2::text is null or s.subscription_id < $2)
        and ($3::text is null or s.state = $3)
      order by s.subscription_id desc limit $4`,
    [trx.scope, page.before, page.state, page.limit],
  )
}

/**
 * A new subscription, enabled; gives its secret, which is told this once. Needs a SERIALIZABLE
 * transaction. Throws `webhook_limit` where the organisation has a hundred.
 */
export async function createSubscription(
  trx: Trx,
  keyring: Keyring,
  fields: SubscriptionFields,
): Promise<{ subscriptionId: string; secret: string }> {
  const [row] = await trx.query<{ count: number }>(
    'select count(*)::integer as count from webhook_subscriptions where org_id = $1',
    [trx.scope],
  )
  if ((row?.count ?? 0) >= SUBSCRIPTIONS_MAX) {
    const detail = `There are ${SUBSCRIPTIONS_MAX} subscriptions; change one that is disabled.`
    throw new Problem('webhook_limit', { detail })
  }
  const subscriptionId = newId('sub')
  await trx.query(
    `insert into webhook_subscriptions (org_id, subscription_id, url, description, event_types)
     values ($1, $2, $3, $4, $5)`,
    [trx.scope, subscriptionId, fields.url, fields.description, fields.eventTypes],
  )
  return { subscriptionId, secret: await addSecret(trx, keyring, subscriptionId) }
}

/** What is changed; what is not given stays. Enabling begins anew to count failures. */
export async function changeSubscription(
  trx: Trx,
  id: string,
  changes: {
    [Field in keyof SubscriptionFields]?: SubscriptionFields[Field] | undefined
  } & { state?: SubscriptionState | undefined },
): Promise<void> {
  await trx.query(
    `update webhook_subscriptions
        set url = coalesce($3, url),
            description = case when $4 then $5 else description end,
            event_types = coalesce($6, event_types),
            state = coalesce($7, state),
            disabled_because = case when $7 = 'enabled' then null
                                    when $7 = 'disabled' then coalesce(disabled_because, 'caller')
                                    else disabled_because end,
            disabled_at = case when $7 = 'enabled' then null
                               when $7 = 'disabled' then coalesce(disabled_at, now())
                               else disabled_at end,
            failing_since = case when $7 = 'enabled' then null else failing_since end
      where org_id = $1 and subscription_id = $2`,
    [
      trx.scope,
      id,
      changes.url ?? null,
      changes.description !== undefined,
      changes.description ?? null,
      changes.eventTypes ?? null,
      changes.state ?? null,
    ],
  )
}

/**
 * A new secret, which is told this once. Older ones go on signing beside it for so many hours at
 * most; 0 ends them now. Throws `webhook_limit` where five would sign.
 */
export async function rotateSecret(
  trx: Trx,
  keyring: Keyring,
  id: string,
  keepHours: number,
): Promise<string> {
  await trx.query(
    `update webhook_signing_secrets
        set expires_at = least(expires_at,
              -- Cut off, because rounding would let a secret live on that ends now.
              date_trunc('milliseconds', now()) + make_interval(hours => $3))
      where org_id = $1 and subscription_id = $2 and (expires_at is null or expires_at > now())`,
    [trx.scope, id, keepHours],
  )
  const [row] = await trx.query<{ valid: number }>(
    `select count(*)::integer as valid from webhook_signing_secrets
      where org_id = $1 and subscription_id = $2 and expires_at > now()`,
    [trx.scope, id],
  )
  if ((row?.valid ?? 0) >= SECRETS_MAX) {
    const detail = `${SECRETS_MAX} secrets sign; wait for one to expire, or keep none of them.`
    throw new Problem('webhook_limit', { detail })
  }
  return await addSecret(trx, keyring, id)
}

async function addSecret(trx: Trx, keyring: Keyring, subscriptionId: string): Promise<string> {
  const secret = newSecret()
  const secretId = newId('whs')
  await trx.query(
    `insert into webhook_signing_secrets (org_id, secret_id, subscription_id, secret_sealed)
     values ($1, $2, $3, $4)`,
    [trx.scope, secretId, subscriptionId, seal(keyring, secret, secretId)],
  )
  return secret
}

/** Notes that an attempt succeeded: the failures before it count no more. */
export async function noteSuccess(trx: Trx, id: string): Promise<void> {
  await trx.query(
    `update webhook_subscriptions set failing_since = null
      where org_id = $1 and subscription_id = $2 and failing_since is not null`,
    [trx.scope, id],
  )
}

/** Failures that lie further apart than retries do are no five days of nothing else. */
const GAP_DAYS = 2
const FAILING_DAYS_MAX = 5

/**
 * Notes that an attempt at that URL failed. Disables the subscription where the receiver said that
 * it is gone, or where nothing but failures came of it for five days; gives why where it did.
 */
export async function noteFailure(
  trx: Trx,
  failed: { subscriptionId: string; url: string; isGone: boolean },
): Promise<'gone' | 'failures' | null> {
  const where = [trx.scope, failed.subscriptionId, failed.url]
  const [row] = await trx.query<{ is_over: boolean }>(
    `update webhook_subscriptions
        set failing_since = case
              when last_failed_at > now() - make_interval(days => $4)
                then coalesce(failing_since, now())
              else now() end,
            -- Its time is that of its transaction's begin, and others may have overtaken it.
            last_failed_at = greatest(last_failed_at, now())
      where org_id = $1 and subscription_id = $2 and url = $3 and state = 'enabled'
      returning failing_since <= now() - make_interval(days => $5) as is_over`,
    [...where, GAP_DAYS, FAILING_DAYS_MAX],
  )
  if (row === undefined || (!failed.isGone && !row.is_over)) {
    return null
  }
  const because = failed.isGone ? 'gone' : 'failures'
  await trx.query(
    `update webhook_subscriptions
        set state = 'disabled', disabled_because = $4, disabled_at = now()
      where org_id = $1 and subscription_id = $2 and url = $3`,
    [...where, because],
  )
  return because
}
