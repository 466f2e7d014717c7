/** Turns facts into what they mean: payments, paid donations, entries, promised receipts. */
import { encodeFields } from '../audit/chain.ts'
import { indianDate } from '../base/clock.ts'
import { sha256 } from '../base/crypto.ts'
import type { Trx } from '../base/db.ts'
import { newId } from '../base/ids.ts'
import { Problem } from '../base/problem.ts'
import type { TraceContext } from '../base/tracing.ts'
import type { Fact, PaymentCaptured } from '../gateways/fact.ts'
import type { Draft } from '../ledger/core/entry.ts'
import { donationCaptured, unidentifiedCaptured } from '../ledger/core/rules.ts'
import { datedLate } from '../ledger/posting/late.ts'
import { readRestricted } from '../ledger/periods/periods.ts'
import { post } from '../ledger/posting/post.ts'
import {
  applyFact,
  fillIn,
  loadPayments,
  paymentKeyOf,
  savePayments,
  type Payment,
} from './payments.ts'
import { tellOfPayments } from './tell.ts'

/** A fact and the stored event that told it. */
export interface ToldFact {
  eventId: string
  /** What comes of it goes on there. */
  trace?: TraceContext | null
  fact: Fact
}

/** What became of the facts of one event: null where all is recorded, else why not. */
export type Outcomes = Map<string, Problem | null>

interface Donation {
  donation_id: string
  gateway: string
  order_ref: string
  state: 'open' | 'paid' | 'closed'
  amount: bigint
  currency: string
  fund: string
}

const ACTOR = 'job:process-inbox'

/**
 * Records facts in the order given, each once: a fact that was told before with the same money
 * changes nothing, one with other money is a conflict. All writes are in the caller's transaction.
 */
export async function recordFacts(
  trx: Trx,
  told: readonly ToldFact[],
  now: Date,
): Promise<Outcomes> {
  const outcomes: Outcomes = new Map(told.map(({ eventId }) => [eventId, null]))
  const { fresh, repeated } = await sortOut(trx, told, outcomes)
  const payments = await loadPayments(
    trx,
    told.map(({ fact }) => fact),
  )
  const donations = await loadDonations(
    trx,
    fresh.map(({ fact }) => fact),
  )
  const paid = await postCaptures(trx, { fresh, payments, donations, outcomes })
  const refused = new Map(fresh.map((one) => [one.fact.key, outcomes.get(one.eventId) ?? null]))
  for (const { eventId, fact } of repeated) {
    const problem = refused.get(fact.key) ?? null
    if (problem !== null) {
      outcomes.set(eventId, problem)
    }
  }
  const recorded = fresh.filter(({ eventId }) => outcomes.get(eventId) === null)
  for (const { fact } of recorded) {
    applyFact(payments, fact, paid.get(fact.key) ?? null, now)
  }
  for (const { fact } of repeated) {
    fillIn(payments, fact)
  }
  await insertFacts(trx, recorded)
  await savePayments(trx, payments)
  await closeDonations(trx, payments, recorded, paid, now)
  await tellOfPayments(
    trx,
    recorded.map(({ fact }) => fact),
    {
      payments,
      captured: paid,
      funds: new Map([...donations.values()].map((one) => [one.donation_id, one.fund])),
    },
  )
  return outcomes
}

/** Parts new facts from repeated ones; notes a conflict where a repeated one has other money. */
async function sortOut(
  trx: Trx,
  told: readonly ToldFact[],
  outcomes: Outcomes,
): Promise<{ fresh: ToldFact[]; repeated: ToldFact[] }> {
  const rows = await trx.query<{ fact_key: string; fingerprint: Buffer }>(
    'select fact_key, fingerprint from facts where org_id = $1 and fact_key = any($2)',
    [trx.scope, told.map(({ fact }) => fact.key)],
  )
  const known = new Map(rows.map((row) => [row.fact_key, row.fingerprint]))
  const fresh: ToldFact[] = []
  const repeated: ToldFact[] = []
  for (const one of told) {
    const fingerprint = fingerprintOf(one.fact)
    const before = known.get(one.fact.key)
    if (before === undefined) {
      known.set(one.fact.key, fingerprint)
      fresh.push(one)
    } else if (before.equals(fingerprint)) {
      repeated.push(one)
    } else {
      outcomes.set(one.eventId, conflict(one.fact))
    }
  }
  return { fresh, repeated }
}

function conflict(fact: Fact): Problem {
  return new Problem('idempotency_conflict', {
    detail: `Fact ${fact.key} was recorded with another amount; look at both events.`,
    moved: 'no',
  })
}

/** The money of a fact, without fee and tax: a later event may know what an earlier did not. */
function fingerprintOf(fact: Fact): Buffer {
  return sha256(
    encodeFields('bahi/fact/1', [
      ['kind', fact.kind],
      ['payment', fact.gatewayPaymentId],
      ['amount', fact.amount.toString()],
      ['currency', fact.currency],
    ]),
  )
}

