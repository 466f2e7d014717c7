/** How what gateways do with money is booked: fees, refunds, disputes, settlements, payouts. */
import type { IsoDate } from '../../base/clock.ts'
import type { AccountCode, Direction } from './chart.ts'
import type { Draft, DraftLine, EntryKind } from './entry.ts'

/** What all of these entries are made of. */
export interface GatewayMoney {
  gateway: string
  /** The gateway's id of what happened: `rfnd_…`, `disp_…`, `setl_…`. */
  ref: string
  /** Minor units. */
  amount: bigint
  currency: string
  /** The day it happened, in India's calendar. */
  on: IsoDate
  /** The fact's natural key: the entry is posted once for it. */
  factKey: string
  actor: string
}

/** The gateway's charge, tax included, and the tax in it; minor units. */
export interface GatewayCharge {
  fee: bigint
  tax: bigint
}

const FEES: AccountCode = 'expenses:gateway-fees'
const INPUT_GST: AccountCode = 'assets:input-gst'
const IN_TRANSIT: AccountCode = 'assets:bank:in-transit'
const DISPUTE_LOSSES: AccountCode = 'expenses:dispute-losses'
const MERCHANTS: AccountCode = 'liabilities:merchants-payable'

/**
 * The gateway keeps its fee of what it owes us; the GST in it is a claim of its own. `amount` is
 * not used. Throws nothing: a fee of 0 has no entry, so it must not be asked for.
 */
export function gatewayFee(money: Omit<GatewayMoney, 'amount'>, charge: GatewayCharge): Draft {
  return draft('gateway_fee', `Fee of ${money.gateway}, ${money.ref}`, money, [
    ...chargeLines(charge),
    ['credit', clearing(money), charge.fee],
  ])
}

/** Money is promised back to a payer: what the payment was booked to loses it. */
export function refundCreated(money: GatewayMoney, bookedTo: AccountCode): Draft {
  return draft('refund_created', `Refund through ${money.gateway}, ${money.ref}`, money, [
    ['debit', bookedTo, money.amount],
    ['credit', refundsPayable(money), money.amount],
  ])
}

/** The gateway paid the refund out of what it owes us. */
export function refundProcessed(money: GatewayMoney): Draft {
  return draft('refund_processed', `Refund paid by ${money.gateway}, ${money.ref}`, money, [
    ['debit', refundsPayable(money), money.amount],
    ['credit', clearing(money), money.amount],
  ])
}

/** The refund did not reach the payer: what the payment was booked to has the money again. */
export function refundFailed(money: GatewayMoney, bookedTo: AccountCode): Draft {
  return draft('refund_failed', `Refund failed at ${money.gateway}, ${money.ref}`, money, [
    ['debit', refundsPayable(money), money.amount],
    ['credit', bookedTo, money.amount],
  ])
}

/** A refund that was paid and then failed: the gateway owes us the money again. */
export function refundReturned(money: GatewayMoney): Draft {
  return draft('refund_returned', `Refund returned to ${money.gateway}, ${money.ref}`, money, [
    ['debit', clearing(money), money.amount],
    ['credit', refundsPayable(money), money.amount],
  ])
}

/** The gateway holds contested money back, and may charge for it. */
export function disputeDebited(money: GatewayMoney, charge: GatewayCharge): Draft {
  return draft('dispute_debited', `Dispute at ${money.gateway}, ${money.ref}`, money, [
    ['debit', disputed(money), money.amount],
    ...chargeLines(charge),
    ['credit', clearing(money), money.amount + charge.fee],
  ])
}

/** The gateway gives contested money back, and perhaps its charge. */
export function disputeCredited(money: GatewayMoney, charge: GatewayCharge): Draft {
  return draft(
    'dispute_credited',
    `Dispute money back from ${money.gateway}, ${money.ref}`,
    money,
    [
      ['debit', clearing(money), money.amount + charge.fee],
      ['credit', disputed(money), money.amount],
      ...chargeLines(charge, 'credit'),
    ],
  )
}

