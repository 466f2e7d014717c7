/** Opens a donation and gets from the gateway what the checkout page needs. */
import type { CallsOut } from '../base/calls-out.ts'
import type { Keyring } from '../base/crypto.ts'
import type { Database, Trx } from '../base/db.ts'
import { newId } from '../base/ids.ts'
import { Problem } from '../base/problem.ts'
import type { GatewayName } from '../gateways/fact.ts'
import type { GatewayOrder, NewOrder } from '../gateways/gateway.ts'
import { gateways } from '../gateways/registry.ts'
import { assertSwitchedOn } from '../organisations/settings.ts'
import { insertDonor, type NewDonor } from './donors.ts'
import { loadEnabledAccount } from '../organisations/account-keys.ts'

export type Nature = 'general' | 'corpus' | 'specific_grant'

export interface NewDonation {
  gateway: GatewayName
  /** Minor units. */
  amount: bigint
  currency: 'INR'
  fund: string
  nature: Nature
  corpusDirection: string | null
  purpose: string | null
  /** False for a foreign citizen, whose gift is a foreign contribution (FCRA). */
  indianCitizen: boolean
  donor: NewDonor & { email: string }
  returnUrl: string
}

export interface OpenedDonation {
  donationId: string
  order: GatewayOrder
}

export interface CheckoutOptions {
  keyring: Keyring
  out: CallsOut
  /** Called in the transaction that notes the order; where it throws, the order is not noted. */
  onOpened?(trx: Trx, opened: OpenedDonation): Promise<void>
}

/**
 * Writes the donation, asks the gateway for an order, and notes it. Throws `switched_off`,
 * `unknown_fund`, `fund_closed`, `unknown_gateway`, `gateway_disabled`, `foreign_contribution`, or
 * the gateway's refusal; then no money can move, because no donor has an order to pay.
 */
export async function openDonation(
  db: Database,
  orgId: number,
  donation: NewDonation,
  options: CheckoutOptions,
): Promise<OpenedDonation> {
  const donationId = newId('don')
  const { account, fundName } = await db.transact(
    orgId,
    async (trx) => {
      await assertSwitchedOn(trx, 'donations')
      const name = await fundNamed(trx, donation.fund)
      await assertMayTake(trx, donation.indianCitizen)
      const opened = await loadEnabledAccount(trx, options.keyring, donation.gateway)
      const donorId = await insertDonor(trx, options.keyring, donation.donor)
      await insertDonation(trx, { ...donation, donationId, donorId })
      return { account: opened, fundName: name }
    },
    { isolation: 'read committed' },
  )
  const order: NewOrder = {
    reference: referenceOf(donationId),
    amount: donation.amount,
    currency: donation.currency,
    description: `Donation ${fundName}`,
    payer: donation.donor,
    returnUrl: donation.returnUrl,
  }
  const { gateway } = donation
  // Two orders for one donation move no money: only one of them can be paid, the noted one.
  const errand = { orgId, service: gateway, operation: 'createOrder', repeatable: true }
  const made = await options.out(errand, async (call) => {
    return await gateways[gateway].createOrder(account, order, call)
  })
  const opened = { donationId, order: made }
  await db.transact(
    orgId,
    async (trx) => {
      await trx.query(
        'update donations set order_ref = $3 where org_id = $1 and donation_id = $2',
        [orgId, donationId, made.orderRef],
      )
      await options.onOpened?.(trx, opened)
    },
    { isolation: 'read committed' },
  )
  return opened
}

/** PayU takes at most 25 characters: the random ones of the id and as much of its time as fits. */
function referenceOf(donationId: string): string {
  return donationId.slice(-25)
}

/** The fund's name; throws `unknown_fund` or `fund_closed` (moved: no). */
export async function fundNamed(trx: Trx, fund: string): Promise<string> {
  const [row] = await trx.query<{ name: string; closed_at: Date | null }>(
    'select name, closed_at from funds where org_id = $1 and fund = $2',
    [trx.scope, fund],
  )
  if (row === undefined) {
    throw new Problem('unknown_fund', {
      detail: `The organisation has no fund "${fund}".`,
      moved: 'no',
    })
  }
  if (row.closed_at !== null) {
    const detail = `The fund "${fund}" is closed; choose another one.`
    throw new Problem('fund_closed', { detail, moved: 'no' })
  }
  return row.name
}

/** Throws `foreign_contribution` for a gift that takes a registration which is not there (FCRA). */
export async function assertMayTake(trx: Trx, indianCitizen: boolean): Promise<void> {
  if (indianCitizen) {
    return
  }
  const [row] = await trx.query<{ fcra_registration: string | null }>(
    'select fcra_registration from organisations where org_id = $1',
    [trx.scope],
  )
  if (row?.fcra_registration === null || row === undefined) {
    throw new Problem('foreign_contribution', {
      detail: 'A foreign citizen’s gift needs an FCRA registration, which this organisation lacks.',
      moved: 'no',
    })
  }
}

/** A donation as it is written: open, whoever waits for its money. */
export interface OpenDonation extends Pick<
  NewDonation,
  'amount' | 'currency' | 'fund' | 'nature' | 'corpusDirection' | 'purpose'
> {
  donationId: string
  donorId: string
  /** Null for money that comes past the gateways. */
  gateway: GatewayName | null
}

export async function insertDonation(trx: Trx, donation: OpenDonation): Promise<void> {
  await trx.query(
    `insert into donations (org_id, donation_id, donor_id, gateway, amount, currency, fund, nature,
       corpus_direction, purpose)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
    [
      trx.scope,
      donation.donationId,
      donation.donorId,
      donation.gateway,
      donation.amount,
      donation.currency,
      donation.fund,
      donation.nature,
      donation.corpusDirection,
      donation.purpose,
    ],
  )
}
