/** /v1/webhook-subscriptions: who is told of what; secrets, a test, and telling of a time again. */
import { z } from 'zod'
import type { Parts } from '../../base/parts.ts'
import { REPLAYED_MAX, replayRange, sendTest } from '../../notifications/messages.ts'
import {
  changeSubscription,
  createSubscription,
  findSubscription,
  listSubscriptions,
  rotateSecret,
  SUBSCRIPTION_STATES,
} from '../../notifications/subscriptions.ts'
import { pageOf } from '../answers.ts'
import { idOfKind, limit } from '../input.ts'
import { line } from '../line.ts'
import { listOf } from '../list.ts'
import { operation, type Operation } from '../operation.ts'
import { ringAfter } from '../ring-after.ts'
import {
  delivery,
  deliveryView,
  eventTypes,
  receiverUrl,
  subscription,
  subscriptionView,
  subscriptionWithSecret,
} from '../webhook-view.ts'

const KEEP_HOURS = 24

const listQuery = z.strictObject({
  limit,
  starting_after: idOfKind('sub').optional(),
  state: z.enum(SUBSCRIPTION_STATES).optional(),
})

const params = z.object({ id: idOfKind('sub') })

const rotateBody = z.strictObject({
  keep_old_hours: z
    .int()
    .min(0)
    .max(KEEP_HOURS)
    .default(KEEP_HOURS)
    .meta({ description: 'How long older secrets go on signing too; 0 where one leaked.' }),
})

const time = z.iso.datetime({ offset: true, error: 'must be a time such as 2026-05-01T00:00:00Z' })

const replayBody = z
  .strictObject({
    from: time,
    to: time.optional().meta({ description: 'Until then, exclusive; until now without it.' }),
    only: z.enum(['undelivered', 'all']).default('undelivered'),
    dry_run: z.boolean().default(false).meta({ description: 'Only count.' }),
  })
  .refine(({ from, to }) => to === undefined || Date.parse(from) < Date.parse(to), {
    path: ['to'],
    error: 'must be later than from',
  })

/** For the record of who did what: a token may stand in a URL's query. */
function recorded(body: { url?: string | undefined }): object {
  if (body.url === undefined || !URL.canParse(body.url)) {
    return body
  }
  const { origin, pathname, search } = new URL(body.url)
  return search === '' ? body : { ...body, url: `${origin}${pathname}?…` }
}

export function webhookSubscriptionOperations(parts: Parts): Operation[] {
  return [
    listOperation(),
    createOperation(parts),
    getOperation(),
    changeOperation(parts),
    rotateOperation(parts),
    testOperation(parts),
    replayOperation(parts),
  ]
}

function listOperation(): Operation {
  return operation(
    {
      id: 'listWebhookSubscriptions',
      method: 'get',
      path: '/webhook-subscriptions',
      tag: 'Webhooks',
      summary: 'Who is told of what happens here, newest first',
      permission: 'webhooks.read',
      query: listQuery,
      answers: { 200: { what: 'By id, downwards.', body: pageOf(subscription) } },
    },
    {
      async read(trx, { query }) {
        const rows = await listSubscriptions(trx, {
          limit: query.limit + 1,
          before: query.starting_after ?? null,
          state: query.state ?? null,
        })
        return { status: 200, body: listOf(rows, query.limit, subscriptionView) }
      },
    },
  )
}

function createOperation({ keyring, config }: Parts): Operation {
  return operation(
    {
      id: 'createWebhookSubscription',
      method: 'post',
      path: '/webhook-subscriptions',
      tag: 'Webhooks',
      summary: 'Have a system of one’s own told of what happens (Standard Webhooks)',
      permission: 'webhooks.manage',
      key: 'optional',
      body: z.strictObject({
        url: receiverUrl(config.webhookReach),
        event_types: eventTypes,
        description: line(200).nullable().default(null),
      }),
      answers: { 201: { what: 'Enabled; with its secret.', body: subscriptionWithSecret } },
      problems: ['webhook_limit'],
    },
    {
      queue: null,
      async write(trx, { body }) {
        const { url, description, event_types: types } = body
        const fields = { url, description, eventTypes: types }
        const { subscriptionId, secret } = await createSubscription(trx, keyring, fields)
        const made = subscriptionView(await findSubscription(trx, subscriptionId))
        return { status: 201, body: { ...made, secret }, audited: recorded(body) }
      },
    },
  )
}

