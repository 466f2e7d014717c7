/** GET /v1/donations: what was opened, by whom, and what was paid. */
import { z } from 'zod'
import { Problem } from '../../base/problem.ts'
import { donorsById } from '../../donations/donor-records.ts'
import { GATEWAY_NAMES } from '../../gateways/fact.ts'
import { pageOf } from '../answers.ts'
import {
  donation,
  DONATION_STATES,
  donations,
  donationView,
  type DonationRow,
} from '../donation-view.ts'
import { donor, donorView } from '../donor-view.ts'
import { expandable, expandableOperation, type Expansion } from '../expand.ts'
import { idOfKind, isoDate, limit } from '../input.ts'
import { anyText } from '../line.ts'
import { listOf } from '../list.ts'
import type { Operation } from '../operation.ts'
import { receiptExpansion } from '../receipt-view.ts'
import { paymentExpansion } from './payments.ts'

const donationId = idOfKind('don')

const query = z.strictObject({
  limit,
  starting_after: donationId.optional(),
  state: z.enum(DONATION_STATES).optional(),
  gateway: z.enum(GATEWAY_NAMES).optional(),
  order_ref: anyText(100).optional(),
  fund: anyText(40).optional(),
  donor: anyText(40).optional(),
  opened_from: isoDate.optional(),
  opened_to: isoDate.optional(),
})

const donorExpansion: Expansion = {
  permission: 'donors.read',
  view: donor,
  async load(trx, ids, principal) {
    const found = await donorsById(trx, ids)
    return new Map(found.map((one) => [one.donor_id, donorView(principal)(one)]))
  },
}

const expand = expandable(donation, {
  donor: donorExpansion,
  payment: paymentExpansion,
  receipt: receiptExpansion,
})

export function openedDonationOperations(): Operation[] {
  return [listOperation(), getOperation()]
}

function listOperation(): Operation {
  return expandableOperation(
    {
      id: 'listDonations',
      method: 'get',
      path: '/donations',
      tag: 'Donations',
      summary: 'Donations, newest first, and whether they were paid',
      permission: 'donations.read',
      query,
      expand,
      answers: { 200: { what: 'By id, downwards; days are India’s.', body: pageOf(donation) } },
    },
    {
      async read(trx, { query: asked, principal }) {
        const newestFirst = matching(donations(trx.scope), asked)
          .orderBy('d.donation_id', 'desc')
          .limit(asked.limit + 1)
        const rows = await trx.run<DonationRow>(newestFirst)
        return { status: 200, body: listOf(rows, asked.limit, donationView(principal)) }
      },
    },
  )
}

function getOperation(): Operation {
  return expandableOperation(
    {
      id: 'getDonation',
      method: 'get',
      path: '/donations/{id}',
      tag: 'Donations',
      summary: 'One donation, and whether it was paid',
      permission: 'donations.read',
      params: z.object({ id: donationId }),
      expand,
      answers: { 200: { what: 'The donation.', body: donation } },
    },
    {
      async read(trx, { params: { id }, principal }) {
        const one = donations(trx.scope).where('d.donation_id', id).limit(1)
        const [row] = await trx.run<DonationRow>(one)
        if (row === undefined) {
          throw new Problem('not_found', { detail: 'There is no such donation.' })
        }
        return { status: 200, body: donationView(principal)(row) }
      },
    },
  )
}

function matching(select: ReturnType<typeof donations>, asked: z.output<typeof query>) {
  if (asked.starting_after !== undefined) {
    select.where('d.donation_id', '<', asked.starting_after)
  }
  for (const [column, value] of [
    ['d.state', asked.state],
    ['d.gateway', asked.gateway],
    ['d.order_ref', asked.order_ref],
    ['d.fund', asked.fund],
    ['d.donor_id', asked.donor],
  ] as const) {
    if (value !== undefined) {
      select.where(column, value)
    }
  }
  if (asked.order_ref !== undefined && asked.gateway === undefined) {
    // The key of an order begins with its gateway.
    select.whereIn('d.gateway', GATEWAY_NAMES)
  }
  for (const [day, bound] of [
    [asked.opened_from, "d.opened_at >= ?::timestamp at time zone 'Asia/Kolkata'"],
    [asked.opened_to, "d.opened_at < (?::date + 1)::timestamp at time zone 'Asia/Kolkata'"],
  ] as const) {
    if (day !== undefined) {
      select.whereRaw(bound, [day])
    }
  }
  return select
}
