/** Sets an organisation up: itself, its funds, approvals, gateways, webhook endpoints, journal. */
import type pg from 'pg'
import { seal, type Keyring } from '../../src/base/crypto.ts'
import { newId } from '../../src/base/ids.ts'
import type { GatewayName } from '../../src/gateways/fact.ts'
import { genesisOf } from '../../src/ledger/core/link.ts'

export interface OrganisationSpec {
  orgId: number
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
  funds: readonly { fund: string; name: string }[]
  approvals: readonly {
    urn: string
    issuedOn: string
    validFrom: string
    validTo: string
    deduction: string
  }[]
  gateways: readonly {
    gateway: GatewayName
    account: string
    keyId: string
    keySecret: string
    apiUrl: string
    webhookSecret: string
  }[]
}

/** Runs on the owner's connection, in one transaction; gives the endpoint id of each gateway. */
export async function createOrganisation(
  client: pg.Client,
  keyring: Keyring,
  spec: OrganisationSpec,
): Promise<Map<GatewayName, string>> {
  const endpoints = new Map<GatewayName, string>()
  await client.query('begin')
  try {
    await client.query(`set local bahi.org_id = '${Math.trunc(spec.orgId)}'`)
    await insertOrganisation(client, spec)
    for (const gateway of spec.gateways) {
      endpoints.set(gateway.gateway, await insertGateway(client, keyring, spec.orgId, gateway))
    }
    await client.query('commit')
    return endpoints
  } catch (error) {
    await client.query('rollback')
    throw error
  }
}

async function insertOrganisation(client: pg.Client, spec: OrganisationSpec): Promise<void> {
  await client.query(
    `insert into organisations (org_id, slug, legal_name, address, pan, registration_12a, email,
       mail_from, mail_from_name, signatory_name, signatory_designation, fcra_registration)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
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
    ],
  )
  await client.query('insert into journal_heads (org_id, hash) values ($1, $2)', [
    spec.orgId,
    genesisOf(spec.slug),
  ])
  for (const { fund, name } of spec.funds) {
    await client.query('insert into funds (org_id, fund, name) values ($1, $2, $3)', [
      spec.orgId,
      fund,
      name,
    ])
  }
  for (const one of spec.approvals) {
    await client.query(
      `insert into tax_approvals (org_id, urn, issued_on, valid_from, valid_to, deduction)
       values ($1, $2, $3, $4, $5, $6)`,
      [spec.orgId, one.urn, one.issuedOn, one.validFrom, one.validTo, one.deduction],
    )
  }
}

async function insertGateway(
  client: pg.Client,
  keyring: Keyring,
  orgId: number,
  spec: OrganisationSpec['gateways'][number],
): Promise<string> {
  await client.query(
    `insert into gateway_accounts (org_id, gateway, account, key_id, key_secret_sealed, api_url)
     values ($1, $2, $3, $4, $5, $6)`,
    [
      orgId,
      spec.gateway,
      spec.account,
      spec.keyId,
      seal(keyring, spec.keySecret, `${spec.gateway} ${spec.account}`),
      spec.apiUrl,
    ],
  )
  const endpointId = newId('whe')
  await client.query(
    'insert into webhook_endpoints (org_id, endpoint_id, gateway) values ($1, $2, $3)',
    [orgId, endpointId, spec.gateway],
  )
  const secretId = newId('whs')
  await client.query(
    `insert into webhook_secrets (org_id, secret_id, endpoint_id, label, secret_sealed)
     values ($1, $2, $3, 'first', $4)`,
    [orgId, secretId, endpointId, seal(keyring, spec.webhookSecret, secretId)],
  )
  return endpointId
}
