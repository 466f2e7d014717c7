/** Payouts as the gateway tells of them: on their way, paid, come back, or never paid. */
import type { Trx } from '../base/db.ts'
import { newId } from '../base/ids.ts'
import type { Fact, GatewayName, PayoutFact } from '../gateways/fact.ts'
import type { AccountCode } from '../ledger/core/chart.ts'
import type { Draft } from '../ledger/core/entry.ts'
import { payoutProcessed, payoutReversed } from '../ledger/core/gateway-rules.ts'
import { moneyAt } from './money.ts'
import { changing, earlier, jsonOf, keyAt, lookUp, rowsOf, type Rows } from './rows.ts'

/** From the first to the last; a state never goes back. */
export const PAYOUT_STATES = [
  'queued',
  'pending',
  'processing',
  'failed',
  'processed',
  'reversed',
] as const

export type PayoutState = (typeof PAYOUT_STATES)[number]

export interface Payout {
  payout_id: string
  gateway: GatewayName
  account: string
  gateway_payout_id: string
  state: PayoutState
  amount: bigint
  currency: string
  fee: bigint
  tax: bigint
  paid_for: AccountCode
  reference: string | null
  utr: string | null
  failure_reason: string | null
  began_at: Date
  processed_at: Date | null
  reversed_at: Date | null
  failed_at: Date | null
  processed_entry: bigint | null
  reversed_entry: bigint | null
}

/** Somebody paid it out in the gateway's own dashboard: finance says what for. */
const UNASKED: AccountCode = 'assets:unidentified-payments'

/** A payout's identity at its gateway. */
export function payoutKeyOf(payout: {
  gateway: string
  account: string
  gatewayPayoutId: string
}): string {
  return keyAt(payout, payout.gatewayPayoutId)
}

/** Payouts in hand, with what we asked for ourselves. */
export interface PayoutRows extends Rows<Payout> {
  /** Which account bears it, by the payout's key, where it carries a reference of ours. */
  asked: ReadonlyMap<string, AccountCode>
}

/** The payouts that the facts are about, as far as they are known. */
export async function loadPayouts(trx: Trx, facts: readonly Fact[]): Promise<PayoutRows> {
  const wanted = facts.flatMap((fact) =>
    'gatewayPayoutId' in fact ? [{ ...fact, id: fact.gatewayPayoutId }] : [],
  )
  if (wanted.length === 0) {
    return { ...rowsOf<Payout>([], () => ''), asked: new Map() }
  }
  const rows = await trx.query<Payout>(
    `select p.*
       from unnest($2::text[], $3::text[], $4::text[]) as w (gateway, account, id)
      cross join lateral (
        select payout_id, gateway, account, gateway_payout_id, state, amount, currency, fee, tax,
               paid_for, reference, utr, failure_reason, began_at, processed_at, reversed_at,
               failed_at, processed_entry, reversed_entry
          from gateway_payouts
         where org_id = $1 and gateway = w.gateway and account = w.account
           and gateway_payout_id = w.id
         limit 1
      ) p`,
    [trx.scope, ...lookUp(wanted)],
  )
  const payouts = rowsOf(rows, (row) => row.gateway_payout_id)
  return { ...payouts, asked: await askedOf(trx, wanted, payouts) }
}

/**
 * What we asked for ourselves (src/instructions) is known before the gateway hears of it, so that
 * whatever tells of it first finds the account that bears it. Of another amount it is not ours.
 */
async function askedOf(
  trx: Trx,
  facts: readonly PayoutFact[],
  payouts: Rows<Payout>,
): Promise<ReadonlyMap<string, AccountCode>> {
  const named = facts.flatMap((fact) => {
    const key = payoutKeyOf(fact)
    const reference = fact.reference ?? payouts.byKey.get(key)?.reference ?? null
    return reference === null ? [] : [{ ...fact, key, reference }]
  })
  const rows = await trx.query<{ key: string; paid_for: AccountCode }>(
    `select n.key, i.paid_for
       from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::text[])
         as n (key, reference, gateway, account, amount, currency)
      cross join lateral (
        select paid_for from instructions
         where reference = n.reference and org_id = $1 and kind = 'payout'
           and gateway = n.gateway and account = n.account and amount = n.amount
           and currency = n.currency
         limit 1
      ) i`,
    [
      trx.scope,
      named.map((one) => one.key),
      named.map((one) => one.reference),
      named.map((one) => one.gateway),
      named.map((one) => one.account),
      named.map((one) => one.amount),
      named.map((one) => one.currency),
    ],
  )
  return new Map(rows.map((row) => [row.key, row.paid_for]))
}

/** Once an entry says what it was for, it stays so. */
function paidForOf(payouts: PayoutRows, key: string): AccountCode {
  const row = payouts.byKey.get(key)
  const isBooked = row !== undefined && (row.processed_entry ?? row.reversed_entry) !== null
  return (isBooked ? undefined : payouts.asked.get(key)) ?? row?.paid_for ?? UNASKED
}

