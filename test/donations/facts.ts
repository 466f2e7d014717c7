/** Facts as gateways tell them, donations waiting for their money, and a way to record both. */
import { newId } from '../../src/base/ids.ts'
import { insertDonor, type NewDonor } from '../../src/donations/donors.ts'
import { recordFacts, type Outcomes } from '../../src/donations/record.ts'
import type {
  Fact,
  PaymentAuthorized,
  PaymentCaptured,
  PaymentFailed,
} from '../../src/gateways/fact.ts'
import { ORG, type Books } from '../ledger/books.ts'

export const ACCOUNT = 'acc_TEST0000000001'

/** 4 May 2026, 12:00 in India. */
export const NOON = new Date('2026-05-04T12:00:00+05:30')

export interface Told {
  payment: string
  order?: string | null
  amount?: bigint
  currency?: string
  at?: Date
}

function base(told: Told) {
  return {
    gateway: 'razorpay' as const,
    account: ACCOUNT,
    gatewayPaymentId: told.payment,
    orderRef: told.order ?? null,
    amount: told.amount ?? 50_000n,
    currency: told.currency ?? 'INR',
    occurredAt: told.at ?? NOON,
    method: 'upi',
    payer: { name: null, email: null, phone: null },
  }
}

export function authorized(told: Told): PaymentAuthorized {
  const key = `rzp:${ACCOUNT}:pay:${told.payment}:authorized`
  return { ...base(told), kind: 'payment_authorized', key }
}

export function captured(told: Told, more: Partial<PaymentCaptured> = {}): PaymentCaptured {
  return {
    ...base(told),
    kind: 'payment_captured',
    key: `rzp:${ACCOUNT}:pay:${told.payment}:captured`,
    bankReference: null,
    subscriptionRef: null,
    ...more,
  }
}

export function failed(told: Told): PaymentFailed {
  const at = (told.at ?? NOON).getTime() / 1000
  const key = `rzp:${ACCOUNT}:pay:${told.payment}:failed:${at}`
  return { ...base(told), kind: 'payment_failed', key, reason: 'Payment failed' }
}

/** Records facts in one transaction, each told by an event of its own. */
export async function record(
  books: Pick<Books, 'db'>,
  facts: readonly Fact[],
  orgId = ORG,
): Promise<(string | null)[]> {
  const told = facts.map((fact) => ({ eventId: newId('evt'), fact }))
  const outcomes: Outcomes = await books.db.transact(
    orgId,
    async (trx) => await recordFacts(trx, told, new Date()),
    { queue: 'journal' },
  )
  return told.map(({ eventId }) => outcomes.get(eventId)?.code ?? null)
}

export const DONOR: NewDonor & { email: string } = {
  name: 'आशा Kulkarni',
  email: 'asha@example.org',
  phone: null,
  address: { line1: '7 Tilak Road', city: 'Pune', state: 'Maharashtra', pin: '411030' },
  taxId: { type: 'pan', value: 'ABCPK1234F' },
}

export interface OpenDonation {
  order: string
  amount?: bigint
  donor?: Partial<NewDonor>
  orgId?: number
}

/** A donation whose donor has an order to pay; gives its id. */
export async function openFor(
  books: Pick<Books, 'db' | 'keyring'>,
  donation: OpenDonation,
): Promise<string> {
  const orgId = donation.orgId ?? ORG
  const donationId = newId('don')
  await books.db.transact(orgId, async (trx) => {
    const donorId = await insertDonor(trx, books.keyring, { ...DONOR, ...donation.donor })
    await trx.query(
      `insert into donations (org_id, donation_id, donor_id, gateway, order_ref, amount, currency,
         fund, nature)
       values ($1, $2, $3, 'razorpay', $4, $5, 'INR', 'education', 'general')`,
      [orgId, donationId, donorId, donation.order, donation.amount ?? 50_000n],
    )
  })
  return donationId
}
