/** Webhook endpoints with their secrets, kept in this process for seconds: calls come often. */
import type { NearCache } from '../base/cache.ts'
import { unseal, type Keyring } from '../base/crypto.ts'
import type { Database } from '../base/db.ts'
import type { GatewayName } from '../gateways/fact.ts'
import type { WebhookSecret } from '../gateways/gateway.ts'
import { endpointName } from '../organisations/webhook-endpoints.ts'

export interface Endpoint {
  orgId: number
  endpointId: string
  gateway: GatewayName
  /** The merchant account whose events come in here. */
  account: string
  secrets: StoredSecret[]
}

interface StoredSecret extends WebhookSecret {
  validFrom: Date
  validUntil: Date | null
}

export interface Endpoints {
  /** The endpoint; undefined where there is none of that id for that gateway, or it is disabled. */
  find(gateway: GatewayName, endpointId: string): Promise<Endpoint | undefined>
}

/**
 * `cache` is the process's own, because secrets are opened in it: what changes here counts at once,
 * what another process changes when the cache has forgotten. A secret's end is kept to the moment.
 */
export function openEndpoints(db: Database, keyring: Keyring, cache: NearCache): Endpoints {
  return {
    async find(gateway, endpointId) {
      const found = await cache.get(
        endpointName(endpointId),
        async () => await load(db, keyring, endpointId),
      )
      return found?.gateway === gateway ? found : undefined
    },
  }
}

/** The secrets of an endpoint that were valid at an instant. */
export function validSecrets(endpoint: Endpoint, now: Date): WebhookSecret[] {
  return endpoint.secrets.filter(
    (secret) => secret.validFrom <= now && (secret.validUntil === null || secret.validUntil > now),
  )
}

async function load(
  db: Database,
  keyring: Keyring,
  endpointId: string,
): Promise<Endpoint | undefined> {
  const rows = await db.statement<{
    org_id: number
    gateway: GatewayName
    account: string
    secret_id: string | null
    secret_sealed: Buffer | null
    valid_from: Date
    valid_until: Date | null
  }>(
    `select e.org_id, e.gateway, a.account, s.secret_id, s.secret_sealed, s.valid_from,
            s.valid_until
       from webhook_endpoints e
       join gateway_accounts a on a.org_id = e.org_id and a.gateway = e.gateway
       left join webhook_secrets s on s.org_id = e.org_id and s.endpoint_id = e.endpoint_id
        and (s.valid_until is null or s.valid_until > now())
      where e.endpoint_id = $1 and e.disabled_at is null
      order by s.valid_from desc limit 20`,
    [endpointId],
  )
  const [first] = rows
  if (first === undefined) {
    return undefined
  }
  const secrets = rows.flatMap((row): StoredSecret[] => {
    if (row.secret_id === null || row.secret_sealed === null) {
      return []
    }
    const value = unseal(keyring, row.secret_sealed, row.secret_id).toString()
    return [
      {
        secretId: row.secret_id,
        value,
        validFrom: row.valid_from,
        validUntil: row.valid_until,
      },
    ]
  })
  return {
    orgId: first.org_id,
    endpointId,
    gateway: first.gateway,
    account: first.account,
    secrets,
  }
}