async function loadDonations(trx: Trx, facts: readonly Fact[]): Promise<Map<string, Donation>> {
  const withOrder = facts.filter((fact) => fact.orderRef !== null)
  const rows = await trx.query<Donation>(
    `select donation_id, gateway, order_ref, state, amount, currency, fund
       from donations
      where org_id = $1 and (gateway, order_ref) in (select * from unnest($2::text[], $3::text[]))`,
    [trx.scope, withOrder.map((fact) => fact.gateway), withOrder.map((fact) => fact.orderRef)],
  )
  return new Map(rows.map((row) => [`${row.gateway} ${row.order_ref}`, row]))
}

/**
 * What a captured fact paid for. What no open donation asked for, in exactly that amount, is money
 * unidentified: somebody has to look at it.
 */
interface Paid {
  entryNo: bigint
  donationId: string | null
}

async function postCaptures(
  trx: Trx,
  batch: {
    fresh: readonly ToldFact[]
    payments: ReadonlyMap<string, Payment>
    donations: ReadonlyMap<string, Donation>
    outcomes: Outcomes
  },
): Promise<Map<string, Paid>> {
  const captures: { eventId: string; fact: PaymentCaptured; donation: Donation | null }[] = []
  const claimed = new Set<string>()
  for (const { eventId, fact } of batch.fresh) {
    if (fact.kind !== 'payment_captured') {
      continue
    }
    const order = batch.donations.get(`${fact.gateway} ${fact.orderRef ?? ''}`)
    const open =
      order?.state === 'open' && order.currency === fact.currency && !claimed.has(order.donation_id)
    if (open) {
      claimed.add(order.donation_id)
    }
    captures.push({ eventId, fact, donation: open ? order : null })
  }
  const restricted = await readRestricted(trx)
  const drafts = captures.map(({ fact, donation }) =>
    datedLate(draftOf(fact, donation), restricted),
  )
  const results = await post(trx, drafts)
  const paid = new Map<string, Paid>()
  captures.forEach(({ eventId, fact, donation }, index) => {
    const result = results[index]
    if (result === undefined || result.status === 'refused') {
      batch.outcomes.set(eventId, result?.problem ?? new Problem('internal'))
      return
    }
    paid.set(fact.key, {
      entryNo: result.entryNo,
      donationId: donation?.donation_id ?? null,
    })
  })
  return paid
}

function draftOf(fact: PaymentCaptured, donation: Donation | null): Draft {
  const money = {
    gateway: fact.gateway,
    gatewayPaymentId: fact.gatewayPaymentId,
    amount: fact.amount,
    currency: fact.currency,
    capturedOn: indianDate(fact.occurredAt),
    factKey: fact.key,
    actor: ACTOR,
  }
  return donation === null
    ? unidentifiedCaptured(money)
    : donationCaptured(money, { donationId: donation.donation_id, fund: donation.fund })
}

async function insertFacts(trx: Trx, recorded: readonly ToldFact[]): Promise<void> {
  await trx.query(
    `insert into facts (org_id, fact_key, kind, event_id, fingerprint, content)
     select $1, n.* from unnest($2::text[], $3::text[], $4::text[], $5::bytea[], $6::jsonb[]) as n`,
    [
      trx.scope,
      recorded.map(({ fact }) => fact.key),
      recorded.map(({ fact }) => fact.kind),
      recorded.map(({ eventId }) => eventId),
      recorded.map(({ fact }) => fingerprintOf(fact)),
      recorded.map(({ fact }) => contentOf(fact)),
    ],
  )
}

/** The fact as JSON without the payer, who stands with the donor; amounts as text. */
function contentOf(fact: Fact): string {
  const { payer: _payer, ...rest } = fact
  return JSON.stringify(rest, (_key, value: unknown) =>
    typeof value === 'bigint' ? value.toString() : value,
  )
}

/** Marks donations paid and promises their receipts, in the same transaction. */
async function closeDonations(
  trx: Trx,
  payments: ReadonlyMap<string, Payment>,
  recorded: readonly ToldFact[],
  paid: ReadonlyMap<string, Paid>,
  now: Date,
): Promise<void> {
  const closed = recorded.flatMap(({ fact, trace = null }) => {
    const donationId = paid.get(fact.key)?.donationId ?? null
    const payment = payments.get(paymentKeyOf(fact))
    return donationId === null || payment === undefined
      ? []
      : [{ donationId, paymentId: payment.payment_id, paidAt: fact.occurredAt, trace }]
  })
  if (closed.length === 0) {
    return
  }
  await trx.query(
    `update donations d
        set state = 'paid', payment_id = n.payment_id, paid_at = n.paid_at
       from unnest($2::text[], $3::text[], $4::timestamptz[])
         as n (donation_id, payment_id, paid_at)
      where d.org_id = $1 and d.donation_id = n.donation_id`,
    [
      trx.scope,
      closed.map((one) => one.donationId),
      closed.map((one) => one.paymentId),
      closed.map((one) => one.paidAt),
    ],
  )
  await trx.query(
    `insert into outbox (org_id, outbox_id, topic, subject, trace_context)
     select $1, n.outbox_id, 'issue_receipt', n.subject, n.trace
       from unnest($2::text[], $3::text[], $4::text[]) as n (outbox_id, subject, trace)`,
    [
      trx.scope,
      closed.map(() => newId('obx', now.getTime())),
      closed.map((one) => one.donationId),
      closed.map((one) => one.trace),
    ],
  )
}
