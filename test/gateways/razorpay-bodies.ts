/** Synthetic Razorpay events of every kind, in the shape of the printed ones. */
import { razorpay } from '../../src/gateways/razorpay.ts'
import type { GatewayEvent } from '../../src/gateways/gateway.ts'
import { razorpayWebhook } from '../support/sign.ts'

export const ACCOUNT = 'acc_TESTBahi000001'

/** 2026-01-01 00:00:00 UTC. */
export const NEW_YEAR = 1_767_225_600

type Changes = Readonly<Record<string, unknown>>

function event(name: string, entities: Readonly<Record<string, object>>, envelope: Changes) {
  const payload = Object.fromEntries(
    Object.entries(entities).map(([key, entity]) => [key, { entity }]),
  )
  return {
    entity: 'event',
    account_id: ACCOUNT,
    event: name,
    contains: Object.keys(entities),
    payload,
    created_at: NEW_YEAR + 600,
    ...envelope,
  }
}

const PAYMENT = {
  id: 'pay_TESTBahi000001',
  entity: 'payment',
  amount: 250_000,
  currency: 'INR',
  status: 'captured',
  captured: true,
}

export function refundEvent(
  name: string,
  refund: Changes = {},
  payment: Changes | null = {},
  envelope: Changes = {},
): object {
  const entity = {
    id: 'rfnd_TESTBahi00001',
    entity: 'refund',
    amount: 50_000,
    currency: 'INR',
    payment_id: 'pay_TESTBahi000001',
    notes: [],
    receipt: null,
    acquirer_data: { arn: null },
    created_at: NEW_YEAR,
    batch_id: null,
    status: 'pending',
    speed_processed: 'normal',
    speed_requested: 'normal',
    ...refund,
  }
  const beside = payment === null ? {} : { payment: { ...PAYMENT, ...payment } }
  return event(`refund.${name}`, { refund: entity, ...beside }, envelope)
}

export function disputeEvent(name: string, dispute: Changes = {}, envelope: Changes = {}): object {
  const entity = {
    id: 'disp_TESTBahi00001',
    entity: 'dispute',
    payment_id: 'pay_TESTBahi000001',
    amount: 39_000,
    currency: 'INR',
    amount_deducted: 0,
    reason_code: 'goods_not_received',
    respond_by: NEW_YEAR + 86_400,
    status: 'open',
    phase: 'chargeback',
    created_at: NEW_YEAR,
    ...dispute,
  }
  return event(`payment.dispute.${name}`, { payment: PAYMENT, dispute: entity }, envelope)
}

export function payoutEvent(name: string, payout: Changes = {}, envelope: Changes = {}): object {
  const entity = {
    id: 'pout_TESTBahi00001',
    entity: 'payout',
    fund_account_id: 'fa_TESTBahi0000001',
    amount: 100_000,
    currency: 'INR',
    notes: [],
    fees: 590,
    tax: 90,
    status: name,
    purpose: 'payout',
    utr: null,
    mode: 'IMPS',
    reference_id: 'BAHIPAYOUT0001',
    narration: 'Bahi',
    status_details: { description: 'It is on its way.', source: null, reason: 'in_progress' },
    created_at: NEW_YEAR,
    fee_type: '',
    ...payout,
  }
  return event(`payout.${name}`, { payout: entity }, envelope)
}

export function transferEvent(
  name: string,
  transfer: Changes = {},
  reversal: Changes | null = null,
): object {
  const entity = {
    id: 'trf_TESTBahi000001',
    entity: 'transfer',
    status: 'processed',
    source: 'pay_TESTBahi000001',
    recipient: 'acc_TESTLinked0001',
    amount: 80_000,
    currency: 'INR',
    amount_reversed: 0,
    fees: 236,
    tax: 36,
    notes: {},
    on_hold: false,
    created_at: NEW_YEAR,
    processed_at: NEW_YEAR + 60,
    error: { code: null, description: null, reason: null },
    ...transfer,
  }
  const beside = reversal === null ? {} : { reversal: reversalOf(reversal) }
  return event(`transfer.${name}`, { transfer: entity, ...beside }, {})
}

function reversalOf(changes: Changes): object {
  return {
    id: 'rvrsl_TESTBahi0001',
    entity: 'reversal',
    transfer_id: 'trf_TESTBahi000001',
    amount: 30_000,
    fee: 0,
    tax: 0,
    currency: 'INR',
    customer_refund_id: null,
    created_at: NEW_YEAR + 7200,
    ...changes,
  }
}

export function settlementEvent(settlement: Changes = {}, envelope: Changes = {}): object {
  const entity = {
    id: 'setl_TESTBahi00001',
    entity: 'settlement',
    amount: 244_100,
    status: 'processed',
    fees: 0,
    tax: 0,
    utr: 'TESTN600000000009',
    created_at: NEW_YEAR,
    ...settlement,
  }
  return event('settlement.processed', { settlement: entity }, envelope)
}

export function lineEvent(line: Changes = {}): object {
  return event('settlement.line', { settlement_line: { ...LINE, ...line } }, {})
}

/** A line of a settlement's reconciliation. */
export const LINE = {
  entity_id: 'pay_TESTBahi000001',
  type: 'payment',
  debit: 0,
  credit: 247_100,
  amount: 250_000,
  currency: 'INR',
  fee: 2900,
  tax: 442,
  on_hold: false,
  settled: true,
  created_at: NEW_YEAR,
  settled_at: NEW_YEAR + 172_800,
  settlement_id: 'setl_TESTBahi00001',
  description: 'A gift',
  payment_id: null,
  settlement_utr: 'TESTN600000000009',
  order_id: 'order_TESTBahi0001',
  dispute_id: null,
}

export function downtimeEvent(
  of: 'payment' | 'payout',
  name: string,
  downtime: Changes = {},
  envelope: Changes = {},
): object {
  const entity = {
    id: 'down_TESTBahi00001',
    entity: `${of}.downtime`,
    method: of === 'payment' ? 'card' : ['IMPS', 'NEFT'],
    begin: NEW_YEAR - 300,
    end: null,
    status: name,
    scheduled: false,
    severity: 'high',
    instrument: { issuer: 'HDFC', card_type: 'credit' },
    created_at: NEW_YEAR,
    updated_at: NEW_YEAR,
    ...downtime,
  }
  return event(`${of}.downtime.${name}`, { [`${of}.downtime`]: entity }, envelope)
}

export function readEvent(content: object): GatewayEvent {
  return razorpay.read(razorpayWebhook(content, 'secret'), ACCOUNT, null)
}
