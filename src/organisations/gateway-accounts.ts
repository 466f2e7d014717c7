/** The organisation's merchant accounts at the gateways: added, given new keys, disabled. */
import { seal, unseal, type Keyring } from '../base/crypto.ts'
import type { Trx } from '../base/db.ts'
import { Problem } from '../base/problem.ts'
import { GATEWAY_NAMES, type GatewayName } from '../gateways/fact.ts'

export interface AccountView {
  gateway: GatewayName
  account: string
  keyId: string
  /** The last four characters, where the secret is long enough to spare them. */
  keySecretMasked: string
  apiUrl: string
  /** A term of the contract, at PayU: contested money is taken when a dispute begins. */
  disputesDebitedUpfront: boolean
  /** The account at RazorpayX that payouts are paid from. */
  payoutAccount: string | null
  createdAt: Date
  updatedAt: Date
  disabledAt: Date | null
}

/** Where the gateways themselves answer. */
export const API_URLS: Readonly<Record<GatewayName, Record<'live' | 'test', string>>> = {
  razorpay: { live: 'https://api.razorpay.com', test: 'https://api.razorpay.com' },
  payu: { live: 'https://info.payu.in', test: 'https://test.payu.in' },
  stripe: { live: 'https://api.stripe.com', test: 'https://api.stripe.com' },
}

/** What a key secret is sealed with, so that it opens in no other row. */
export function sealedWith(gateway: GatewayName, account: string): string {
  return `${gateway} ${account}`
}

/** `••••` and the last four characters of a secret, which must have at least twelve. */
export function masked(secret: string): string {
  return secret.length < 12 ? '••••' : `••••${secret.slice(-4)}`
}

interface Row {
  gateway: GatewayName
  account: string
  key_id: string
  key_secret_sealed: Buffer
  api_url: string
  disputes_debited_upfront: boolean
  payout_account: string | null
  created_at: Date
  updated_at: Date
  disabled_at: Date | null
}

const COLUMNS =
  'gateway, account, key_id, key_secret_sealed, api_url, disputes_debited_upfront, ' +
  'payout_account, created_at, updated_at, disabled_at'

function viewOf(row: Row, keyring: Keyring): AccountView {
  const context = sealedWith(row.gateway, row.account)
  return {
    gateway: row.gateway,
    account: row.account,
    keyId: row.key_id,
    keySecretMasked: masked(unseal(keyring, row.key_secret_sealed, context).toString()),
    apiUrl: row.api_url,
    disputesDebitedUpfront: row.disputes_debited_upfront,
    payoutAccount: row.payout_account,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    disabledAt: row.disabled_at,
  }
}

/** All of them: one for each gateway at the most. */
export async function listGatewayAccounts(trx: Trx, keyring: Keyring): Promise<AccountView[]> {
  const rows = await trx.query<Row>(
    `select ${COLUMNS} from gateway_accounts where org_id = $1 order by gateway limit $2`,
    [trx.scope, GATEWAY_NAMES.length],
  )
  return rows.map((row) => viewOf(row, keyring))
}

/** Throws `not_found` where the organisation has none at that gateway. */
export async function findGatewayAccount(
  trx: Trx,
  keyring: Keyring,
  gateway: GatewayName,
): Promise<AccountView> {
  const [row] = await trx.query<Row>(
    `select ${COLUMNS} from gateway_accounts where org_id = $1 and gateway = $2`,
    [trx.scope, gateway],
  )
  if (row === undefined) {
    throw new Problem('not_found', { detail: `The organisation has no ${gateway} account.` })
  }
  return viewOf(row, keyring)
}

export interface NewGatewayAccount {
  gateway: GatewayName
  account: string
  keyId: string
  /** The key secret, sealed with `sealedWith`. */
  sealed: Buffer
  apiUrl: string
}

/** Throws `gateway_account_exists` where the organisation has one at that gateway. */
export async function addGatewayAccount(trx: Trx, given: NewGatewayAccount): Promise<void> {
  const [row] = await trx.query(
    `insert into gateway_accounts (org_id, gateway, account, key_id, key_secret_sealed, api_url)
     values ($1, $2, $3, $4, $5, $6) on conflict do nothing returning gateway`,
    [trx.scope, given.gateway, given.account, given.keyId, given.sealed, given.apiUrl],
  )
  if (row === undefined) {
    const detail = `The organisation has a ${given.gateway} account; change its key instead.`
    throw new Problem('gateway_account_exists', { detail })
  }
}

export interface GatewayChange {
  keyId?: string | undefined
  keySecret?: string | undefined
  /** A disabled account takes no new donation; what was begun with it is still taken in. */
  enabled?: boolean | undefined
  disputesDebitedUpfront?: boolean | undefined
  /** Null: nothing is paid out through it. */
  payoutAccount?: string | null | undefined
}

/** Throws `not_found` where the organisation has none at that gateway. */
export async function changeGatewayAccount(
  trx: Trx,
  keyring: Keyring,
  gateway: GatewayName,
  change: GatewayChange,
): Promise<AccountView> {
  const { account } = await findGatewayAccount(trx, keyring, gateway)
  const secret = change.keySecret
  await trx.query(
    `update gateway_accounts
        set key_id = coalesce($3, key_id),
            key_secret_sealed = coalesce($4::bytea, key_secret_sealed),
            disabled_at = case when $5::boolean is null then disabled_at when $5 then null
                               else coalesce(disabled_at, now()) end,
            disputes_debited_upfront = coalesce($6::boolean, disputes_debited_upfront),
            payout_account = case when $7 then $8 else payout_account end,
            updated_at = now()
      where org_id = $1 and gateway = $2`,
    [
      trx.scope,
      gateway,
      change.keyId ?? null,
      secret === undefined ? null : seal(keyring, secret, sealedWith(gateway, account)),
      change.enabled ?? null,
      change.disputesDebitedUpfront ?? null,
      change.payoutAccount !== undefined,
      change.payoutAccount ?? null,
    ],
  )
  return await findGatewayAccount(trx, keyring, gateway)
}
