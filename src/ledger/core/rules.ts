/** How each business fact is booked: one pure function a kind of entry. */
import type { IsoDate } from '../../base/clock.ts'
import { APPROVED_BY, LATE_REASON, type Draft, type DraftLine } from './entry.ts'

export interface CapturedMoney {
  gateway: string
  gatewayPaymentId: string
  /** Minor units, gross: the gateway's fee comes off at settlement. */
  amount: bigint
  currency: string
  /** The day of the capture in India's calendar. */
  capturedOn: IsoDate
  /** The fact's natural key: the entry is posted once for it. */
  factKey: string
  actor: string
}

/** A donor's payment was captured: the gateway owes us, the fund has income. */
export function donationCaptured(
  money: CapturedMoney,
  donation: { donationId: string; fund: string },
): Draft {
  return {
    ...captured(money),
    kind: 'donation_captured',
    description: `Donation through ${money.gateway}, payment ${money.gatewayPaymentId}`,
    metadata: { donation_id: donation.donationId, gateway_payment_id: money.gatewayPaymentId },
    lines: [
      line('debit', `assets:clearing:${money.gateway}`, money),
      line('credit', `income:donations:${donation.fund}`, money),
    ],
  }
}

/** Money came that no open donation asked for: the gateway owes us, and we owe somebody. */
export function unidentifiedCaptured(money: CapturedMoney): Draft {
  return {
    ...captured(money),
    kind: 'unidentified_captured',
    description: `Unidentified receipt through ${money.gateway}, payment ${money.gatewayPaymentId}`,
    metadata: { gateway_payment_id: money.gatewayPaymentId },
    lines: [
      line('debit', `assets:clearing:${money.gateway}`, money),
      line('credit', 'liabilities:unidentified-receipts', money),
    ],
  }
}

/** What somebody asks to be posted in his own words, by hand or from another system. */
export interface AskedEntry {
  idempotencyKey: string
  effectiveOn: IsoDate
  description: string
  source: string
  actor: string
  metadata: Readonly<Record<string, string>>
  /** Why it comes into a month that is closed to others; null where it does not. */
  lateReason: string | null
  /** Who consented, where it took another's consent. */
  approvedBy?: string | undefined
  lines: readonly DraftLine[]
}

/** An entry as it was asked for: no rule of ours decides its lines. */
export function manualEntry(asked: AskedEntry): Draft {
  const { lateReason, approvedBy, metadata, ...rest } = asked
  return {
    ...rest,
    kind: 'manual',
    reverses: null,
    adjusts: null,
    metadata: {
      ...metadata,
      ...(lateReason === null ? {} : { [LATE_REASON]: lateReason }),
      ...(approvedBy === undefined ? {} : { [APPROVED_BY]: approvedBy }),
    },
  }
}

function captured(money: CapturedMoney) {
  return {
    effectiveOn: money.capturedOn,
    idempotencyKey: money.factKey,
    source: money.factKey,
    actor: money.actor,
    reverses: null,
    adjusts: null,
  }
}

function line(
  direction: 'debit' | 'credit',
  account: Draft['lines'][number]['account'],
  money: CapturedMoney,
): Draft['lines'][number] {
  return { account, direction, amount: money.amount, currency: money.currency }
}
