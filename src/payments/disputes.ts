/** Disputes: what is contested, what the gateway holds back for it, and how it ended. */
import type { Trx } from '../base/db.ts'
import { newId } from '../base/ids.ts'
import type { DisputeFact, Fact, GatewayName } from '../gateways/fact.ts'
import type { Draft } from '../ledger/core/entry.ts'
import { disputeCredited, disputeDebited, disputeLost } from '../ledger/core/gateway-rules.ts'
import { moneyAt } from './money.ts'
import { changing, earlier, jsonOf, keyAt, lookUp, rowsOf, type Rows } from './rows.ts'

export const DISPUTE_STATES = ['open', 'won', 'lost'] as const

export type DisputeState = (typeof DISPUTE_STATES)[number]

export interface Dispute {
  dispute_id: string
  gateway: GatewayName
  account: string
  gateway_dispute_id: string
  gateway_payment_id: string
  state: DisputeState
  amount: bigint
  currency: string
  phase: string | null
  reason: string | null
  respond_by: Date | null
  /** What the gateway took and did not give back yet. */
  held: bigint
  lost: bigint
  /** What the gateway charged for it, less what it gave back. */
  fee: bigint
  tax: bigint
  began_at: Date
  told_at: Date | null
  won_at: Date | null
  lost_at: Date | null
}

type Opened = Extract<DisputeFact, { kind: 'dispute_opened' }>

/** A dispute's identity at its gateway. */
export function disputeKeyOf(dispute: {
  gateway: string
  account: string
  gatewayDisputeId: string
}): string {
  return keyAt(dispute, dispute.gatewayDisputeId)
}

/** The disputes that the facts are about, as far as they are known. */
export async function loadDisputes(trx: Trx, facts: readonly Fact[]): Promise<Rows<Dispute>> {
  const wanted = facts.flatMap((fact) =>
    'gatewayDisputeId' in fact ? [{ ...fact, id: fact.gatewayDisputeId }] : [],
  )
  if (wanted.length === 0) {
    return rowsOf<Dispute>([], () => '')
  }
  const rows = await trx.query<Dispute>(
    `select d.*
       from unnest($2::text[], $3::text[], $4::text[]) as w (gateway, account, id)
      cross join lateral (
        select dispute_id, gateway, account, gateway_dispute_id, gateway_payment_id, state, amount,
               currency, phase, reason, respond_by, held, lost, fee, tax, began_at, told_at,
               won_at, lost_at
          from disputes
         where org_id = $1 and gateway = w.gateway and account = w.account
           and gateway_dispute_id = w.id
         limit 1
      ) d`,
    [trx.scope, ...lookUp(wanted)],
  )
  return rowsOf(rows, (row) => row.gateway_dispute_id)
}

/** The entry of a dispute's step; null where no money moves. */
export function disputeDraft(fact: DisputeFact): Draft | null {
  const money = moneyAt(fact, fact.gatewayDisputeId)
  switch (fact.kind) {
    case 'dispute_opened':
    case 'dispute_won':
      return null
    case 'dispute_debited':
      return disputeDebited(money, fact)
    case 'dispute_credited':
      return disputeCredited(money, fact)
    case 'dispute_lost':
      return disputeLost(money, fact.from)
    default:
      return fact satisfies never
  }
}

/** Adds a fact to its dispute; what it moved is added up, so that the order is all one. */
export function applyToDispute(disputes: Rows<Dispute>, fact: DisputeFact, now: Date): void {
  const dispute = changing(disputes, disputeKeyOf(fact), () => newDispute(fact, now))
  dispute.began_at = earlier(dispute.began_at, fact.occurredAt)
  if (fact.kind !== 'dispute_opened' && dispute.told_at === null) {
    // Until somebody says what is contested, it is the most that was moved for it.
    dispute.amount = fact.amount > dispute.amount ? fact.amount : dispute.amount
  }
  switch (fact.kind) {
    case 'dispute_opened':
      takeNewest(dispute, fact)
      return
    case 'dispute_debited':
      dispute.held += fact.amount
      dispute.fee += fact.fee
      dispute.tax += fact.tax
      return
    case 'dispute_credited':
      dispute.held -= fact.amount
      dispute.fee -= fact.fee
      dispute.tax -= fact.tax
      return
    case 'dispute_lost':
      dispute.lost += fact.amount
      dispute.held -= fact.from === 'debited' ? fact.amount : 0n
      dispute.lost_at ??= fact.occurredAt
      break
    case 'dispute_won':
      dispute.won_at ??= fact.occurredAt
      break
    default:
      fact satisfies never
  }
  dispute.state = stateOf(dispute)
}

