/** /v1/webhook-messages and /v1/webhook-deliveries: what was told to whom, and telling it again. */
import { z } from 'zod'
import type { Parts } from '../../base/parts.ts'
import { DELIVERY_STATES, findDelivery, listDeliveries } from '../../notifications/deliveries.ts'
import { listMessages, replayMessage } from '../../notifications/messages.ts'
import { EVENT_TYPES, TEST_TYPE } from '../../notifications/outbox/events.ts'
import { pageOf } from '../answers.ts'
import { idOfKind, limit } from '../input.ts'
import { listOf } from '../list.ts'
import { operation, type Operation } from '../operation.ts'
import { ringAfter } from '../ring-after.ts'
import {
  delivery,
  deliveryLogView,
  deliveryView,
  deliveryWithAttempts,
  message,
  messageView,
} from '../webhook-view.ts'

const messagesQuery = z.strictObject({
  limit,
  starting_after: idOfKind('msg').optional(),
  type: z.enum([...EVENT_TYPES, TEST_TYPE]).optional(),
})

const deliveriesQuery = z.strictObject({
  limit,
  starting_after: idOfKind('dlv').optional(),
  subscription: idOfKind('sub').optional(),
  message: idOfKind('msg').optional(),
  state: z.enum(DELIVERY_STATES).optional(),
})

export function webhookDeliveryOperations(parts: Parts): Operation[] {
  return [messagesOperation(), replayOperation(parts), deliveriesOperation(), deliveryOperation()]
}

function messagesOperation(): Operation {
  return operation(
    {
      id: 'listWebhookMessages',
      method: 'get',
      path: '/webhook-messages',
      tag: 'Webhooks',
      summary: 'What was there to be told, newest first',
      permission: 'webhooks.read',
      query: messagesQuery,
      answers: { 200: { what: 'By id, downwards.', body: pageOf(message) } },
    },
    {
      async read(trx, { query }) {
        const rows = await listMessages(trx, {
          limit: query.limit + 1,
          before: query.starting_after ?? null,
          type: query.type ?? null,
        })
        return { status: 200, body: listOf(rows, query.limit, messageView) }
      },
    },
  )
}

function replayOperation({ bells }: Parts): Operation {
  return operation(
    {
      id: 'replayWebhookMessage',
      method: 'post',
      path: '/webhook-messages/{id}/replay',
      tag: 'Webhooks',
      summary: 'Send one message to one subscription again',
      permission: 'webhooks.manage',
      params: z.object({ id: idOfKind('msg') }),
      key: 'optional',
      body: z.strictObject({ subscription: idOfKind('sub') }),
      answers: {
        200: { what: 'It is on its way already.', body: delivery },
        201: { what: 'It is on its way.', body: delivery },
      },
      problems: ['webhook_disabled'],
    },
    {
      queue: null,
      async write(trx, { params: { id }, body, response }) {
        const replayed = await replayMessage(trx, id, body.subscription)
        ringAfter(response, bells, 'deliver-webhooks')
        const answer = deliveryView(replayed.delivery)
        return replayed.isNew
          ? { status: 201, body: answer }
          : { status: 200, body: answer, audited: null }
      },
    },
  )
}

function deliveriesOperation(): Operation {
  return operation(
    {
      id: 'listWebhookDeliveries',
      method: 'get',
      path: '/webhook-deliveries',
      tag: 'Webhooks',
      summary: 'What became of telling, newest first',
      permission: 'webhooks.read',
      query: deliveriesQuery,
      answers: { 200: { what: 'By id, downwards.', body: pageOf(delivery) } },
    },
    {
      async read(trx, { query }) {
        const rows = await listDeliveries(trx, {
          limit: query.limit + 1,
          before: query.starting_after ?? null,
          subscriptionId: query.subscription ?? null,
          messageId: query.message ?? null,
          state: query.state ?? null,
        })
        return { status: 200, body: listOf(rows, query.limit, deliveryView) }
      },
    },
  )
}

function deliveryOperation(): Operation {
  return operation(
    {
      id: 'getWebhookDelivery',
      method: 'get',
      path: '/webhook-deliveries/{id}',
      tag: 'Webhooks',
      summary: 'One delivery and each of its attempts',
      permission: 'webhooks.read',
      params: z.object({ id: idOfKind('dlv') }),
      answers: { 200: { what: 'Attempts first to last.', body: deliveryWithAttempts } },
    },
    {
      async read(trx, { params: { id } }) {
        const { delivery: found, attempts } = await findDelivery(trx, id)
        return { status: 200, body: deliveryLogView(found, attempts) }
      },
    },
  )
}
