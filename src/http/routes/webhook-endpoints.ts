/** /v1/webhook-endpoints: where gateways call us, and the secrets that they sign with. */
import { z } from 'zod'
import type { Parts } from '../../base/parts.ts'
import { Problem } from '../../base/problem.ts'
import { GATEWAY_NAMES, type GatewayName } from '../../gateways/fact.ts'
import {
  addEndpoint,
  addSecret,
  endpointName,
  findEndpoint,
  listEndpoints,
  listSecrets,
  OVERLAP_HOURS_MAX,
  OVERLAP_HOURS_MIN,
  rotateSecret,
  switchEndpoint,
  type WebhookEndpoint,
  type WebhookSecretView,
} from '../../organisations/webhook-endpoints.ts'
import { idText, instant, pageOf } from '../answers.ts'
import { changing } from '../changing.ts'
import { idOfKind, limit } from '../input.ts'
import { line } from '../line.ts'
import { listOf } from '../list.ts'
import { operation, type Asked, type Operation } from '../operation.ts'
import { secret } from '../organisation-input.ts'

const endpointId = idOfKind('whe')

const params = z.object({ id: endpointId })

const endpointFields = {
  id: idText('whe'),
  gateway: z.enum(GATEWAY_NAMES),
  url: z.string().meta({ description: 'What is entered at the gateway.' }),
  state: z
    .enum(['enabled', 'disabled'])
    .meta({ description: 'A disabled endpoint answers the gateway with 404.' }),
  created_at: instant,
  disabled_at: instant.nullable(),
}

const endpoint = z.strictObject(endpointFields).meta({ id: 'WebhookEndpoint' })

const shownOnce = z
  .string()
  .nullable()
  .meta({ description: 'The secret where it was made here; it is not shown again.' })

const newEndpoint = z
  .strictObject({ ...endpointFields, secret: shownOnce })
  .meta({ id: 'NewWebhookEndpoint' })

const secretFields = {
  id: idText('whs'),
  label: z.string(),
  valid_from: instant,
  expires_at: instant.nullable().meta({ description: 'Null for one that goes on.' }),
  last_used_at: instant.nullable().meta({
    description: 'When an event that it signed came in last, to a minute or two.',
  }),
}

const secretView = z.strictObject(secretFields).meta({ id: 'EndpointSecret' })

const newSecretView = z
  .strictObject({ ...secretFields, secret: shownOnce })
  .meta({ id: 'NewEndpointSecret' })

const secretBody = z.strictObject({ label: line(100), secret: secret.optional() })

const nameOf = ({ request }: Asked) => [endpointName(String(request.params['id']))]

export function webhookEndpointOperations(parts: Parts, publicUrl: () => string): Operation[] {
  const { near } = parts.caches
  return [
    listOperation(publicUrl),
    addOperation(parts, publicUrl),
    changing(near, nameOf, switchOperation(publicUrl)),
    listSecretsOperation(),
    changing(near, nameOf, addSecretOperation(parts)),
    changing(near, nameOf, rotateOperation(parts)),
  ]
}

function listOperation(publicUrl: () => string): Operation {
  return operation(
    {
      id: 'listWebhookEndpoints',
      method: 'get',
      path: '/webhook-endpoints',
      tag: 'Settings',
      summary: 'Where the gateways call us',
      permission: 'settings.read',
      query: z.strictObject({ limit, starting_after: endpointId.optional() }),
      answers: { 200: { what: 'Newest first.', body: pageOf(endpoint) } },
    },
    {
      async read(trx, { query }) {
        const page = { limit: query.limit + 1, after: query.starting_after ?? null }
        const rows = await listEndpoints(trx, page)
        const body = listOf(rows, query.limit, (one) => endpointView(one, publicUrl()))
        return { status: 200, body }
      },
    },
  )
}

function addOperation({ keyring }: Parts, publicUrl: () => string): Operation {
  return operation(
    {
      id: 'addWebhookEndpoint',
      method: 'post',
      path: '/webhook-endpoints',
      tag: 'Settings',
      summary: 'Add an endpoint for a gateway, with its first secret',
      permission: 'settings.write',
      key: 'optional',
      body: z
        .strictObject({
          gateway: z.enum(GATEWAY_NAMES),
          secret: secret.optional().meta({
            description:
              'Made here where it is left out. PayU signs with its salt; Stripe makes a secret ' +
              'when the URL is entered there, which is then added to the endpoint.',
          }),
        })
        .meta({
          anyOf: [
            { properties: { gateway: { enum: ['razorpay', 'stripe'] } } },
            { required: ['secret'] },
          ],
        }),
      answers: { 201: { what: 'Added; enter it at the gateway.', body: newEndpoint } },
      problems: ['unknown_gateway', 'limit_reached'],
    },
    {
      queue: null,
      async write(trx, { body }) {
        const added = await addEndpoint(trx, keyring, {
          gateway: body.gateway,
          secret: secretFor(body.gateway, body.secret),
          label: 'first',
        })
        const view = endpointView(await findEndpoint(trx, added.endpointId), publicUrl())
        return { status: 201, body: { ...view, secret: added.madeSecret } }
      },
    },
  )
}

