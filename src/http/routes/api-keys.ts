/** /v1/api-keys: keys for machines, shown once, with a role or less, an end, and a last use. */
import { z } from 'zod'
import type { Parts } from '../../base/parts.ts'
import { Problem } from '../../base/problem.ts'
import {
  createKey,
  findKey,
  KEY_DAYS_DEFAULT,
  KEY_DAYS_MAX,
  listKeys,
  revokeKey,
  takeOverKey,
  type ApiKey,
} from '../../identity/api-keys.ts'
import { personOf } from '../../identity/persons.ts'
import { pageOf } from '../answers.ts'
import { assertGives } from '../auth.ts'
import { apiKey, keyView, permissionName, role } from '../identity-view.ts'
import { idOfKind, limit } from '../input.ts'
import { line } from '../line.ts'
import { listOf } from '../list.ts'
import { operation, type Operation } from '../operation.ts'
import { PERMISSION_NAMES, permissionsOfKey, ROLES } from '../permissions.ts'

const createBody = z
  .strictObject({
    name: line(100),
    role,
    permissions: z.array(permissionName).min(1).max(100).optional(),
    expires_in_days: z.int().min(1).max(KEY_DAYS_MAX).default(KEY_DAYS_DEFAULT),
  })
  .refine(
    ({ role: as, permissions }) =>
      permissions?.every((one) => permissionsOfKey(as, null, null).has(one)) ?? true,
    { error: 'must all be permissions of the role that a key can have', path: ['permissions'] },
  )
  .meta({
    anyOf: ROLES.map((one) => ({
      properties: {
        role: { const: one },
        permissions: {
          items: {
            enum: PERMISSION_NAMES.filter((name) => permissionsOfKey(one, null, null).has(name)),
          },
        },
      },
    })),
  })

export function apiKeyOperations({ config }: Pick<Parts, 'config'>): Operation[] {
  return [
    operation(
      {
        id: 'listApiKeys',
        method: 'get',
        path: '/api-keys',
        tag: 'Identity',
        summary: 'The organisation’s API keys, without their secrets',
        permission: 'keys.manage',
        query: z.strictObject({ limit, starting_after: idOfKind('key').optional() }),
        answers: { 200: { what: 'Newest first.', body: pageOf(apiKey) } },
      },
      {
        async read(trx, { query }) {
          const page = { limit: query.limit + 1, after: query.starting_after ?? null }
          return { status: 200, body: listOf(await listKeys(trx, page), query.limit, keyView) }
        },
      },
    ),
    createOperation(config.jwtSecret),
    operation(
      {
        id: 'revokeApiKey',
        method: 'post',
        path: '/api-keys/{id}/revoke',
        tag: 'Identity',
        summary: 'Revoke an API key from the next request on',
        permission: 'keys.manage',
        key: 'optional',
        params: z.object({ id: idOfKind('key') }),
        answers: { 200: { what: 'Revoked, now or before.', body: apiKey } },
      },
      {
        queue: null,
        async write(trx, { params: { id }, principal }) {
          const revoked = there(await revokeKey(trx, id, principal.subject))
          return { status: 200, body: keyView(revoked) }
        },
      },
    ),
    takeOverOperation(),
  ]
}

function takeOverOperation(): Operation {
  return operation(
    {
      id: 'takeOverApiKey',
      method: 'post',
      path: '/api-keys/{id}/take-over',
      tag: 'Identity',
      summary: 'Answer for an API key from now on: it goes on where who did is disabled',
      permission: 'keys.manage',
      key: 'optional',
      params: z.object({ id: idOfKind('key') }),
      answers: { 200: { what: 'Its secret stays; one that was revoked stays so.', body: apiKey } },
    },
    {
      queue: null,
      async write(trx, { params: { id }, principal }) {
        const was = there(await findKey(trx, id))
        assertGives(principal, { role: was.role, only: was.permissions, to: 'key' })
        const now = there(await takeOverKey(trx, id, await personOf(trx, principal.subject)))
        return { status: 200, body: keyView(now), before: { owner: was.owner } }
      },
    },
  )
}

function there(found: ApiKey | undefined): ApiKey {
  if (found === undefined) {
    throw new Problem('not_found', { detail: 'There is no such API key.' })
  }
  return found
}

function createOperation(jwtSecret: string): Operation {
  return operation(
    {
      id: 'createApiKey',
      method: 'post',
      path: '/api-keys',
      tag: 'Identity',
      summary: 'Make an API key of a role, or of some of its permissions; none decides or signs in',
      permission: 'keys.manage',
      key: 'optional',
      body: createBody,
      answers: {
        201: {
          what: 'The key itself is shown here only.',
          body: z
            .strictObject({
              api_key: apiKey,
              secret: z.string().meta({ description: 'The bearer token; keep it.' }),
            })
            .meta({ id: 'NewApiKey' }),
        },
      },
    },
    {
      queue: null,
      async write(trx, { body, principal }) {
        const only = body.permissions ?? null
        assertGives(principal, { role: body.role, only, to: 'key' })
        const asked = {
          name: body.name,
          role: body.role,
          permissions: only === null ? null : [...new Set(only)],
          days: body.expires_in_days,
        }
        const { key, text } = await createKey(trx, asked, principal.subject, jwtSecret)
        const view = keyView(key)
        return {
          status: 201,
          headers: { 'Cache-Control': 'no-store' },
          body: { api_key: view, secret: text },
          audited: { made: view },
        }
      },
    },
  )
}
