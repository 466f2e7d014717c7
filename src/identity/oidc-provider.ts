/** An organisation's identity provider: one row, with the client's secret sealed. */
import { seal, unseal, type Keyring } from '../base/crypto.ts'
import type { Trx } from '../base/db.ts'

export interface OidcProvider {
  issuer: string
  clientId: string
  enabled: boolean
  updatedBy: string
  updatedAt: Date
}

interface ProviderRow {
  issuer: string
  client_id: string
  client_secret_sealed: Buffer
  enabled: boolean
  updated_by: string
  updated_at: Date
}

const COLUMNS = 'issuer, client_id, client_secret_sealed, enabled, updated_by, updated_at'

function boundTo(orgId: unknown, issuer: string, clientId: string): string {
  return JSON.stringify(['oidc client', orgId, issuer, clientId])
}

/** The provider, with its secret only where it is asked for by who talks to it. */
export async function findProvider(trx: Trx): Promise<OidcProvider | undefined> {
  const row = await findRow(trx)
  return row === undefined ? undefined : providerOf(row)
}

/** The provider that signs people in, with the client's secret; undefined where it is off. */
export async function enabledProvider(
  trx: Trx,
  keyring: Keyring,
): Promise<(OidcProvider & { clientSecret: string }) | undefined> {
  const row = await findRow(trx)
  if (row === undefined || !row.enabled) {
    return undefined
  }
  const context = boundTo(trx.scope, row.issuer, row.client_id)
  const clientSecret = unseal(keyring, row.client_secret_sealed, context).toString()
  return { ...providerOf(row), clientSecret }
}

async function findRow(trx: Trx): Promise<ProviderRow | undefined> {
  const [row] = await trx.query<ProviderRow>(
    `select ${COLUMNS} from oidc_providers where org_id = $1`,
    [trx.scope],
  )
  return row
}

function providerOf(row: ProviderRow): OidcProvider {
  return {
    issuer: row.issuer,
    clientId: row.client_id,
    enabled: row.enabled,
    updatedBy: row.updated_by,
    updatedAt: row.updated_at,
  }
}

/** Sets the provider in place of the one that there may be. */
export async function putProvider(
  trx: Trx,
  keyring: Keyring,
  asked: { issuer: string; clientId: string; clientSecret: string; enabled: boolean },
  actor: string,
): Promise<OidcProvider> {
  const { issuer, clientId, clientSecret, enabled } = asked
  const sealed = seal(keyring, clientSecret, boundTo(trx.scope, issuer, clientId))
  const [row] = await trx.query<ProviderRow>(
    `insert into oidc_providers (org_id, issuer, client_id, client_secret_sealed, enabled,
       updated_by)
     values ($1, $2, $3, $4, $5, $6)
     on conflict (org_id) do update set issuer = excluded.issuer, client_id = excluded.client_id,
       client_secret_sealed = excluded.client_secret_sealed, enabled = excluded.enabled,
       updated_by = excluded.updated_by, updated_at = now()
     returning ${COLUMNS}`,
    [trx.scope, issuer, clientId, sealed, enabled, actor],
  )
  if (row === undefined) {
    throw new Error('the insert gave no row')
  }
  return providerOf(row)
}

/** Forgets the provider; false where there was none. */
export async function dropProvider(trx: Trx): Promise<boolean> {
  const rows = await trx.query('delete from oidc_providers where org_id = $1 returning 1', [
    trx.scope,
  ])
  return rows.length > 0
}
