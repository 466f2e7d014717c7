/** How differences are booked that the reconciliation found: written off, adjusted, or recorded. */
import type { IsoDate } from '../../base/clock.ts'
import { Problem } from '../../base/problem.ts'
import type { AccountCode, Direction } from './chart.ts'
import { REASON } from './corrections.ts'
import { APPROVED_BY, LATE_REASON, type Draft, type DraftLine, type EntryKind } from './entry.ts'

export const DIFFERENCES: { lost: AccountCode; found: AccountCode } = {
  lost: 'expenses:reconciliation-differences',
  found: 'income:reconciliation-differences',
}

const ACCOUNTS: ReadonlySet<string> = new Set(Object.values(DIFFERENCES))

export function isOfDifferences(code: string): boolean {
  return ACCOUNTS.has(code)
}

/** What the accounts of differences take: a write-off, what takes one back, and a year's end. */
const EXPLAINED: ReadonlySet<EntryKind> = new Set([
  'difference_written_off',
  'reversal',
  'year_closed',
])

/**
 * Throws `invalid_entry` (moved: no) for any other entry there: an auditor finds behind each line
 * the difference that was given up, who gave it up and why, and their sum is the balance.
 */
export function assertExplained({ kind, lines }: Pick<Draft, 'kind' | 'lines'>): void {
  const taken = lines.find(({ account }) => isOfDifferences(account))
  if (taken !== undefined && !EXPLAINED.has(kind)) {
    const detail =
      `${taken.account} takes write-offs of the reconciliation only: resolve the exception ` +
      '(POST /v1/recon/exceptions/{id}/resolve), or name the account of what it was.'
    throw new Problem('invalid_entry', { detail, moved: 'no' })
  }
}

/** What every entry of a resolution is made of. */
export interface Resolved {
  resolutionId: string
  exceptionId: string
  effectiveOn: IsoDate
  /** In the words of who asked for it. */
  reason: string
  actor: string
  /** Why it comes into a month that is closed to others; null where it does not. */
  lateReason: string | null
  /** Who consented, where it took another's consent. */
  approvedBy?: string | undefined
}

/** The key of a resolution's entry, which the database asks for as well. */
export function resolutionKey(resolutionId: string): string {
  return `resolution:${resolutionId}`
}

/**
 * What an account shows and nobody will ever pay is lost; what came and nobody can name is found.
 * `excess` is what the account shows too much, below zero what it lacks; never 0.
 */
export function differenceWrittenOff(
  resolved: Resolved,
  off: { account: AccountCode; excess: bigint; currency: string; what: string },
): Draft {
  const { account, excess, currency, what } = off
  const amount = excess < 0n ? -excess : excess
  const [from, to] = excess > 0n ? [DIFFERENCES.lost, account] : [account, DIFFERENCES.found]
  return draft('difference_written_off', `Written off: ${what}`, resolved, [
    { account: from, direction: 'debit', amount, currency },
    { account: to, direction: 'credit', amount, currency },
  ])
}

/** A difference booked as somebody says: no rule of ours decides its lines. */
export function differenceAdjusted(
  resolved: Resolved,
  { what, lines }: { what: string; lines: readonly DraftLine[] },
): Draft {
  return draft('difference_adjusted', `Adjusted: ${what}`, resolved, lines)
}

const UNIDENTIFIED_IN: AccountCode = 'liabilities:unidentified-receipts'
const UNIDENTIFIED_OUT: AccountCode = 'assets:unidentified-payments'
const FEES: AccountCode = 'expenses:gateway-fees'
const INPUT_GST: AccountCode = 'assets:input-gst'

/** A line of a settlement that is about no payment: the gateway's own. Minor units. */
export interface OwnLine {
  gateway: string
  /** The gateway's id of the line, or its place. */
  ref: string
  isFee: boolean
  /** What it adds to the settlement; below zero what it takes away. */
  net: bigint
  /** The tax in a charge. */
  tax: bigint
  currency: string
}

/**
 * A charge is an expense with its GST; of any other line nobody knows yet whose money it is, so
 * that finance says it afterwards.
 */
export function gatewayAdjusted(resolved: Resolved, own: OwnLine): Draft {
  const { gateway, ref, net, currency } = own
  const amount = net < 0n ? -net : net
  const tax = own.isFee && own.tax <= amount && own.tax > 0n ? own.tax : 0n
  const [side, other]: readonly Direction[] = net < 0n ? ['debit', 'credit'] : ['credit', 'debit']
  const parts: readonly (readonly [AccountCode, bigint])[] = own.isFee
    ? [
        [FEES, amount - tax],
        [INPUT_GST, tax],
      ]
    : [[net < 0n ? UNIDENTIFIED_OUT : UNIDENTIFIED_IN, amount]]
  const lineOf = (direction: Direction | undefined, account: AccountCode, of: bigint) => ({
    direction: direction ?? 'debit',
    account,
    amount: of,
    currency,
  })
  return draft(
    'gateway_adjusted',
    `${own.isFee ? 'Charge' : 'Adjustment'} of ${gateway}, ${ref}`,
    resolved,
    [
      ...parts.filter(([, of]) => of > 0n).map(([account, of]) => lineOf(side, account, of)),
      lineOf(other, `assets:clearing:${gateway}`, amount),
    ],
  )
}

function draft(
  kind: EntryKind,
  description: string,
  resolved: Resolved,
  lines: readonly DraftLine[],
): Draft {
  const { resolutionId, exceptionId, lateReason, approvedBy } = resolved
  return {
    kind,
    effectiveOn: resolved.effectiveOn,
    idempotencyKey: resolutionKey(resolutionId),
    description,
    source: exceptionId,
    actor: resolved.actor,
    reverses: null,
    adjusts: null,
    metadata: {
      [REASON]: resolved.reason,
      resolution: resolutionId,
      exception: exceptionId,
      ...(lateReason === null ? {} : { [LATE_REASON]: lateReason }),
      ...(approvedBy === undefined ? {} : { [APPROVED_BY]: approvedBy }),
    },
    lines,
  }
}