function getOperation(): Operation {
  return operation(
    {
      id: 'getWebhookSubscription',
      method: 'get',
      path: '/webhook-subscriptions/{id}',
      tag: 'Webhooks',
      summary: 'One subscription, without its secrets',
      permission: 'webhooks.read',
      params,
      answers: { 200: { what: 'The subscription.', body: subscription } },
    },
    {
      async read(trx, { params: { id } }) {
        return { status: 200, body: subscriptionView(await findSubscription(trx, id)) }
      },
    },
  )
}

function changeOperation(parts: Parts): Operation {
  const body = z
    .strictObject({
      url: receiverUrl(parts.config.webhookReach).optional(),
      event_types: eventTypes.optional(),
      description: line(200).nullable().optional(),
      state: z.enum(SUBSCRIPTION_STATES).optional(),
    })
    .refine((given) => Object.keys(given).length > 0, 'must have something to change')
    .meta({ minProperties: 1 })
  return operation(
    {
      id: 'changeWebhookSubscription',
      method: 'patch',
      path: '/webhook-subscriptions/{id}',
      tag: 'Webhooks',
      summary: 'Change where and what is told, disable and enable; what waits is sent then',
      permission: 'webhooks.manage',
      params,
      body,
      answers: { 200: { what: 'As it is now.', body: subscription } },
    },
    {
      queue: null,
      async write(trx, { params: { id }, body: given, response }) {
        const { event_types: types, ...rest } = given
        const before = subscriptionView(await findSubscription(trx, id))
        await changeSubscription(trx, id, { ...rest, eventTypes: types })
        ringAfter(response, parts.bells, 'deliver-webhooks')
        return {
          status: 200,
          body: subscriptionView(await findSubscription(trx, id)),
          before: recorded(before),
          audited: recorded(given),
        }
      },
    },
  )
}

function rotateOperation({ keyring }: Parts): Operation {
  return operation(
    {
      id: 'rotateWebhookSecret',
      method: 'post',
      path: '/webhook-subscriptions/{id}/rotate-secret',
      tag: 'Webhooks',
      summary: 'Sign with a new secret, and for a day with the old one too',
      permission: 'webhooks.manage',
      params,
      key: 'optional',
      body: rotateBody,
      answers: { 200: { what: 'With the new secret.', body: subscriptionWithSecret } },
      problems: ['webhook_limit'],
    },
    {
      queue: null,
      async write(trx, { params: { id }, body }) {
        await findSubscription(trx, id)
        const secret = await rotateSecret(trx, keyring, id, body.keep_old_hours)
        const now = subscriptionView(await findSubscription(trx, id))
        return { status: 200, body: { ...now, secret } }
      },
    },
  )
}

function testOperation({ bells }: Parts): Operation {
  return operation(
    {
      id: 'testWebhookSubscription',
      method: 'post',
      path: '/webhook-subscriptions/{id}/test',
      tag: 'Webhooks',
      summary: 'Send a message of the type webhook.test, which means nothing',
      permission: 'webhooks.manage',
      params,
      key: 'optional',
      body: z.strictObject({}),
      answers: { 201: { what: 'It is on its way; look at its log.', body: delivery } },
      problems: ['webhook_disabled'],
    },
    {
      queue: null,
      async write(trx, { params: { id }, response }) {
        const sent = deliveryView(await sendTest(trx, id))
        ringAfter(response, bells, 'deliver-webhooks')
        return { status: 201, body: sent }
      },
    },
  )
}

function replayOperation({ bells }: Parts): Operation {
  return operation(
    {
      id: 'replayWebhookMessages',
      method: 'post',
      path: '/webhook-subscriptions/{id}/replay',
      tag: 'Webhooks',
      summary: `Send the messages of a time again, up to ${REPLAYED_MAX.toLocaleString('en')}`,
      permission: 'webhooks.manage',
      params,
      key: 'optional',
      body: replayBody,
      answers: {
        200: {
          what: 'How many are sent, or would be.',
          body: z.strictObject({ messages: z.int(), dry_run: z.boolean() }),
        },
      },
      problems: ['webhook_disabled', 'webhook_limit'],
    },
    {
      queue: null,
      async write(trx, { params: { id }, body, response }) {
        const { from, to, only, dry_run: dryRun } = body
        const messages = await replayRange(trx, id, {
          from: new Date(from),
          to: to === undefined ? new Date() : new Date(to),
          only,
          dryRun,
        })
        ringAfter(response, bells, 'deliver-webhooks')
        return {
          status: 200,
          body: { messages, dry_run: dryRun },
          audited: dryRun ? null : { ...body, messages },
        }
      },
    },
  )
}
