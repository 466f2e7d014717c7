/** What the contract says of webhooks out: the section `webhooks` of the OpenAPI document. */
import { z } from 'zod'
import { EVENT_TYPES, EVENTS, TEST_TYPE, testData } from '../notifications/outbox/events.ts'
import type { JsonObject } from './openapi.ts'

const HEADERS: readonly (readonly [name: string, what: string])[] = [
  [
    'webhook-id',
    'The message’s id, the same in each attempt: by it a receiver knows a repetition.',
  ],
  ['webhook-timestamp', 'Unix time of this attempt, in seconds.'],
  ['webhook-signature', 'One or more of `v1,base64(hmac-sha256)`, with spaces between them.'],
]

const SENT = `By us, to each enabled subscription that names the type, as Standard Webhooks 1.0 \
have it: at least once, in no promised order, tried ten times over three days. A receiver checks \
the signature over \`{id}.{timestamp}.{body}\` with its secret and that the time is near, and \
takes each \`webhook-id\` once.`

/** One entry for each type of message, with the body that it has. */
export function webhooksView(): JsonObject {
  const types: [string, z.ZodObject][] = EVENT_TYPES.map((type) => [type, EVENTS[type]])
  return Object.fromEntries(
    [...types, [TEST_TYPE, testData] as [string, z.ZodObject]].map(([type, data]) => [
      type,
      { post: webhookView(type, data) },
    ]),
  )
}

function webhookView(type: string, data: z.ZodObject): JsonObject {
  const timestamp = z.string().meta({ format: 'date-time' })
  const payload = z.strictObject({ type: z.literal(type), timestamp, data })
  const { $schema: _dialect, ...schema } = JSON.parse(
    JSON.stringify(z.toJSONSchema(payload)),
  ) as JsonObject
  return {
    operationId: `on-${type}`,
    tags: ['Webhooks'],
    summary: `Sent: ${type}`,
    description: SENT,
    parameters: HEADERS.map(([name, description]) => ({
      name,
      in: 'header',
      required: true,
      description,
      schema: { type: 'string' },
    })),
    requestBody: { required: true, content: { 'application/json': { schema } } },
    responses: {
      '2XX': { description: 'Taken. Anything else is tried again for three days.' },
      '410': { description: 'Gone for good: the subscription is disabled.' },
    },
  }
}
