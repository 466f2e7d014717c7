/** How what a reconciliation proves is booked: the bank has what a gateway had sent. */
import type { IsoDate } from '../../base/clock.ts'
import type { AccountCode } from './chart.ts'
import type { Draft } from './entry.ts'

/** A line of a bank statement that settlements came in. */
export interface BankCredit {
  /** The account of our books that stands for the one at the bank. */
  into: AccountCode
  /** Minor units, above zero. */
  amount: bigint
  currency: string
  /** The day on which the bank booked it. */
  on: IsoDate
  /** What tells the line from all others, and this matching of it from those before. */
  naturalKey: string
  /** Ours of the settlements: `stl_…`, in order. */
  settlements: readonly string[]
  actor: string
}

/** Settlements that an entry names; more are found by its match. */
const NAMED_MAX = 20

const IN_TRANSIT: AccountCode = 'assets:bank:in-transit'

/** The bank credited what gateways had sent: it is on its way no longer. */
export function bankCredited(credit: BankCredit): Draft {
  const { into, amount, currency, settlements, naturalKey: key } = credit
  const [only] = settlements
  const what = settlements.length === 1 ? `settlement ${only}` : `${settlements.length} settlements`
  return {
    kind: 'bank_credited',
    effectiveOn: credit.on,
    idempotencyKey: key,
    description: `Credited by the bank, ${what}`,
    source: key,
    actor: credit.actor,
    reverses: null,
    adjusts: null,
    metadata: { settlements: settlements.slice(0, NAMED_MAX).join(' ') },
    lines: [
      { direction: 'debit', account: into, amount, currency },
      { direction: 'credit', account: IN_TRANSIT, amount, currency },
    ],
  }
}
