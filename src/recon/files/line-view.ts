/** A line as a preview keeps it: what was read, by the names that answers have. */
import { minorToJson } from '../../base/money.ts'
import type { BankLine, SettlementLine } from '../sources/line.ts'

export function settlementPreview(line: SettlementLine): object {
  return {
    row: line.row,
    kind: line.kind,
    told_kind: line.toldKind,
    external_id: line.externalId,
    payment_ref: line.paymentRef,
    order_ref: line.orderRef,
    settlement_ref: line.settlementRef,
    utr: line.utr,
    amount: minorToJson(line.amount),
    fee: line.fee === null ? null : minorToJson(line.fee),
    tax: line.tax === null ? null : minorToJson(line.tax),
    net: minorToJson(line.net),
    currency: line.currency,
    occurred_on: line.occurredOn,
    settled_on: line.settledOn,
  }
}

export function bankPreview(line: BankLine): object {
  return {
    row: line.row,
    booked_on: line.bookedOn,
    value_on: line.valueOn,
    amount: minorToJson(line.amount),
    currency: line.currency,
    balance_after: line.balanceAfter === null ? null : minorToJson(line.balanceAfter),
    reference: line.reference,
    narration: line.narration,
  }
}
