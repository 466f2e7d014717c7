/** Donations as answers show them: what was asked for, by whom, and whether it was paid. */
import { z } from 'zod'
import { build, type Trx } from '../base/db.ts'
import { minorToJson } from '../base/money.ts'
import type { Nature } from '../donations/checkout.ts'
import { GATEWAY_NAMES, type GatewayName } from '../gateways/fact.ts'
import { currencyCode, idText, instant, minorUnits } from './answers.ts'
import { EACH_ID, rowsById, type Expansion } from './expand.ts'
import type { Principal } from './request.ts'

export const DONATION_STATES = ['open', 'paid', 'closed'] as const

const NATURES = ['general', 'corpus', 'specific_grant'] as const satisfies readonly Nature[]

export const donation = z
  .strictObject({
    id: idText('don'),
    state: z.enum(DONATION_STATES),
    gateway: z
      .enum(GATEWAY_NAMES)
      .nullable()
      .meta({ description: 'Null for money that comes past the gateways.' }),
    order_ref: z
      .string()
      .nullable()
      .meta({ description: 'What the gateway calls the order; null until it has one.' }),
    amount: minorUnits,
    currency: currencyCode,
    fund: z.string(),
    nature: z.enum(NATURES),
    corpus_direction: z.string().nullable(),
    purpose: z.string().nullable(),
    donor: idText('dnr'),
    donor_name: z
      .string()
      .nullable()
      .meta({ description: 'Null for who may not see donors (donors.read).' }),
    payment: idText('pmt').nullable().meta({ description: 'The payment that paid for it.' }),
    receipt: idText('rcp').nullable().meta({ description: 'Null until it is issued.' }),
    opened_at: instant,
    paid_at: instant.nullable(),
  })
  .meta({ id: 'Donation' })

export interface DonationRow {
  donation_id: string
  state: (typeof DONATION_STATES)[number]
  gateway: GatewayName | null
  order_ref: string | null
  amount: bigint
  currency: string
  fund: string
  nature: Nature
  corpus_direction: string | null
  purpose: string | null
  donor_id: string
  donor_name: string
  payment_id: string | null
  receipt_id: string | null
  opened_at: Date
  paid_at: Date | null
}

/** The organisation's donations, as `d`; what is beside them is looked up by key, row by row. */
export function donations(orgId: Trx['scope']) {
  return build('donations as d')
    .where('d.org_id', orgId)
    .select(
      'd.*',
      build.raw(
        `(select n.name from donors n
           where n.org_id = d.org_id and n.donor_id = d.donor_id limit 1) as donor_name`,
      ),
      build.raw(
        `(select r.receipt_id from receipts r
           where r.org_id = d.org_id and r.donation_id = d.donation_id limit 1) as receipt_id`,
      ),
    )
}

/** Names are for who may see donors. */
export function donationView({ permissions }: Pick<Principal, 'permissions'>) {
  const isNamed = permissions.has('donors.read')
  return (row: DonationRow): z.input<typeof donation> => ({
    id: row.donation_id,
    state: row.state,
    gateway: row.gateway,
    order_ref: row.order_ref,
    amount: minorToJson(row.amount),
    currency: row.currency,
    fund: row.fund,
    nature: row.nature,
    corpus_direction: row.corpus_direction,
    purpose: row.purpose,
    donor: row.donor_id,
    donor_name: isNamed ? row.donor_name : null,
    payment: row.payment_id,
    receipt: row.receipt_id,
    opened_at: row.opened_at.toISOString(),
    paid_at: row.paid_at?.toISOString() ?? null,
  })
}

/** A donation in place of its id. */
export const donationExpansion: Expansion = {
  permission: 'donations.read',
  view: donation,
  async load(trx, ids, principal) {
    const one = donations(trx.scope).where('d.donation_id', EACH_ID)
    const rows = await rowsById<DonationRow>(trx, ids, one)
    return new Map(rows.map((row) => [row.donation_id, donationView(principal)(row)]))
  },
}
