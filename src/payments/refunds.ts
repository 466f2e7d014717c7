/** Refunds: what their facts say together, whichever comes first, and what each of them posts. */
import type { Trx } from '../base/db.ts'
import { newId } from '../base/ids.ts'
import type { Fact, FeeFact, GatewayName, RefundFact } from '../gateways/fact.ts'
import type { AccountCode } from '../ledger/core/chart.ts'
import type { Draft } from '../ledger/core/entry.ts'
import {
  refundCreated,
  refundFailed,
  refundProcessed,
  refundReturned,
} from '../ledger/core/gateway-rules.ts'
import { moneyAt } from './money.ts'
import { changing, earlier, jsonOf, keyAt, later, lookUp, rowsOf, type Rows } from './rows.ts'

export const REFUND_STATES = ['created', 'processed', 'failed', 'returned', 'voided'] as const

export type RefundState = (typeof REFUND_STATES)[number]

export interface Refund {
  refund_id: string
  gateway: GatewayName
  account: string
  gateway_refund_id: string
  gateway_payment_id: string
  state: RefundState
  amount: bigint
  currency: string
  booked_to: AccountCode | null
  fee: bigint | null
  tax: bigint | null
  reference: string | null
  bank_reference: string | null
  failure_reason: string | null
  began_at: Date
  processed_at: Date | null
  failed_at: Date | null
  created_entry: bigint | null
  processed_entry: bigint | null
  failed_entry: bigint | null
  returned_entry: bigint | null
}

/** A refund's identity at its gateway. */
export function refundKeyOf(refund: {
  gateway: string
  account: string
  gatewayRefundId: string
}): string {
  return keyAt(refund, refund.gatewayRefundId)
}

/** The refunds that the facts are about, as far as they are known. */
export async function loadRefunds(trx: Trx, facts: readonly Fact[]): Promise<Rows<Refund>> {
  const wanted = facts.flatMap((fact) =>
    'gatewayRefundId' in fact ? [{ ...fact, id: fact.gatewayRefundId }] : [],
  )
  if (wanted.length === 0) {
    return rowsOf<Refund>([], () => '')
  }
  const rows = await trx.query<Refund>(
    `select r.*
       from unnest($2::text[], $3::text[], $4::text[]) as w (gateway, account, id)
      cross join lateral (
        select refund_id, gateway, account, gateway_refund_id, gateway_payment_id, state, amount,
               currency, booked_to, fee, tax, reference, bank_reference, failure_reason, began_at,
               processed_at, failed_at, created_entry, processed_entry, failed_entry,
               returned_entry
          from refunds
         where org_id = $1 and gateway = w.gateway and account = w.account
           and gateway_refund_id = w.id
         limit 1
      ) r`,
    [trx.scope, ...lookUp(wanted)],
  )
  return rowsOf(rows, (row) => row.gateway_refund_id)
}

/** The entry of a refund's step; null for what was never captured. */
export function refundDraft(fact: RefundFact, bookedTo: AccountCode | null): Draft | null {
  if (fact.kind === 'refund_voided') {
    return null
  }
  if (bookedTo === null) {
    throw new Error(`refund ${fact.key} has no captured payment`)
  }
  const money = moneyAt(fact, fact.gatewayRefundId)
  switch (fact.kind) {
    case 'refund_created':
      return refundCreated(money, bookedTo)
    case 'refund_processed':
      return refundProcessed(money)
    case 'refund_failed':
      return refundFailed(money, bookedTo)
    default:
      return fact satisfies never
  }
}

/** A refund that was paid and that failed, in either order. */
export interface Returned {
  /** The key of any of its facts; the entry's key is made of it. */
  factKey: string
  gateway: string
  gatewayRefundId: string
  amount: bigint
  currency: string
  processedAt: Date
  failedAt: Date
}

/** The entry of a refund that was paid and failed: on the later of the two days. */
export function returnedDraft(refund: Returned): Draft {
  const { factKey, gateway, gatewayRefundId, amount, currency } = refund
  const key = factKey.replace(/:[^:]*$/, ':returned')
  const occurredAt = later(refund.processedAt, refund.failedAt)
  return refundReturned(moneyAt({ key, gateway, amount, currency, occurredAt }, gatewayRefundId))
}

/** Adds a fact to its refund; `entryNo` is what was posted for it. */
export function applyToRefund(
  refunds: Rows<Refund>,
  fact: RefundFact,
  posted: { entryNo: bigint | null; bookedTo: AccountCode | null },
  now: Date,
): void {
  const refund = changing(refunds, refundKeyOf(fact), () => newRefund(fact, now))
  refund.began_at = earlier(refund.began_at, fact.occurredAt)
  if (fact.kind !== 'refund_voided') {
    refund.booked_to ??= posted.bookedTo
  }
  switch (fact.kind) {
    case 'refund_created':
      refund.created_entry = posted.entryNo
      break
    case 'refund_processed':
      refund.processed_entry = posted.entryNo
      refund.processed_at = fact.occurredAt
      break
    case 'refund_failed':
      refund.failed_entry = posted.entryNo
      refund.failed_at = fact.occurredAt
      break
    case 'refund_voided':
      break
    default:
      fact satisfies never
  }
  refund.state = stateOf(refund)
  fillInRefund(refunds, fact)
}

