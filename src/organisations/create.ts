/** Sets an organisation up: itself, its journal, funds, approvals, gateways, webhook endpoints. */
import { seal, type Keyring } from '../base/crypto.ts'
import type { Trx } from '../base/db.ts'
import type { GatewayName } from '../gateways/fact.ts'
import { genesisOf } from '../ledger/core/link.ts'
import { addFund } from './funds.ts'
import { addGatewayAccount, sealedWith } from './gateway-accounts.ts'
import { setPrefix, type Series } from './receipt-numbering.ts'
import { addApproval, type TaxApproval } from './tax-approvals.ts'
import { addEndpoint, listEndpoints } from './webhook-endpoints.ts'

export interface OrganisationSpec {
  /** Null for the next one. */
  orgId: number | null
  slug: string
  legalName: string
  address: string
  pan: string
  registration12a: string | null
  email: string
  mailFrom: string
  mailFromName: string
  signatoryName: string
  signatoryDesignation: string
  fcraRegistration: string | null
  /** `#rrggbb` in small letters. */
  colour?: string | null
  funds: readonly { fund: string; name: string }[]
  approvals: readonly TaxApproval[]
  gateways: readonly {
    gateway: GatewayName
    account: string
    keyId: string
    keySecret: string
    apiUrl: string
    /** Null for one that is made here, where the gateway lets us choose it. */
    webhookSecret: string | null
  }[]
  /** What receipt numbers begin with, from this financial year on. */
  prefixes?: readonly { series: Series; year: string; prefix: string }[]
}

export interface SetUp {
  orgId: number
  /** False where the slug was taken: then nothing was changed. */
  isNew: boolean
  endpoints: SetUpEndpoint[]
}

export interface SetUpEndpoint {
  gateway: GatewayName
  endpointId: string
  /** The secret that was made here, to be entered at the gateway; it is not shown again. */
  madeSecret: string | null
}

/**
 * Sets an organisation up in a transaction of scope `all`, which belongs to the new organisation
 * from then on. An organisation with that slug is left as it is, and its endpoints are told.
 */
export async function setUpOrganisation(
  trx: Trx,
  keyring: Keyring,
  spec: OrganisationSpec,
): Promise<SetUp> {
  const orgId = await insertOrganisation(trx, spec)
  if (orgId === null) {
    return await alreadyThere(trx, spec.slug)
  }
  const own: Trx = { ...trx, scope: orgId }
  for (const { fund, name } of spec.funds) {
    await addFund(own, fund, name)
  }
  for (const approval of spec.approvals) {
    await addApproval(own, approval)
  }
  for (const { series, year, prefix } of spec.prefixes ?? []) {
    await setPrefix(own, series, year, prefix)
  }
  const endpoints: SetUpEndpoint[] = []
  for (const { webhookSecret, keySecret, ...account } of spec.gateways) {
    const context = sealedWith(account.gateway, account.account)
    await addGatewayAccount(own, { ...account, sealed: seal(keyring, keySecret, context) })
    const added = await addEndpoint(own, keyring, {
      gateway: account.gateway,
      secret: webhookSecret,
      label: 'first',
    })
    endpoints.push({ gateway: account.gateway, ...added })
  }
  return { orgId, isNew: true, endpoints }
}

async function insertOrganisation(trx: Trx, spec: OrganisationSpec): Promise<number | null> {
  const [row] = await trx.query<{ made: number | null }>(
    `select create_organisation($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
       as made`,
    [
      spec.orgId,
      spec.slug,
      spec.legalName,
      spec.address,
      spec.pan,
      spec.registration12a,
      spec.email,
      spec.mailFrom,
      spec.mailFromName,
      spec.signatoryName,
      spec.signatoryDesignation,
      spec.fcraRegistration,
      spec.colour ?? null,
      genesisOf(spec.slug),
    ],
  )
  return row?.made ?? null
}

async function alreadyThere(trx: Trx, slug: string): Promise<SetUp> {
  const [row] = await trx.query<{ org_id: number }>(
    'select org_id from organisations where slug = $1',
    [slug],
  )
  if (row === undefined) {
    throw new Error(`the organisation ${slug} is there and cannot be seen`)
  }
  const own: Trx = { ...trx, scope: row.org_id }
  const endpoints = await listEndpoints(own, { limit: 50, after: null })
  return {
    orgId: row.org_id,
    isNew: false,
    endpoints: endpoints.map(({ gateway, endpointId }) => ({
      gateway,
      endpointId,
      madeSecret: null,
    })),
  }
}
