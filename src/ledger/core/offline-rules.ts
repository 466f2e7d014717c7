/** How money is booked that comes past the gateways: cash, cheques, transfers, UPI. */
import type { IsoDate } from '../../base/clock.ts'
import type { AccountCode, Direction } from './chart.ts'
import type { Draft, DraftLine, EntryKind } from './entry.ts'

/** What all of these entries are made of. */
export interface OfflineMoney {
  /** Ours of the payment: `ofp_…`. */
  offlineId: string
  donationId: string
  /** As finance would name it: "cheque 004711", "UPI 412345678901". */
  title: string
  /** What tells the payment from all others: its entries are posted once for it. */
  naturalKey: string
  /** Minor units. */
  amount: bigint
  currency: string
  /** The day of the step, as finance gives it. */
  on: IsoDate
  actor: string
}

/** What the bank takes for a cheque that came back, minor units, and from which account. */
export interface BankCharge {
  amount: bigint
  from: AccountCode
}

const CHEQUES: AccountCode = 'assets:cheques-in-hand'
const UNREALISED: AccountCode = 'liabilities:cheques-unrealised'
const BANK_CHARGES: AccountCode = 'expenses:bank-charges'

/** A gift is there at once, in cash or in the bank: the fund has income. */
export function donationReceived(money: OfflineMoney, into: AccountCode, fund: string): Draft {
  return draft('donation_received', 'received', `Donation, ${money.title}`, money, [
    ['debit', into, money.amount],
    ['credit', incomeOf(fund), money.amount],
  ])
}

/** A cheque is paper until the bank has honoured it: no income yet. */
export function chequeReceived(money: OfflineMoney): Draft {
  return draft('cheque_received', 'received', `Received, ${money.title}`, money, [
    ['debit', CHEQUES, money.amount],
    ['credit', UNREALISED, money.amount],
  ])
}

/** The bank credited the cheque: the paper is gone, and the fund has income. */
export function chequeRealised(money: OfflineMoney, into: AccountCode, fund: string): Draft {
  return draft('cheque_realised', 'realised', `Realised, ${money.title}`, money, [
    ['debit', into, money.amount],
    ['credit', CHEQUES, money.amount],
    ['debit', UNREALISED, money.amount],
    ['credit', incomeOf(fund), money.amount],
  ])
}

/** The bank did not honour a cheque: as if it had never come, but for the bank's charge. */
export function chequeBounced(money: OfflineMoney, charge: BankCharge): Draft {
  return draft('cheque_bounced', 'bounced', `Bounced, ${money.title}`, money, [
    ['debit', UNREALISED, money.amount],
    ['credit', CHEQUES, money.amount],
    ...chargeLines(charge),
  ])
}

/** The bank took back what it had credited: the fund loses the income again. */
export function chequeReturned(
  money: OfflineMoney,
  from: AccountCode,
  fund: string,
  charge: BankCharge,
): Draft {
  return draft('cheque_returned', 'returned', `Returned after credit, ${money.title}`, money, [
    ['debit', incomeOf(fund), money.amount],
    ['credit', from, money.amount],
    ...chargeLines(charge),
  ])
}

/** The account that a fund's gifts are income of. */
export function incomeOf(fund: string): AccountCode {
  return `income:donations:${fund}`
}

type Side = readonly [direction: Direction, account: AccountCode, amount: bigint]

function chargeLines({ amount, from }: BankCharge): Side[] {
  return amount === 0n
    ? []
    : [
        ['debit', BANK_CHARGES, amount],
        ['credit', from, amount],
      ]
}

function draft(
  kind: EntryKind,
  step: string,
  description: string,
  money: OfflineMoney,
  sides: readonly Side[],
): Draft {
  const key = `offline:${money.naturalKey}:${step}`
  return {
    kind,
    effectiveOn: money.on,
    idempotencyKey: key,
    description,
    source: `offline:${money.offlineId}`,
    actor: money.actor,
    reverses: null,
    adjusts: null,
    metadata: { offline_payment_id: money.offlineId, donation_id: money.donationId },
    lines: sides.map(([direction, account, amount]): DraftLine => ({
      direction,
      account,
      amount,
      currency: money.currency,
    })),
  }
}
