/** Razorpay's combined settlement report: rows of its API, and the dashboard's CSV. */
import { isObject, type JsonObject } from '../../gateways/json.ts'
import { cellAmount, cellCurrency, cellDay, cellId, cellText, decimalsOf } from './cells.ts'
import type { GatewayForm, GatewayMapping } from './gateway-file.ts'
import { normalReference, type LineKind, type SettlementLine } from './line.ts'
import type { Cells } from './named.ts'
import { BadCell } from './reading.ts'

/**
 * docs: api/settlements/fetch-recon. The API counts paise, the dashboard's CSV rupees; in both the
 * fee has its tax in it unless the mapping says otherwise.
 */
export const RAZORPAY_FORM: GatewayForm = {
  columns: [
    'entity_id',
    'type',
    'debit',
    'credit',
    'amount',
    'currency',
    'fee',
    'tax',
    'created_at',
    'settled_at',
    'settlement_id',
    'payment_id',
    'settlement_utr',
    'order_id',
    'dispute_id',
  ],
  needed: ['entity_id', 'type', 'debit', 'credit', 'amount'],
  rowsIn(document) {
    const items = isObject(document) ? document['items'] : document
    return Array.isArray(items) ? items.filter(isObject) : isObject(document) ? [document] : []
  },
  line,
}

const KINDS: ReadonlyMap<string, LineKind> = new Map([
  ['payment', 'payment'],
  ['refund', 'refund'],
  ['transfer', 'transfer'],
  ['reversal', 'transfer_reversal'],
  ['adjustment', 'adjustment'],
])

function line(row: number, cells: Cells, mapping: GatewayMapping): SettlementLine {
  const lineId = cellId('entity_id', cells.at('entity_id'))
  if (lineId === null) {
    throw new BadCell('entity_id', 'is empty')
  }
  const currency = cellCurrency('currency', cells.at('currency') || 'INR')
  const decimals = decimalsOf(mapping.unit, currency)
  const money = (column: string) => cellAmount(column, cells.at(column), decimals)
  const amount = money('amount')
  const [credit, debit] = [money('credit') ?? 0n, money('debit') ?? 0n]
  if (amount === null || amount < 0n || credit < 0n || debit < 0n) {
    throw new BadCell('amount', 'is empty, or an amount is below zero')
  }
  const type = cells.at('type').trim().toLowerCase()
  const disputeId = cellId('dispute_id', cells.at('dispute_id'))
  const kind = kindOf(type, disputeId, credit > debit)
  const paymentId = cellId('payment_id', cells.at('payment_id'))
  const [fee, tax] = [money('fee'), money('tax')]
  return {
    row,
    lineId,
    kind,
    toldKind: kind === 'other' ? toldKindOf(type) : null,
    externalId: kind.startsWith('dispute') ? disputeId : lineId,
    paymentRef: kind === 'payment' ? lineId : paymentId,
    orderRef: cellId('order_id', cells.at('order_id')),
    settlementRef: cellId('settlement_id', cells.at('settlement_id')),
    utr: normalReference(cellId('settlement_utr', cells.at('settlement_utr')) ?? ''),
    amount,
    fee: mapping.feeHasTax || fee === null ? fee : fee + (tax ?? 0n),
    tax,
    net: credit - debit,
    currency,
    occurredOn: cellDay('created_at', cells.at('created_at')),
    settledOn: cellDay('settled_at', cells.at('settled_at')),
  }
}

/** A dispute is taken as an adjustment that names it, and given back as one. */
function kindOf(type: string, disputeId: string | null, isCredit: boolean): LineKind {
  const kind = KINDS.get(type) ?? 'other'
  return kind === 'adjustment' && disputeId !== null
    ? isCredit
      ? 'dispute_reversal'
      : 'dispute'
    : kind
}

/** The gateway's own word, as long as the table takes it. */
export function toldKindOf(word: string): string {
  return (cellText(word) ?? 'nothing').slice(0, 100)
}

/** The members of a row that are read, and nothing else of it: no notes, no cards. */
export function razorpayRow(row: JsonObject): JsonObject {
  return Object.fromEntries(RAZORPAY_FORM.columns.map((name) => [name, row[name] ?? null]))
}
