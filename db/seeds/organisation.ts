/** Sets an organisation up on the owner's connection, for the demo, benchmarks and tests. */
import type pg from 'pg'
import type { Keyring } from '../../src/base/crypto.ts'
import type { Trx } from '../../src/base/db.ts'
import type { GatewayName } from '../../src/gateways/fact.ts'
import { setUpOrganisation, type OrganisationSpec } from '../../src/organisations/create.ts'

/** One transaction; gives the endpoint id of each gateway. Throws where the slug is taken. */
export async function createOrganisation(
  client: pg.Client,
  keyring: Keyring,
  spec: OrganisationSpec,
): Promise<Map<GatewayName, string>> {
  await client.query(`begin; set local bahi.org_id = 'all'`)
  try {
    const made = await setUpOrganisation(trxOf(client), keyring, spec)
    if (!made.isNew) {
      throw new Error(`there is an organisation ${spec.slug} already`)
    }
    await client.query('commit')
    return new Map(made.endpoints.map(({ gateway, endpointId }) => [gateway, endpointId]))
  } catch (error) {
    await client.query('rollback')
    throw error
  }
}

function trxOf(client: pg.Client): Trx {
  return {
    scope: 'all',
    async query<Row extends object>(sql: string, params: readonly unknown[] = []) {
      return (await client.query<Row>(sql, [...params])).rows
    },
    run: () => Promise.reject(new Error('a seed makes its statements itself')),
  }
}
