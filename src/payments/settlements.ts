/** Settlements: what a gateway sent to the bank, and what came back from there. */
import type { Trx } from '../base/db.ts'
import { newId } from '../base/ids.ts'
import type { Fact, GatewayName, SettlementFact } from '../gateways/fact.ts'
import type { Draft } from '../ledger/core/entry.ts'
import { settled, settlementReturned } from '../ledger/core/gateway-rules.ts'
import { moneyAt } from './money.ts'
import { changing, earlier, jsonOf, keyAt, lookUp, rowsOf, type Rows } from './rows.ts'

export const SETTLEMENT_STATES = ['processed', 'returned'] as const

export type SettlementState = (typeof SETTLEMENT_STATES)[number]

export interface Settlement {
  settlement_id: string
  gateway: GatewayName
  account: string
  gateway_settlement_id: string
  state: SettlementState
  amount: bigint
  currency: string
  /** By which the bank's statement is found. */
  utr: string | null
  failure_reason: string | null
  began_at: Date
  settled_at: Date | null
  returned_at: Date | null
  settled_entry: bigint | null
  returned_entry: bigint | null
}

/** A settlement's identity at its gateway. */
export function settlementKeyOf(settlement: {
  gateway: string
  account: string
  gatewaySettlementId: string
}): string {
  return keyAt(settlement, settlement.gatewaySettlementId)
}

/** The settlements that the facts are about, as far as they are known. */
export async function loadSettlements(trx: Trx, facts: readonly Fact[]): Promise<Rows<Settlement>> {
  const wanted = facts.flatMap((fact) =>
    'gatewaySettlementId' in fact ? [{ ...fact, id: fact.gatewaySettlementId }] : [],
  )
  if (wanted.length === 0) {
    return rowsOf<Settlement>([], () => '')
  }
  const rows = await trx.query<Settlement>(
    `select s.*
       from unnest($2::text[], $3::text[], $4::text[]) as w (gateway, account, id)
      cross join lateral (
        select settlement_id, gateway, account, gateway_settlement_id, state, amount, currency,
               utr, failure_reason, began_at, settled_at, returned_at, settled_entry,
               returned_entry
          from settlements
         where org_id = $1 and gateway = w.gateway and account = w.account
           and gateway_settlement_id = w.id
         limit 1
      ) s`,
    [trx.scope, ...lookUp(wanted)],
  )
  return rowsOf(rows, (row) => row.gateway_settlement_id)
}

/** The entry of a settlement's step. */
export function settlementDraft(fact: SettlementFact): Draft {
  const money = moneyAt(fact, fact.gatewaySettlementId)
  return fact.kind === 'settled' ? settled(money) : settlementReturned(money)
}

/** Adds a fact to its settlement; `entryNo` is what was posted for it. */
export function applyToSettlement(
  settlements: Rows<Settlement>,
  fact: SettlementFact,
  entryNo: bigint | null,
  now: Date,
): void {
  const settlement = changing(settlements, settlementKeyOf(fact), () => newSettlement(fact, now))
  settlement.began_at = earlier(settlement.began_at, fact.occurredAt)
  if (fact.kind === 'settled') {
    settlement.settled_entry ??= entryNo
    settlement.settled_at ??= fact.occurredAt
  } else {
    settlement.returned_entry = entryNo
    settlement.returned_at = fact.occurredAt
  }
  settlement.state = settlement.returned_at === null ? 'processed' : 'returned'
  fillInSettlement(settlements, fact)
}

/** Takes from a repeated fact what its first telling did not know: the bank's UTR. */
export function fillInSettlement(settlements: Rows<Settlement>, fact: Fact): void {
  const settlement =
    'gatewaySettlementId' in fact ? settlements.byKey.get(settlementKeyOf(fact)) : undefined
  if (settlement === undefined) {
    return
  }
  if (fact.kind === 'settled' && settlement.utr === null && fact.utr !== null) {
    settlement.utr = fact.utr
    settlements.changed.add(settlement)
  }
  if (fact.kind === 'settlement_returned' && settlement.failure_reason === null) {
    settlement.failure_reason = fact.reason
    settlements.changed.add(settlement)
  }
}

function newSettlement(fact: SettlementFact, now: Date): Settlement {
  return {
    settlement_id: newId('stl', now.getTime()),
    gateway: fact.gateway,
    account: fact.account,
    gateway_settlement_id: fact.gatewaySettlementId,
    state: 'processed',
    amount: fact.amount,
    currency: fact.currency,
    utr: null,
    failure_reason: null,
    began_at: fact.occurredAt,
    settled_at: null,
    returned_at: null,
    settled_entry: null,
    returned_entry: null,
  }
}

/** Writes the settlements that changed back in one statement. */
export async function saveSettlements(trx: Trx, settlements: Rows<Settlement>): Promise<void> {
  if (settlements.changed.size === 0) {
    return
  }
  await trx.query(
    `insert into settlements (org_id, settlement_id, gateway, account, gateway_settlement_id,
       state, amount, currency, utr, failure_reason, began_at, settled_at, returned_at,
       settled_entry, returned_entry)
     select $1, n.*
       from jsonb_to_recordset($2) as n (settlement_id text, gateway text, account text,
         gateway_settlement_id text, state text, amount bigint, currency text, utr text,
         failure_reason text, began_at timestamptz, settled_at timestamptz,
         returned_at timestamptz, settled_entry bigint, returned_entry bigint)
     on conflict (org_id, settlement_id) do update
       set state = excluded.state, utr = excluded.utr, failure_reason = excluded.failure_reason,
           began_at = excluded.began_at, settled_at = excluded.settled_at,
           returned_at = excluded.returned_at, settled_entry = excluded.settled_entry,
           returned_entry = excluded.returned_entry`,
    [trx.scope, jsonOf([...settlements.changed])],
  )
}
