/** Payments that came past the gateways, as they are looked at. */
import type { IsoDate } from '../base/clock.ts'
import { build, type Trx } from '../base/db.ts'
import { Problem } from '../base/problem.ts'
import type { Nature } from '../donations/checkout.ts'
import type { AccountCode } from '../ledger/core/chart.ts'
import type { Channel, OfflineState } from './payment.ts'

export interface OfflineRow {
  offline_id: string
  channel: Channel
  state: OfflineState
  amount: bigint
  currency: string
  natural_key: string
  reference: string | null
  cheque_date: IsoDate | null
  ifsc: string | null
  bank: string | null
  donation_id: string
  donor_id: string
  donor_name: string
  donation_state: 'open' | 'paid' | 'closed'
  fund: string
  nature: Nature
  payment_id: string | null
  receipt_id: string | null
  account: AccountCode | null
  received_on: IsoDate
  realised_on: IsoDate | null
  bounced_on: IsoDate | null
  bounce_reason: string | null
  bank_charge: bigint | null
  charged_to: AccountCode | null
  received_entry: bigint
  realised_entry: bigint | null
  bounced_entry: bigint | null
  received_by: string
  realised_by: string | null
  bounced_by: string | null
  created_at: Date
}

export interface OfflineFilter {
  channel?: Channel | undefined
  state?: OfflineState | undefined
  reference?: string | undefined
  from?: IsoDate | undefined
  to?: IsoDate | undefined
}

/** Newest first; `from` and `to` are days on which they came. */
export async function listOffline(
  trx: Trx,
  filter: OfflineFilter,
  page: { limit: number; before: string | null },
): Promise<OfflineRow[]> {
  const select = offline(trx)
  for (const name of ['channel', 'state', 'reference'] as const) {
    const value = filter[name]
    if (value !== undefined) {
      select.where(`f.${name}`, value)
    }
  }
  if (filter.from !== undefined) {
    select.where('f.received_on', '>=', filter.from)
  }
  if (filter.to !== undefined) {
    select.where('f.received_on', '<=', filter.to)
  }
  if (page.before !== null) {
    select.where('f.offline_id', '<', page.before)
  }
  return await trx.run<OfflineRow>(select.orderBy('f.offline_id', 'desc').limit(page.limit))
}

/** Throws `not_found`. */
export async function findOffline(trx: Trx, offlineId: string): Promise<OfflineRow> {
  const one = offline(trx).where('f.offline_id', offlineId).limit(1)
  const [row] = await trx.run<OfflineRow>(one)
  if (row === undefined) {
    throw new Problem('not_found', { detail: 'There is no such payment.' })
  }
  return row
}

function offline(trx: Trx) {
  return build('offline_payments as f')
    .join('donations as d', (on) =>
      on.on('d.org_id', 'f.org_id').on('d.donation_id', 'f.donation_id'),
    )
    .join('donors as n', (on) => on.on('n.org_id', 'd.org_id').on('n.donor_id', 'd.donor_id'))
    .where('f.org_id', trx.scope)
    .select(
      'f.*',
      'd.donor_id',
      'd.fund',
      'd.nature',
      'd.state as donation_state',
      'n.name as donor_name',
      build.raw(
        `(select r.receipt_id from receipts r
           where r.org_id = f.org_id and r.donation_id = f.donation_id
           order by r.issued_at desc limit 1) as receipt_id`,
      ),
    )
}
