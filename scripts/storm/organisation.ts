/** The organisation of a storm, and its donations, which wait for the money of the lives. */
import { randomBytes } from 'node:crypto'
import type pg from 'pg'
import { demoOrganisation, DEMO_ORG_ID } from '../../db/seeds/demo.ts'
import { createOrganisation } from '../../db/seeds/organisation.ts'
import { readKeyring } from '../../src/base/crypto.ts'
import { openDatabase, type Trx } from '../../src/base/db.ts'
import { openLog } from '../../src/base/log.ts'
import { insertDonor } from '../../src/donations/donors.ts'
import type { OpenedDonation } from '../simulate/deliveries.ts'
import type { SimulatedGateway } from '../simulate/lives.ts'
import { asOwner } from '../stack.ts'
import { GATEWAYS, type Endpoints } from './lives.ts'

export const ORG = DEMO_ORG_ID

export interface Organisation {
  endpoints: Endpoints
  /** DATA_KEYS of a process that works for it. */
  dataKeys: string
}

/**
 * Makes the demo organisation in an empty database. It sends no receipts by email: that is other
 * people's weather.
 */
export async function makeOrganisation(ownerUrl: string): Promise<Organisation> {
  const dataKeys = `storm:${randomBytes(32).toString('base64')}`
  // Nobody listens there yet; see `gatewaysAt`.
  const spec = demoOrganisation('http://127.0.0.1:9')
  const made = await asOwner(ownerUrl, async (client) => {
    const ids = await createOrganisation(client, readKeyring(dataKeys), spec)
    await scoped(client)
    await client.query('update organisations set switched_off = $2 where org_id = $1', [
      ORG,
      ['receipt_emails'],
    ])
    return ids
  })
  const endpointOf = (gateway: SimulatedGateway) => {
    const known = spec.gateways.find((one) => one.gateway === gateway)
    return {
      path: `/webhooks/${gateway}/${made.get(gateway) ?? ''}`,
      account: known?.account ?? '',
      secret: known?.webhookSecret ?? '',
    }
  }
  const [razorpay, payu, stripe] = GATEWAYS.map(endpointOf)
  if (razorpay === undefined || payu === undefined || stripe === undefined) {
    throw new Error('there are three gateways')
  }
  return { dataKeys, endpoints: { razorpay, payu, stripe } }
}

/** Tells the organisation where its gateways are. */
export async function gatewaysAt(ownerUrl: string, gatewaysUrl: string): Promise<void> {
  await asOwner(ownerUrl, async (client) => {
    await scoped(client)
    await client.query('update gateway_accounts set api_url = $2 where org_id = $1', [
      ORG,
      gatewaysUrl,
    ])
  })
}

const AT_ONCE = 1000

/** Writes the donations as the checkout does, many in one transaction. */
export async function openDonations(
  databaseUrl: string,
  donations: readonly OpenedDonation[],
  { dataKeys }: Pick<Organisation, 'dataKeys'>,
): Promise<void> {
  const db = openDatabase({ url: databaseUrl, poolSize: 4, log: openLog('warn', 'storm') })
  const keyring = readKeyring(dataKeys)
  try {
    for (let from = 0; from < donations.length; from += AT_ONCE) {
      const part = donations.slice(from, from + AT_ONCE)
      await db.transact(ORG, async (trx) => {
        const donors: string[] = []
        for (const { life } of part) {
          const { phone, address = null, tax_id: taxId = null, ...donor } = life.request.donor
          donors.push(await insertDonor(trx, keyring, { ...donor, phone, address, taxId }))
        }
        await insertDonations(trx, part, donors)
      })
    }
  } finally {
    await db.close()
  }
}

async function insertDonations(
  trx: Trx,
  donations: readonly OpenedDonation[],
  donors: readonly string[],
): Promise<void> {
  const rows = donations.map(({ life: { request }, donationId, orderRef }, index) => ({
    donation_id: donationId,
    donor_id: donors[index],
    gateway: request.gateway,
    order_ref: orderRef,
    amount: request.amount.toString(),
    fund: request.fund,
    nature: request.nature,
    corpus_direction: request.corpus_direction ?? null,
    purpose: request.purpose ?? null,
  }))
  await trx.query(
    `insert into donations (org_id, donation_id, donor_id, gateway, order_ref, amount, currency,
       fund, nature, corpus_direction, purpose)
     select $1, donation_id, donor_id, gateway, order_ref, amount, 'INR', fund, nature,
            corpus_direction, purpose
       from jsonb_to_recordset($2) as n (donation_id text, donor_id text, gateway text,
         order_ref text, amount bigint, fund text, nature text, corpus_direction text,
         purpose text)`,
    [trx.scope, JSON.stringify(rows)],
  )
}

async function scoped(client: pg.Client): Promise<void> {
  await client.query(`set bahi.org_id = '${ORG}'`)
}
