/** Webhook endpoints with their valid secrets, kept in memory for a few seconds. */
import { unseal, type Keyring } from '../base/crypto.ts'
import type { Database } from '../base/db.ts'
import type { GatewayName } from '../gateways/fact.ts'
import type { WebhookSecret } from '../gateways/gateway.ts'

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
  /** The endpoint, or undefined where there is none of that id for that gateway. */
  find(gateway: GatewayName, endpointId: string, now: Date): Promise<Endpoint | undefined>
}

/** A secret that is added or ends counts after this time at the latest. */
const FRESH_MS = 5000
const REMEMBERED_MAX = 10_000

export function openEndpoints(db: Database, keyring: Keyring): Endpoints {
  const remembered = new Map<string, { until: number; found: Promise<Endpoint | undefined> }>()
  return {
    async find(gateway, endpointId, now) {
      const before = remembered.get(endpointId)
      if (before !== undefined && before.until > now.getTime()) {
        return only(gateway, await before.found)
      }
      if (remembered.size >= REMEMBERED_MAX) {
        remembered.clear()
      }
      const found = load(db, keyring, endpointId)
      remembered.set(endpointId, { until: now.getTime() + FRESH_MS, found })
      // A look-up that failed is not remembered.
      found.catch(() => remembered.delete(endpointId))
      return only(gateway, await found)
    },
  }
}

function only(gateway: GatewayName, endpoint: Endpoint | undefined): Endpoint | undefined {
  return endpoint?.gateway === gateway ? endpoint : undefined
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
      where e.endpoint_id = $1
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
