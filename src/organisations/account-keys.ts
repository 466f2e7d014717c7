/** Our merchant account at a gateway, with its key opened for one call. */
import { unseal, type Keyring } from '../base/crypto.ts'
import type { Trx } from '../base/db.ts'
import { Problem } from '../base/problem.ts'
import type { GatewayName } from '../gateways/fact.ts'
import type { GatewayAccount } from '../gateways/gateway.ts'

/** As `loadGatewayAccount`, for something new; throws `gateway_disabled` for a disabled account. */
export async function loadEnabledAccount(
  trx: Trx,
  keyring: Keyring,
  gateway: GatewayName,
): Promise<GatewayAccount> {
  const account = await loadGatewayAccount(trx, keyring, gateway)
  const [disabled] = await trx.query(
    `select 1 from gateway_accounts
      where org_id = $1 and gateway = $2 and disabled_at is not null`,
    [trx.scope, gateway],
  )
  if (disabled !== undefined) {
    const detail = `The organisation’s ${gateway} account is disabled; choose another gateway.`
    throw new Problem('gateway_disabled', { detail, moved: 'no' })
  }
  return account
}

/** As `loadGatewayAccount`, for what was begun at that account; for another it throws the same. */
export async function loadSameAccount(
  trx: Trx,
  keyring: Keyring,
  begun: { gateway: GatewayName; account: string },
): Promise<GatewayAccount> {
  const account = await loadGatewayAccount(trx, keyring, begun.gateway)
  if (account.account !== begun.account) {
    const detail = `It is of ${begun.gateway} account ${begun.account}, which was exchanged since.`
    throw new Problem('unknown_gateway', { detail, moved: 'no' })
  }
  return account
}

/** Throws `unknown_gateway` where the organisation has no account at that gateway. */
export async function loadGatewayAccount(
  trx: Trx,
  keyring: Keyring,
  gateway: GatewayName,
): Promise<GatewayAccount> {
  const [row] = await trx.query<{
    account: string
    key_id: string
    key_secret_sealed: Buffer
    api_url: string
  }>(
    `select account, key_id, key_secret_sealed, api_url
       from gateway_accounts where org_id = $1 and gateway = $2`,
    [trx.scope, gateway],
  )
  if (row === undefined) {
    throw new Problem('unknown_gateway', {
      detail: `The organisation has no ${gateway} account; set one up or choose another gateway.`,
      moved: 'no',
    })
  }
  return {
    gateway,
    account: row.account,
    keyId: row.key_id,
    keySecret: unseal(keyring, row.key_secret_sealed, `${gateway} ${row.account}`).toString(),
    apiUrl: row.api_url,
  }
}