/** Notes the entry by which a refund that was paid and failed is returned. */
export function applyReturned(refunds: Rows<Refund>, key: string, entryNo: bigint): void {
  const refund = changing(refunds, key, () => {
    throw new Error('a refund that is not there was returned')
  })
  refund.returned_entry = entryNo
}

export function applyRefundFee(
  refunds: Rows<Refund>,
  fact: Extract<FeeFact, { kind: 'refund_fee' }>,
): void {
  const refund = changing(refunds, refundKeyOf(fact), () => {
    throw new Error(`fee ${fact.key} has no refund`)
  })
  refund.fee = fact.fee
  refund.tax = fact.tax
}

/** Takes from a repeated fact what its first telling did not know: often the bank's reference. */
export function fillInRefund(refunds: Rows<Refund>, fact: Fact): void {
  const refund = 'gatewayRefundId' in fact ? refunds.byKey.get(refundKeyOf(fact)) : undefined
  if (refund === undefined) {
    return
  }
  const before = jsonOf(refund)
  if (fact.kind === 'refund_created') {
    refund.reference ??= fact.reference
  } else if (fact.kind === 'refund_processed') {
    refund.bank_reference ??= fact.bankReference
  } else if (fact.kind === 'refund_failed') {
    refund.failure_reason ??= fact.reason
  }
  if (jsonOf(refund) !== before) {
    refunds.changed.add(refund)
  }
}

/** Voided only while nothing was posted for it: money that moved says that it was captured. */
function stateOf(refund: Refund): RefundState {
  const { processed_at: processed, failed_at: failed } = refund
  if (processed !== null) {
    return failed === null ? 'processed' : 'returned'
  }
  if (failed !== null) {
    return 'failed'
  }
  return refund.created_entry === null ? 'voided' : 'created'
}

function newRefund(fact: RefundFact, now: Date): Refund {
  return {
    refund_id: newId('rfd', now.getTime()),
    gateway: fact.gateway,
    account: fact.account,
    gateway_refund_id: fact.gatewayRefundId,
    gateway_payment_id: fact.gatewayPaymentId,
    state: 'voided',
    amount: fact.amount,
    currency: fact.currency,
    booked_to: null,
    fee: null,
    tax: null,
    reference: null,
    bank_reference: null,
    failure_reason: null,
    began_at: fact.occurredAt,
    processed_at: null,
    failed_at: null,
    created_entry: null,
    processed_entry: null,
    failed_entry: null,
    returned_entry: null,
  }
}

/** Writes the refunds that changed back in one statement. */
export async function saveRefunds(trx: Trx, refunds: Rows<Refund>): Promise<void> {
  if (refunds.changed.size === 0) {
    return
  }
  await trx.query(
    `insert into refunds (org_id, refund_id, gateway, account, gateway_refund_id,
       gateway_payment_id, state, amount, currency, booked_to, fee, tax, reference,
       bank_reference, failure_reason, began_at, processed_at, failed_at, created_entry,
       processed_entry, failed_entry, returned_entry)
     select $1, n.*
       from jsonb_to_recordset($2) as n (refund_id text, gateway text, account text,
         gateway_refund_id text, gateway_payment_id text, state text, amount bigint,
         currency text, booked_to text, fee bigint, tax bigint, reference text,
         bank_reference text, failure_reason text, began_at timestamptz,
         processed_at timestamptz, failed_at timestamptz, created_entry bigint,
         processed_entry bigint, failed_entry bigint, returned_entry bigint)
     on conflict (org_id, refund_id) do update
       set state = excluded.state, booked_to = excluded.booked_to, fee = excluded.fee,
           tax = excluded.tax, reference = excluded.reference,
           bank_reference = excluded.bank_reference, failure_reason = excluded.failure_reason,
           began_at = excluded.began_at, processed_at = excluded.processed_at,
           failed_at = excluded.failed_at, created_entry = excluded.created_entry,
           processed_entry = excluded.processed_entry, failed_entry = excluded.failed_entry,
           returned_entry = excluded.returned_entry`,
    [trx.scope, jsonOf([...refunds.changed])],
  )
}

/** How many of these payments have more refunded, or on its way back, than was captured. */
export async function countOverRefunded(
  trx: Trx,
  facts: readonly RefundFact[],
): Promise<{ gateway: string; count: number }[]> {
  return await trx.query(
    `select w.gateway, count(*)::integer as count
       from (select distinct * from unnest($2::text[], $3::text[], $4::text[])
               as n (gateway, account, id)) w
       join lateral (
         select amount from payments
          where org_id = $1 and gateway = w.gateway and account = w.account
            and gateway_payment_id = w.id and state = 'captured' limit 1
       ) p on true
       join lateral (
         select sum(amount)::bigint as amount from refunds
          where gateway_payment_id = w.id and org_id = $1 and gateway = w.gateway
            and account = w.account and state in ('created', 'processed')
       ) r on r.amount > p.amount
      group by 1`,
    [trx.scope, ...lookUp(facts.map((fact) => ({ ...fact, id: fact.gatewayPaymentId })))],
  )
}