function switchOperation(publicUrl: () => string): Operation {
  return operation(
    {
      id: 'changeWebhookEndpoint',
      method: 'patch',
      path: '/webhook-endpoints/{id}',
      tag: 'Settings',
      summary: 'Disable an endpoint at once, or enable it again',
      permission: 'settings.write',
      params,
      body: z.strictObject({ state: z.enum(['enabled', 'disabled']) }),
      answers: { 200: { what: 'As it is now.', body: endpoint } },
    },
    {
      queue: null,
      async write(trx, { params: { id }, body: { state } }) {
        const before = endpointView(await findEndpoint(trx, id), publicUrl())
        const after = await switchEndpoint(trx, id, state === 'enabled')
        return { status: 200, body: endpointView(after, publicUrl()), before }
      },
    },
  )
}

function listSecretsOperation(): Operation {
  return operation(
    {
      id: 'listEndpointSecrets',
      method: 'get',
      path: '/webhook-endpoints/{id}/secrets',
      tag: 'Settings',
      summary: 'The secrets of an endpoint by label and dates, never themselves',
      permission: 'settings.read',
      params,
      query: z.strictObject({ limit, starting_after: idOfKind('whs').optional() }),
      answers: { 200: { what: 'Newest first.', body: pageOf(secretView) } },
    },
    {
      async read(trx, { params: { id }, query }) {
        await findEndpoint(trx, id)
        const page = { limit: query.limit + 1, after: query.starting_after ?? null }
        const rows = await listSecrets(trx, id, page)
        return { status: 200, body: listOf(rows, query.limit, viewOfSecret) }
      },
    },
  )
}

function addSecretOperation({ keyring }: Parts): Operation {
  return operation(
    {
      id: 'addEndpointSecret',
      method: 'post',
      path: '/webhook-endpoints/{id}/secrets',
      tag: 'Settings',
      summary: 'Add a secret that is valid beside the others',
      permission: 'settings.write',
      params,
      key: 'optional',
      body: secretBody,
      answers: { 201: { what: 'Valid from now on.', body: newSecretView } },
      problems: ['limit_reached'],
    },
    {
      queue: null,
      async write(trx, { params: { id }, body }) {
        const { gateway } = await findEndpoint(trx, id)
        const given = { label: body.label, secret: secretFor(gateway, body.secret) }
        const { added, madeSecret } = await addSecret(trx, keyring, id, given)
        return { status: 201, body: { ...viewOfSecret(added), secret: madeSecret } }
      },
    },
  )
}

function rotateOperation({ keyring }: Parts): Operation {
  return operation(
    {
      id: 'rotateEndpointSecret',
      method: 'post',
      path: '/webhook-endpoints/{id}/rotate-secret',
      tag: 'Settings',
      summary: 'Add a secret and let the others end, a day from now at the earliest',
      permission: 'settings.write',
      params,
      key: 'optional',
      body: secretBody.extend({
        overlap_hours: z
          .int()
          .min(OVERLAP_HOURS_MIN, `must be at least ${OVERLAP_HOURS_MIN}`)
          .max(OVERLAP_HOURS_MAX, `must be at most ${OVERLAP_HOURS_MAX}`)
          .default(OVERLAP_HOURS_MIN)
          .meta({ description: 'Retries of old events are signed with the old secret.' }),
      }),
      answers: { 201: { what: 'Valid from now on.', body: newSecretView } },
      problems: ['limit_reached'],
    },
    {
      queue: null,
      async write(trx, { params: { id }, body }) {
        const { gateway } = await findEndpoint(trx, id)
        const { added, madeSecret } = await rotateSecret(trx, keyring, id, {
          label: body.label,
          secret: secretFor(gateway, body.secret),
          overlapHours: body.overlap_hours,
        })
        return { status: 201, body: { ...viewOfSecret(added), secret: madeSecret } }
      },
    },
  )
}

/** A secret that is given; null for one to be made here, which PayU has no place for. */
function secretFor(gateway: GatewayName, given: string | undefined): string | null {
  if (gateway === 'payu' && given === undefined) {
    const detail = 'PayU signs with the salt of the account; give that as the secret.'
    const errors = [{ pointer: '/secret', detail: 'is needed for PayU' }]
    throw new Problem('invalid_request', { detail, errors })
  }
  return given ?? null
}

function endpointView(one: WebhookEndpoint, publicUrl: string): z.input<typeof endpoint> {
  return {
    id: one.endpointId,
    gateway: one.gateway,
    url: `${publicUrl}/webhooks/${one.gateway}/${one.endpointId}`,
    state: one.disabledAt === null ? 'enabled' : 'disabled',
    created_at: one.createdAt.toISOString(),
    disabled_at: one.disabledAt?.toISOString() ?? null,
  }
}

function viewOfSecret(one: WebhookSecretView): z.input<typeof secretView> {
  return {
    id: one.secretId,
    label: one.label,
    valid_from: one.validFrom.toISOString(),
    expires_at: one.validUntil?.toISOString() ?? null,
    last_used_at: one.lastUsedAt?.toISOString() ?? null,
  }
}