/** Contested money is lost: out of what the gateway owes us, or of what it held back. */
export function disputeLost(money: GatewayMoney, from: 'clearing' | 'debited'): Draft {
  return draft('dispute_lost', `Dispute lost at ${money.gateway}, ${money.ref}`, money, [
    ['debit', DISPUTE_LOSSES, money.amount],
    ['credit', from === 'clearing' ? clearing(money) : disputed(money), money.amount],
  ])
}

/** The gateway sent what it owes us to the bank. */
export function settled(money: GatewayMoney): Draft {
  return draft('settled', `Settlement by ${money.gateway}, ${money.ref}`, money, [
    ['debit', IN_TRANSIT, money.amount],
    ['credit', clearing(money), money.amount],
  ])
}

/** The bank did not take it: the gateway owes us the money again. */
export function settlementReturned(money: GatewayMoney): Draft {
  return draft(
    'settlement_returned',
    `Settlement returned to ${money.gateway}, ${money.ref}`,
    money,
    [
      ['debit', clearing(money), money.amount],
      ['credit', IN_TRANSIT, money.amount],
    ],
  )
}

/** Money was paid out of the balance at the gateway, with its charge. */
export function payoutProcessed(
  money: GatewayMoney,
  charge: GatewayCharge,
  paidFor: AccountCode,
): Draft {
  return draft('payout_processed', `Payout through ${money.gateway}, ${money.ref}`, money, [
    ['debit', paidFor, money.amount],
    ...chargeLines(charge),
    ['credit', payoutBalance(money), money.amount + charge.fee],
  ])
}

/** A payout came back to the balance, charge and all. */
export function payoutReversed(
  money: GatewayMoney,
  charge: GatewayCharge,
  paidFor: AccountCode,
): Draft {
  return draft('payout_reversed', `Payout returned to ${money.gateway}, ${money.ref}`, money, [
    ['debit', payoutBalance(money), money.amount + charge.fee],
    ['credit', paidFor, money.amount],
    ...chargeLines(charge, 'credit'),
  ])
}

/** A merchant's part of what the gateway owes us went to his own account there. */
export function transferProcessed(money: GatewayMoney, charge: GatewayCharge): Draft {
  return draft('transfer_processed', `Transfer through ${money.gateway}, ${money.ref}`, money, [
    ['debit', MERCHANTS, money.amount],
    ...chargeLines(charge),
    ['credit', clearing(money), money.amount + charge.fee],
  ])
}

/** A merchant's part came back. */
export function transferReversed(money: GatewayMoney, charge: GatewayCharge): Draft {
  return draft('transfer_reversed', `Transfer returned to ${money.gateway}, ${money.ref}`, money, [
    ['debit', clearing(money), money.amount + charge.fee],
    ['credit', MERCHANTS, money.amount],
    ...chargeLines(charge, 'credit'),
  ])
}

type Side = readonly [direction: Direction, account: AccountCode, amount: bigint]

/** Lines of 0 are left out: an entry has none. */
function draft(
  kind: EntryKind,
  description: string,
  money: Omit<GatewayMoney, 'amount'>,
  sides: readonly Side[],
): Draft {
  return {
    kind,
    effectiveOn: money.on,
    idempotencyKey: money.factKey,
    description,
    source: money.factKey,
    actor: money.actor,
    reverses: null,
    adjusts: null,
    metadata: { gateway_ref: money.ref },
    lines: sides
      .filter(([, , amount]) => amount > 0n)
      .map(([direction, account, amount]): DraftLine => ({
        direction,
        account,
        amount,
        currency: money.currency,
      })),
  }
}

function chargeLines({ fee, tax }: GatewayCharge, direction: Direction = 'debit'): Side[] {
  return [
    [direction, FEES, fee - tax],
    [direction, INPUT_GST, tax],
  ]
}

function clearing({ gateway }: { gateway: string }): AccountCode {
  return `assets:clearing:${gateway}`
}

function disputed({ gateway }: { gateway: string }): AccountCode {
  return `assets:disputed:${gateway}`
}

function refundsPayable({ gateway }: { gateway: string }): AccountCode {
  return `liabilities:refunds-payable:${gateway}`
}

function payoutBalance({ gateway }: { gateway: string }): AccountCode {
  return `assets:payout-balance:${gateway}`
}
