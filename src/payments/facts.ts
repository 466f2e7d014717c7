/** The store of facts: which are new, which were told before, and which contradict each other. */
import { encodeFields, type Field } from '../audit/chain.ts'
import { sha256 } from '../base/crypto.ts'
import type { Trx } from '../base/db.ts'
import { Problem } from '../base/problem.ts'
import type { TraceContext } from '../base/tracing.ts'
import type { Fact } from '../gateways/fact.ts'
import { jsonOf } from './rows.ts'

/** A fact and the stored event that told it. */
export interface ToldFact {
  eventId: string
  /** What comes of it goes on there. */
  trace?: TraceContext | null
  fact: Fact
}

/** What became of the facts of one event: null where all is recorded or parked, else why not. */
export type Outcomes = Map<string, Problem | null>

export interface Sorted {
  fresh: ToldFact[]
  /** Recorded before, parked before, or in this batch already, with the same money. */
  repeated: ToldFact[]
  conflicting: ToldFact[]
}

/** The fingerprints of those of these facts that were recorded before, by key. */
export async function loadFingerprints(
  trx: Trx,
  facts: readonly Fact[],
): Promise<Map<string, Buffer>> {
  const rows = await trx.query<{ fact_key: string; fingerprint: Buffer }>(
    `select k.key as fact_key, f.fingerprint
       from unnest($2::text[]) as k (key)
      cross join lateral (
        select fingerprint from facts where org_id = $1 and fact_key = k.key limit 1
      ) f`,
    [trx.scope, [...new Set(facts.map(({ key }) => key))]],
  )
  return new Map(rows.map((row) => [row.fact_key, row.fingerprint]))
}

/**
 * Parts new facts from repeated ones and from those whose key has other money. `parked` are the
 * facts that wait already, `recorded` the fingerprints of those that were recorded.
 */
export function sortOut(
  told: readonly ToldFact[],
  parked: readonly ToldFact[],
  recorded: ReadonlyMap<string, Buffer>,
): Sorted {
  const known = new Map(recorded)
  for (const { fact } of parked) {
    known.set(fact.key, fingerprintOf(fact))
  }
  const sorted: Sorted = { fresh: [], repeated: [], conflicting: [] }
  for (const one of told) {
    const fingerprint = fingerprintOf(one.fact)
    const before = known.get(one.fact.key)
    if (before === undefined) {
      known.set(one.fact.key, fingerprint)
      sorted.fresh.push(one)
    } else if (before.equals(fingerprint)) {
      sorted.repeated.push(one)
    } else {
      sorted.conflicting.push(one)
    }
  }
  return sorted
}

/** That a fact has other money than what was recorded before: nothing moved for it. */
export function conflict(fact: Fact): Problem {
  return new Problem('idempotency_conflict', {
    detail: `Fact ${fact.key} was recorded with another amount; look at both events.`,
    moved: 'no',
  })
}

/** Writes facts down, each with the event that told it first. */
export async function insertFacts(trx: Trx, recorded: readonly ToldFact[]): Promise<void> {
  if (recorded.length === 0) {
    return
  }
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
export function contentOf(fact: Fact): string {
  return jsonOf('payer' in fact ? { ...fact, payer: undefined } : fact)
}

/** A fact never changes; its fingerprint is asked for when it is sorted and when it is written. */
const fingerprints = new WeakMap<Fact, Buffer>()

/** SHA-256 of what may not differ when the fact is told again: whose it is, and its money. */
export function fingerprintOf(fact: Fact): Buffer {
  const known = fingerprints.get(fact)
  if (known !== undefined) {
    return known
  }
  const made = sha256(encodeFields('bahi/fact/1', [['kind', fact.kind], ...sameAgain(fact)]))
  fingerprints.set(fact, made)
  return made
}

function sameAgain(fact: Fact): Field[] {
  switch (fact.kind) {
    case 'payment_authorized':
    case 'payment_captured':
    case 'payment_failed':
      return [['payment', fact.gatewayPaymentId], ...moneyOf(fact)]
    case 'payment_fee':
      return [['payment', fact.gatewayPaymentId], ...chargeOf(fact), ['currency', fact.currency]]
    case 'refund_fee':
      return [['refund', fact.gatewayRefundId], ...chargeOf(fact), ['currency', fact.currency]]
    case 'refund_created':
    case 'refund_processed':
    case 'refund_failed':
    case 'refund_voided': {
      const { gatewayRefundId: refund, gatewayPaymentId: payment } = fact
      return [['refund', refund], ['payment', payment], ...moneyOf(fact)]
    }
    case 'dispute_opened':
    case 'dispute_won':
      return [['dispute', fact.gatewayDisputeId], ...moneyOf(fact)]
    case 'dispute_lost':
      return [['dispute', fact.gatewayDisputeId], ...moneyOf(fact), ['from', fact.from]]
    case 'dispute_debited':
    case 'dispute_credited':
      return [['dispute', fact.gatewayDisputeId], ...moneyOf(fact), ...chargeOf(fact)]
    case 'settled':
    case 'settlement_returned':
      return [['settlement', fact.gatewaySettlementId], ...moneyOf(fact)]
    case 'payout_pending':
    case 'payout_failed':
      return [['payout', fact.gatewayPayoutId], ...moneyOf(fact)]
    case 'payout_processed':
    case 'payout_reversed':
      return [['payout', fact.gatewayPayoutId], ...moneyOf(fact), ...chargeOf(fact)]
    case 'transfer_failed':
      return [['transfer', fact.gatewayTransferId], ...moneyOf(fact)]
    case 'transfer_processed':
    case 'transfer_reversed':
      return [['transfer', fact.gatewayTransferId], ...moneyOf(fact), ...chargeOf(fact)]
    case 'downtime':
      return [['downtime', fact.downtimeId]]
    default:
      return fact satisfies never
  }
}

function moneyOf({ amount, currency }: { amount: bigint; currency: string }): Field[] {
  return [
    ['amount', amount.toString()],
    ['currency', currency],
  ]
}

function chargeOf({ fee, tax }: { fee: bigint; tax: bigint }): Field[] {
  return [
    ['fee', fee.toString()],
    ['tax', tax.toString()],
  ]
}