/** Takes from a repeated fact how the contest goes on: its phase, what is due and by when. */
export function fillInDispute(disputes: Rows<Dispute>, fact: Fact): void {
  const dispute =
    fact.kind === 'dispute_opened' ? disputes.byKey.get(disputeKeyOf(fact)) : undefined
  if (dispute !== undefined && fact.kind === 'dispute_opened') {
    const before = jsonOf(dispute)
    dispute.began_at = earlier(dispute.began_at, fact.occurredAt)
    takeNewest(dispute, fact)
    if (jsonOf(dispute) !== before) {
      disputes.changed.add(dispute)
    }
  }
}

function takeNewest(dispute: Dispute, fact: Opened): void {
  const told = {
    told_at: fact.occurredAt,
    amount: fact.amount,
    currency: fact.currency,
    phase: fact.phase,
    reason: fact.reason,
    respond_by: fact.respondBy,
  }
  const { told_at, amount, currency, phase, reason, respond_by } = dispute
  const before = { told_at, amount, currency, phase, reason, respond_by }
  // In the same instant the order of the texts decides, so that the order of arrival never does.
  if (told_at === null || jsonOf(before) < jsonOf(told)) {
    Object.assign(dispute, told)
  }
}

/** How it ended last: a decision can be turned over. */
function stateOf({ won_at: won, lost_at: lost }: Dispute): DisputeState {
  if (lost === null) {
    return won === null ? 'open' : 'won'
  }
  return won !== null && won > lost ? 'won' : 'lost'
}

function newDispute(fact: DisputeFact, now: Date): Dispute {
  return {
    dispute_id: newId('dsp', now.getTime()),
    gateway: fact.gateway,
    account: fact.account,
    gateway_dispute_id: fact.gatewayDisputeId,
    gateway_payment_id: fact.gatewayPaymentId,
    state: 'open',
    amount: fact.amount,
    currency: fact.currency,
    phase: null,
    reason: null,
    respond_by: null,
    held: 0n,
    lost: 0n,
    fee: 0n,
    tax: 0n,
    began_at: fact.occurredAt,
    told_at: null,
    won_at: null,
    lost_at: null,
  }
}

/** Writes the disputes that changed back in one statement. */
export async function saveDisputes(trx: Trx, disputes: Rows<Dispute>): Promise<void> {
  if (disputes.changed.size === 0) {
    return
  }
  await trx.query(
    `insert into disputes (org_id, dispute_id, gateway, account, gateway_dispute_id,
       gateway_payment_id, state, amount, currency, phase, reason, respond_by, held, lost, fee,
       tax, began_at, told_at, won_at, lost_at)
     select $1, n.*
       from jsonb_to_recordset($2) as n (dispute_id text, gateway text, account text,
         gateway_dispute_id text, gateway_payment_id text, state text, amount bigint,
         currency text, phase text, reason text, respond_by timestamptz, held bigint, lost bigint,
         fee bigint, tax bigint, began_at timestamptz, told_at timestamptz, won_at timestamptz,
         lost_at timestamptz)
     on conflict (org_id, dispute_id) do update
       set state = excluded.state, amount = excluded.amount, currency = excluded.currency,
           phase = excluded.phase, reason = excluded.reason, respond_by = excluded.respond_by,
           held = excluded.held, lost = excluded.lost, fee = excluded.fee, tax = excluded.tax,
           began_at = excluded.began_at, told_at = excluded.told_at, won_at = excluded.won_at,
           lost_at = excluded.lost_at`,
    [trx.scope, jsonOf([...disputes.changed])],
  )
}
