/** Puts the demo organisation into an empty database and tells how to reach its endpoints. */
import { randomBytes } from 'node:crypto'
import { unseal, type Keyring } from '../src/base/crypto.ts'
import type { Parts } from '../src/base/parts.ts'
import { signToken } from '../src/http/auth.ts'
import type { Config } from '../src/base/config.ts'
import type { GatewayName } from '../src/gateways/fact.ts'
import { createOrganisation } from '../db/seeds/organisation.ts'
import { DEMO_ORG_ID, demoOrganisation } from '../db/seeds/demo.ts'
import { hashPassword } from '../src/identity/passwords.ts'
import { createUser, listUsers, setPassword } from '../src/identity/users.ts'
import type { Running } from './simulate/running.ts'
import { asOwner } from './stack.ts'

/** True where the database holds no organisation, or the demo's. */
export async function seedDemo(config: Config, gatewaysUrl: string): Promise<boolean> {
  return await asOwner(config.databaseOwnerUrl, async (client) => {
    await client.query(`set bahi.org_id = 'all'`)
    const { rows } = await client.query<{ slug: string }>(
      'select slug from organisations order by org_id limit 1',
    )
    const [first] = rows
    if (first === undefined) {
      await createOrganisation(client, config.dataKeys, demoOrganisation(gatewaysUrl))
      return true
    }
    if (first.slug !== 'demo') {
      return false
    }
    // The test gateways have another port after each start.
    await client.query('update gateway_accounts set api_url = $2 where org_id = $1', [
      DEMO_ORG_ID,
      gatewaysUrl,
    ])
    return true
  })
}

/** Gives the demo organisation its first admin, whose password is told here only; null later. */
export async function firstAdmin({
  db,
}: Pick<Parts, 'db'>): Promise<{ email: string; password: string } | null> {
  const email = 'admin@ashakiran.example'
  const password = randomBytes(12).toString('base64url')
  const hash = await hashPassword(password)
  return await db.transact(DEMO_ORG_ID, async (trx) => {
    if ((await listUsers(trx, { limit: 1, after: null })).length > 0) {
      return null
    }
    const admin = { email, name: 'Demo admin', role: 'admin' } as const
    const { userId } = await createUser(trx, admin, 'npm start')
    await setPassword(trx, userId, { hash, session: null })
    return { email, password }
  })
}

const TOKEN_LIFETIME_S = 30 * 24 * 3600

/** What `npm run simulate` needs to know of the running service. */
export async function describeRunning(
  config: Config,
  apiUrl: string,
  gatewaysUrl: string,
): Promise<Running> {
  const rows = await asOwner(config.databaseOwnerUrl, async (client) => {
    await client.query(`set bahi.org_id = 'all'`)
    const result = await client.query<EndpointRow>(
      `select e.endpoint_id, e.gateway, a.account, s.secret_id, s.secret_sealed
         from webhook_endpoints e
         join gateway_accounts a using (org_id, gateway)
         join webhook_secrets s using (org_id, endpoint_id)
        where e.org_id = $1 and e.disabled_at is null and s.valid_until is null
        -- The last of a gateway is taken: its oldest endpoint, and that one's newest secret.
        order by e.endpoint_id desc, s.valid_from`,
      [DEMO_ORG_ID],
    )
    return result.rows
  })
  const endpoints: Running['endpoints'] = {}
  for (const row of rows) {
    endpoints[row.gateway] = endpointOf(row, config.dataKeys)
  }
  const service = { subject: 'simulator', orgId: DEMO_ORG_ID, role: 'service' } as const
  const admin = { subject: 'simulator', orgId: DEMO_ORG_ID, role: 'admin' } as const
  return {
    api_url: apiUrl,
    test_gateways_url: gatewaysUrl,
    token: signToken(service, config.jwtSecret, TOKEN_LIFETIME_S),
    admin_token: signToken(admin, config.jwtSecret, TOKEN_LIFETIME_S),
    endpoints,
  }
}

interface EndpointRow {
  endpoint_id: string
  gateway: GatewayName
  account: string
  secret_id: string
  secret_sealed: Buffer
}

function endpointOf(row: EndpointRow, keyring: Keyring) {
  return {
    path: `/webhooks/${row.gateway}/${row.endpoint_id}`,
    account: row.account,
    secret: unseal(keyring, row.secret_sealed, row.secret_id).toString(),
  }
}