/** The entry of a payout's step; null where no money moves. */
export function payoutDraft(payouts: PayoutRows, fact: PayoutFact): Draft | null {
  const money = moneyAt(fact, fact.gatewayPayoutId)
  const paidFor = paidForOf(payouts, payoutKeyOf(fact))
  switch (fact.kind) {
    case 'payout_pending':
    case 'payout_failed':
      return null
    case 'payout_processed':
      return payoutProcessed(money, fact, paidFor)
    case 'payout_reversed':
      return payoutReversed(money, fact, paidFor)
    default:
      return fact satisfies never
  }
}

/** Adds a fact to its payout; `entryNo` is what was posted for it. */
export function applyToPayout(
  payouts: PayoutRows,
  fact: PayoutFact,
  entryNo: bigint | null,
  now: Date,
): void {
  const key = payoutKeyOf(fact)
  const payout = changing(payouts, key, () => newPayout(fact, now))
  payout.paid_for = paidForOf(payouts, key)
  payout.began_at = earlier(payout.began_at, fact.occurredAt)
  const state = stateTold(fact)
  if (PAYOUT_STATES.indexOf(state) >= PAYOUT_STATES.indexOf(payout.state)) {
    payout.state = state
    payout.fee = fact.fee
    payout.tax = fact.tax
  }
  switch (fact.kind) {
    case 'payout_processed':
      payout.processed_entry = entryNo
      payout.processed_at = fact.occurredAt
      break
    case 'payout_reversed':
      payout.reversed_entry = entryNo
      payout.reversed_at = fact.occurredAt
      break
    case 'payout_failed':
      payout.failed_at = fact.occurredAt
      break
    default:
  }
  fillInPayout(payouts, fact)
}

/** Takes from a repeated fact what its first telling did not know: the bank's UTR, a reason. */
export function fillInPayout(payouts: Rows<Payout>, fact: Fact): void {
  const payout = 'gatewayPayoutId' in fact ? payouts.byKey.get(payoutKeyOf(fact)) : undefined
  if (payout === undefined || !('gatewayPayoutId' in fact)) {
    return
  }
  const before = jsonOf(payout)
  payout.reference ??= fact.reference
  if (fact.kind === 'payout_processed') {
    payout.utr ??= fact.utr
  } else if (fact.kind === 'payout_reversed') {
    // Why it came back says more than why it failed.
    payout.failure_reason = fact.reason ?? payout.failure_reason
  } else if (fact.kind === 'payout_failed') {
    payout.failure_reason ??= fact.reason
  }
  if (jsonOf(payout) !== before) {
    payouts.changed.add(payout)
  }
}

function stateTold(fact: PayoutFact): PayoutState {
  switch (fact.kind) {
    case 'payout_pending':
      return fact.state
    case 'payout_failed':
      return 'failed'
    case 'payout_processed':
      return 'processed'
    case 'payout_reversed':
      return 'reversed'
    default:
      return fact satisfies never
  }
}

function newPayout(fact: PayoutFact, now: Date): Payout {
  return {
    payout_id: newId('pyt', now.getTime()),
    gateway: fact.gateway,
    account: fact.account,
    gateway_payout_id: fact.gatewayPayoutId,
    state: 'queued',
    amount: fact.amount,
    currency: fact.currency,
    fee: fact.fee,
    tax: fact.tax,
    paid_for: UNASKED,
    reference: null,
    utr: null,
    failure_reason: null,
    began_at: fact.occurredAt,
    processed_at: null,
    reversed_at: null,
    failed_at: null,
    processed_entry: null,
    reversed_entry: null,
  }
}

/** Writes the payouts that changed back in one statement. */
export async function savePayouts(trx: Trx, payouts: Rows<Payout>): Promise<void> {
  if (payouts.changed.size === 0) {
    return
  }
  await trx.query(
    `insert into gateway_payouts (org_id, payout_id, gateway, account, gateway_payout_id, state,
       amount, currency, fee, tax, paid_for, reference, utr, failure_reason, began_at,
       processed_at, reversed_at, failed_at, processed_entry, reversed_entry)
     select $1, n.*
       from jsonb_to_recordset($2) as n (payout_id text, gateway text, account text,
         gateway_payout_id text, state text, amount bigint, currency text, fee bigint, tax bigint,
         paid_for text, reference text, utr text, failure_reason text, began_at timestamptz,
         processed_at timestamptz, reversed_at timestamptz, failed_at timestamptz,
         processed_entry bigint, reversed_entry bigint)
     on conflict (org_id, payout_id) do update
       set state = excluded.state, fee = excluded.fee, tax = excluded.tax,
           paid_for = excluded.paid_for, reference = excluded.reference, utr = excluded.utr,
           failure_reason = excluded.failure_reason, began_at = excluded.began_at,
           processed_at = excluded.processed_at, reversed_at = excluded.reversed_at,
           failed_at = excluded.failed_at, processed_entry = excluded.processed_entry,
           reversed_entry = excluded.reversed_entry`,
    [trx.scope, jsonOf([...payouts.changed])],
  )
}
