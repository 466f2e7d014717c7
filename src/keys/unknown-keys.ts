/** Which data keys others seal with by now, and this process lacks. */
import type { Keyring } from '../base/crypto.ts'
import type { Database } from '../base/db.ts'
import { unknownDataKeys } from '../base/metrics.ts'

/**
 * Ids of keys that the secrets of gateways and webhooks are sealed with, of all organisations, and
 * that the keyring lacks; noted as a metric. A rotation comes to these tables first, and without
 * them nothing is taken in: longer tables need not be read.
 */
export async function unknownKeys(db: Database, keyring: Keyring): Promise<string[]> {
  const rows = await db.statement<{ key_id: string }>(
    `select sealed_key(secret_sealed) as key_id from webhook_secrets
      where valid_until is null or valid_until > now()
     union
     select sealed_key(key_secret_sealed) from gateway_accounts
     union
     select sealed_key(secret_sealed) from webhook_signing_secrets
     order by key_id limit 100`,
  )
  const unknown = rows.map((row) => row.key_id).filter((id) => !keyring.keys.has(id))
  unknownDataKeys.set(unknown.length)
  return unknown
}
