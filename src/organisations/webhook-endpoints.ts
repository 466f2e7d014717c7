/** Endpoints that gateways call, and the secrets that their calls are signed with. */
import { randomBytes } from 'node:crypto'
import { seal, type Keyring } from '../base/crypto.ts'
import type { Database, Trx } from '../base/db.ts'
import { newId } from '../base/ids.ts'
import { Problem } from '../base/problem.ts'
import type { GatewayName } from '../gateways/fact.ts'
import { withinCap } from './cap.ts'
import type { Page } from './funds.ts'

export interface WebhookEndpoint {
  endpointId: string
  gateway: GatewayName
  createdAt: Date
  /** A disabled endpoint answers 404. */
  disabledAt: Date | null
}

export interface WebhookSecretView {
  secretId: string
  label: string
  validFrom: Date
  /** Null for one whose end is not decided. */
  validUntil: Date | null
  /** When a call that it signed came in last, to a minute or two; null where none was seen. */
  lastUsedAt: Date | null
}

/** Hours that an old secret goes on at least: retries of old events are signed with it. */
export const OVERLAP_HOURS_MIN = 24

/** Where the gateways' support replays events, they are up to so old. */
export const OVERLAP_HOURS_MAX = 24 * 30

const ENDPOINT = `endpoint_id as "endpointId", gateway, created_at as "createdAt",
  disabled_at as "disabledAt"`

const SECRET = `secret_id as "secretId", label, valid_from as "validFrom",
  valid_until as "validUntil", last_used_at as "lastUsedAt"`

/** The name under which the intake keeps an endpoint in its process. */
export function endpointName(endpointId: string): string {
  return `webhook endpoint ${endpointId}`
}

export async function listEndpoints(trx: Trx, page: Page): Promise<WebhookEndpoint[]> {
  return await trx.query<WebhookEndpoint>(
    `select ${ENDPOINT} from webhook_endpoints
      where org_id = $1 and ($2::text is null or endpoint_id collate "C" < $2)
      order by endpoint_id collate "C" desc limit $3`,
    [trx.scope, page.after, page.limit],
  )
}

/** Throws `not_found`. */
export async function findEndpoint(trx: Trx, endpointId: string): Promise<WebhookEndpoint> {
  const [row] = await trx.query<WebhookEndpoint>(
    `select ${ENDPOINT} from webhook_endpoints where org_id = $1 and endpoint_id = $2`,
    [trx.scope, endpointId],
  )
  if (row === undefined) {
    throw new Problem('not_found', { detail: 'There is no such webhook endpoint.' })
  }
  return row
}

/** The endpoints of the organisation's account at a gateway. */
export async function endpointsOf(trx: Trx, gateway: GatewayName): Promise<string[]> {
  const rows = await trx.query<{ endpoint_id: string }>(
    'select endpoint_id from webhook_endpoints where org_id = $1 and gateway = $2 limit 50',
    [trx.scope, gateway],
  )
  return rows.map((row) => row.endpoint_id)
}

export interface NewSecret {
  label: string
  /** Null for one that is made here. */
  secret: string | null
}

/** An endpoint with its first secret; throws `unknown_gateway` where there is no such account. */
export async function addEndpoint(
  trx: Trx,
  keyring: Keyring,
  given: NewSecret & { gateway: GatewayName },
): Promise<{ endpointId: string; madeSecret: string | null }> {
  const [account] = await trx.query(
    'select 1 from gateway_accounts where org_id = $1 and gateway = $2',
    [trx.scope, given.gateway],
  )
  if (account === undefined) {
    const detail = `The organisation has no ${given.gateway} account; add that first.`
    throw new Problem('unknown_gateway', { detail })
  }
  const endpointId = newId('whe')
  await withinCap(
    trx.query('insert into webhook_endpoints (org_id, endpoint_id, gateway) values ($1, $2, $3)', [
      trx.scope,
      endpointId,
      given.gateway,
    ]),
    'An organisation has at most 50 webhook endpoints.',
  )
  const { madeSecret } = await addSecret(trx, keyring, endpointId, given)
  return { endpointId, madeSecret }
}

/** Takes an endpoint's calls no more, or takes them again. Throws `not_found`. */
export async function switchEndpoint(
  trx: Trx,
  endpointId: string,
  enabled: boolean,
): Promise<WebhookEndpoint> {
  await trx.query(
    `update webhook_endpoints
        set disabled_at = case when $3 then null else coalesce(disabled_at, now()) end
      where org_id = $1 and endpoint_id = $2`,
    [trx.scope, endpointId, enabled],
  )
  return await findEndpoint(trx, endpointId)
}

/** Newest first, those that have ended too. */
export async function listSecrets(
  trx: Trx,
  endpointId: string,
  page: Page,
): Promise<WebhookSecretView[]> {
  return await trx.query<WebhookSecretView>(
    `select ${SECRET} from webhook_secrets
      where org_id = $1 and endpoint_id = $2 and ($3::text is null or secret_id collate "C" < $3)
      order by secret_id collate "C" desc limit $4`,
    [trx.scope, endpointId, page.after, page.limit],
  )
}

/** One more secret of the endpoint, valid from now on beside the others. */
export async function addSecret(
  trx: Trx,
  keyring: Keyring,
  endpointId: string,
  given: NewSecret,
): Promise<{ added: WebhookSecretView; madeSecret: string | null }> {
  const madeSecret = given.secret === null ? randomBytes(32).toString('hex') : null
  const secretId = newId('whs')
  const sealed = seal(keyring, given.secret ?? madeSecret ?? '', secretId)
  const [added] = await withinCap(
    trx.query<WebhookSecretView>(
      `insert into webhook_secrets (org_id, secret_id, endpoint_id, label, secret_sealed)
       values ($1, $2, $3, $4, $5) returning ${SECRET}`,
      [trx.scope, secretId, endpointId, given.label, sealed],
    ),
    'An endpoint has at most 10 secrets that are valid; wait until one of them ends.',
  )
  if (added === undefined) {
    throw new Error('a webhook secret was not inserted')
  }
  return { added, madeSecret }
}

/** Notes when secrets signed something, unless that was noted within a minute before it. */
export async function markSecretsUsed(
  db: Database,
  orgId: number,
  used: ReadonlyMap<string, Date>,
): Promise<void> {
  await db.statement(
    `update webhook_secrets s set last_used_at = n.at
       from unnest($2::text[], $3::timestamptz[]) as n (secret_id, at)
      where s.org_id = $1 and s.secret_id = n.secret_id
        and (s.last_used_at is null or s.last_used_at < n.at - interval '1 minute')`,
    [orgId, [...used.keys()], [...used.values()]],
  )
}

/** A new secret, and an end for those that are valid now; one that ends earlier still does. */
export async function rotateSecret(
  trx: Trx,
  keyring: Keyring,
  endpointId: string,
  given: NewSecret & { overlapHours: number },
): Promise<{ added: WebhookSecretView; madeSecret: string | null }> {
  await trx.query(
    `update webhook_secrets set valid_until = now() + make_interval(hours => $3)
      where org_id = $1 and endpoint_id = $2
        and (valid_until is null or valid_until > now() + make_interval(hours => $3))`,
    [trx.scope, endpointId, given.overlapHours],
  )
  return await addSecret(trx, keyring, endpointId, given)
}
