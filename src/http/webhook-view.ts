/** Webhook subscriptions, messages and deliveries as the API takes and shows them. */
import { z } from 'zod'
import { reasonAgainst, type Reach } from '../notifications/address.ts'
import {
  DELIVERY_REASONS,
  DELIVERY_STATES,
  type Attempt,
  type Delivery,
} from '../notifications/deliveries.ts'
import type { Message } from '../notifications/messages.ts'
import { EVENT_TYPES } from '../notifications/outbox/events.ts'
import {
  DISABLED_BECAUSE,
  SUBSCRIPTION_STATES,
  type Subscription,
} from '../notifications/subscriptions.ts'
import { idText, instant } from './answers.ts'

const URL_LENGTH_MAX = 2048

/** A URL that webhooks may go to, as a browser would write it. */
export function receiverUrl(reach: Reach) {
  return (
    z
      .string()
      // A browser writes a slash behind a name alone.
      .max(URL_LENGTH_MAX - 1)
      .superRefine((text, context) => {
        const message = reasonAgainst(text, reach)
        if (message !== null) {
          context.addIssue({ code: 'custom', message })
        }
      })
      .transform((text) => (URL.canParse(text) ? new URL(text).href : text))
      .refine(
        (href) => href.length <= URL_LENGTH_MAX,
        `must have at most ${URL_LENGTH_MAX} letters`,
      )
      .meta({
        format: 'uri',
        pattern: reach.loopback ? '^https?://' : '^https://',
        examples: ['https://example.org/hooks/bahi'],
        description: 'https, a public address, port 443, 80 or one from 1024 on.',
      })
  )
}

export const eventTypes = z
  .array(z.enum(EVENT_TYPES))
  .min(1, 'must name at least one type')
  .max(EVENT_TYPES.length)
  .refine((types) => new Set(types).size === types.length, 'must name each type once')
  .meta({ uniqueItems: true })

const subscriptionFields = {
  id: idText('sub'),
  url: z.string(),
  description: z.string().nullable(),
  event_types: z.array(z.enum(EVENT_TYPES)),
  state: z.enum(SUBSCRIPTION_STATES),
  disabled_because: z.enum(DISABLED_BECAUSE).nullable().meta({
    description:
      'By a caller; because the receiver answered 410; after five days of nothing but failures.',
  }),
  disabled_at: instant.nullable(),
  failing_since: instant.nullable(),
  created_at: instant,
  signing_secrets: z
    .array(
      z.strictObject({ id: idText('whs'), created_at: instant, expires_at: instant.nullable() }),
    )
    .meta({ description: 'Those that sign now, the newest first.' }),
}

export const subscription = z.strictObject(subscriptionFields).meta({ id: 'WebhookSubscription' })

const secret = z.string().meta({ description: 'For the receiver; it is shown this once.' })

export const subscriptionWithSecret = z
  .strictObject({ ...subscriptionFields, secret })
  .meta({ id: 'WebhookSubscriptionWithSecret' })

export function subscriptionView(row: Subscription): z.input<typeof subscription> {
  return {
    id: row.subscription_id,
    url: row.url,
    description: row.description,
    event_types: row.event_types,
    state: row.state,
    disabled_because: row.disabled_because,
    disabled_at: row.disabled_at?.toISOString() ?? null,
    failing_since: row.failing_since?.toISOString() ?? null,
    created_at: row.created_at.toISOString(),
    signing_secrets: row.secret_ids.map((id, place) => ({
      id,
      created_at: (row.secrets_created_at[place] ?? row.created_at).toISOString(),
      expires_at: row.secrets_expire_at[place]?.toISOString() ?? null,
    })),
  }
}

export const message = z
  .strictObject({
    id: idText('msg', 'The header webhook-id of each of its deliveries.'),
    type: z.string(),
    subject: z.string().meta({ description: 'Of what it tells; with its type it is told once.' }),
    timestamp: instant,
    data: z.record(z.string(), z.unknown()),
    fanned_out_at: instant
      .nullable()
      .meta({ description: 'When its deliveries were written; null until then.' }),
  })
  .meta({ id: 'WebhookMessage' })

export function messageView(row: Message): z.input<typeof message> {
  return {
    id: row.message_id,
    type: row.type,
    subject: row.subject,
    timestamp: row.created_at.toISOString(),
    data: JSON.parse(row.data) as Record<string, unknown>,
    fanned_out_at: row.fanned_out_at?.toISOString() ?? null,
  }
}

const deliveryFields = {
  id: idText('dlv'),
  message: idText('msg'),
  type: z.string(),
  subscription: idText('sub'),
  reason: z.enum(DELIVERY_REASONS),
  state: z.enum(DELIVERY_STATES),
  attempts: z.int(),
  next_try_at: instant.nullable(),
  last_status: z.int().nullable(),
  last_error: z.string().nullable(),
  created_at: instant,
  ended_at: instant.nullable(),
}

export const delivery = z.strictObject(deliveryFields).meta({ id: 'WebhookDelivery' })

export const deliveryWithAttempts = z
  .strictObject({
    ...deliveryFields,
    log: z.array(
      z.strictObject({
        attempt: z.int(),
        outcome: z.enum(['delivered', 'failed', 'lost']).meta({
          description: 'lost: the worker ended in the middle; the receiver may have it.',
        }),
        status: z.int().nullable(),
        duration_ms: z.int().nullable(),
        error: z.string().nullable(),
        answer: z.string().nullable().meta({ description: 'Up to 4 KiB of what was answered.' }),
        ended_at: instant,
      }),
    ),
  })
  .meta({ id: 'WebhookDeliveryWithLog' })

export function deliveryView(row: Delivery): z.input<typeof delivery> {
  return {
    id: row.delivery_id,
    message: row.message_id,
    type: row.type,
    subscription: row.subscription_id,
    reason: row.reason,
    state: row.state,
    attempts: row.attempts,
    next_try_at: row.state === 'waiting' ? row.next_try_at.toISOString() : null,
    last_status: row.last_status,
    last_error: row.last_error,
    created_at: row.created_at.toISOString(),
    ended_at: row.ended_at?.toISOString() ?? null,
  }
}

export function deliveryLogView(
  row: Delivery,
  attempts: readonly Attempt[],
): z.input<typeof deliveryWithAttempts> {
  return {
    ...deliveryView(row),
    log: attempts.map(({ ended_at: endedAt, ...one }) => ({
      ...one,
      ended_at: endedAt.toISOString(),
    })),
  }
}
